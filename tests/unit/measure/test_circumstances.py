"""What a measurement depends on, read from trees of files; the trees are synthetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdna1.conv.result import DeviceInfo
from rdna1.measure.conditions import observe

CARD = DeviceInfo("auto", "cuda", "AMD Radeon RX 5600 XT", "2.2.2+rocm5.7", "5.7.31921", "gfx1030")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A tree with one AMD card, one of another vendor, a kernel and a stack."""
    files = {
        "proc/sys/kernel/osrelease": "6.8.0-45-generic\n",
        "etc/rdna1/stack.json": '{"schema_version": 1, "stack": "rocm-5.7"}',
    }
    for slot, vendor, device in (("03", "1002", "731f"), ("04", "10de", "1b80")):
        folder = f"sys/bus/pci/devices/0000:{slot}:00.0"
        files |= {
            f"{folder}/class": "0x030000",
            f"{folder}/vendor": f"0x{vendor}",
            f"{folder}/device": f"0x{device}",
            f"{folder}/subsystem_vendor": "0x1002",
            f"{folder}/subsystem_device": "0x0001",
        }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def test_everything_is_found(machine: Path) -> None:
    variables = {
        "MIOPEN_DEBUG_CONV_FFT": "0",
        "HSA_OVERRIDE_GFX_VERSION": "10.3.0",
        "MIOPEN_USER_DB_PATH": "/home/ann/db",
        "MIOPEN_FIND_ENFORCE": "3",
        "HOME": "/home/ann",
    }
    found = observe(CARD, variables, str(machine))
    assert (found.device, found.gfx_target) == ("AMD Radeon RX 5600 XT", "gfx1030")
    assert (found.torch, found.hip) == ("2.2.2+rocm5.7", "5.7.31921")
    assert (found.pci_id, found.stack) == ("1002:731f", "rocm-5.7")
    assert found.driver == "amdgpu of kernel 6.8.0-45-generic"
    assert found.environment == {
        "HSA_OVERRIDE_GFX_VERSION": "10.3.0",
        "MIOPEN_DEBUG_CONV_FFT": "0",
    }
    assert found.date is not None
    assert found.date.endswith("+00:00")


def test_a_driver_from_elsewhere_has_its_own_version(machine: Path) -> None:
    version = machine / "sys/module/amdgpu/version"
    version.parent.mkdir(parents=True)
    version.write_text("6.3.6\n", encoding="utf-8")
    assert observe(CARD, {}, str(machine)).driver == "amdgpu 6.3.6"


def test_two_cards_of_a_vendor_are_not_told_apart_by_their_id(machine: Path) -> None:
    other = machine / "sys/bus/pci/devices/0000:04:00.0"
    (other / "vendor").write_text("0x1002", encoding="utf-8")
    assert observe(CARD, {}, str(machine)).pci_id is None


def test_the_cpu_has_neither_card_nor_driver(machine: Path) -> None:
    cpu = DeviceInfo("cpu", "cpu", "AMD Ryzen", "2.2.2", None, None)
    found = observe(cpu, {}, str(machine))
    assert (found.device, found.pci_id, found.driver) == ("AMD Ryzen", None, None)


def test_an_empty_machine_leaves_everything_unknown(tmp_path: Path) -> None:
    found = observe(CARD, {}, str(tmp_path))
    assert (found.pci_id, found.driver, found.stack) == (None, None, None)
    assert observe(None, {}, str(tmp_path)).device is None
