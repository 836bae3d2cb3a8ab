"""The box before the way back: there is something to take back, of every kind."""

from __future__ import annotations

from typing import Any

from support.scenario import change_of_state

PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"
STACK = "/opt/rdna1/rocm-5.7"


def test_packages_repository_and_environment_are_there(host: Any) -> None:
    assert host.package("hip-runtime-amd").version == "5.7.31921.50701-98~22.04"
    assert host.file("/etc/apt/sources.list.d/rocm.sources").exists
    assert host.file("/etc/apt/keyrings/rocm.gpg").exists
    program = "import torch; print(torch.__version__)"
    assert host.check_output(f"{STACK}/bin/python -c %s", program) == "2.2.2+rocm5.7"
    assert {"render", "video"} <= set(host.user("ada").groups)


def test_every_part_of_the_state_changed() -> None:
    assert set(change_of_state()) == {
        "packages",
        "marked as automatic",
        "files",
        "contents",
        "groups of the user",
        "groups",
    }


def test_one_profile_script_is_active_and_it_is_not_the_owners(host: Any) -> None:
    found = host.check_output("ls /etc/profile.d").split()
    assert [name for name in found if name.startswith("rocm-rdna1") and name.endswith(".sh")] == [
        PROFILE.rpartition("/")[2]
    ]
    assert "MINE=1" not in host.file(PROFILE).content_string


def test_the_forbidden_variable_is_out_of_the_users_file_which_is_as_it_was_else(host: Any) -> None:
    file = host.file("/home/ada/.bashrc")
    assert file.content == b"# mine\r\n"
    backup = host.file("/home/ada/.bashrc.rdna1-backup")
    assert [(f.user, f.mode) for f in (file, backup)] == [("ada", 0o604)] * 2


def test_databases_of_miopen_are_moved_out_of_the_way(host: Any) -> None:
    assert host.file("/home/ada/.config").listdir() == ["miopen.rdna1-backup"]


def test_the_owners_files_are_there(host: Any) -> None:
    assert host.file("/opt/rdna1/mine").content == b"mine\n"
    assert host.file("/etc/rdna1/mine.conf").content == b"mine\n"


def test_the_state_before_is_for_root_only(host: Any) -> None:
    folders = host.file("/var/lib/rdna1/snapshots").listdir()
    assert len(folders) == 1, "the second run changed nothing"
    assert host.file(f"/var/lib/rdna1/snapshots/{folders[0]}").mode == 0o700
