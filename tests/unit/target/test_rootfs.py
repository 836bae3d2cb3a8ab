from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rdna1.target.rootfs import MissingError, RootFs, UnreadableError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/inside").write_text("inside\n")
    (tmp_path / "outside").write_text("outside\n")
    return root


def test_reads_below_the_root(root: Path) -> None:
    rootfs = RootFs(str(root))
    assert rootfs.text("/etc/inside") == "inside\n"
    assert rootfs.names("/etc") == ["inside"]
    assert not rootfs.live


@pytest.mark.parametrize("target", ["/etc/inside", "../etc/inside", "../../../../etc/inside"])
def test_links_stay_inside_the_root(root: Path, target: str) -> None:
    (root / "etc/link").symlink_to(target)
    assert RootFs(str(root)).text("/etc/link") == "inside\n"


def test_a_link_to_a_folder_is_followed_on_the_way(root: Path) -> None:
    (root / "config").symlink_to("/etc")
    assert RootFs(str(root)).text("/config/inside") == "inside\n"


@pytest.mark.parametrize("target", ["../outside", "../../outside", "/../outside"])
def test_no_link_leads_out_of_the_root(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    with pytest.raises(MissingError):
        RootFs(str(root)).text("/link")


def test_links_in_a_circle(root: Path) -> None:
    (root / "a").symlink_to("/b")
    (root / "b").symlink_to("/a")
    with pytest.raises(UnreadableError, match="too many levels of symbolic links"):
        RootFs(str(root)).text("/a")


def test_undecodable_bytes_are_replaced(root: Path) -> None:
    (root / "junk").write_bytes(b"a\xff\x00b")
    assert RootFs(str(root)).text("/junk") == "a\ufffd\x00b"


def test_a_missing_file_names_itself(root: Path) -> None:
    with pytest.raises(MissingError, match=r"^/etc/none: No such file or directory$"):
        RootFs(str(root)).text("/etc/none")
    assert RootFs(str(root)).optional_text("/etc/none") is None
    assert RootFs(str(root)).optional_names("/none") == []
    assert not RootFs(str(root)).exists("/etc/inside/deeper")


def test_a_file_above_the_limit_is_not_read(root: Path) -> None:
    (root / "big").write_bytes(b"x" * 11)
    assert RootFs(str(root)).text("/big", limit=11) == "x" * 11
    with pytest.raises(UnreadableError, match="larger than 10 bytes"):
        RootFs(str(root)).text("/big", limit=10)


def test_a_named_pipe_does_not_block(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(UnreadableError, match="not a regular file"):
        RootFs(str(root)).text("/pipe")


def test_a_folder_is_no_text(root: Path) -> None:
    with pytest.raises(UnreadableError, match="/etc"):
        RootFs(str(root)).text("/etc")


@pytest.mark.parametrize("path", ["/etc/\0", "/" + "x" * 300])
def test_impossible_paths(root: Path, path: str) -> None:
    with pytest.raises(UnreadableError):
        RootFs(str(root)).text(path)
    with pytest.raises(UnreadableError):
        RootFs("/").text(path)


def test_link_name_is_the_last_part_even_of_a_broken_link(root: Path) -> None:
    (root / "driver").symlink_to("../../bus/pci/drivers/amdgpu")
    assert RootFs(str(root)).link_name("/driver") == "amdgpu"
    assert RootFs(str(root)).link_name("/etc/inside") is None


def test_permission_denied_is_a_reason() -> None:
    """Root reads everything, so a process that gave up its rights does the reading."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    code = (
        "import os, sys; from rdna1.target.rootfs import RootFs, UnreadableError\n"
        "rootfs = RootFs(sys.argv[1])\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "for call, path in (rootfs.text, '/secret'), (rootfs.enter, '/home'):\n"
        "    try: call(path)\n"
        "    except UnreadableError as error: print(error)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "secret").touch(mode=0o600)
        (root / "home").mkdir(mode=0o700)
        done = subprocess.run(
            [sys.executable, "-c", code, name], capture_output=True, text=True, check=True
        )
    assert done.stdout == "/secret: Permission denied\n/home: Permission denied\n"
