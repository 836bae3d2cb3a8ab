"""Measurements that may hang a card ask first, and are refused on a card that draws a desktop."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rdna1.cli.validate import boundary, main, sweep, timing, tune
from rdna1.cli.validate.consent import find_desktop
from rdna1.host.reader import Reader
from support.machine_tree import MachineTree

Build = Callable[[MachineTree], object]

INTEL = {"vendor": "8086", "driver": "i915"}
OTHER = "0000:00:02.0"
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
    found = find_desktop(Reader(str(tmp_path)))
    assert (found.exists, found.losses) == (True, losses)


def test_a_machine_without_a_card_loses_nothing(tmp_path: Path) -> None:
    MachineTree(tmp_path).display("9bc4", OTHER, **INTEL).screen(OTHER).session()
    assert find_desktop(Reader(str(tmp_path))) == (False, [])


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
