from __future__ import annotations

import pytest

from rdna1.target.facts import shell, variable_files


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("A=1", [("A", "1")]),
        ("export A=1 B='two words'", [("A", "1"), ("B", "two words")]),
        ('A="x \\"y\\" $z"', [("A", 'x "y" $z')]),
        ("A=a\\ b", [("A", "a b")]),
        ("A=1; export A", [("A", "1")]),
        ('[ -n "$x" ] && export A=3', [("A", "3")]),
        ("if true; then A=1; fi", [("A", "1")]),
        ("A=1 python train.py", [("A", "1")]),
        ("env -i A=1 python", [("A", "1")]),
        ("declare -x A=1", [("A", "1")]),
        ("A=x#y # B=1", [("A", "x#y")]),
        ("# A=1", []),
        ("   # export A=1", []),
        ("echo A=1", []),
        ('echo "A=1"', []),
        ("unset A", []),
        ("python train.py A=1", []),
        ("export A", []),
        ("A='unclosed", [("A", "")]),
        ("A=", [("A", "")]),
        ("", []),
    ],
)
def test_assignments_of_shell(line: str, found: list[tuple[str, str]]) -> None:
    assert list(shell.assignments(line)) == found


@pytest.mark.parametrize(
    ("parse", "text", "found"),
    [
        (variable_files.of_shell, "#!/bin/sh\n\nexport A=1\n", [(3, "A", "1")]),
        (
            variable_files.of_list,
            '# A=0\nA="1"\nexport B=2 # two\nplain\n',
            [(2, "A", "1"), (3, "B", "2")],
        ),
        (
            variable_files.of_pam,
            '# A DEFAULT=0\nA  DEFAULT=1\nB OVERRIDE="x y"\nC=3\nD DEFAULT=\n',
            [(2, "A", "1"), (3, "B", "x y"), (4, "C", "3")],
        ),
        (
            variable_files.of_unit,
            '[Service]\n#Environment=A=0\nEnvironment=A=1 "B=x y"\nEnvironment=C=3 \\\n  D=4\n',
            [(3, "A", "1"), (3, "B", "x y"), (4, "C", "3"), (4, "D", "4")],
        ),
        (variable_files.of_unit, "[Manager]\nDefaultEnvironment='A=1'\n", [(2, "A", "1")]),
        (
            variable_files.of_fish,
            "# set -x A 0\nset -gx A 1 # one\nset -Ux B '2'\nexport C=3\nset -e D\n",
            [(2, "A", "1"), (3, "B", "2"), (4, "C", "3")],
        ),
    ],
)
def test_settings(parse: object, text: str, found: list[tuple[int, str, str]]) -> None:
    assert callable(parse)
    names = [setting for setting in parse(text) if len(setting[1]) == 1]
    assert names == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\n", [(1, "A", "1")]),
        ("\n# A=0\n ; B=0\n\tA = 1 \n", [(4, "A", "1")]),
        ("A=1 # no comment", [(1, "A", "1 # no comment")]),
        ('A=it\'s "so"\n', [(1, "A", 'it\'s "so"')]),
        ("A='x y' \"z\" w\n", [(1, "A", "x yzw")]),
        ("A='\\n$x'\n", [(1, "A", "\\n$x")]),
        ('A="\\"\\$\\n"\n', [(1, "A", '"$\\n')]),
        ("A=a\\\nb\\ c\nB=2\n", [(1, "A", "ab c"), (3, "B", "2")]),
        ('A="two\nlines"\nB=2\n', [(1, "A", "two\nlines"), (3, "B", "2")]),
        ('# A="x\nB=2\n', [(2, "B", "2")]),
        ('="x\nA=1\n"', [(2, "A", "1")]),
        ("A='open\nB=2\n", [(1, "A", "open\nB=2\n")]),
        ("A=\nno setting\nexport B=1\n1A=1\n=1\n", [(1, "A", "")]),
        ("A=1\\", [(1, "A", "1")]),
        ('A="', [(1, "A", "")]),
        ("", []),
    ],
)
def test_settings_of_environment_files(text: str, found: list[tuple[int, str, str]]) -> None:
    assert list(variable_files.of_environment_file(text)) == found


@pytest.mark.parametrize(
    "piece", ["'", '"', "\\", " ", "a", "a=", "a= ", "a=''", "''\\", '="', 'a="\\', "a=' ' "]
)
def test_no_text_makes_reading_an_environment_file_slow(piece: str) -> None:
    """What goes back over a line for each of its characters would take hours for this."""
    text = piece * (1_000_000 // len(piece))
    assert len(list(variable_files.of_environment_file(text + "\\"))) <= len(text)


def test_environment_files_that_a_unit_names() -> None:
    text = "[Service]\nEnvironmentFile = -/a b \nEnvironmentFile=\n#EnvironmentFile=/c\n"
    assert list(variable_files.environment_files_of_unit(text)) == [(2, "-/a b"), (3, "")]
    assert list(variable_files.environment_files_of_unit("EnvironmentFile=/a\\")) == [(1, "/a")]
    assert list(variable_files.environment_files_of_unit("EnvironmentFiles=/a\n")) == []
