"""Make sure that a stack's link names a whole environment of the wanted contents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..exclusive_lock import ExclusiveLockError, exclusive_lock
from ..folders import make_folders
from ..rootfs import RootFs, UnreadableError
from .build import BuildError, Uv
from .contents import Difference, differences, finish, marker, packages, python_version
from .execstack import ExecstackError, clear_executable_stacks
from .ownership import closed, foreign, is_own, open_to_all, others_could_write
from .spec import Spec

_UMASK = 0o022


class Result(NamedTuple):
    """What was found and done.

    Attributes:
        changed: whether the machine is (or, in check mode, would be) another than before.
        reason: why, empty where nothing changed.
        before: the environment that was in use, empty for none.
        after: the one in use now.
        removed: old environments that were removed.
        python: version of the environment's Python, empty in check mode where it is not built.
        packages: normalised name to version of what is installed.
    """

    changed: bool
    reason: str
    before: str
    after: str
    removed: list[str]
    python: str
    packages: dict[str, str]


def ensure(spec: Spec, *, check_only: bool = False) -> Result:
    """Build the environment unless it is there as it should be, and switch the link to it.

    Raises:
        BuildError: the build failed; what was in use before still is.
        OSError: a file or folder could not be written.
    """
    obstacle = foreign(spec.prefix, spec.stack)
    if obstacle:
        raise BuildError(obstacle)
    # Modes are this project's to say, not those of whoever runs it.
    os.umask(_UMASK)
    identity = spec.identity()
    current = _current(spec)
    found = _why_not(spec, current, identity)
    if current and not found:
        return _result(current, current)
    if check_only:
        after = _unused_name(spec, identity)
        return Result(True, _reason(found), str(current or ""), str(after), [], "", {})
    make_folders(spec.folder)
    try:
        # uv inherits it: one that a killed run left still works on the environments.
        with exclusive_lock(spec.folder / ".lock") as descriptor:
            return _replace(spec, found, descriptor)
    except ExclusiveLockError as error:
        raise BuildError(str(error)) from error


def _replace(spec: Spec, found: Sequence[Difference], lock: int) -> Result:
    """Build the environment and switch to it, with the lock held."""
    identity, current = spec.identity(), _current(spec)
    # Another run may have finished while this one waited.
    if current and not _why_not(spec, current, identity):
        return _result(current, current)
    if current and _may_be_kept(spec, current, identity):
        open_to_all(current, spec.prefix)
        return _result(current, current)._replace(changed=True, reason=_reason(found))
    _remove_drafts(spec)
    uv = Uv(spec, [lock])
    uv.forget([difference.package for difference in found if difference.package])
    after = _built(spec, uv, identity)
    before = _switch(spec, after)
    removed = _remove_old(spec, {after, before})
    return _result(before, after, _reason(found), removed)


def _reason(found: Sequence[Difference]) -> str:
    return "; ".join(difference.text for difference in found[:5])


def _result(
    before: Path | None, after: Path, reason: str = "", removed: list[str] | None = None
) -> Result:
    rootfs = RootFs()
    installed = marker(rootfs, str(after))["packages"]
    return Result(
        before != after,
        reason,
        str(before or ""),
        str(after),
        removed or [],
        python_version(rootfs, str(after)),
        installed,
    )


def _current(spec: Spec) -> Path | None:
    """Give the environment that the link names, or the folder of an older release in its place."""
    if not spec.link.is_symlink():
        return spec.link if spec.link.exists() else None
    return Path(os.path.join(spec.link.parent, os.readlink(spec.link)))  # noqa: PTH118


def _why_not(spec: Spec, environment: Path | None, identity: str) -> list[Difference]:
    """Return why an environment is not as it should be; nothing where it is."""
    found = _why_contents_are_not(environment, identity)
    if found or environment is None:
        return found
    return closed(environment, spec.prefix)


def _may_be_kept(spec: Spec, environment: Path, identity: str) -> bool:
    """Return whether an environment holds what it should, and nobody else may have added to it."""
    found = _why_contents_are_not(environment, identity)
    return not found and not others_could_write(environment, spec.prefix)


def _why_contents_are_not(environment: Path | None, identity: str) -> list[Difference]:
    """Return why an environment has to be built again; nothing where it holds what it should."""
    if environment is None:
        return [Difference("", "there is none yet")]
    rootfs, path = RootFs(), str(environment)
    try:
        kept = marker(rootfs, path)
        if not kept:
            return [Difference("", f"{environment} is not whole")]
        if kept["identity"] != identity:
            return [Difference("", "its wheels, its Python or this project are to be others")]
        return differences(rootfs, path, kept["packages"], kept["cleared"])
    except UnreadableError as error:
        return [Difference("", str(error))]


def _unused_name(spec: Spec, identity: str) -> Path:
    """Return a folder for the build: not the one in use, which a repair replaces."""
    name = f"{spec.stack}-{identity}"
    current = _current(spec)
    first = spec.folder / name
    return first if current != first else spec.folder / f"{name}-repaired"


def _built(spec: Spec, uv: Uv, identity: str) -> Path:
    """Return a whole environment: an older one that fits, or a new one.

    Raises:
        BuildError: with what uv said; what was built until then is removed.
    """
    environment = _unused_name(spec, identity)
    if environment.is_dir() and _may_be_kept(spec, environment, identity):
        open_to_all(environment, spec.prefix)
        return environment
    rootfs = RootFs()
    for attempt in ("first", "last"):
        # What an interrupted run left.
        shutil.rmtree(environment, ignore_errors=True)
        try:
            uv.build(environment)
            installed = packages(rootfs, str(environment))
            wrong = differences(rootfs, str(environment), installed)
            if not wrong:
                cleared = clear_executable_stacks(environment, spec.execstack)
                # Of the files that it shares with the cache, some may be of an earlier umask.
                open_to_all(environment, spec.prefix)
                finish(environment, identity, installed, cleared)
                return environment
        except ExecstackError as error:
            shutil.rmtree(environment, ignore_errors=True)
            raise BuildError(str(error)) from error
        except BaseException:
            shutil.rmtree(environment, ignore_errors=True)
            raise
        # The cache shares its files with environments in which they were altered.
        uv.forget([difference.package for difference in wrong])
        if attempt == "last":
            shutil.rmtree(environment, ignore_errors=True)
    raise BuildError(f"the wheels do not hold what they say: {wrong[0].text}")


def _switch(spec: Spec, environment: Path) -> Path | None:
    """Let the link name an environment, and give the one that it named before."""
    before = _current(spec)
    if before == spec.link:
        # A folder of an older release: a link cannot take its place in one step.
        before = spec.folder / f"{spec.stack}-before-links"
        shutil.rmtree(before, ignore_errors=True)
        spec.link.rename(before)
    draft = spec.folder / f".{spec.stack}.link"
    draft.unlink() if draft.is_symlink() else None
    draft.symlink_to(environment)
    draft.replace(spec.link)
    return before


def _remove_drafts(spec: Spec) -> None:
    """Remove what a killed uv left in its cache; with the lock held, none is at work."""
    for path in spec.prefix.glob("cache/.tmp*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _remove_old(spec: Spec, kept: set[Path | None]) -> list[str]:
    """Remove the stack's environments but the one in use and the one before."""
    # The names of other stacks may start with this one's name.
    shape = f"{spec.stack}-" + "[0-9a-f]" * 12
    old = {*spec.folder.glob(shape), *spec.folder.glob(f"{shape}-repaired")}
    before_links = spec.folder / f"{spec.stack}-before-links"
    old |= {before_links} if is_own(before_links) else set()
    removed = sorted(path for path in old - kept if path.is_dir())
    for path in removed:
        shutil.rmtree(path)
    return [str(path) for path in removed]
