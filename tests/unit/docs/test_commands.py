"""Every command that the documentation shows is run by a test: here, or in one that is named."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rdna1.cli.preflight import main as preflight
from support.modules import load_by_path
from support.shown_commands import ROOT, Shown, matches, pages, shown_commands

TREE = ROOT / "tests" / "fixtures" / "ubuntu-24.04-rx5700xt"
COMMANDS = [shown for page in pages() for shown in shown_commands(page)]
# Where a command needs a machine, a card or much time: the test that runs it, and a text in it.
RUN_BY = {
    r"git clone ADDRESS rdna1": ("tests/unit/docs/test_commands.py", "def test_a_clone_is_enough"),
    r"cd rdna1": ("tests/unit/docs/test_commands.py", "def test_a_clone_is_enough"),
    r"sudo \./run demo": ("tests/integration/box/provisioned/test_installed.py", "activate.sh"),
    r"(sudo )?\./run test( \w+)?": (".ci/run", "./run test"),
    r"\./run lint": ("run", "tests/lint"),
    r"python docs/generate\.py": ("tests/unit/docs/test_generated.py", "generate.generated()"),
    r"sudo \./run clean": ("tests/integration/test_run.py", '"clean"'),
    r"\./run faults .*": ("tests/unit/docs/test_reliability.py", "findall(r"),
    r"\. /etc/rdna1/rocm-5\.7/activate\.sh": (
        "tests/integration/box/provisioned/test_installed.py",
        ". /etc/rdna1/rocm-5.7/activate.sh",
    ),
    r"python -c 'import torch; print\(torch\.cuda\.get_device_name\(\)\)'": (
        "tests/unit/guard/test_guard_page.py",
        "def test_torch_has_what_the_first_program_calls",
    ),
    r"(sudo )?podman exec -it rdna1-.*": ("tests/support/boxes.py", '"exec"'),
    r"pip install '\.\[torch\]'": ("tests/integration/venvs/test_extras.py", "torch"),
    r"rdna1-validate smoke": ("tests/integration/measure/test_validate.py", 'validate("smoke", '),
    r"rdna1-validate .*": ("tests/integration/measure/test_sweep.py", "for line in COMMANDS"),
    r"rdna1-audit .*": ("tests/unit/guard/test_guard_page.py", "shown_commands"),
    r"python -m rdna1\.guard .*": (
        "tests/integration/guard/test_guard_page_programs.py",
        "shown_commands",
    ),
    r"\. \.venv/bin/activate": ("run", "need_python"),
    r"molecule \w+ -s amd-noble( .*)?": (
        "tests/integration/molecule/test_scenarios.py",
        "molecule",
    ),
}


def of(*starts: str) -> list[Shown]:
    return [c for c in COMMANDS if c.words[: len(starts)] == list(starts)]


PREFLIGHT = [*of("./run", "preflight"), *of("rdna1-preflight")]
PLAYS = {
    "./run provision": "site.yml",
    "./run provision --rootless": "playbooks/user.yml",
    "./run rollback": "playbooks/rollback.yml",
    "./run rollback --rootless": "playbooks/user_rollback.yml",
}


def played(shown: Shown) -> list[str] | None:
    """The arguments with which ansible-playbook is started; None where it is not."""
    words = shown.words[1:] if shown.words[0] == "sudo" else shown.words
    if words[0] == "ansible-playbook":
        return words[1:]
    for start in sorted(PLAYS, key=len, reverse=True):
        if words[: len(start.split())] == start.split():
            return [PLAYS[start], *words[len(start.split()) :]]
    return None


PLAYED = [(shown, arguments) for shown in COMMANDS if (arguments := played(shown))]


def ids(shown: object) -> str:
    return f"{shown.page}: {shown.line}" if isinstance(shown, Shown) else ""


@pytest.mark.parametrize("shown", COMMANDS, ids=ids)
def test_a_test_runs_it(shown: Shown) -> None:
    if shown in PREFLIGHT or played(shown):
        return
    found = [test for pattern, test in RUN_BY.items() if re.fullmatch(pattern, shown.line)]
    assert found, f"{shown.page} shows '{shown.line}', which no test runs: see RUN_BY"
    file, text = found[0]
    assert text in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("pattern", RUN_BY)
def test_no_entry_is_left_over(pattern: str) -> None:
    assert any(re.fullmatch(pattern, shown.line) for shown in COMMANDS)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[str]], list[str]]:
    """The arguments that make a command about a copy of a machine, with the files it names."""
    for name in ("tests", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(TREE, tmp_path / "mnt", symlinks=True)
    (tmp_path / "dmesg.txt").write_text("amdgpu 0000:08:00.0: amdgpu: GPU reset begin!\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")

    def arguments(words: list[str]) -> list[str]:
        words = ["mnt" if word == "/mnt" else word for word in words]
        if "--facts" in words:
            assert preflight(["facts", "--root", "mnt", "--output", "facts.json"]) == 0
        if {"--root", "--facts", "list", "explain", "matrix"} & set(words):
            return words
        return [*words, "--root", "mnt"]

    return arguments


@pytest.mark.parametrize("shown", PREFLIGHT, ids=ids)
def test_preflight_takes_it(
    shown: Shown,
    machine: Callable[[list[str]], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = shown.words[2:] if shown.words[0] == "./run" else shown.words[1:]
    assert preflight(machine(words)) in (0, 1)
    printed = capsys.readouterr().out
    if shown.output:
        assert matches(shown.output, printed), f"{shown.page} shows another output than\n{printed}"


def test_the_readme_shows_a_machine_that_fits_and_one_that_is_refused(
    machine: Callable[[list[str]], list[str]],
) -> None:
    shown = [command for command in PREFLIGHT if command.page == "README.md" and command.output]
    assert [preflight(machine(command.words[2:])) for command in shown] == [0, 1]


def test_ansible_takes_the_options_of_every_play() -> None:
    """In one process, as Ansible is slow to start; ansible-lint looks at the playbooks."""
    script = (
        "import json, sys\n"
        "from ansible.cli.playbook import PlaybookCLI\n"
        "for arguments in json.load(sys.stdin):\n"
        "    PlaybookCLI(['ansible-playbook', *arguments]).parse()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps([arguments for _, arguments in PLAYED]),
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [arguments for _, arguments in PLAYED], ids=" ".join)
def test_a_play_names_what_is_there(arguments: list[str]) -> None:
    playbooks = [word for word in arguments if re.fullmatch(r"(playbooks/\w+|site)\.yml", word)]
    assert playbooks and all((ROOT / name).is_file() for name in playbooks)
    for option, value in itertools.pairwise(arguments):
        if option == "-i" and value != "INVENTORY":
            assert (ROOT / value).is_file()
        if option == "-e":
            assert variables(value) <= known_variables()


def variables(value: str) -> set[str]:
    """Names of what ``-e`` sets."""
    return set(json.loads(value)) if value.startswith("{") else {value.partition("=")[0]}


def known_variables() -> set[str]:
    """The public variables of all roles, and the shared ones."""
    action = load_by_path(ROOT / "installer/ansible_plugins/action/rdna1_preflight.py")
    names = set(action.SHARED_VARIABLES)
    for file in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        names |= set(yaml.safe_load(file.read_text())["argument_specs"]["main"]["options"])
    return names


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_a_clone_is_enough(tmp_path: Path) -> None:
    clone = ["git", "clone", "--quiet", str(ROOT), str(tmp_path / "rdna1")]
    subprocess.run(clone, check=True)
    done = subprocess.run(
        ["./run", "--help"], cwd=tmp_path / "rdna1", capture_output=True, text=True, check=True
    )
    shown = {s.words[s.words.index("./run") + 1] for s in COMMANDS if "./run" in s.words}
    assert "provision" in shown
    missing = [verb for verb in shown if f"\n  {verb} " not in done.stdout]
    assert missing == []


def test_omissions_are_the_only_difference() -> None:
    assert matches("a\n...\nd\n", "a\nb\nc\nd\n")
    assert not matches("a\n...\nd\n", "a\nb\nc\ne\n")
    assert not matches("a\n", "a\nb\n")
