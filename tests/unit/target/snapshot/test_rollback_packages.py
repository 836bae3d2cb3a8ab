"""What needs what, from a dpkg status file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdna1.target.rootfs import RootFs
from rdna1.target.snapshot.packages import needed, read_packages


@pytest.fixture
def rootfs(tmp_path: Path) -> RootFs:
    """A machine with some packages, one of them of a foreign architecture."""
    stanzas = {
        "libc6": "",
        "ours": "",
        "virtual-ours": "Provides: service (= 2), other\n",
        "deep-ours": "",
        "user-tool": "Depends: ours (>= 1), libc6\n",
        "asks-virtual": "Pre-Depends: service\n",
        "either": "Depends: libc6 | deep-ours, missing | gone\n",
        "gone": "Status-Ignored: x\n",
    }
    text = "".join(
        f"Package: {name}\nStatus: install ok {'config-files' if name == 'gone' else 'installed'}\n"
        f"Architecture: amd64\nVersion: 1\n{fields}\n"
        for name, fields in stanzas.items()
    )
    text += (
        "Package: ours\nStatus: hold ok installed\nArchitecture: i386\nVersion: 2\n"
        "Depends: deep-ours\n"
    )
    dpkg, apt = tmp_path / "var/lib/dpkg", tmp_path / "var/lib/apt"
    dpkg.mkdir(parents=True)
    apt.mkdir()
    (dpkg / "status").write_text(text)
    (dpkg / "arch").write_text("amd64\ni386\n")
    (apt / "extended_states").write_text(
        "Package: deep-ours\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: ours\nArchitecture: i386\nAuto-Installed: 0\n"
    )
    return RootFs(str(tmp_path))


def test_packages_with_marks(rootfs: RootFs) -> None:
    packages = read_packages(rootfs)
    assert packages["deep-ours"] == {"version": "1", "auto": True, "hold": False}
    assert packages["ours:i386"] == {"version": "2", "auto": False, "hold": True}
    assert "gone" not in packages


def test_what_others_need_is_kept_with_the_one_that_needs_it(rootfs: RootFs) -> None:
    candidates = ["ours", "ours:i386", "virtual-ours", "deep-ours"]
    assert needed(rootfs, candidates) == {
        "ours": "user-tool",
        "ours:i386": "user-tool",
        "deep-ours": "user-tool",
        "virtual-ours": "asks-virtual",
    }


def test_one_of_several_ways_is_enough(rootfs: RootFs) -> None:
    assert needed(rootfs, ["deep-ours", "ours:i386"]) == {}


def test_nothing_is_needed_where_all_goes(rootfs: RootFs) -> None:
    assert needed(rootfs, ["user-tool", "ours", "ours:i386"]) == {}
