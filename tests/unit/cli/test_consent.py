"""Measurements that may hang a card ask first, and are refused on a card that draws a desktop."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rdna1.cli.validate import boundary, main, sweep, timing, tune
from rdna1.cli.validate.consent import find_desktop
from rdna1.cli.validate.measured_card import measured_card
from rdna1.target.rootfs import RootFs
from support.machine_tree import MachineTree

Build = Callable[[MachineTree], object]

INTEL = {"vendor": "8086", "driver": "i915"}
OTHER = "0000:00:02.0"
FIRST, SECOND = "0000:03:00.0", "0000:0a:00.0"
COMMANDS = {
    "boundary": [],
    "tune": [],
    "timing": [],
    "sweep": ["--side", "8", "--channels", "4->4"],
}


class StartedError(Exception):
    """A measurement began."""


@pytest.fixture(autouse=True)
def measuring_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would start a worker says so."""

    def begin(*_: object, **__: object) -> None:
        raise StartedError

    for module, name in (
        (boundary, "run_boundary"),
        (sweep, "run_sweep"),
        (timing, "run_timing"),
        (tune, "run_tune"),
    ):
        monkeypatch.setattr(module, name, begin)


@pytest.fixture
def desktop(tmp_path: Path) -> str:
    MachineTree(tmp_path).display("731f").screen().session()
    return str(tmp_path)


def drives_a_monitor(machine: MachineTree) -> None:
    machine.display("731f").screen()


def session_alone(machine: MachineTree) -> None:
    machine.display("731f").screen(status="disconnected").session()


def unknown_card(machine: MachineTree) -> None:
    machine.write("sys/class/drm/card0-DP-1/status", "connected\n")


def other_amd_card(machine: MachineTree) -> None:
    machine.display("73bf").screen()


def nothing_connected(machine: MachineTree) -> None:
    machine.display("731f").screen(status="disconnected")


def monitor_of_the_processor(machine: MachineTree) -> None:
    machine.display("731f").screen(status="disconnected")
    machine.display("9bc4", OTHER, **INTEL).screen(OTHER, card="card1").session()


def monitor_of_an_integrated_amd(machine: MachineTree) -> None:
    machine.display("7340").screen(status="disconnected")
    machine.display("1636", OTHER).screen(OTHER, card="card1").session()


def sessions_that_do_not_matter(machine: MachineTree) -> None:
    machine.display("731f").session(1, TYPE="tty").session(2, CLASS="greeter")
    machine.session(3, REMOTE="1", TYPE="x11").session(4, STATE="closing")


@pytest.mark.parametrize(
    ("build", "losses"),
    [
        (drives_a_monitor, ["a monitor is connected to the card (0000:03:00.0, HDMI-A-1)"]),
        (session_alone, ["mia has a graphical session (wayland)"]),
        (unknown_card, ["a monitor is connected to the card (card0, DP-1)"]),
        (other_amd_card, ["a monitor is connected to the card (0000:03:00.0, HDMI-A-1)"]),
        (nothing_connected, []),
        (monitor_of_the_processor, []),
        (monitor_of_an_integrated_amd, []),
        (sessions_that_do_not_matter, []),
    ],
)
def test_what_a_reset_would_end(build: Build, losses: list[str], tmp_path: Path) -> None:
    build(MachineTree(tmp_path))
    found = find_desktop(RootFs(str(tmp_path)))
    assert (found.exists, found.losses) == (True, losses)


def two_cards(machine: MachineTree) -> MachineTree:
    """The second card draws the desktop; the processor's graphics come first for KFD."""
    machine.display("7340").display("731f", SECOND).screen(SECOND, card="card1").session()
    machine.node("7340", target=100102, slot=0x300)
    return machine.node("731f", target=100100, slot=0xA00)


@pytest.mark.parametrize(
    ("device", "environment", "slot"),
    [
        ("cuda:0", {}, FIRST),
        ("auto", {}, FIRST),
        ("cuda:1", {}, SECOND),
        ("cuda:0", {"ROCR_VISIBLE_DEVICES": "1"}, SECOND),
        ("cuda:1", {"ROCR_VISIBLE_DEVICES": "1,0"}, FIRST),
        ("cuda", {"ROCR_VISIBLE_DEVICES": "1,0", "HIP_VISIBLE_DEVICES": "1"}, FIRST),
        ("cuda:0", {"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "1"}, SECOND),
        ("cuda:1", {"HIP_VISIBLE_DEVICES": "0"}, None),
        ("cuda:0", {"ROCR_VISIBLE_DEVICES": "GPU-1"}, None),
    ],
)
def test_which_card_is_measured(
    device: str, environment: dict[str, str], slot: str | None, tmp_path: Path
) -> None:
    two_cards(MachineTree(tmp_path))
    card = measured_card(RootFs(str(tmp_path)), device, environment)
    assert card.slot == slot
    assert (card.unknown == "") == (slot is not None)


def test_another_gpu_may_count_or_not(tmp_path: Path) -> None:
    MachineTree(tmp_path).node("1636", target=90012, slot=0x800).node("731f", slot=0x300)
    rootfs = RootFs(str(tmp_path))
    card = measured_card(rootfs, "cuda:1", {})
    assert card == (None, "whether the runtime counts 1002:1636 depends on its release")
    assert measured_card(rootfs, "cuda:0", {"HIP_VISIBLE_DEVICES": "1"}).slot == FIRST


def test_a_topology_that_cannot_be_read_names_no_card(tmp_path: Path) -> None:
    card = measured_card(RootFs(str(tmp_path)), "cuda:0", {})
    assert card.slot is None
    assert card.unknown.startswith("KFD's topology could not be read: ")


def test_a_monitor_on_the_other_card_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    two_cards(MachineTree(tmp_path))
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    root = ["--root", str(tmp_path)]
    with pytest.raises(StartedError):
        main(["boundary", "--device", "cuda:0", *root])
    assert main(["boundary", "--device", "cuda:1", *root]) == 1
    assert f"({SECOND}, HDMI-A-1)" in capsys.readouterr().err
    assert main(["boundary", "--device", "cuda:2", *root]) == 1
    said = capsys.readouterr().err
    assert "Which of the 2 cards cuda:2 is, is not known: KFD and the variables leave 2" in said


def test_a_machine_without_a_card_loses_nothing(tmp_path: Path) -> None:
    MachineTree(tmp_path).display("9bc4", OTHER, **INTEL).screen(OTHER).session()
    assert find_desktop(RootFs(str(tmp_path))) == (False, [], 0)


@pytest.mark.parametrize("device", ["auto", "cuda", "cuda:1"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_card_that_draws_a_desktop_is_refused(
    command: str, device: str, desktop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [command, *COMMANDS[command], "--device", device, "--root", desktop]
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    warning, refusal = said.err.splitlines()
    assert warning.startswith(f"rdna1-validate: {command} tries layers that may hang the card")
    assert "ends the graphical session" in warning
    assert refusal.startswith("rdna1-validate: refused: a monitor is connected to the card (0000:")
    assert "and mia has a graphical session (wayland). Remedy: " in refusal
    assert "--yes" in refusal
    with pytest.raises(StartedError):
        main([*arguments, "--yes"])
    assert capsys.readouterr().err == f"{warning}\n"


@pytest.mark.parametrize("device", ["cpu", "sim:rules.yml"])
@pytest.mark.parametrize("command", COMMANDS)
def test_what_cannot_hang_a_card_is_never_asked_about(
    command: str, device: str, desktop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StartedError):
        main([command, *COMMANDS[command], "--device", device, "--root", desktop])
    assert capsys.readouterr().err == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "begins"), [("y\n", True), ("\n", False), ("", False)])
def test_a_terminal_is_asked(
    answer: str,
    begins: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing_connected(MachineTree(tmp_path))
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    if begins:
        with pytest.raises(StartedError):
            main(["boundary", "--root", str(tmp_path)])
    else:
        assert main(["boundary", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "Measure now? [y/N] " in said
    assert ("nothing was measured" in said) == (not begins)


def test_a_terminal_does_not_stand_for_yes(desktop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert main(["boundary", "--root", desktop]) == 1


def test_a_script_on_a_card_without_a_monitor_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing_connected(MachineTree(tmp_path))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(StartedError):
        main(["boundary", "--root", str(tmp_path)])
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_cannot_be_read_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boundary", "--root", "/nowhere"]) == 2
    assert capsys.readouterr().err == "rdna1-validate: --root /nowhere: No such file or directory\n"
