"""Puts files and groups back."""

from __future__ import annotations

import base64
import itertools
import os
import pwd
import subprocess
from typing import AbstractSet, Callable, Iterable, NamedTuple, Sequence

from ..drafts import first_free, give_to, new_file, remove
from ..homes import Place as Spot
from ..homes import Tree
from ..rights import RefusedError
from .file_changes import FileChange, is_moved_folder
from .files import TOO_LARGE, Entry, Recorder, is_foreign, names_in, parents_of, same
from .watch import BACKUP

# What the owner changed after a run is kept under this name; no program reads files so named.
_KEPT = ".rdna1-kept"
_LEFT_OUT = "left out"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Restored(NamedTuple):
    """What was done, and what was left as it is, in words."""

    done: list[str]
    left: list[str]


def restore_files(
    changes: list[FileChange], *, dry_run: bool, restored_homes: AbstractSet[int] = frozenset()
) -> Restored:
    """Put back what the runs changed.

    A file that its owner changed after the runs is kept next to it, as ``NAME.rdna1-kept``. In
    homes everything is done with the rights of the home's owner, in the folders that were
    written down, and no link is followed: its owner could lead it anywhere.

    Args:
        changes: see `rdna1.target.snapshot.rollback.RollbackPlan`.
        dry_run: say what would be done, do nothing.
        restored_homes: user ids in whose homes the folders may be other ones than those that were
            written down, as after a backup was restored.
    """
    result = Restored([], [])
    tree = Tree()
    of_packages = _of_packages([c.path for c in changes if c.before is None])
    # Moved folders first: their old place is one of the changes, too. What goes, goes from
    # the inside out; what comes back, from the outside in.
    moved = [change for change in changes if is_moved_folder(change)]
    going = [c for c in reversed(changes) if c.before is None and c not in moved]
    coming = [change for change in changes if change.before is not None]
    returned = {_origin(change.path) for change in moved}
    for change in [*moved, *going, *coming]:
        if change.path in of_packages or (dry_run and change.path in returned):
            continue
        step = _return_folder if is_moved_folder(change) else _restore
        try:
            with tree.folder(change.path) as spot:
                _check_recorded(spot, change, restored_homes)
                step(spot, change, result, dry_run)
        except (FileNotFoundError, NotADirectoryError) as error:
            _without_folder(change, result, dry_run, error)
        except OSError as error:
            result.left.append(f"{change.path}: {error.strerror or error}")
    return result


def restore_groups(
    members: list[tuple[str, str]],
    groups: list[str],
    run: Callable[[list[str]], str | None],
    *,
    dry_run: bool,
) -> Restored:
    """Take users out of groups, and remove groups that nobody is in.

    Args:
        members: group and user.
        groups: to be removed.
        run: runs a program; returns what it complains about, or None.
        dry_run: say what would be done, do nothing.
    """
    result = Restored([], [])
    commands = [
        (f"take {user} out of the group {group}", ["gpasswd", "--delete", user, group])
        for group, user in members
    ]
    commands += [(f"remove the group {group}", ["groupdel", group]) for group in groups]
    for title, command in commands:
        error = None if dry_run else run(command)
        if error is None:
            result.done.append(title)
        else:
            result.left.append(f"{title}: {error}")
    return result


def _without_folder(change: FileChange, result: Restored, dry_run: bool, error: OSError) -> None:
    """Deal with a change whose folder is not there: what is to go is gone."""
    if change.before is not None and dry_run:
        # Its folder comes back first.
        result.done.append(f"put back {change.path}")
    elif change.before is not None:
        result.left.append(f"{change.path}: {error.strerror or error}")


def _check_recorded(spot: Spot, change: FileChange, restored_homes: AbstractSet[int]) -> None:
    """Refuse what was written down elsewhere, or of somebody else.

    The number of a device may be another one after the machine was started again, so that only
    the change from one device to another is compared.

    Raises:
        RefusedError: the path leads to another folder, or the record is not of the home's owner.
    """
    for entry in (change.before, change.after):
        if entry is None or entry["kind"] == _LEFT_OUT:
            continue
        recorded = entry.get("parents")
        if is_foreign(spot) and spot.owner is not None and entry["uid"] != spot.owner.uid:
            raise RefusedError(
                f"written down of user id {entry['uid']}, and now in a home of {spot.owner.uid}",
                change.path,
            )
        if recorded is None or spot.owner is None or spot.owner.uid in restored_homes:
            continue
        if _comparable(recorded) != _comparable(parents_of(spot)):
            raise RefusedError(_other_folder(spot.owner.uid), change.path)


def _other_folder(uid: int) -> str:
    """Say why something stays that is in another folder, and what to do if that is right."""
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return (
        f"now in another folder than the one written down. Remedy: if the home of {name} was "
        "restored from a backup or moved to another disk since, roll back with -e "
        f"""'{{"rollback_restored_homes": ["{name}"]}}'; else move the folder back that was there"""
    )


def _comparable(parents: Iterable[Sequence[int]]) -> list[tuple[int, int, bool]]:
    devices = [device for _, device, _ in parents]
    same_device = [one == other for one, other in zip(devices, [*devices[:1], *devices])]
    return [(uid, inode, same) for (uid, _, inode), same in zip(parents, same_device)]


def _return_folder(spot: Spot, change: FileChange, result: Restored, dry_run: bool) -> None:
    """Move a folder back to where a run took it from."""
    now = Recorder(contents=False).entry(spot, whole=True)
    if now is None or now["kind"] != "folder":
        return
    origin = _origin(change.path)
    if not dry_run:
        name = _origin(spot.name)
        if Recorder(contents=False).entry(spot, name, whole=True) is not None:
            _keep(spot, name, origin, result)
        _rename(spot, spot.name, name)
    result.done.append(f"move {change.path} back to {origin}")


def _restore(spot: Spot, change: FileChange, result: Restored, dry_run: bool) -> None:
    path, before, after = change.path, change.before, change.after
    whole = bool((before or after or {}).get("whole", True))
    now = Recorder(contents=False).entry(spot, whole=whole)
    if same(now, before):
        return
    obstacle = _obstacle(change, now)
    if obstacle is not None:
        result.left.append(f"{path}: {obstacle}")
        return
    if before is None and now is not None and now["kind"] == "folder" and not now["whole"]:
        _remove_empty(spot, path, result, dry_run)
        return
    if not dry_run:
        if now is not None and _is_of_owner(now, after):
            _keep(spot, spot.name, path, result)
            now = None
        if before is not None:
            _put_back(spot, before, now)
        elif now is not None:
            _remove(spot)
    result.done.append(f"{'remove' if before is None else 'put back'} {path}")


def _obstacle(change: FileChange, now: Entry | None) -> str | None:
    """Return why something stays as it is, or None."""
    before = change.before
    left_out = [e for e in (before, change.after, now) if e and e["kind"] == _LEFT_OUT]
    if left_out:
        return str(left_out[0]["reason"])
    if not change.ours:
        return "came during an interrupted run, perhaps by your hand"
    if before is None:
        return None
    if before["kind"] == "folder" and now is None and before["whole"]:
        return "this folder is gone; site.yml makes it again"
    if before["kind"] == "file" and "content" not in before:
        return str(before.get("reason", TOO_LARGE))
    return None


def _is_of_owner(now: Entry, after: Entry | None) -> bool:
    """Say whether what is there is not what the runs left, and is kept for the owner therefore."""
    if now["kind"] == "folder":
        return after is None or after["kind"] != "folder"
    return not same(now, after)


def _remove_empty(spot: Spot, path: str, result: Restored, dry_run: bool) -> None:
    """Remove a folder that the runs made, unless somebody put something into it."""
    rest = names_in(spot)
    # Before anything is done, it still holds what is going to be removed.
    if rest and dry_run:
        return
    if rest:
        result.left.append(f"{path}: holds {', '.join(rest)}, not of this project")
        return
    if not dry_run:
        with spot.rights():
            os.rmdir(spot.name, dir_fd=spot.descriptor)
    result.done.append(f"remove {path}")


def _remove(spot: Spot) -> None:
    with spot.rights():
        remove(spot, spot.name)


def _keep(spot: Spot, name: str, path: str, result: Restored) -> None:
    """Move what is in the way aside."""
    numbered = (f"{_KEPT}.{number}" for number in itertools.count(2))
    ends = itertools.chain([_KEPT], numbered)
    with spot.rights():
        kept = first_free(spot, (name + end for end in ends))
    _rename(spot, name, kept)
    folder = path.rpartition("/")[0]
    result.left.append(f"{path}: changed since, so your state of it is now {folder}/{kept}")


def _rename(spot: Spot, name: str, other: str) -> None:
    with spot.rights():
        os.rename(name, other, src_dir_fd=spot.descriptor, dst_dir_fd=spot.descriptor)


def _put_back(spot: Spot, entry: Entry, now: Entry | None) -> None:
    """Put an entry into the place of what is there, which is the runs' doing."""
    if (
        now is not None
        and "folder" in (now["kind"], entry["kind"])
        and now["kind"] != entry["kind"]
    ):
        _remove(spot)
        now = None
    if entry["kind"] == "folder":
        _put_back_folder(spot, entry, is_there=now is not None)
    elif entry["kind"] == "link":
        _put_back_link(spot, entry)
    else:
        _put_back_file(spot, entry)


def _put_back_folder(spot: Spot, entry: Entry, *, is_there: bool) -> None:
    with spot.rights():
        if not is_there:
            os.mkdir(spot.name, 0o700, dir_fd=spot.descriptor)
        descriptor = os.open(spot.name, _FOLDER, dir_fd=spot.descriptor)
    try:
        _give(spot, descriptor, entry)
    finally:
        os.close(descriptor)


def _put_back_link(spot: Spot, entry: Entry) -> None:
    draft = _draft(spot)
    with spot.rights():
        os.symlink(entry["target"], draft, dir_fd=spot.descriptor)
        try:
            if spot.owner is None:
                ids = (entry["uid"], entry["gid"])
                os.chown(draft, *ids, dir_fd=spot.descriptor, follow_symlinks=False)
            _replace(spot, draft)
        except BaseException:
            remove(spot, draft)
            raise


def _put_back_file(spot: Spot, entry: Entry) -> None:
    content = base64.b64decode(entry["content"])
    with new_file(spot, [_draft(spot)], content) as draft:
        _give(spot, draft.descriptor, entry)
        with spot.rights():
            os.utime(draft.descriptor, ns=(entry["modified_ns"], entry["modified_ns"]))
            _replace(spot, draft.name)


def _replace(spot: Spot, draft: str) -> None:
    folder = spot.descriptor
    os.replace(draft, spot.name, src_dir_fd=folder, dst_dir_fd=folder)


def _give(spot: Spot, descriptor: int, entry: Entry) -> None:
    mode = int(entry["mode"], 8)
    give_to(spot, descriptor, uid=entry["uid"], gid=entry["gid"], mode=mode)


def _draft(spot: Spot) -> str:
    return f".{spot.name}.{os.getpid()}"


def _origin(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    return folder + slash + name.partition(BACKUP)[0]


def _of_packages(paths: list[str]) -> set[str]:
    """Return those of the paths that belong to an installed package."""
    if not paths:
        return set()
    # dpkg-query fails as soon as one path belongs to no package, and lists the others.
    done = subprocess.run(  # noqa: S603 - an argument list without a shell
        ["dpkg-query", "--search", *paths],  # noqa: S607 - found as dpkg's own scripts find it
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    lines = done.stdout.decode("utf-8", "surrogateescape").splitlines()
    return {line.partition(": ")[2] for line in lines} & set(paths)
