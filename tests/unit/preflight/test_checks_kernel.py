"""The checks of the kernel, its firmware, and AMD's own driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.findings import UNREAD, Row, assert_row, unknown

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

RUNNING = "6.8.0-45-generic"
NAVI10 = [
    f"navi10_{part}.bin" for part in ("ce", "me", "mec", "mec2", "pfp", "rlc", "sdma", "sdma1")
]
DEBIAN = {
    "id": "debian",
    "version_id": "13",
    "codename": "trixie",
    "pretty_name": "Debian GNU/Linux 13 (trixie)",
    "id_like": [],
}


def kernel(release: str) -> dict[str, object]:
    return {"kernel.release": release}


def kernels(*releases: str) -> dict[str, object]:
    return {"modules.kernels": list(releases)}


def dkms(*built_for: str, version: str = "6.2.4-1664922.22.04") -> dict[str, object]:
    return {"modules.dkms": [{"version": version, "kernels": list(built_for)}]}


def command_line(options: str) -> dict[str, object]:
    return {"kernel.cmdline": f"BOOT_IMAGE=/boot/vmlinuz root=/dev/sda1 ro {options}"}


ROWS = [
    Row("kernel-version", "seen", {}, "pass", (RUNNING,)),
    Row("kernel-version", "newest seen", kernel("6.14.0-35-generic"), "pass", ()),
    Row("kernel-version", "oldest seen", kernel("5.15.0-122-generic"), "pass", ()),
    Row(
        "kernel-version",
        "newer",
        kernel("6.16.3-76061603-generic"),
        "warn",
        ("newer than any", "seen with 5.15 to 6.14", "rdna1-validate"),
    ),
    Row("kernel-version", "freezes", kernel("6.17.0-5-generic"), "warn", ("from 6.17 on freezes",)),
    Row("kernel-version", "much newer", kernel("7.0.0-31-generic"), "warn", ("freezes",)),
    Row("kernel-version", "older", kernel("5.4.0-54-generic"), "warn", ("older than any",)),
    Row("kernel-version", "older, other stack", kernel("5.4.0-54"), "pass", (), "rocm-5.2"),
    Row("kernel-version", "no report", kernel("7.0.0"), "pass", ("names kernels",), "therock"),
    Row("kernel-version", "odd", kernel("custom"), "skip", ("'custom' is not a version",)),
    Row("kernel-version", "unknown", unknown("kernel.release"), "skip", (UNREAD,)),
    Row("installed-kernels", "newest", {}, "pass", (f"{RUNNING} is the newest",)),
    Row(
        "installed-kernels",
        "older next to it",
        kernels("6.8.0-9-generic", RUNNING),
        "pass",
        ("newest",),
    ),
    Row(
        "installed-kernels",
        "newer for the next boot",
        kernels(RUNNING, "6.8.0-101-generic"),
        "pass",
        ("the next boot takes 6.8.0-101-generic",),
    ),
    Row(
        "installed-kernels",
        "next boot freezes",
        kernels("6.17.0-5-generic", RUNNING),
        "warn",
        ("the kernel of the next boot is 6.17.0-5-generic", "freezes"),
    ),
    Row(
        "installed-kernels",
        "removed",
        kernels("6.8.0-101-generic"),
        "warn",
        ("are not installed", "installed: 6.8.0-101-generic", "Reboot"),
    ),
    Row("installed-kernels", "none", kernels(), "warn", ("are not installed",)),
    Row("installed-kernels", "unknown", unknown("modules.kernels"), "skip", (UNREAD,)),
    Row("boot-options", "plain", {}, "pass", ("not set: amdgpu.cwsr_enable=0",)),
    Row(
        "boot-options",
        "nomodeset",
        command_line("quiet nomodeset"),
        "fail",
        ("nomodeset keeps amdgpu", "update-grub"),
    ),
    Row(
        "boot-options",
        "shown",
        command_line("amdgpu.cwsr_enable=0 amd_iommu=off"),
        "pass",
        ("set: amdgpu.cwsr_enable=0\nset: amd_iommu=off",),
    ),
    Row("boot-options", "unknown", unknown("kernel.cmdline"), "skip", (UNREAD,)),
    Row("firmware", "there", {}, "pass", ("the firmware of navi10",)),
    Row("firmware", "one missing", {"firmware": NAVI10[1:]}, "warn", ("1 firmware", NAVI10[0])),
    Row("firmware", "of another chip", {"firmware": ["navi14_mec.bin"]}, "warn", ("7 firmware",)),
    Row(
        "firmware",
        "without the optional one",
        {"firmware": [n for n in NAVI10 if "mec2" not in n]},
        "pass",
        (),
    ),
    Row(
        "firmware",
        "Debian",
        {"firmware": [], "os": DEBIAN},
        "warn",
        ("apt install firmware-amd-graphics",),
    ),
    *[
        Row(check, "no card", {"displays": []}, "skip", ("blocked by card",))
        for check in ("kernel-version", "installed-kernels", "boot-options", "firmware")
    ],
    Row("firmware", "unknown", unknown("firmware"), "skip", (UNREAD,)),
    Row("amdgpu-dkms", "not installed", {}, "pass", ("is installed",)),
    Row(
        "amdgpu-dkms",
        "of ROCm 3",
        {"apt.packages": {"rock-dkms": "1:3.10-27"}},
        "warn",
        ("1:3.10-27", "apt purge rock-dkms;"),
    ),
    Row(
        "amdgpu-dkms",
        "installed",
        {"apt.packages": {"amdgpu-dkms": "1:6.2.4.50701-1664922.22.04"}},
        "warn",
        ("1:6.2.4.50701", "apt purge amdgpu-dkms"),
    ),
    Row("amdgpu-dkms", "unknown", unknown("apt.packages"), "skip", (UNREAD,)),
    Row("dkms-build", "none", {}, "pass", ("no driver of AMD's",)),
    Row("dkms-build", "built", dkms("5.15.0-122-generic", RUNNING), "pass", (RUNNING,)),
    Row(
        "dkms-build",
        "stale",
        {**dkms("5.15.0-122-generic"), "apt.packages": {"amdgpu-dkms": "1:6.2.4"}},
        "warn",
        (
            f"not built for the running kernel {RUNNING}",
            "built for 5.15.0-122-generic",
            "apt purge amdgpu-dkms;",
        ),
    ),
    Row(
        "dkms-build",
        "left over",
        dkms("5.15.0-122-generic"),
        "warn",
        ("whose package is gone", "rm -r /var/lib/dkms/amdgpu/6.2.4-1664922.22.04"),
    ),
    Row("dkms-build", "failed", dkms(), "warn", ("built for no kernel",)),
    Row("dkms-build", "unknown", unknown("modules.dkms"), "skip", (UNREAD,)),
    Row(
        "dkms-build",
        "unknown kernel",
        {**dkms(RUNNING), **unknown("kernel.release")},
        "skip",
        (UNREAD,),
    ),
    Row("secure-boot", "on", {"secure_boot": True}, "pass", ("needs no key",)),
    Row("secure-boot", "off, with a build", dkms(RUNNING), "pass", ("off",)),
    Row(
        "secure-boot",
        "on, with a build",
        {"secure_boot": True, **dkms(RUNNING)},
        "warn",
        ("enrolled key", "mokutil --import"),
    ),
    Row(
        "secure-boot",
        "unknown",
        {**dkms(RUNNING), **unknown("secure_boot")},
        "skip",
        (UNREAD,),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}-{row.case}")
def test_check(row: Row, make_facts: MakeFacts) -> None:
    assert_row(row, make_facts)
