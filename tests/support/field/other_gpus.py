"""Cards next to other GPUs, and variables that hide them."""

from __future__ import annotations

from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import FOCAL, USER, MachineTree


def two_gpus(root: Path, kernel: str = "", start: str = "", target: bool = True) -> MachineTree:
    """ROCm#1306: the graphics of a Renoir next to an RX 5500M."""
    machine = MachineTree(root, FOCAL, kernel).display("7340").display("1636", "0000:08:00.0")
    machine.node("7340", target=100102 if target else 0, slot=0x300)
    machine.node("1636", target=90012 if target else 0, slot=0x800)
    machine.device("kfd").device("dri/renderD128").device("dri/renderD129")
    return machine.write(f"home/{USER}/.bashrc", start)


def visible(*lines: str) -> Build:
    return lambda root: two_gpus(root, start="".join(f"export {line}\n" for line in lines))


def igpu_first(root: Path, start: str) -> MachineTree:
    machine = MachineTree(root).display("164e", "0000:08:00.0").display("731f")
    machine.node("164e", target=100306, slot=0x800).node("731f", target=100100, slot=0x300)
    machine.device("kfd").device("dri/renderD128").device("dri/renderD129")
    return machine.write(f"home/{USER}/.bashrc", start)


CASES = [
    Case(
        "no gfx target of a node",
        lambda r: two_gpus(r, "5.11.0-27-generic", target=False),
        "integrated-gpu",
        "warn",
        ("KFD node 2: 1002:1636", "ROCR_VISIBLE_DEVICES=0"),
        ("offers no AMD graphics",),
        {"gfx-override-reach": "warn", "kfd": "pass"},
    ),
    Case(
        "the processor's graphics alone",
        visible("ROCR_VISIBLE_DEVICES=1"),
        "visible-devices",
        "fail",
        ("not the RDNA1 card", "index 0 of ROCR"),
    ),
    Case(
        *(
            "HIP counts what ROCR leaves",
            visible("ROCR_VISIBLE_DEVICES=1,0", "HIP_VISIBLE_DEVICES=0"),
        ),
        "visible-devices",
        "fail",
        ("not the RDNA1 card", "HIP_VISIBLE_DEVICES=0"),
    ),
    Case(
        *(
            "HIP beyond what ROCR leaves",
            visible("ROCR_VISIBLE_DEVICES=0", "HIP_VISIBLE_DEVICES=1"),
        ),
        "visible-devices",
        "fail",
        ("hides every card",),
    ),
    Case(
        "the card alone",
        visible("ROCR_VISIBLE_DEVICES=0", "HIP_VISIBLE_DEVICES=0"),
        "visible-devices",
        "pass",
        (),
        (),
        {"integrated-gpu": "pass"},
    ),
    Case(
        "the card second for HIP",
        visible("ROCR_VISIBLE_DEVICES=1,0", "CUDA_VISIBLE_DEVICES=1"),
        "visible-devices",
        "pass",
    ),
    Case(
        "the processor's graphics first, and the card second",
        lambda root: igpu_first(root, "export HIP_VISIBLE_DEVICES=0\n"),
        "visible-devices",
        "fail",
        ("not the RDNA1 card", "index 1 of ROCR", "ROCR_VISIBLE_DEVICES=1"),
        others={"integrated-gpu": "warn"},
    ),
    Case(
        "every card hidden by -1",
        lambda root: igpu_first(root, "export CUDA_VISIBLE_DEVICES=-1\n"),
        "visible-devices",
        "fail",
        ("hides every card",),
    ),
    Case(
        "another generation next to the card, on a kernel that names no target",
        lambda root: (
            two_gpus(root, "5.11.0-49-generic", target=False)
            .display("687f", "0000:0a:00.0")
            .node("687f", slot=0xA00)
        ),
        "other-card",
        "warn",
        ("1002:687f", "its kernel names no gfx target"),
        others={"gfx-override-reach": "warn"},
    ),
]
