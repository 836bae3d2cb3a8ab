"""AMD's repository with what can be wrong about it: each stops with the cause and the remedy.

One box that imitates Ubuntu 22.04 goes through all of it; the tests run in the order of the
file, and the last one completes what every one before it had to leave.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.apt_repository import fake_packages, package_file, publish, signing_key
from support.boxes import remove_box
from support.foreign_packages import (
    assert_amd_replaced_its_own,
    install_foreign,
    publish_foreign,
    upgraded,
)
from support.ubuntu_like import KEY, ROCM, AmdBox, archives, real_image, start_ubuntu_like

AMD = {"rdna1_rocm_source": "amd"}
# A real process that holds dpkg's lock, as unattended-upgrades does, until a line comes.
HOLDER = (
    "import fcntl, sys; lock = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(lock, "
    "fcntl.LOCK_EX); print('held', flush=True); sys.stdin.readline()"
)
fake_archive_only = pytest.mark.skipif(
    bool(real_image("22.04")), reason="adds packages to the distribution's archive"
)


@pytest.fixture(scope="module")
def jammy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AmdBox]:
    """A box that takes itself for Ubuntu 22.04, with little room below /opt."""
    name = f"rdna1-test-{os.getpid()}-bad-input"
    folder = tmp_path_factory.mktemp("bad-input")
    with archives(folder) as served:
        try:
            little = ["--tmpfs=/opt:size=4m", publish_foreign(served, "rocm-5.7", "22.04")]
            box = start_ubuntu_like(name, folder, "22.04", served, little)
            if not real_image("22.04"):
                install_foreign(box)
            yield AmdBox(box, served)
        finally:
            remove_box(name)


def said(played: subprocess.CompletedProcess[str]) -> str:
    """What a failed run printed, without its line breaks."""
    assert played.returncode != 0, played.stdout
    return " ".join((played.stdout + played.stderr).split())


@contextmanager
def replaced(file: Path, content: bytes) -> Iterator[None]:
    """A file with another content for a while."""
    kept = file.read_bytes()
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(kept)


@contextmanager
def held_lock(jammy: AmdBox) -> Iterator[subprocess.Popen[str]]:
    """The lock of dpkg, held by a process of the box that ends with a line to it."""
    command = ["podman", "exec", "--interactive", jammy.box.name, "python3", "-c", HOLDER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield holder
        if holder.poll() is None:
            holder.communicate("\n")


def test_an_unknown_source_and_a_held_lock_stop_it_before_the_role(jammy: AmdBox) -> None:
    with held_lock(jammy):
        text = jammy.refused(
            {
                "unknown-source": {"rdna1_rocm_source": "intel"},
                "lock": {**AMD, "rdna1_lock_timeout": 1},
            }
        )
    assert "intel" in text
    assert "amd, distro, none" in text
    # The first step that needs the lock says so, whatever the tools would have printed.
    assert "holds /var/lib/dpkg/lock-frontend, and still did after" in text
    assert "Remedy: wait until it ends" in text


def test_unknown_users_and_another_key_leave_nothing_of_the_repository(jammy: AmdBox) -> None:
    with signing_key() as other, replaced(jammy.served.folder / KEY, other.public):
        text = jammy.refused(
            {
                "unknown-user": {**AMD, "rdna1_users": ["nobdy"]},
                # The role itself, where preflight does not look at the user.
                "user-of-role": {**AMD, "rdna1_users": ["nobdy"], "preflight_users": []},
                "another-key": AMD,
            }
        )
    assert "no such user: nobdy" in text
    assert "Name users of this machine" in text
    assert "There is no user nobdy on this machine. Remedy: create them first" in text
    assert f"holds another key: {other.fingerprint}" in text
    assert f"instead of {jammy.served.key.fingerprint}" in text
    assert "rocm_amd_key_file" in text
    sources = jammy.box.run("find", "/etc/apt", "-name", "rocm*")
    assert sources == "", "nothing of the repository is there before its key is right"


def test_an_index_signed_with_another_key_is_not_used(jammy: AmdBox) -> None:
    root = jammy.served.folder / ROCM
    with signing_key() as other:
        publish(root, "jammy", [], other, origin="repo.radeon.com")
    text = said(jammy.play(**AMD))
    publish(root, "jammy", [], jammy.served.key, origin="repo.radeon.com")
    assert "Cause: a signature or hash does not fit" in text
    assert "do not turn verification off" in text


def test_a_package_that_was_changed_on_the_way_is_not_installed(jammy: AmdBox) -> None:
    package = package_file(jammy.served.folder / ROCM, "comgr")
    content = bytearray(package.read_bytes())
    content[-1] ^= 0xFF
    with replaced(package, bytes(content)):
        text = said(jammy.play(**AMD))
    assert "Cause: a signature or hash does not fit" in text
    assert "comgr" not in jammy.box.run("dpkg-query", "-W")


def test_a_disk_that_fills_in_the_middle_is_explained(jammy: AmdBox) -> None:
    jammy.box.run("fallocate", "--length", "3500K", "/opt/filler")
    text = said(jammy.play(**AMD))
    assert "Cause: a disk is full" in text
    assert "'df -h' shows them" in text
    jammy.box.run("rm", "/opt/filler")


def test_the_run_after_all_causes_are_gone_waits_for_the_lock_and_completes(jammy: AmdBox) -> None:
    with held_lock(jammy) as holder, jammy.start(**AMD) as running:
        assert running.stdout
        waiting = next((line for line in running.stdout if "waiting: " in line), "")
        holder.communicate("\n")
        printed = running.stdout.read()
    assert "holds /var/lib/dpkg/lock-frontend" in waiting
    assert running.returncode == 0, printed
    assert "1.0.0.50701-98~22.04" in jammy.box.run("dpkg-query", "-W", "rocminfo")
    assert "5.7.31921.50701-98~22.04" in jammy.box.run("dpkg-query", "-W", "hip-runtime-amd")
    assert jammy.box.run("dpkg", "--audit") == ""


@fake_archive_only
def test_amds_archive_replaces_nothing_but_its_own(jammy: AmdBox) -> None:
    assert_amd_replaced_its_own(upgraded(jammy.box), "rocm-5.7")


def test_the_next_run_changes_nothing(jammy: AmdBox) -> None:
    played = jammy.play(**AMD)
    assert played.returncode == 0, played.stdout
    assert "changed=0" in played.stdout


def test_fake_packages_say_that_they_are(jammy: AmdBox) -> None:
    assert fake_packages("amd-5.7.1-jammy")
    shown = jammy.box.run("dpkg-query", "-W", "-f", "${Description}", "rocminfo")
    assert "a fake for tests" in shown
