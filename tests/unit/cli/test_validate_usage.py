"""Wrong usage of ``rdna1-validate``: exit code 2 and one line that names the mistake."""

from __future__ import annotations

import pytest

from rdna1.cli.validate import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["smok"], "; did you mean smoke?; see rdna1-validate --help"),
        (["smoke", "--devcie", "cpu"], "--devcie cpu; did you mean --device?"),
        (["smoke", "--devise", "cpu"], "unrecognized arguments: --devise"),
        (["smoke", "--dev", "cpu"], "unrecognized arguments: --dev"),
        (
            ["smoke", "--device", "gpu"],
            "'gpu' is not a device: use auto, cpu, cuda, cuda:N or sim:",
        ),
        (["smoke", "--device", "cuda:x"], "'cuda:x' is not a device"),
        (["smoke", "--device", "sim:"], "'sim:' is not a device"),
        (["smoke", "--timeout", "0"], "'0' is not a number of seconds above 0"),
        (["smoke", "--timeout", "nan"], "'nan' is not a number of seconds above 0"),
        (["smoke", "--timeout", "inf"], "'inf' is not a number of seconds above 0"),
        (["smoke", "--timeout", "soon"], "'soon' is not a number of seconds above 0"),
        (["smoke", "--max-side", "0"], "'0' is not a number of pixels above 0"),
        (["smoke", "--max-side", "4.5"], "'4.5' is not a number of pixels above 0"),
        (["smoke", "--max-side", "11"], "--max-side 11 leaves no case to run"),
        (["smoke", "--format", "xml"], "invalid choice: 'xml'"),
        (["smoke", "--output", "/nowhere/report"], "--output /nowhere/report: No such file"),
        (["smoke", "--output", "/proc/report"], "--output /proc/report: "),
        (["smoke", "--output", "/"], "--output /: is a folder"),
        (["boundary", "--output", "/nowhere/report"], "--output /nowhere/report: No such file"),
        (["boundary", "--envelope", "/nowhere/file"], "--envelope /nowhere/file: No such file"),
        (["boundary", "--route", "winograd"], "invalid choice: 'winograd'"),
        (["boundary", "--max-hangs", "0"], "'0' is not a number of hangs above 0"),
        (["tune", "--only", "stak"], "'stak' is not a candidate: known are stack, explicit-gemm"),
        (["tune", "--format", "html"], "invalid choice: 'html'"),
        (["tune", "--max-side", "11"], "--max-side 11 leaves no case to run"),
        (["tune", "--stack", "rocm-57"], "did you mean rocm-5.7?"),
        (["tune", "--write", "/nowhere/file"], "--write /nowhere/file: No such file"),
        (["boundary", "--max-side", "none"], "'none' is not a number of pixels above 0"),
        (["boundary", "--device", "sim:/nowhere/rules.yml"], "/nowhere/rules.yml: No such file"),
        (["smoke", "--device", "sim:/nowhere/rules.yml"], "/nowhere/rules.yml: No such file"),
    ],
)
def test_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("rdna1-validate: ")
    assert message in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize("subcommand", ["smoke", "boundary", "tune"])
def test_help_has_examples(subcommand: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([subcommand, "--help"])
    assert caught.value.code == 0
    assert f"rdna1-validate {subcommand} --device sim:rules.yml" in capsys.readouterr().out
