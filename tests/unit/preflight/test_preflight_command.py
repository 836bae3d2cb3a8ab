"""The command as a user runs it: processes, exit codes and what they print."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import rdna1
from rdna1.catalog.repositories import amd_repository
from rdna1.cli.preflight import main
from rdna1.preflight import CHECKS
from support.apt_facts import keyring, source

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

FIXTURES = Path(__file__).parents[2] / "fixtures"
HEALTHY = str(FIXTURES / "ubuntu-24.04-rx5700xt")
COMMAND = [sys.executable, "-m", "rdna1.cli.preflight"]


def run(
    *arguments: str, text: bytes = b"", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=text,
        capture_output=True,
        env={**os.environ, **(environment or {})},
    )
    return subprocess.CompletedProcess(
        arguments, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_the_tree_of_a_right_machine_passes() -> None:
    done = run("--stack", "rocm-5.7", "--root", HEALTHY)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].startswith("PASS rocm-5.7")
    assert "WARN" not in done.stdout


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_what_passed_is_folded_unless_all_is_asked_for(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    main(["--root", HEALTHY])
    folded = capsys.readouterr().out
    main(["--root", HEALTHY, option])
    whole = capsys.readouterr().out
    assert "gfx1010" not in folded
    assert "gfx1010" in whole
    ids = [line.split()[1] for line in whole.splitlines() if line[:4] in ("pass", "skip")]
    assert ids == [check.id for check in CHECKS]
    assert set(ids) <= set(folded.replace(",", " ").replace(":", " ").split())


def test_rocm_52_on_ubuntu_2404_is_refused_with_its_reasons() -> None:
    done = run("--stack", "rocm-5.2", "--root", HEALTHY)
    assert (done.returncode, done.stderr) == (1, "")
    for words in ("libtinfo5", "libncurses5", "libstdc++-5-dev", "glibc is 2.39", "stack rocm-5.7"):
        assert words in done.stdout
    assert done.stdout.splitlines()[-1].startswith("REFUSE rocm-5.2")


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ("ubuntu-24.04-find-enforce", "/etc/profile.d/miopen.sh:3: MIOPEN_FIND_ENFORCE=3"),
        ("ubuntu-24.04-find-enforce", "/home/ann/.bashrc:9: MIOPEN_FIND_ENFORCE=SEARCH"),
        ("ubuntu-24.04-mixed-rocm", "distribution: rocminfo 5.7.1-3build1"),
        ("debian-13-no-card", "PCI device 1234:1111, driver bochs-drm"),
    ],
)
def test_trees_that_are_refused(capsys: pytest.CaptureFixture[str], tree: str, words: str) -> None:
    assert main(["check", "--root", str(FIXTURES / tree)]) == 1
    assert words in " ".join(capsys.readouterr().out.split())


def test_warnings_proceed_unless_strict(capsys: pytest.CaptureFixture[str]) -> None:
    jammy = str(FIXTURES / "ubuntu-22.04-rx5500xt")
    assert main(["--root", jammy]) == 0
    assert "WARN rocm-5.7" in capsys.readouterr().out
    assert main(["--root", jammy, "--strict"]) == 1


def test_ignored_findings_are_shown_and_proceed(capsys: pytest.CaptureFixture[str]) -> None:
    tree = str(FIXTURES / "debian-13-no-card")
    assert main(["--root", tree, "--ignore", "card,python", "--ignore", "groups"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "ignored card no RDNA1 card" in text
    assert "(ignored: card, python)" in text


def test_saved_facts_are_assessed_anywhere(tmp_path: Path) -> None:
    facts = run("facts", "--root", HEALTHY, "--user", "ann", "bob")
    saved = tmp_path / "facts.json"
    saved.write_text(facts.stdout)
    assert [user["name"] for user in json.loads(facts.stdout)["users"]] == ["ann", "bob"]
    from_file = run("--facts", str(saved), "--format", "json")
    from_stdin = run("--facts", "-", "--format", "json", text=facts.stdout.encode())
    assert from_file.stdout == from_stdin.stdout
    report = json.loads(from_file.stdout)
    assert (report["schema_version"], report["stack"], report["verdict"]) == (
        1,
        "rocm-5.7",
        "refuse",
    )
    groups = next(check for check in report["checks"] if check["id"] == "groups")
    assert groups["summary"] == "no such user: bob"


def test_the_key_of_a_mirror_is_right_where_it_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, make_facts: MakeFacts
) -> None:
    mirror = "https://mirror.example/rocm/apt/5.7.1"
    changes: dict[str, object] = {
        "apt.sources": [source(mirror, file=amd_repository().sources_file)],
        "apt.keyrings": [keyring("F6EC" * 10)],
    }
    facts = make_facts(changes)
    saved = tmp_path / "facts.json"
    saved.write_text(json.dumps(facts))
    given = ["--facts", str(saved), "--format", "json"]
    statuses = []
    for more in ([], ["--amd-key-fingerprint", "f6ec " * 10]):
        main([*given, *more])
        checks = json.loads(capsys.readouterr().out)["checks"]
        statuses += [check["status"] for check in checks if check["id"] == "amd-key"]
    assert statuses == ["warn", "pass"]


def test_junit_and_output(tmp_path: Path) -> None:
    output = tmp_path / "report.xml"
    output.write_text("old")
    output.chmod(0o640)
    done = run("--root", HEALTHY, "--format", "junit", "--output", str(output))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    root = ET.parse(output).getroot()  # noqa: S314 - our own
    assert [case.get("name") for case in root.iter("testcase")] == [c.id for c in CHECKS]
    assert output.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [output]


def test_output_to_a_device_leaves_the_device() -> None:
    assert run("--root", HEALTHY, "--output", os.devnull).returncode == 0
    assert Path(os.devnull).is_char_device()


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (["--root", "/no/such"], b"", "--root /no/such: No such file or directory"),
        (["--root", f"{HEALTHY}/etc/passwd"], b"", "passwd: Not a directory"),
        (["--root", ""], b"", "--root '': No such file or directory"),
        (
            ["--amd-key-fingerprint", "693C5C"],
            b"",
            "'693C5C' is not a full fingerprint: 40 hexadec",
        ),
        (["facts", "--root", "/no/such"], b"", "--root /no/such: No such file or directory"),
        (["--facts", "/no/such"], b"", "/no/such: No such file or directory"),
        (["--facts", "/"], b"", "/: Is a directory"),
        (["--facts", ""], b"", "--facts '': Is a directory"),
        (
            ["--facts", "-"],
            b'{"schema_version": 1, "os',
            "standard input: facts are not JSON: Input data was trunc",
        ),
        (
            ["--facts", "-"],
            b'{"schema_version": 9}',
            "input: facts of schema version 9; this is for 1",
        ),
        (["--facts", "-", "--root", "/"], b"", "not allowed with argument"),
        (["--facts", "-", "--user", "ann"], b"", "--user cannot be used with --facts"),
        (["--stack", "rocm-5.6"], b"", "unknown stack 'rocm-5.6'"),
        (["--ignore", "crad"], b"", "unknown check 'crad': did you mean card?"),
        (["--ignore", "os-release"], b"", "os-release protects the machine"),
        (["explain", "glib"], b"", "unknown check 'glib': did you mean glibc?"),
        (["explain"], b"", "arguments are required: ID; see rdna1-preflight explain --help"),
        (["lits"], b"", "unknown command 'lits': did you mean list?; see"),
        (["--format", "xml"], b"", "invalid choice: 'xml'"),
        (["--sta", "rocm-5.7"], b"", "unrecognized arguments: --sta rocm-5.7"),
        (["list", "--stack", "x"], b"", "--stack x; see rdna1-preflight list --help"),
        (["--stak", "rocm-5.2"], b"", "--stak rocm-5.2; did you mean --stack?; see"),
        (["matrix", "--fromat=json"], b"", "--fromat=json; did you mean --format?; see"),
        (["--format", "jsno"], b"", "; did you mean json?; see"),
        (["--root", HEALTHY, "--output", "/no/such/file"], b"", "/no/such/file: No such file"),
        (["--root", HEALTHY, "--output", "/"], b"", "/: Is a directory"),
    ],
)
def test_wrong_usage_is_one_line(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    text: bytes,
    message: str,
) -> None:
    given = tmp_path / "stdin"
    given.write_bytes(text)
    with given.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("rdna1-preflight: ")
    assert message in err
    assert err.count("\n") == 1


def test_wrong_usage_of_the_real_command() -> None:
    done = run("--stack", "rocm-5.6")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_a_damaged_stack_file_is_one_line(tmp_path: Path) -> None:
    package = Path(rdna1.__path__[0])
    ignored = shutil.ignore_patterns("__pycache__", "conv", "guard", "measure", "worker")
    shutil.copytree(package, tmp_path / "rdna1", ignore=ignored)
    stack = tmp_path / "rdna1/catalog/data/stacks/rocm-5.7.yml"
    stack.write_text(stack.read_text().replace("title:", "tilte:"))
    done = run("--root", HEALTHY, environment={"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (2, "")
    assert "rocm-5.7.yml:" in done.stderr
    assert "tilte" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - a device
        done = subprocess.run([*COMMAND, "list"], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"rdna1-preflight: standard output: No space left on device\n"


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([*COMMAND, "--root", HEALTHY], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_on_a_terminal(environment: dict[str, str], coloured: bool) -> None:
    terminal, inner = pty.openpty()
    usual = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(
        [*COMMAND, "--root", HEALTHY],
        stdout=inner,
        check=True,
        env={**usual, "TERM": "xterm", **environment},
    )
    os.close(inner)
    assert (b"\x1b[" in os.read(terminal, 100_000)) == coloured
    os.close(terminal)


def test_the_environment_of_the_process_is_assessed() -> None:
    done = run("--format", "json", environment={"MIOPEN_FIND_ENFORCE": "3"})
    finding = next(c for c in json.loads(done.stdout)["checks"] if c["id"] == "find-enforce")
    assert finding["status"] == "fail"
    assert "environment: MIOPEN_FIND_ENFORCE=3" in finding["evidence"]


def test_the_user_behind_sudo_is_asked_about() -> None:
    done = run("facts", environment={"SUDO_USER": "someone"})
    assert [user["name"] for user in json.loads(done.stdout)["users"]] == ["someone"]


def test_every_check_is_listed_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [check.id for check in CHECKS]
    assert [line.split()[0] for line in lines if line.endswith(" (strict)")] == [
        check.id for check in CHECKS if check.strict
    ]
    assert max(map(len, lines)) <= 80
    for check in CHECKS:
        assert main(["explain", check.id]) == 0
        text = capsys.readouterr().out
        assert " ".join(check.explanation.split()) in " ".join(text.split())
        assert all(f"\n  {reference}\n" in text for reference in check.references)


def test_explanations_are_wrapped_to_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["explain", "rocm-mixture"]) == 0
    text, _, references = capsys.readouterr().out.partition("\nReferences:\n")
    assert max(map(len, text.splitlines())) <= 60
    assert references


def test_facts_go_to_a_file(tmp_path: Path) -> None:
    done = run("facts", "--root", HEALTHY, "--output", str(tmp_path / "machine.json"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert main(["--facts", str(tmp_path / "machine.json"), "--output", os.devnull]) == 0


@pytest.mark.parametrize("program", ["preflight", "validate"])
def test_version(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"rdna1.cli.{program}", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"rdna1-{program} {version('rdna1')}\n"


@pytest.mark.parametrize(
    "module", ["rdna1.catalog.stacks", "rdna1.target.facts.apt_policy", "rich.table"]
)
def test_an_interruption_is_quiet_even_during_the_imports(module: str) -> None:
    interrupted = f"""
import os, signal, sys
def hook(event, arguments):
    if event == "import" and arguments[0] == {module!r}:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
from rdna1.cli.entry import preflight
preflight()
"""
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    ("arguments", "closed", "message"),
    [
        *(
            (words, ">&-", "standard output: it is closed")
            for words in (f"--root {HEALTHY}", "facts", "list", "matrix", "fix --dry-run")
        ),
        ("--facts -", "<&-", "standard input: it is closed"),
        ("advise --facts -", "<&-", "standard input: it is closed"),
    ],
)
def test_a_closed_stream_is_one_line(arguments: str, closed: str, message: str) -> None:
    program = [*COMMAND, *arguments.split()]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {closed}', "sh", *program], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"rdna1-preflight: {message}\n"


def test_help_shows_commands_options_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for words in ("explain", "--facts", "--ignore", "examples:", "exit codes:"):
        assert words in text
