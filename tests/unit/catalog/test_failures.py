"""Known failures by what the tools print; tests/integration produces the real ones."""

from __future__ import annotations

import re

import pytest

from rdna1.catalog.failures import explain, explain_machine

OUTPUTS = {
    "disk": ("dpkg: error: failed to write: No space left on device", "a disk is full"),
    "disk of the cache": ("E: You don't have enough free space in /var/cache", "a disk is full"),
    "package": ("No package matching 'rocminfoo' is available", "apt knows no package rocminfoo"),
    "package of apt-get": ("E: Unable to locate package rocmin", "apt knows no package rocmin"),
    "lock": ("E: Could not get lock /var/lib/dpkg/lock-frontend", "holds apt's lock"),
    "lock of dpkg": (
        "dpkg: error: dpkg frontend lock was locked by another process with pid 4711",
        "holds apt's lock",
    ),
    "executable stack": (
        (
            "OSError: libamdhip64.so: cannot enable executable stack as shared object requires: "
            "Invalid argument"
        ),
        "glibc from 2.41 on does not load libamdhip64.so",
    ),
    "network": ("Temporary failure resolving 'archive.example'", "cannot be reached"),
    "signature": ("The following signatures: NO_PUBKEY 9386B48A1A693C5C", "does not fit"),
    "wheel": ("cause: Hash mismatch for `torch==2.2.2`", "file of torch==2.2.2 is not the one"),
    "managed Python": ("Hash mismatch for `cpython-3.10.13-linux`", "does not fit"),
    "lock without a hash": (
        (
            "error: In `--require-hashes` mode, all requirements must have a hash, but none were "
            "provided for: torch==2.2.2+rocm5.7"
        ),
        "the lock file has no hash for torch==2.2.2+rocm5.7",
    ),
    "lock without a version": (
        (
            "error: In `--require-hashes` mode, all requirements must have their versions pinned "
            "with `==`, but found: numpy"
        ),
        "the lock file has no hash for numpy",
    ),
    "card": ("does not have an extra named `device-gfx1010`", "no PyTorch with device-gfx1010"),
    "no Release file": (
        (
            "Failed to update apt cache: E:The repository "
            "'https://repo.radeon.com/amdgpu/7.2/ubuntu noble Release' "
            "does not have a Release file."
        ),
        "the server of https://repo.radeon.com/amdgpu/7.2/ubuntu does not have that address",
    ),
    "no file": ("E: Failed to fetch http://a/x.deb  404  Not Found", "does not have a file"),
    "outranked": (
        "rocm-dev : Depends: hipcc (= 1.0.0.50701-98~22.04) but 5.7.1-3 is to be installed",
        "another archive outranks",
    ),
    "downgrade": (
        "E: Packages were downgraded and -y was used without --allow-downgrades.",
        "a newer version than the stack's is installed",
    ),
    "held": (
        "E: Held packages were changed and -y was used without --allow-change-held-packages.",
        "are held at their version",
    ),
    "broken": (
        "E: The package hipfft5.4.1 needs to be reinstalled, but I can't find an archive for it.",
        "hipfft5.4.1 was left half installed",
    ),
    "script": (
        "dpkg: error processing package man-db (--configure):",
        "a script of the package man-db fails",
    ),
    "version of uv": (
        (
            "Because there is no version of torch==2.2.9 and you require torch==2.2.9, we can "
            "conclude that your requirements are unsatisfiable"
        ),
        "does not have that version of torch==2.2.9",
    ),
    "Python of uv": (
        (
            "Because torch==2.2.2 has no wheels with a matching Python ABI tag (e.g., `cp313`), we "
            "can conclude that your requirements are unsatisfiable"
        ),
        "no wheel for this machine's Python",
    ),
    "contradiction of uv": (
        (
            "Because you require numpy<2 and numpy>=2, we can conclude that your requirements are "
            "unsatisfiable"
        ),
        "requirements contradict each other",
    ),
    "version of pip": (
        "ERROR: No matching distribution found for torch==2.2.9",
        "does not have that version",
    ),
    "interrupted": ("E: dpkg was interrupted, you must manually run", "was interrupted"),
}


@pytest.mark.parametrize(("output", "cause"), OUTPUTS.values(), ids=OUTPUTS.keys())
def test_cause_remedy_and_the_telling_line(output: str, cause: str) -> None:
    text = explain(f"Reading package lists...\n{output}\nE: Sub-process returned an error\n")
    said = text.splitlines()
    assert said[0].startswith("Cause: ")
    assert cause in said[0]
    assert said[1].startswith("Remedy: ")
    assert said[2] == f"It said: {output}"


def test_an_unknown_failure_shows_the_end_of_the_output() -> None:
    text = explain("beginning\n" + "x" * 5000 + "\nsomething odd\n")
    assert text.endswith("something odd")
    assert "beginning" not in text


UNMET = """\
Reading state information...
The following packages have unmet dependencies:
 comgr : Depends: libtinfo5 but it is not installable
 rocm-llvm : Depends: python but it is not installable
             Depends: libstdc++-5-dev but it is not installable or
                      libstdc++-7-dev but it is not installable
E: Unable to correct problems, you have held broken packages.
"""


def test_unmet_dependencies_are_told_package_by_package() -> None:
    said = explain(UNMET).splitlines()
    assert "others that this release does not have" in said[0]
    assert "do not add the sources of another release" in said[1]
    assert [line.strip() for line in said[2:]] == [
        "It said: comgr : Depends: libtinfo5 but it is not installable",
        "rocm-llvm : Depends: python but it is not installable",
        "Depends: libstdc++-5-dev but it is not installable or",
        "libstdc++-7-dev but it is not installable",
    ]


def test_a_wrong_hash_is_not_taken_for_a_network_that_is_down() -> None:
    text = explain("E: Failed to fetch http://archive.example/comgr.deb  Hash Sum mismatch")
    assert "a signature or hash does not fit" in text


@pytest.mark.parametrize(
    "error", ["E: Failed to fetch http://archive.example/comgr.deb", "E: Something else"]
)
def test_the_error_is_shown_and_not_the_command_before_it(error: str) -> None:
    command = "'/usr/bin/apt-get -y -o \"A=grep '^b$'\" install 'comgr=1' -o APT::C=no'"
    text = explain(f"{command} failed: {error}")
    assert text.splitlines()[-1].removeprefix("It said: ") == error


DRIVER = """\
Building for 6.8.0-45-generic
Error! Bad return status for module build on kernel: 6.8.0-45-generic (x86_64)
Consult /var/lib/dkms/amdgpu/6.2.4-1664922.22.04/build/make.log for more information.
dpkg: error processing package amdgpu-dkms (--configure):
 installed amdgpu-dkms package post-installation script subprocess returned error exit status 10
E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.
"""


def test_a_driver_that_does_not_build_is_removed_and_not_built_again() -> None:
    said = explain(DRIVER)
    assert "does not build on this kernel" in said
    assert "apt purge amdgpu-dkms" in said
    assert "--configure -a" not in said
    assert "make.log" in said


def test_two_packages_with_one_file_are_named() -> None:
    said = explain(
        "dpkg: error processing archive /tmp/apt-dpkg-install-x/17-hipfft5.4.1_1.0.10_amd64.deb "
        "(--unpack):\n trying to overwrite '/opt/rocm-5.4.1/lib/libhipfft.so', which is also in "
        "package hipfft 1.0.10\n"
    )
    assert "hipfft5.4.1 and hipfft both have the file /opt/rocm-5.4.1/lib/libhipfft.so" in said
    assert "'dpkg --remove --force-remove-reinstreq hipfft5.4.1'" in said


def test_an_error_outranks_a_warning_before_it() -> None:
    warning = "W: Failed to fetch http://archive.example/InRelease  Could not resolve 'archive'"
    assert "knows no package rocm-x" in explain(f"{warning}\nE: Unable to locate package rocm-x\n")
    assert "cannot be reached" in explain(f"{warning}\n")


def test_a_sentence_of_uv_is_shown_whole() -> None:
    said = explain(
        "  × No solution found when resolving dependencies:\n"  # noqa: RUF001 - uv's own sign
        "  ╰─▶ Because there is no version of torch==2.2.9 and you require\n"
        "      torch==2.2.9, we can conclude that your requirements are\n"
        "      unsatisfiable.\n"
    )
    assert said.splitlines()[-1] == (
        "It said: Because there is no version of torch==2.2.9 and you require torch==2.2.9, we can "
        "conclude that your requirements are unsatisfiable"
    )


def test_a_remedy_that_removes_packages_says_so() -> None:
    removing = [
        told
        for output, _ in OUTPUTS.values()
        if re.search(r"apt purge|dpkg --remove", told := explain(output).partition("Remedy: ")[2])
    ]
    assert len(removing) >= 2
    assert [told for told in removing if "removes packages" not in told] == []


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        (
            "Task failed: [Errno 30] Read-only file system: '/etc/apt/keyrings/tmpx'",
            "mounted read-only, and /etc/apt/keyrings/tmpx is on it",
        ),
        (
            "/etc/profile.d/x.sh: Read-only file system",
            "mounted read-only, and /etc/profile.d/x.sh is on it",
        ),
        ("Module failed: [Errno 28] No space left on device", "a disk is full on the machine"),
        ("/opt/rdna1/x: Disk quota exceeded", "a quota is used up"),
        ("mkdir: did not have permissions on the target directory", "cannot write its folder"),
    ],
)
def test_what_ansible_says_of_a_machine_has_a_cause_and_a_remedy(output: str, cause: str) -> None:
    said = explain_machine(output).splitlines()
    assert cause in said[0]
    assert said[1].startswith("Remedy: ")


def test_what_a_message_names_already_is_not_told_twice() -> None:
    assert explain_machine("E: You don't have enough free space") == ""


def test_an_error_of_ours_that_is_known_has_one_remedy() -> None:
    damaged = "the lock file l.txt is damaged: torch==2.2.2 is not a version with hashes"
    text = explain(f"{damaged}. Remedy: -e pytorch_lock_renew=true makes it again; compare the two")
    assert text.count("Remedy: ") == 1
    assert text.endswith(f"It said: {damaged}.")
