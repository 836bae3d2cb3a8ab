"""Known failures by what the tools print; tests/integration produces the real ones."""

from __future__ import annotations

import pytest

from rdna1.failures import explain

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
