"""The checks of the machine around the card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdna1.catalog.stacks import load_stack
from rdna1.preflight import assess, load_facts
from rdna1.target.facts.collect import collect
from support.findings import UNREAD, Row, assert_row, unknown

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

FIXTURES = Path(__file__).parents[2] / "fixtures"
GIB = 1024**3
FIRST, SECOND = "0000:03:00.0", "0000:0a:00.0"


def display(device: str, slot: str = FIRST, vendor: str = "1002") -> dict[str, object]:
    return {
        "slot": slot,
        "vendor": vendor,
        "device": device,
        "subsystem_vendor": "1002",
        "subsystem_device": "0b36",
        "class": "030000",
        "driver": "amdgpu",
    }


def node(number: int, device: str, target: str | None, fw: int | None = 144) -> dict[str, object]:
    return {
        "node": number,
        "gfx_target": target,
        "simd_count": 80 if target else 0,
        "vendor_id": "1002" if target else "0000",
        "device_id": device,
        "fw_version": fw,
    }


def link(atomics: bool | None, slot: str = FIRST) -> dict[str, object]:
    return {
        "pcie": [
            {
                "slot": slot,
                "speed": "16.0 GT/s PCIe",
                "width": 16,
                "max_speed": "16.0 GT/s PCIe",
                "max_width": 16,
                "atomics": atomics,
                "virtual_function": False,
            }
        ]
    }


CPU = node(0, "0000", None, None)
NAVI10 = node(1, "731f", "gfx1010")
ONE = display("731f")
NOT_OFFERED = {"kfd.nodes": [CPU]}
UNREAD_NODE = {**NOT_OFFERED, "unknown.kfd.nodes.1": "/x: Permission denied"}
NO_CARD: dict[str, object] = {"displays": []}
RENOIR = {
    "displays": [display("1636", "0000:06:00.0"), display("7340")],
    "kfd.nodes": [CPU, node(1, "1636", "gfx90c"), node(2, "7340", "gfx1012")],
}


def others(device: str, target: str | None, *cards: dict[str, object]) -> dict[str, object]:
    nodes = [node(2, device, target)] if target else []
    return {"displays": [*cards, display(device, SECOND)], "kfd.nodes": [CPU, NAVI10, *nodes]}


ROWS = [
    Row("several-cards", "one", {}, "pass", ("one card, gfx1010",)),
    Row(
        "several-cards",
        "of one chip",
        {"displays": [ONE, display("7312", SECOND)]},
        "pass",
        ("2 cards of one chip, gfx1010", "W5700"),
    ),
    Row(
        "several-cards",
        "of two chips",
        {"displays": [ONE, display("7340", SECOND)]},
        "warn",
        ("gfx1010, gfx1012", "ROCR_VISIBLE_DEVICES", f"{SECOND}: Radeon RX 5500"),
    ),
    Row(
        "several-cards",
        "unknown",
        {**unknown("displays"), **unknown("kfd.nodes")},
        "skip",
        ("blocked by card",),
    ),
    Row("integrated-gpu", "none", {}, "pass", ("no AMD graphics",)),
    Row(
        "integrated-gpu",
        "Renoir",
        RENOIR,
        "warn",
        ("KFD node 1: 1002:1636, gfx90c", "ROCR_VISIBLE_DEVICES=1", "BIOS"),
    ),
    Row(
        "integrated-gpu",
        "of Intel",
        {"displays": [ONE, display("3e92", "0000:00:02.0", "8086")]},
        "pass",
        (),
    ),
    Row(
        "integrated-gpu",
        "card not offered",
        {**RENOIR, "kfd.nodes": [CPU, node(1, "1636", "gfx90c")]},
        "warn",
        ("Disable the processor's graphics",),
    ),
    Row("integrated-gpu", "unknown", unknown("kfd.nodes"), "skip", (UNREAD,)),
    Row("other-card", "none", {}, "pass", ("no AMD card",)),
    Row(
        "other-card",
        "RX 6800 alone",
        others("73bf", "gfx1030"),
        "warn",
        ("newer than RDNA1 (gfx1030)", "needs no such stack", f"{SECOND}: 1002:73bf"),
    ),
    Row("other-card", "RX 7900 alone", others("744c", "gfx1100"), "warn", ("gfx1100", "current")),
    Row(
        "other-card",
        "Vega alone",
        others("687f", "gfx900"),
        "warn",
        ("another AMD GPU", "gfx900", "which ROCm"),
    ),
    Row(
        "other-card",
        "not offered, alone",
        others("6613", None),
        "warn",
        ("another AMD GPU", "1002:6613, not offered"),
    ),
    Row(
        "other-card",
        "next to the card",
        others("744c", "gfx1100", ONE),
        "warn",
        ("read for gfx1100 too", "only for programs"),
    ),
    Row("other-card", "next to, not offered", others("6613", None, ONE), "pass", ("not offered",)),
    Row("other-card", "integrated is not a card", RENOIR, "pass", ("no other AMD card",)),
    Row("other-card", "by the topology", unknown("displays"), "pass", ("no AMD card",)),
    Row(
        "other-card",
        "unknown",
        {**unknown("displays"), **unknown("kfd.nodes")},
        "skip",
        (UNREAD,),
    ),
    Row(
        "other-card",
        "unknown target",
        {**others("73bf", None), **unknown("kfd.nodes")},
        "skip",
        (UNREAD,),
    ),
    Row("cyan-skillfish", "no", {}, "pass", ("gfx1013",)),
    Row("cyan-skillfish", "by PCI id", {"displays": [display("13fe")]}, "fail", ("1002:13fe",)),
    Row(
        "cyan-skillfish",
        "by target",
        {"kfd.nodes": [CPU, node(1, "9999", "gfx1013")]},
        "fail",
        ("KFD node 1: 1002:9999, gfx1013", "Vulkan"),
    ),
    Row("cyan-skillfish", "by the topology", unknown("displays"), "pass", ("gfx1013",)),
    Row(
        "cyan-skillfish",
        "unknown",
        {**unknown("displays"), **unknown("kfd.nodes")},
        "skip",
        (UNREAD,),
    ),
    Row("pcie-atomics", "offered", {}, "pass", ("MEC firmware 144",)),
    Row(
        "pcie-atomics",
        "offered without",
        {**link(False), "kfd.nodes": [CPU, node(1, "731f", "gfx1010", 145)]},
        "warn",
        ("works without PCIe atomics", "MEC firmware 145", "slot of the processor"),
    ),
    Row(
        "pcie-atomics",
        "left out",
        {**link(False), **NOT_OFFERED},
        "fail",
        ("older than 145", FIRST, "PCI rejects atomics"),
    ),
    Row(
        "pcie-atomics",
        "missing for another reason",
        {**link(True), **NOT_OFFERED},
        "pass",
        ("another reason",),
    ),
    Row(
        "pcie-atomics",
        "one of two",
        {
            "displays": [ONE, display("7340", SECOND)],
            **link(False, SECOND),
        },
        "warn",
        (SECOND,),
    ),
    Row(
        "pcie-atomics",
        "one of two of a kind",
        {
            "displays": [ONE, display("731f", SECOND)],
            "kfd.nodes": [CPU, {**NAVI10, "slot": FIRST}],
            **link(False, SECOND),
        },
        "warn",
        (SECOND,),
    ),
    Row(
        "pcie-atomics",
        "unknown",
        {
            **link(None),
            **NOT_OFFERED,
            f"unknown.pcie.{FIRST}.atomics": "/x: Permission denied",
        },
        "skip",
        (UNREAD,),
    ),
    Row("pcie-atomics", "unknown node", {**link(False), **UNREAD_NODE}, "skip", (UNREAD,)),
    Row("render-nodes", "there", {}, "pass", ("/dev/dri/renderD128",)),
    Row("render-nodes", "none", {"render_nodes": []}, "fail", ("no render node", "udevadm")),
    Row("render-nodes", "unknown", unknown("render_nodes"), "skip", (UNREAD,)),
    Row("wsl", "no", {}, "pass", ("not a Windows",)),
    Row("wsl", "container", {"container": "podman"}, "pass", ()),
    Row("wsl", "yes", {"container": "wsl"}, "fail", ("/dev/kfd", "next to Windows")),
    Row("wsl", "unknown", unknown("container"), "skip", (UNREAD,)),
    Row("container-devices", "no container", {}, "pass", ("not a container",)),
    Row("container-devices", "passed", {"container": "docker"}, "pass", ("(docker)",)),
    *[
        Row(
            "container-devices",
            f"not passed to {kind}",
            {"container": kind, "kfd.device": None},
            "warn",
            words,
        )
        for kind, words in {
            "podman": ("--device /dev/kfd --device /dev/dri --group-add keep-groups",),
            "docker": ("--group-add NUMBER", "stat -c %g /dev/kfd"),
            "lxc": ("configuration",),
        }.items()
    ],
    Row("container-devices", "unknown", unknown("container"), "skip", (UNREAD,)),
    Row(
        "container-devices",
        "unknown device",
        {"container": "podman", **unknown("kfd.device")},
        "skip",
        (UNREAD,),
    ),
    Row("virtual-machine", "no", {}, "pass", ("not a virtual machine",)),
    Row("virtual-machine", "whole card", {"virtualization": "kvm"}, "pass", ("(kvm)",)),
    Row(
        "virtual-machine",
        "not offered",
        {"virtualization": "kvm", **NOT_OFFERED},
        "warn",
        ("does not offer", "Navi 10", "VFIO"),
    ),
    Row(
        "virtual-machine",
        "Navi 12",
        {"virtualization": "kvm", **NOT_OFFERED, "displays": [display("7362")]},
        "pass",
        (),
    ),
    Row("virtual-machine", "unknown", unknown("virtualization"), "skip", (UNREAD,)),
    Row(
        "virtual-machine",
        "unknown node",
        {"virtualization": "kvm", **UNREAD_NODE},
        "skip",
        (UNREAD,),
    ),
    Row("memory", "enough", {"memory_bytes": 4 * GIB}, "pass", ("4.0 GiB",)),
    Row("memory", "little", {"memory_bytes": 4 * GIB - 2**28}, "warn", ("3.8 GiB", "swap")),
    Row("memory", "unknown", unknown("memory_bytes"), "skip", (UNREAD,)),
    *[
        Row(check, "no card", NO_CARD, "skip", ("blocked by card",))
        for check in ("integrated-gpu", "pcie-atomics", "render-nodes", "virtual-machine")
    ],
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}-{row.case}")
def test_check(row: Row, make_facts: MakeFacts) -> None:
    assert_row(row, make_facts)


@pytest.mark.parametrize(
    ("tree", "statuses"),
    [
        ("ubuntu-24.04-rx5700xt", {"pcie-atomics": "pass", "firmware": "pass", "wsl": "pass"}),
        (
            "ubuntu-22.04-rx5500m-renoir",
            {"card": "pass", "integrated-gpu": "warn", "other-card": "pass"},
        ),
        ("ubuntu-24.04-rx6800", {"card": "fail", "other-card": "warn", "cyan-skillfish": "pass"}),
        ("debian-13-bc250", {"card": "fail", "other-card": "pass", "cyan-skillfish": "fail"}),
        ("ubuntu-24.04-wsl", {"card": "fail", "wsl": "fail", "kernel-version": "skip"}),
        ("debian-13-no-card", {"virtual-machine": "skip", "memory": "warn"}),
    ],
)
def test_trees_of_machines(tree: str, statuses: dict[str, str]) -> None:
    facts = load_facts(collect(str(FIXTURES / tree)))
    report = assess(facts, load_stack("rocm-5.7"))
    found = {finding.id: finding.status for finding in report.checks}
    assert {check: found[check] for check in statuses} == statuses
