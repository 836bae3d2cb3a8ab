"""Facts of links, kernels, firmware, Secure Boot, virtual machines and memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts.collect import collect

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

FIXTURES = Path(__file__).parents[3] / "fixtures"
SLOT = "/sys/bus/pci/devices/0000:03:00.0"
CARD = {f"{SLOT}/class": "0x030000\n"}
SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def space(
    *capabilities: tuple[int, int, int], control: int = 0x40, size: int = 256, last: int = 0
) -> bytes:
    """A PCI configuration space with (place, id, version) of each capability."""
    data = bytearray(256)
    if capabilities:
        data[0x06] = 0x10
        data[0x34] = capabilities[0][0]
    for index, (place, kind, version) in enumerate(capabilities):
        after = capabilities[index + 1][0] if index + 1 < len(capabilities) else last
        data[place : place + 3] = bytes([kind, after, version])
        if kind == 0x10:
            data[place + 0x28] = control
    return bytes(data[:size])


EXPRESS = (0x64, 0x10, 0x12)


def test_the_link_of_a_card(tree: Tree) -> None:
    root = tree(
        {
            **CARD,
            f"{SLOT}/current_link_speed": "8.0 GT/s PCIe\n",
            f"{SLOT}/current_link_width": "8\n",
            f"{SLOT}/max_link_speed": "16.0 GT/s PCIe\n",
            f"{SLOT}/max_link_width": "16\n",
            f"{SLOT}/config": space((0x48, 0x09, 0), EXPRESS),
            "/sys/bus/pci/devices/0000:00:01.0/class": "0x060400\n",
        }
    )
    (root / f"{SLOT[1:]}/physfn").symlink_to("../0000:03:00.7")
    facts: Any = collect(str(root))
    assert facts["pcie"] == [
        {
            "slot": "0000:03:00.0",
            "speed": "8.0 GT/s PCIe",
            "width": 8,
            "max_speed": "16.0 GT/s PCIe",
            "max_width": 16,
            "atomics": True,
            "virtual_function": True,
        }
    ]


@pytest.mark.parametrize(
    ("config", "atomics", "reason"),
    [
        (space(EXPRESS), True, None),
        (space(EXPRESS, control=0x0F), False, None),
        (space((0x64, 0x10, 0x01)), False, None),
        (space(EXPRESS, size=64), None, "only root may read beyond byte 64"),
        (space(), None, "no capability of PCI Express"),
        (space((0x48, 0x09, 0)), None, "no capability of PCI Express"),
        # A list that leads into itself, and one that leads out of what could be read.
        (space((0x48, 0x09, 0), last=0x48), None, "no capability of PCI Express"),
        (space((0x48, 0x09, 0), EXPRESS, size=80), None, "no capability of PCI Express"),
        (b"", None, "only root"),
        (b"\xff" * 256, None, "no capability of PCI Express"),
        (None, None, "No such file"),
    ],
)
def test_atomics(
    tree: Tree, config: bytes | None, atomics: bool | None, reason: str | None
) -> None:
    facts: Any = collect(str(tree(CARD if config is None else {**CARD, f"{SLOT}/config": config})))
    assert facts["pcie"][0]["atomics"] is atomics
    found = facts["unknown"].get("pcie.0000:03:00.0.atomics")
    assert (found is None) == (reason is None)
    assert reason is None or reason in found


def test_a_device_off_pci_express_has_no_link(tree: Tree) -> None:
    facts: Any = collect(str(tree(CARD)))
    assert [facts["pcie"][0][name] for name in ("speed", "width", "max_width")] == [None] * 3


def test_a_damaged_width_is_a_reason(tree: Tree) -> None:
    facts: Any = collect(str(tree({**CARD, f"{SLOT}/max_link_width": "wide\n"})))
    assert facts["pcie"] == []
    assert "no number of lanes" in facts["unknown"]["pcie.0000:03:00.0"]


def test_installed_kernels_and_builds_for_them(tree: Tree) -> None:
    builds = "/var/lib/dkms/amdgpu"
    root = tree(
        {
            "/lib/modules/6.8.0-45-generic/kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko.zst": "",
            "/lib/modules/6.8.0-45-cloud/kernel/a.ko.zst": "",
            "/lib/modules/6.8.0-40-generic/updates/dkms/left-behind.ko": "",
            f"{builds}/6.2.4-1664922.22.04/6.8.0-45-generic/x86_64/module/amdgpu.ko.zst": "",
            f"{builds}/6.2.4-1664922.22.04/6.8.0-47-generic/x86_64/log/make.log": "",
            f"{builds}/6.2.4-1664922.22.04/build/make.log": "",
            f"{builds}/6.2.4-1664922.22.04/source/dkms.conf": "",
            f"{builds}/6.3.6-1697589.22.04/build/make.log": "",
            f"{builds}/original_module/6.8.0-45-generic/x86_64/amdgpu.ko": "",
        }
    )
    link = root / f"{builds[1:]}/kernel-6.8.0-45-generic-x86_64"
    link.symlink_to("6.2.4-1664922.22.04/6.8.0-45-generic/x86_64")
    facts: Any = collect(str(root))
    assert facts["modules"] == {
        "kernels": ["6.8.0-45-cloud", "6.8.0-45-generic"],
        "dkms": [
            {"version": "6.2.4-1664922.22.04", "kernels": ["6.8.0-45-generic"], "source": True},
            {"version": "6.3.6-1697589.22.04", "kernels": [], "source": False},
        ],
        "with_amdgpu": ["6.8.0-45-generic"],
        "own_amdgpu": ["6.8.0-45-generic"],
    }


def test_without_kernels_and_firmware(tree: Tree) -> None:
    facts: Any = collect(str(tree({})))
    assert facts["modules"] == {
        "kernels": None,
        "dkms": [],
        "with_amdgpu": None,
        "own_amdgpu": None,
    }
    assert facts["firmware"] is None
    assert "/lib/modules: No such file" in facts["unknown"]["modules.kernels"]
    assert "/lib/firmware: No such file" in facts["unknown"]["firmware"]


def test_firmware_files_of_the_chips(tree: Tree) -> None:
    facts: Any = collect(
        str(
            tree(
                {
                    "/lib/firmware/amdgpu/navi10_mec.bin.zst": "",
                    "/lib/firmware/amdgpu/navi14_mec_wks.bin.xz": "",
                    "/lib/firmware/updates/amdgpu/navi12_sdma1.bin": "",
                    "/lib/firmware/updates/amdgpu/navi10_mec.bin": "",
                    "/lib/firmware/amdgpu/navi21_mec.bin": "",
                    "/lib/firmware/amdgpu/navi10_mec.bin.old": "",
                }
            )
        )
    )
    assert facts["firmware"] == ["navi10_mec.bin", "navi12_sdma1.bin", "navi14_mec_wks.bin"]


@pytest.mark.parametrize(
    ("files", "state", "reason"),
    [
        ({SECURE_BOOT: b"\x06\0\0\0\x01"}, True, None),
        ({SECURE_BOOT: b"\x06\0\0\0\0"}, False, None),
        ({SECURE_BOOT: b"\x01"}, None, "not 5 bytes"),
        ({"/sys/firmware/efi/systab": ""}, None, "no variable SecureBoot"),
        ({"/sys/firmware/acpi/pm_profile": ""}, False, None),
        ({}, None, "running machine"),
    ],
)
def test_secure_boot(
    tree: Tree, files: dict[str, str | bytes], state: bool | None, reason: str | None
) -> None:
    facts: Any = collect(str(tree(files)))
    assert facts["secure_boot"] is state
    assert reason is None or reason in facts["unknown"]["secure_boot"]


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ({"sys_vendor": "QEMU\n"}, "qemu"),
        ({"sys_vendor": "QEMU\n", "product_name": "KVM\n"}, "kvm"),
        ({"sys_vendor": "VMware, Inc.\n", "product_name": "VMware Virtual Platform\n"}, "vmware"),
        (
            {"sys_vendor": "Microsoft Corporation\n", "product_name": "Virtual Machine\n"},
            "hyper-v",
        ),
        ({"sys_vendor": "ASUS\n"}, None),
    ],
)
def test_virtual_machines_by_their_maker(
    tree: Tree, files: dict[str, str], kind: str | None
) -> None:
    board: dict[str, str | bytes] = {f"/sys/class/dmi/id/{n}": text for n, text in files.items()}
    root = tree({**board, "/proc/cpuinfo": "flags\t\t: fpu\n"})
    assert collect(str(root))["virtualization"] == kind


def test_a_virtual_machine_of_another_maker(tree: Tree) -> None:
    assert collect(str(tree({"/proc/cpuinfo": "flags : fpu hypervisor\n"})))["virtualization"] == (
        "unknown"
    )


def test_memory(tree: Tree) -> None:
    root = tree({"/proc/meminfo": "MemTotal:       16316412 kB\nMemFree: 1 kB\n"})
    assert collect(str(root))["memory_bytes"] == 16316412 * 1024
    (root / "proc/meminfo").write_text("MemFree: 1 kB\n")
    facts: Any = collect(str(root))
    assert facts["memory_bytes"] is None
    assert facts["unknown"]["memory_bytes"] == "/proc/meminfo: no MemTotal"


@pytest.mark.parametrize(
    ("name", "container", "virtualization", "targets"),
    [
        ("ubuntu-22.04-rx5500m-renoir", None, None, [None, "gfx1012", "gfx90c"]),
        ("debian-13-bc250", None, None, [None, "gfx1013"]),
        ("ubuntu-24.04-wsl", "wsl", "unknown", None),
    ],
)
def test_the_trees_of_unusual_machines(
    name: str, container: str | None, virtualization: str | None, targets: list[str] | None
) -> None:
    facts: Any = collect(str(FIXTURES / name))
    assert facts["container"] == container
    assert facts["virtualization"] == virtualization
    nodes = facts["kfd"]["nodes"]
    assert targets == (nodes and [node["gfx_target"] for node in nodes])
