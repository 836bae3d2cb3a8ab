"""Every check against machines that are right, wrong, and not fully known."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdna1.catalog.stacks import load_stack
from rdna1.preflight import CHECKS, assess, load_facts
from support.findings import UNREAD, Row, assert_row, unknown

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

GIB = 1024**3


def os_facts(os_id: str, version: str | None, name: str) -> dict[str, object]:
    return {
        "os": {
            "id": os_id,
            "version_id": version,
            "codename": None,
            "pretty_name": name,
            "id_like": [],
        }
    }


def display(device: str, vendor: str = "1002", driver: str | None = "amdgpu") -> dict[str, object]:
    return {
        "slot": "0000:03:00.0",
        "vendor": vendor,
        "device": device,
        "subsystem_vendor": "1002",
        "subsystem_device": "0b36",
        "class": "030000",
        "driver": driver,
    }


def kfd_device(
    group: str | None, mode: str | None, owner: str | None = "root"
) -> dict[str, object]:
    return {"kfd.device": {"path": "/dev/kfd", "owner": owner, "group": group, "mode": mode}}


def user(*groups: str, name: str = "ann", exists: bool = True) -> dict[str, object]:
    return {"users": [{"name": name, "exists": exists, "groups": list(groups)}]}


def disk(root: float, opt: float, opt_device: int = 1) -> dict[str, object]:
    return {
        "disk": [
            {"path": "/", "free_bytes": int(root * GIB), "device": 1},
            {"path": "/opt", "free_bytes": int(opt * GIB), "device": opt_device},
        ]
    }


def enforce(value: str, place: str = "/etc/environment", line: int | None = 2) -> dict[str, object]:
    name = "MIOPEN_FIND_ENFORCE"
    return {"variables": [{"name": name, "value": value, "place": place, "line": line}]}


def linker(folder: str) -> dict[str, object]:
    file = "/etc/ld.so.conf.d/rocm.conf"
    return {"library_folders": [{"file": file, "line": 2, "folder": folder}]}


def rocm(*parts: tuple[str, str, str]) -> dict[str, object]:
    return {"rocm": [{"source": s, "name": n, "version": v} for s, n, v in parts]}


AMD = ("amd", "rocm-core", "5.7.1.50701-98~22.04")
AMD_HIP = ("amd", "hip-runtime-amd", "5.7.31921.50701-98~22.04")
DISTRO = ("distro", "rocminfo", "5.7.1-3build1")
LIBRARY = ("distro", "libhsa-runtime64-1", "5.7.1-2build1")
HIP_LIBRARY = ("distro", "libamdhip64-5", "5.7.1-3")
HEADERS = ("distro", "libhsa-runtime-dev", "5.7.1-2build1")
FOLDER = ("folder", "/opt/rocm-6.0", "6.0.0-91")
PYTHON_39 = [{"path": "/usr/bin/python3.9", "version": "3.9"}]
PYTHON_313 = [{"path": "/usr/bin/python3.13", "version": "3.13"}]
CPU_NODE = {
    "node": 0,
    "gfx_target": None,
    "simd_count": 0,
    "vendor_id": "0000",
    "device_id": "0000",
    "fw_version": None,
}
UBUNTU_20 = os_facts("ubuntu", "20.04", "Ubuntu 20.04.6 LTS")
WHEEL = {"rocm_source": "none"}
REPLACE: dict[str, str | bool] = {"rocm_replace": True}
DISTRO_PYTORCH = {"pytorch_source": "distro"}

ROWS = [
    Row("architecture", "right", {}, "pass", ("Linux on x86_64",)),
    Row("architecture", "arm", {"machine": "aarch64"}, "fail", ("Linux on aarch64", "x86-64")),
    Row("architecture", "bsd", {"system": "FreeBSD"}, "fail", ("FreeBSD",)),
    Row("architecture", "unknown", unknown("machine"), "fail", (UNREAD, "must be certain")),
    Row("os-release", "supported", {}, "pass", ("Ubuntu 24.04.1 LTS",)),
    Row(
        "os-release",
        "refused",
        {},
        "fail",
        ("libtinfo5", "libncurses5", "libstdc++-5-dev", "glibc is 2.39", "rocm-5.7"),
        "rocm-5.2",
    ),
    Row(
        "os-release",
        "community",
        UBUNTU_20,
        "warn",
        ("Ubuntu 20.04.6", "no card of RDNA1"),
        "rocm-5.2",
    ),
    Row(
        "os-release",
        "no release of the stack",
        os_facts("fedora", "41", "Fedora Linux 41"),
        "fail",
        ("Fedora Linux 41", "or Ubuntu 20.04 (community) or Debian 13 (community)"),
    ),
    Row(
        "os-release",
        "no version",
        os_facts("debian", None, "Debian GNU/Linux forky/sid"),
        "fail",
        ("forky/sid (no version)",),
    ),
    Row("os-release", "unknown", unknown("os"), "fail", (UNREAD,)),
    Row("glibc", "in the range", {}, "pass", ("glibc 2.39",)),
    Row("glibc", "too old", {"glibc": "2.9"}, "fail", ("2.9 is older than 2.17",)),
    *[
        Row(
            "glibc", f"{stack} cleared", {"glibc": "2.41"}, "warn", ("libamdhip64", "clears"), stack
        )
        for stack in ("rocm-5.2", "rocm-5.7")
    ],
    Row("glibc", "nothing to clear", {"glibc": "2.41"}, "pass", ("2.41",), "therock"),
    Row("glibc", "just below", {"glibc": "2.40"}, "pass", ("2.40",), "rocm-5.2"),
    Row("glibc", "of the distribution", {"glibc": "2.9"}, "skip", (), options=DISTRO_PYTORCH),
    Row("glibc", "no version", {"glibc": "new"}, "skip", ("'new' is not a version",)),
    Row("glibc", "unknown", unknown("glibc"), "skip", (UNREAD,)),
    Row("card", "Navi 10", {}, "pass", ("5700 XT (Navi 10, gfx1010)",)),
    Row("card", "Navi 12", {"displays": [display("7362")]}, "pass", ("Navi 12, gfx1011",)),
    Row("card", "Navi 14", {"displays": [display("7340")]}, "pass", ("Navi 14, gfx1012",)),
    Row("card", "none at all", {"displays": []}, "fail", ("no display device", "RX 5000")),
    Row("card", "RDNA2", {"displays": [display("73bf")]}, "fail", ("1002:73bf", "current ROCm")),
    Row("card", "other vendor", {"displays": [display("731f", "10de")]}, "fail", ("10de:731f",)),
    *[
        Row("card", f"trap {trap}", {"displays": [display(trap)]}, "fail", (f"1002:{trap}",))
        for trap in ("7314", "ab38", "1478", "1479")
    ],
    Row(
        "card",
        "one device not read",
        {"displays": [], "unknown.displays.0000:05:00.0": "/x: Permission denied"},
        "fail",
        ("/x: Permission denied",),
    ),
    Row("card", "unknown", {**unknown("displays"), **unknown("kfd.nodes")}, "skip", (UNREAD,)),
    Row("card", "known to KFD alone", unknown("displays"), "pass", ("gfx1010",)),
    Row(
        "card",
        "not known to KFD, the bus not read",
        {**unknown("displays"), "kfd.nodes": [CPU_NODE]},
        "fail",
        ("no RDNA1 card", "not read: /x: Permission denied"),
    ),
    Row("kernel-driver", "bound", {}, "pass", ("amdgpu is bound",)),
    Row(
        "kernel-driver",
        "bound but blacklisted",
        {"amdgpu.blacklisted": ["/etc/modprobe.d/a.conf:3"]},
        "warn",
        ("/etc/modprobe.d/a.conf:3", "after a reboot"),
    ),
    Row(
        "kernel-driver",
        "blacklisted",
        {
            "displays": [display("731f", driver=None)],
            "amdgpu.blacklisted": ["/etc/modprobe.d/a.conf:3"],
            "amdgpu.loaded": False,
        },
        "fail",
        ("/etc/modprobe.d/a.conf:3", "not loaded", "update-initramfs"),
    ),
    Row(
        "kernel-driver",
        "of a virtual machine",
        {"displays": [display("731f", driver="vfio-pci")]},
        "fail",
        ("bound to vfio-pci", "0000:03:00.0"),
    ),
    Row(
        "kernel-driver",
        "none",
        {"displays": [display("731f", driver=None)], "amdgpu.loaded": False},
        "fail",
        ("no driver", "modprobe amdgpu"),
    ),
    Row(
        "kernel-driver",
        "loaded, and none",
        {"displays": [display("731f", driver=None)]},
        "fail",
        ("no driver", "module is loaded", "dmesg | grep amdgpu"),
    ),
    Row("kernel-driver", "no card", {"displays": []}, "skip", ("blocked by card",)),
    Row("kernel-driver", "unknown bus", unknown("displays"), "pass", ("amdgpu is bound",)),
    Row("kfd", "right", {}, "pass", ("root:render 0660",)),
    Row("kfd", "open to all", kfd_device("root", "0666"), "pass", ("0666",)),
    Row(
        "kfd",
        "unknown group",
        {**kfd_device(None, None, None), "unknown.kfd.device.group": "a plain file"},
        "pass",
        ("/dev/kfd exists", "a plain file"),
    ),
    Row("kfd", "absent", {"kfd.device": None}, "fail", ("no /dev/kfd", "dmesg")),
    Row("kfd", "closed", kfd_device("root", "0600"), "fail", ("only root", "root:root 0600")),
    Row("kfd", "group of root", kfd_device("root", "0660"), "fail", ("only root",)),
    Row("kfd", "other group", kfd_device("video", "0660"), "warn", ("video", "udev")),
    Row("kfd", "card left out", {"kfd.nodes": [CPU_NODE]}, "fail", ("node 0: processor", "dmesg")),
    Row("kfd", "nodes not read", unknown("kfd.nodes"), "pass", ("0660",)),
    Row("kfd", "unknown", unknown("kfd.device"), "skip", (UNREAD,)),
    Row("kfd", "no card", {"displays": []}, "skip", ("blocked by card",)),
    Row(
        "kfd",
        "no driver",
        {"displays": [display("731f", driver=None)]},
        "skip",
        ("blocked by kernel-driver",),
    ),
    Row("groups", "member", user("ann", "render"), "pass", ("ann: in render",)),
    Row("groups", "no member", user("ann", "video"), "warn", ("usermod -aG render ann", "log in")),
    Row(
        "groups",
        "another group",
        {**kfd_device("compute", "0660"), **user("render")},
        "warn",
        ("ann is not in compute", "usermod -aG compute ann"),
    ),
    Row(
        "groups",
        "open to all",
        {**kfd_device("root", "0666"), "render_nodes": [], **user("ann")},
        "pass",
        ("free to use",),
    ),
    Row(
        "groups",
        "no device to see",
        {"kfd.device": None, "render_nodes": [], **user("ann")},
        "warn",
        ("ann is not in render",),
    ),
    Row("groups", "no such user", user(exists=False, name="ghost"), "fail", ("ghost",)),
    Row("groups", "user of a directory", user("render", exists=False), "pass", ("in render",)),
    Row("groups", "nobody asked", {"users": []}, "skip", ("no user",)),
    Row("groups", "root", user("root", name="root"), "skip", ("no user but root",)),
    Row("groups", "unknown", unknown("users"), "skip", (UNREAD,)),
    Row("python", "fits", {}, "pass", ("Python 3.12",)),
    Row("python", "too new", {"pythons": PYTHON_313}, "warn", (">=3.8,<3.13", "uv", "3.13")),
    Row("python", "3.9 is older than 3.11", {"pythons": PYTHON_39}, "pass", (), "rocm-5.2"),
    Row("python", "too new for 5.2", {}, "warn", ("3.12", "uv"), "rocm-5.2"),
    Row("python", "none", {"pythons": []}, "warn", ("uv",)),
    Row("python", "odd", {"pythons": [{"path": "/x", "version": "3.x"}]}, "warn", ("3.x",)),
    Row("python", "of the distribution", {}, "skip", ("distribution",), options=DISTRO_PYTORCH),
    Row("python", "unknown", unknown("pythons"), "skip", (UNREAD,)),
    Row("disk-space", "enough", disk(17, 17), "pass", ("17.0 GiB",)),
    Row("disk-space", "shared", disk(16, 16), "fail", ("/ and /opt", "16.0 GiB free, 17 GiB")),
    Row("disk-space", "on two disks", disk(2, 15, opt_device=2), "pass", ("15.0 GiB",)),
    Row("disk-space", "small /opt", disk(50, 3, opt_device=2), "fail", ("/opt: 3.0 GiB",)),
    Row("disk-space", "small root", disk(1, 50, opt_device=2), "fail", ("/: 1.0 GiB free, 2",)),
    Row("disk-space", "packages only", disk(2, 2), "pass", ("/: 2.0 GiB",), options=DISTRO_PYTORCH),
    Row(
        "disk-space",
        "small home without root",
        {"disk": [{"path": "/home", "free_bytes": 3 * GIB, "device": 1}]},
        "fail",
        ("/home: 3.0 GiB free, 15 GiB",),
        options={"scope": "user"},
    ),
    Row("disk-space", "half known", {"disk": []}, "skip", ("do not hold",)),
    Row("disk-space", "unknown", unknown("disk"), "skip", (UNREAD,)),
    Row("apt-state", "right", {}, "pass", ("done with all",)),
    Row(
        "apt-state",
        "half configured",
        {"apt.half_configured": ["amdgpu-dkms"]},
        "warn",
        ("amdgpu-dkms", "dpkg --configure -a"),
    ),
    Row(
        "apt-state",
        "many",
        {"apt.half_configured": [f"package{i}" for i in range(9)]},
        "warn",
        ("package5", "and 3 more"),
    ),
    Row(
        "apt-state",
        "locked",
        {"apt.lock_holder": {"pid": 7, "command": "unattended-upgrade"}},
        "warn",
        ("process 7: unattended-upgrade", "Wait"),
    ),
    Row("apt-state", "lock not known", unknown("apt.lock_holder"), "pass", ("Permission denied",)),
    Row("apt-state", "unknown", unknown("apt.half_configured"), "skip", (UNREAD,)),
    Row("find-enforce", "nowhere", {}, "pass", ("nowhere",)),
    *[
        Row(
            "find-enforce",
            value,
            enforce(value),
            "fail",
            (f"/etc/environment:2: MIOPEN_FIND_ENFORCE={value}", "33 minutes"),
        )
        for value in ("2", "3", "4", "5", "SEARCH", "search", "DB_CLEAN")
    ],
    *[
        Row("find-enforce", f"harmless {value}", enforce(value), "warn", ("changes nothing",))
        for value in ("1", "NONE", "none", "")
    ],
    Row(
        "find-enforce",
        "environment",
        enforce("3", "environment", None),
        "fail",
        ("environment: MIOPEN_FIND_ENFORCE=3", "unset"),
    ),
    Row(
        "find-enforce",
        "unknown",
        {"unknown.variables./root": "/root: Permission denied"},
        "pass",
        ("in no place that could be read", "not read: /root: Permission denied"),
    ),
    Row("rocm-mixture", "none", {}, "pass", ("one source",)),
    Row("rocm-mixture", "distribution", rocm(DISTRO), "pass", ("rocminfo",)),
    Row(
        "rocm-mixture", "mixed", rocm(AMD, DISTRO), "fail", ("AMD: rocm-core", "distribution: roc")
    ),
    Row("rocm-mixture", "other source", rocm(AMD), "fail", ("would add", "apt purge rocm-core")),
    Row(
        "rocm-mixture",
        "the command names every package",
        rocm(*(("amd", f"rocm-core5.{n}.0", "5.0.0.50000-1") for n in range(9))),
        "fail",
        ("and 3 more", "rocm-core5.7.0 rocm-core5.8.0; or"),
    ),
    Row(
        "rocm-mixture",
        "other source, to be replaced",
        rocm(AMD, LIBRARY),
        "warn",
        ("removes it first", "rocm-core 5.7.1.50701"),
        options=REPLACE,
    ),
    Row(
        "rocm-mixture",
        "mixed, to be replaced by AMD's",
        rocm(AMD, DISTRO),
        "warn",
        ("rocminfo 5.7.1-3build1",),
        options={**REPLACE, "rocm_source": "amd"},
    ),
    Row("rocm-mixture", "nothing to replace", rocm(DISTRO), "pass", (), options=REPLACE),
    Row("rocm-mixture", "refusal names the way", rocm(AMD), "fail", ("rdna1_rocm_replace: true",)),
    Row("rocm-mixture", "wheel only", rocm(AMD), "pass", (), options=WHEEL),
    *[
        Row(
            "rocm-mixture",
            f"wheel next to AMD and {part[1]}",
            rocm(AMD, AMD_HIP, part),
            status,
            (f"distribution: {part[1]}", words),
            options=WHEEL,
        )
        for part, status, words in (
            (LIBRARY, "warn", "runtime libraries"),
            (HIP_LIBRARY, "fail", "apt purge rocm-core hip-runtime-amd"),
            (HEADERS, "fail", "installed together"),
            (DISTRO, "fail", "installed together"),
        )
    ],
    Row("rocm-mixture", "one HIP runtime", rocm(AMD, HIP_LIBRARY), "warn", (), options=WHEEL),
    Row(
        "rocm-mixture",
        "library, distribution's ROCm wanted",
        rocm(AMD, LIBRARY),
        "fail",
        ("would add",),
    ),
    Row(
        "rocm-mixture",
        "linker",
        {**rocm(AMD, LIBRARY), **linker("/opt/rocm/lib")},
        "fail",
        ("compete", "/etc/ld.so.conf.d/rocm.conf:2: /opt/rocm/lib", "run ldconfig"),
        options=WHEEL,
    ),
    Row(
        "rocm-mixture",
        "linker, another program",
        {**rocm(AMD, LIBRARY), **linker("/opt/rocmantic/lib")},
        "warn",
        ("runtime libraries",),
        options=WHEEL,
    ),
    Row(
        "rocm-mixture",
        "linker, AMD only",
        {**rocm(AMD), **linker("/opt/rocm-5.7.1/lib")},
        "pass",
        (),
        options=WHEEL,
    ),
    Row(
        "rocm-mixture",
        "linker unknown",
        {**rocm(AMD, LIBRARY), **unknown("library_folders")},
        "fail",
        (UNREAD,),
        options=WHEEL,
    ),
    Row(
        "rocm-mixture",
        "linker unknown in part",
        {**rocm(AMD, LIBRARY), "unknown.library_folders./x": "/x: Permission denied"},
        "fail",
        (UNREAD,),
        options=WHEEL,
    ),
    Row(
        "rocm-mixture",
        "linker unknown, no matter",
        {**rocm(AMD), **unknown("library_folders")},
        "pass",
        (),
        options=WHEEL,
    ),
    Row(
        "rocm-mixture",
        "the distribution's before AMD's",
        rocm(DISTRO),
        "fail",
        ("AMD's would be added", "apt purge"),
        options={"rocm_source": "amd"},
    ),
    Row("rocm-mixture", "folder", rocm(FOLDER), "warn", ("/opt/rocm-6.0: 6.0.0-91",)),
    Row("rocm-mixture", "unknown", unknown("rocm"), "fail", (UNREAD,)),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}-{row.case}")
def test_check(row: Row, make_facts: MakeFacts) -> None:
    assert_row(row, make_facts)


def test_nothing_is_wrong_with_the_machine_that_the_rows_change(make_facts: MakeFacts) -> None:
    report = assess(load_facts(make_facts({})), load_stack("rocm-5.7"))
    assert {finding.status for finding in report.checks} == {"pass"}
    assert report.verdict == "pass"


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_every_check_is_explained_and_exercised(check: Any) -> None:
    rows = [row for row in all_rows() if row.check == check.id]
    assert "pass" in {row.status for row in rows}
    assert {"warn", "fail"} & {row.status for row in rows}
    assert [row for row in rows if row.case == "unknown" or "unknown" in row.case]
    assert check.title
    assert check.references
    assert len(check.explanation.splitlines()) > 2


def all_rows() -> list[Row]:
    """The rows of this module and of its neighbours test_checks_*.py."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_checks_*.py"))
    return [*ROWS, *(row for name in names for row in importlib.import_module(name).ROWS)]
