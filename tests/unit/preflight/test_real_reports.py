"""What the facts and checks say of machines whose owners posted what programs printed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rdna1.catalog.stacks import load_stack
from rdna1.preflight import Finding, assess, load_facts
from rdna1.target.facts import apt_policy
from rdna1.target.facts.collect import collect
from support.lspci import write_devices

FIXTURES = Path(__file__).parents[2] / "fixtures"
REPORTS = FIXTURES / "reports"


class Machine(NamedTuple):
    """A posted list of devices, and what is to be said of it."""

    report: str
    devices: int
    slot: str
    device: str
    subsystem: str
    driver: str | None
    gfx_target: str
    atomics: bool | None
    kernel_driver: str


MACHINES = [
    Machine(
        *("lspci-nnvxxxx-rx5600xt.txt", 1, "0000:28:00.0", "731f", "1da2:e416"),
        *("amdgpu", "gfx1010", True, "pass"),
    ),
    Machine(
        *("lspci-nnvv-imac-navi14.txt", 8, "0000:03:00.0", "7340", "106b:0219"),
        *(None, "gfx1012", None, "fail"),
    ),
    Machine(
        *("lspci-nn-rx5700xt-iommu-groups.txt", 12, "0000:0a:00.0", "731f", "0000:0000"),
        *(None, "gfx1010", None, "fail"),
    ),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The healthy tree, without its devices and what the driver made of them."""
    path = tmp_path / "root"
    shutil.copytree(FIXTURES / "ubuntu-24.04-rx5700xt", path, symlinks=True)
    shutil.rmtree(path / "sys/bus/pci/devices")
    shutil.rmtree(path / "sys/class/kfd")
    return path


def findings(facts: Any) -> dict[str, Finding]:
    report = assess(load_facts(facts), load_stack("rocm-5.7"))
    return {finding.id: finding for finding in report.checks}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.report)
def test_the_card_is_found_and_nothing_else_is_taken_for_one(root: Path, machine: Machine) -> None:
    slots = write_devices((REPORTS / machine.report).read_text(), root)
    assert len(slots) == machine.devices
    facts: Any = collect(str(root), ["ann"])
    (display,) = facts["displays"]
    assert (display["slot"], display["vendor"]) == (machine.slot, "1002")
    assert (display["device"], display["driver"]) == (machine.device, machine.driver)
    assert f"{display['subsystem_vendor']}:{display['subsystem_device']}" == machine.subsystem
    assert [link["atomics"] for link in facts["pcie"]] == [machine.atomics]
    found = findings(facts)
    assert found["card"].status == "pass"
    assert machine.gfx_target in found["several-cards"].summary
    assert found["kernel-driver"].status == machine.kernel_driver


@pytest.mark.parametrize(
    ("name", "known", "status"),
    [
        ("ubuntu-24.04", ("ubuntu", "24.04", "noble", "Ubuntu 24.04 LTS", ["debian"]), "pass"),
        ("ubuntu-22.04", ("ubuntu", "22.04", "jammy", "Ubuntu 22.04.5 LTS", ["debian"]), "warn"),
        ("debian-13", ("debian", "13", "trixie", "Debian GNU/Linux 13 (trixie)", []), "warn"),
    ],
)
def test_the_release_is_recognized(
    root: Path, name: str, known: tuple[object, ...], status: str
) -> None:
    """The stack supports the first; the others it has for the community."""
    shutil.copy(REPORTS / f"os-release-{name}.txt", root / "usr/lib/os-release")
    facts: Any = collect(str(root))
    assert tuple(facts["os"].values()) == known
    finding = findings(facts)["os-release"]
    assert finding.status == status
    assert finding.summary.startswith(f"{known[3]} ")


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        (
            "rocm-7.1.1",
            {
                "rocm": {
                    "version": "7.1.1.70101-38~24.04",
                    "origins": [
                        "https://repo.radeon.com/rocm/apt/7.1.1 noble/main amd64 Packages",
                        "/var/lib/dpkg/status",
                    ],
                }
            },
        ),
        # A pin of 600 does not outrank what is installed and newer.
        (
            "rocprofiler-sdk",
            {
                "rocprofiler-sdk": {
                    "version": "1.0.0-56~24.04",
                    "origins": ["/var/lib/dpkg/status"],
                }
            },
        ),
    ],
)
def test_the_candidate_of_apt_and_where_it_is_from(name: str, candidates: object) -> None:
    assert apt_policy.parse((REPORTS / f"apt-policy-{name}.txt").read_text()) == candidates


def test_every_report_names_its_source() -> None:
    readme = (REPORTS / "README.md").read_text()
    names = [path.name for path in REPORTS.iterdir() if path.suffix == ".txt"]
    assert names
    assert [name for name in names if f"| `{name}` |" not in readme] == []
