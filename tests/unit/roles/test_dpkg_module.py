"""The module that finishes what dpkg left: which archive of apt's cache is unpacked again."""

from __future__ import annotations

from pathlib import Path

import ansible.module_utils
import pytest

from support.ansible_module import INSTALLER, MODULES
from support.modules import load_by_path

# What the setting module_utils of ansible.cfg does.
ansible.module_utils.__path__.append(str(INSTALLER))
MODULE = load_by_path(MODULES / "rdna1_dpkg.py")
CACHE = ("comgr_1_amd64.deb", "comgr_2_amd64.deb", "comgr_2_i386.deb", "comgr-dev_2_amd64.deb")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("comgr:amd64", "comgr_2_amd64.deb"),
        ("comgr:i386", "comgr_2_i386.deb"),
        ("comgr-dev", "comgr-dev_2_amd64.deb"),
        ("com", ""),
        ("*", ""),
    ],
)
def test_the_archive_of_a_package_is_the_one_that_was_fetched_last(
    name: str, file: str, tmp_path: Path
) -> None:
    for one in CACHE:
        (tmp_path / one).write_text("")
    # The time of a file is the server's, the older version may be the newer file there.
    (tmp_path / "comgr_2_amd64.deb").chmod(0o644)
    found = MODULE.cached(name, str(tmp_path))
    assert [Path(path).name for path in found] == ([file] if file else [])


def test_files_that_dpkg_was_unpacking_are_found(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for name in ("data", "data.dpkg-new", "data.dpkg-old"):
        (tmp_path / "lib" / name).write_text("")
    found = MODULE.drafts_below([str(tmp_path), str(tmp_path / "gone")])
    assert found == [str(tmp_path / "lib" / "data.dpkg-new")]
