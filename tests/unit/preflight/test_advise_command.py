"""The commands ``advise`` and ``matrix``: exit codes, forms and what they print."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rdna1.catalog.stacks import stack_names
from rdna1.cli.preflight import main

FIXTURES = Path(__file__).parents[2] / "fixtures"
HEALTHY = str(FIXTURES / "ubuntu-24.04-rx5700xt")


@pytest.mark.parametrize(
    ("tree", "code", "shown", "hidden"),
    [
        ("ubuntu-24.04-rx5700xt", 0, ["rocm-5.7", "libtinfo5", "device-gfx1010"], ["after repair"]),
        ("ubuntu-22.04-rx5500xt", 0, ["review the warnings", "device-gfx1012"], ["FAIL"]),
        ("ubuntu-24.04-find-enforce", 1, ["after repair", "miopen.sh:3"], []),
        ("ubuntu-24.04-rx6800", 1, ["needs no stack", "gfx1030"], ["FAIL", "newer card"]),
        ("debian-13-no-card", 1, ["no AMD card", "A newer card"], ["FAIL", "device-gfx"]),
    ],
)
def test_advice_on_trees(
    capsys: pytest.CaptureFixture[str], tree: str, code: int, shown: list[str], hidden: list[str]
) -> None:
    assert main(["advise", "--root", str(FIXTURES / tree)]) == code
    text = " ".join(capsys.readouterr().out.split())
    assert [words for words in shown if words not in text] == []
    assert [words for words in hidden if words in text] == []


@pytest.mark.parametrize("command", [["advise", "--root", HEALTHY], ["matrix"]])
def test_80_columns_are_enough(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(command) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_saved_facts_give_the_same_advice(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["facts", "--root", HEALTHY]) == 0
    saved = tmp_path / "facts.json"
    saved.write_text(capsys.readouterr().out)
    assert main(["advise", "--root", HEALTHY, "--format", "json"]) == 0
    advice = capsys.readouterr().out
    assert main(["advise", "--facts", str(saved), "--format", "json"]) == 0
    assert capsys.readouterr().out == advice
    assert json.loads(advice)["stack"] == "therock"


def test_the_matrix_in_all_forms(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    output = tmp_path / "matrix.json"
    assert main(["matrix", "--format", "json", "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    assert list(json.loads(output.read_text())["stacks"]) == stack_names()
    for form, start in (("text", "gfx1010 (Navi 10), "), ("markdown", "gfx1010 (Navi 10), ")):
        assert main(["matrix", "--format", form]) == 0
        assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize("command", ["advise", "matrix"])
def test_help_shows_examples(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"rdna1-preflight {command}" in text
    assert "examples:" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["advice"], "unknown command 'advice': did you mean advise?"),
        (["metrix"], "unknown command 'metrix': did you mean matrix?"),
        (["advise", "rocm-5.7"], "unrecognized arguments: rocm-5.7"),
        (["advise", "--stack", "rocm-5.7"], "unrecognized arguments: --stack rocm-5.7"),
        (["advise", "--format", "junit"], "invalid choice: 'junit'"),
        (["advise", "--root", "/no/such"], "--root /no/such: No such file or directory"),
        (["advise", "--facts", "/no/such"], "/no/such: No such file or directory"),
        (["advise", "--facts", "x", "--user", "ann"], "--user cannot be used with --facts"),
        (["advise", "--facts", "x", "--root", "/"], "not allowed with argument"),
        (["advise", "--root", HEALTHY, "--output", "/no/such/file"], "/no/such/file: No such"),
        (["matrix", "--format", "junit"], "invalid choice: 'junit'"),
        (["matrix", "ubuntu"], "unrecognized arguments: ubuntu"),
        (["matrix", "--root", "/"], "unrecognized arguments: --root /"),
        (["matrix", "--output", "/"], "/: Is a directory"),
    ],
)
def test_wrong_usage_is_one_line(
    capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("rdna1-preflight: ")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 9}', "[]"])
def test_facts_that_cannot_be_assessed_are_one_line(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str,
) -> None:
    given = tmp_path / "facts"
    given.write_text(text)
    with given.open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert main(["advise", "--facts", "-"]) == 2
    assert capfd.readouterr().err.startswith("rdna1-preflight: standard input: facts ")
