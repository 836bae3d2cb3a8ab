"""PyTorch from an index: the stack's wheels, here fakes on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support.boxes import Box
from support.wheel_boxes import (
    HOST_PYTHONS,
    add_own_requirements,
    environment,
    mount_host_python,
    play,
    torch_version,
)
from support.wheels import serve, write_fake_wheel

MakeBox = Callable[..., Box]


def test_the_stacks_wheels_are_locked_installed_and_repaired(
    make_box: MakeBox, index_folder: Path, index: str
) -> None:
    add_own_requirements(index_folder, HOST_PYTHONS["rocm-5.7"])
    # A newer build of another kind, which must not win.
    write_fake_wheel(index_folder, "torch", "2.13.0")
    box = mount_host_python(make_box, HOST_PYTHONS["rocm-5.7"])
    planned = box.play(
        "--tags=pytorch",
        "--check",
        "--diff",
        f"--extra-vars={json.dumps({'rdna1_pytorch_source': 'index'})}",
        '--extra-vars={"preflight_ignore": ["card", "kernel-driver", "kfd", "disk-space"]}',
    )
    assert planned.returncode == 0, planned.stdout
    assert not (box.folder / "locks").exists()
    played = play(box, index)
    assert played.returncode == 0, played.stdout
    lock = box.folder / "locks" / "rocm-5.7-3.12-x86_64-linux.txt"
    assert "torch==2.2.2+rocm5.7 \\\n    --hash=sha256:" in lock.read_text()
    assert torch_version(box) == "2.2.2+rocm5.7"
    python = "/opt/rdna1/rocm-5.7/bin/python"
    assert box.run(python, "-c", "import sys; print(sys.version_info[:2])").strip() == "(3, 12)"
    assert box.run("/opt/rdna1/rocm-5.7/bin/rdna1-preflight", "list")
    assert box.run("/opt/rdna1/rocm-5.7/bin/rdna1-validate", "--help")
    first = environment(box)
    box.run("/opt/rdna1/bin/uv", "pip", "uninstall", f"--python={first}", "torchvision")
    repaired = play(box, index)
    # The environment, and the record of the machine after it.
    assert "changed=2" in repaired.stdout, repaired.stdout
    assert environment(box) == f"{first}-repaired"
    box.run(python, "-c", "import torchvision")


def test_rocm_5_2_gets_its_python_3_10(make_box: MakeBox, index_folder: Path, index: str) -> None:
    add_own_requirements(index_folder, HOST_PYTHONS["rocm-5.2"])
    box = mount_host_python(make_box, HOST_PYTHONS["rocm-5.2"])
    # The release is refused for this stack on this machine, so the role is run without preflight.
    played = play(box, index, pytorch_stack="rocm-5.2")
    assert played.returncode == 0, played.stdout
    assert torch_version(box, "rocm-5.2") == "1.13.1+rocm5.2"
    assert box.run("/opt/rdna1/rocm-5.2/bin/rdna1-preflight", "list")


def test_therock_takes_the_wheels_of_the_card(
    make_box: MakeBox, index_folder: Path, index: str
) -> None:
    add_own_requirements(index_folder, "3.13")
    box = make_box()
    refused = play(box, index, rdna1_stack="therock")
    assert refused.returncode != 0
    assert "no RDNA1 card. Remedy: name one with pytorch_gfx_target" in refused.stdout
    played = play(box, index, rdna1_stack="therock", pytorch_gfx_target="gfx1010")
    assert played.returncode == 0, played.stdout
    assert torch_version(box, "therock") == "2.12.0+rocm10.1.0"
    code = "import rocm_sdk; print(rocm_sdk.CARD, rocm_sdk.BUILT_BY)"
    card, builder = box.run("/opt/rdna1/therock/bin/python", "-c", code).split()
    assert card == "gfx1010"
    assert int(builder) in range(61184, 65520), "root does not build"
    lock = box.folder / "locks" / "therock-3.13-x86_64-linux-gfx1010.txt"
    assert "amd-torch-device-gfx1010==10.1.0" in lock.read_text()
    again = play(box, index, rdna1_stack="therock", pytorch_gfx_target="gfx1010")
    assert "changed=0" in again.stdout, again.stdout
    other = play(box, index, rdna1_stack="therock", pytorch_gfx_target="gfx1012")
    assert other.returncode != 0
    assert "Cause: the index has no PyTorch with device-gfx1012" in other.stdout


def test_an_index_without_the_wheels_is_explained(make_box: MakeBox, tmp_path: Path) -> None:
    write_fake_wheel(tmp_path / "empty", "torch", "2.13.0")
    box = mount_host_python(make_box, "3.12")
    with serve(tmp_path / "empty") as address:
        played = play(box, address)
    assert played.returncode != 0
    cause = "Cause: the index does not have that version of torch==2.2.2+rocm5.7"
    assert cause in played.stdout
