"""The one way into a home: what is read, with whose rights, and what is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from rdna1.target.homes import Tree
from rdna1.target.rights import Owner, RefusedError, acting_as
from rdna1.target.walk import Identity
from support.homes import ADA, BOB, give, linked, written

LIMIT = 1024


def read(root: Path, path: str, named_by: Owner | None = None) -> bytes:
    with Tree(str(root)).look(path, named_by=named_by) as found:
        return found.read(LIMIT)


def refused(root: Path, path: str, reason: str, named_by: Owner | None = None) -> None:
    with pytest.raises(RefusedError, match=re.escape(reason)):
        read(root, path, named_by)


# --- whose rights ----------------------------------------------------------------------------


def test_a_file_of_a_home_is_read_as_its_owner(homes: Path) -> None:
    written(homes / "home/ada/mine", ADA)
    with Tree(str(homes)).look("/home/ada/mine") as found:
        assert found.owner == Owner(ADA, ADA)
        assert found.read(LIMIT) == b"text\n"
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.parametrize(
    "path",
    ["/home/ada/x", "/home/../home/ada/x", "/home/./ada//x", "/users/ada/x", "/data/u/ada/x"],
)
def test_a_file_that_only_root_may_read_is_not_read_in_a_home(homes: Path, path: str) -> None:
    (homes / "users").symlink_to("/home")
    (homes / "data").mkdir()
    (homes / "data/u").symlink_to("../home")
    written(homes / "home/ada/x", 0)
    with pytest.raises(PermissionError, match="Permission denied"):
        read(homes, path)


def test_root_reads_its_own_files_elsewhere(homes: Path) -> None:
    (homes / "etc").mkdir()
    written(homes / "etc/x", 0)
    with Tree(str(homes)).look("/etc/x") as found:
        assert (found.owner, found.read(LIMIT)) == (None, b"text\n")


def test_a_root_folder_that_is_a_home(homes: Path) -> None:
    written(homes / "home/ada/secret", 0)
    written(homes / "home/ada/mine", ADA)
    assert read(homes / "home/ada", "/mine") == b"text\n"
    with pytest.raises(PermissionError, match="Permission denied"):
        read(homes / "home/ada", "/secret")


@pytest.mark.usefixtures("homes")
def test_root_gets_its_rights_back_after_a_failure() -> None:
    groups = os.getgroups()
    with pytest.raises(ZeroDivisionError), acting_as(Owner(ADA, ADA)):
        assert (os.geteuid(), os.getegid(), os.getgroups()) == (ADA, ADA, [])
        _ = 1 / 0
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, 0, groups)


def test_what_a_users_file_names_is_read_with_that_users_rights(homes: Path) -> None:
    (homes / "etc").mkdir()
    written(homes / "etc/shadow", 0)
    written(homes / "etc/public", 0, mode=0o644)
    assert read(homes, "/etc/public", Owner(ADA, ADA)) == b"text\n"
    with pytest.raises(PermissionError, match="Permission denied"):
        read(homes, "/etc/shadow", Owner(ADA, ADA))
    written(homes / "home/bob/x", BOB, mode=0o644)
    refused(homes, "/home/bob/x", f"belongs to user {BOB}", Owner(ADA, ADA))


# --- third parties ---------------------------------------------------------------------------


def test_what_a_third_party_has_in_a_home(homes: Path) -> None:
    written(homes / "home/ada/file", BOB, mode=0o644)
    give(homes / "home/ada", ADA)
    refused(homes, "/home/ada/file", f"belongs to user {BOB}, neither root nor the home's owner")
    folder = homes / "home/ada/folder"
    folder.mkdir()
    give(folder, BOB)
    written(folder / "mine", ADA, mode=0o644)
    refused(homes, "/home/ada/folder/mine", f"belongs to user {BOB}")


def test_a_folder_that_everybody_may_write_to(homes: Path) -> None:
    folder = homes / "home/ada/open"
    folder.mkdir()
    give(folder, ADA)
    written(folder / "x", ADA)
    folder.chmod(0o777)
    refused(homes, "/home/ada/open/x", "in a folder that everybody may write to")
    folder.chmod(0o1777)
    assert read(homes, "/home/ada/open/x") == b"text\n"


# --- links -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    ["dotfiles/rc", "/home/ada/dotfiles/rc", "../ada/dotfiles/rc", "/users/ada/dotfiles/rc"],
)
def test_links_of_the_owner_that_stay_in_the_home(homes: Path, target: str) -> None:
    give(homes / "home/ada", ADA)
    (homes / "users").symlink_to("home")
    dotfiles = homes / "home/ada/dotfiles"
    dotfiles.mkdir()
    give(dotfiles, ADA)
    written(dotfiles / "rc", ADA)
    linked(homes / "home/ada/.rc", ADA, target)
    assert read(homes, "/home/ada/.rc") == b"text\n"
    linked(homes / "home/ada/.dots", ADA, "dotfiles")
    assert read(homes, "/home/ada/.dots/rc") == b"text\n"


@pytest.mark.parametrize(
    "target", ["/etc/public", "../../etc/public", "/home/ada/../../etc/public"]
)
def test_links_out_of_the_home(homes: Path, target: str) -> None:
    (homes / "etc").mkdir()
    written(homes / "etc/public", 0, mode=0o644)
    linked(homes / "home/ada/x", ADA, target)
    refused(homes, "/home/ada/x", "a link leads out of the home")


def test_a_link_tells_its_owner_nothing_new(homes: Path) -> None:
    """What the owner cannot see must look alike, there or not."""
    (homes / "root").mkdir(mode=0o700)
    written(homes / "root/there", 0)
    for name in ("there", "missing"):
        linked(homes / f"home/ada/{name}", ADA, f"/root/{name}")
        with pytest.raises(PermissionError, match="Permission denied"):
            read(homes, f"/home/ada/{name}")


def test_a_link_to_a_file_of_roots_in_the_home(homes: Path) -> None:
    written(homes / "home/ada/of-root", 0, mode=0o644)
    linked(homes / "home/ada/x", ADA, "of-root")
    refused(homes, "/home/ada/x", "a link leads to what is not its owner's")


def test_a_link_of_a_third_party(homes: Path) -> None:
    written(homes / "home/ada/mine", ADA)
    linked(homes / "home/ada/x", BOB, "mine")
    refused(homes, "/home/ada/x", f"belongs to user {BOB}")


def test_links_outside_of_homes(homes: Path) -> None:
    written(homes / "file", 0)
    shared = homes / "shared"
    shared.mkdir()
    linked(shared / "of-root", 0, "/file")
    linked(shared / "of-ada", ADA, "/file")
    assert read(homes, "/shared/of-root") == b"text\n"
    refused(homes, "/shared/of-ada", "a link of somebody who is not root")
    shared.chmod(0o1777)
    refused(homes, "/shared/of-root", "a link in a folder that others may write to")


def test_links_in_a_circle(homes: Path) -> None:
    linked(homes / "home/ada/a", ADA, "b")
    linked(homes / "home/ada/b", ADA, "a")
    refused(homes, "/home/ada/a", "too many levels of symbolic links")


def test_a_link_itself(homes: Path) -> None:
    linked(homes / "home/ada/x", ADA, "/etc/shadow")
    with Tree(str(homes)).look("/home/ada/x", follow=False) as found:
        assert found.target() == "/etc/shadow"


# --- kinds and sizes -------------------------------------------------------------------------


def test_only_regular_files_are_opened(homes: Path) -> None:
    home = homes / "home/ada"
    os.mkfifo(home / "pipe")
    give(home / "pipe", ADA)
    refused(homes, "/home/ada/pipe", "not a regular file")
    with pytest.raises(IsADirectoryError):
        read(homes, "/home/ada")
    with pytest.raises(NotADirectoryError), Tree(str(homes)).look("/home/ada/pipe") as found:
        found.names(1)


def test_a_device_is_not_opened(homes: Path) -> None:
    """A device of a driver that nobody has: opening it fails."""
    device = homes / "home/ada/device"
    try:
        os.mknod(device, 0o600 | 0o020000, os.makedev(510, 7))
    except PermissionError:
        pytest.skip("this root must not make devices")
    refused(homes, "/home/ada/device", "not a regular file")


def test_sizes(homes: Path) -> None:
    written(homes / "home/ada/x", ADA, "x" * LIMIT)
    assert len(read(homes, "/home/ada/x")) == LIMIT
    written(homes / "home/ada/x", ADA, "x" * (LIMIT + 1))
    refused(homes, "/home/ada/x", f"larger than {LIMIT} bytes")


def test_names_of_a_folder(homes: Path) -> None:
    for name in (b"a", b"b\n", b"c\xff"):
        Path(os.fsdecode(os.fsencode(homes / "home/ada") + b"/" + name)).touch()
    with Tree(str(homes)).look("/home/ada") as found:
        assert found.names(3) == ["a", "b\n", "c\udcff"]
        with pytest.raises(RefusedError, match="more than 2 names"):
            found.names(2)


@pytest.mark.parametrize("path", ["/proc/kmsg", "/sys/kernel/mm", "/proc/self/mem"])
def test_what_the_kernel_makes_up_is_not_read_for_a_user(path: str) -> None:
    kind = path.split("/")[1].replace("sys", "sysfs")
    for owner in (Owner(ADA, ADA), Owner(0, 0)):
        refused(Path("/"), path, f"on the file system {kind}", owner)


def test_what_the_kernel_makes_up_is_read_where_no_user_names_it() -> None:
    with Tree().look("/proc/self/status") as found:
        assert found.read(64 * 1024).startswith(b"Name:")


@pytest.mark.parametrize("path", ["/etc/\0", "/" + "x" * 300])
def test_impossible_paths(tmp_path: Path, path: str) -> None:
    with pytest.raises(OSError, match=r"not a path|File name too long"):
        read(tmp_path, path)


def test_no_descriptor_is_left_open(homes: Path) -> None:
    written(homes / "home/ada/x", ADA)
    linked(homes / "home/ada/link", ADA, "/nowhere")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - descriptors are not files
    tree = Tree(str(homes))
    for path in ("/home/ada/x", "/home/ada/link", "/home/bob/none", "/home/ada/../ada/x/y"):
        with pytest.raises(OSError, match=r"."), tree.look(path) as found:
            found.read(1)
    del tree
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# --- to write --------------------------------------------------------------------------------


def test_the_folder_of_a_path_is_held(homes: Path) -> None:
    home = homes / "home/ada"
    with Tree(str(homes)).folder("/home/ada/new") as place:
        assert (place.name, place.owner) == ("new", Owner(ADA, ADA))
        assert place.parents[-1] == Identity.of(home.stat())
        home.rename(homes / "home/moved")
        (homes / "home/ada").symlink_to("/etc")
        with place.rights():
            os.close(os.open(place.name, os.O_CREAT | os.O_EXCL, 0o644, dir_fd=place.descriptor))
    status = (homes / "home/moved/new").stat()
    assert (status.st_uid, status.st_gid) == (ADA, ADA)


def test_the_name_is_looked_at_without_following(homes: Path) -> None:
    written(homes / "home/ada/x", ADA)
    linked(homes / "home/ada/link", ADA, "x")
    written(homes / "home/ada/of-bob", BOB)
    tree = Tree(str(homes))
    with tree.folder("/home/ada/x") as place, place.look() as found:
        assert found.read(LIMIT) == b"text\n"
    with tree.folder("/home/ada/link") as place, place.look() as found:
        assert found.target() == "x"
        with pytest.raises(RefusedError, match="not a regular file"):
            found.read(LIMIT)
    with (
        tree.folder("/home/ada/of-bob") as place,
        pytest.raises(RefusedError, match="belongs"),
        place.look(),
    ):
        pass


def test_no_link_in_a_home_leads_to_a_folder_to_write_to(homes: Path) -> None:
    (homes / "home/ada/real").mkdir()
    give(homes / "home/ada/real", ADA)
    linked(homes / "home/ada/conf", ADA, "real")
    with (
        pytest.raises(RefusedError, match="a link in a home"),
        Tree(str(homes)).folder("/home/ada/conf/x"),
    ):
        pass


def test_another_folder_than_the_expected_one(homes: Path) -> None:
    expected = Identity.of((homes / "home/ada").stat())
    with Tree(str(homes)).folder("/home/ada/x", expected=expected):
        pass
    (homes / "home/ada").rename(homes / "home/old")
    (homes / "home/ada").mkdir()
    give(homes / "home/ada", ADA)
    with (
        pytest.raises(RefusedError, match="its folder is not the one that it was"),
        Tree(str(homes)).folder("/home/ada/x", expected=expected),
    ):
        pass


@pytest.mark.parametrize("path", ["/home/ada/", "/home/ada/.", "/home/ada/..", "/"])
def test_a_path_to_write_to_ends_in_a_name(homes: Path, path: str) -> None:
    with pytest.raises(RefusedError, match="no name"), Tree(str(homes)).folder(path):
        pass
