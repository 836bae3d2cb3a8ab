from __future__ import annotations

import pytest

from rdna1.host import settings, shell


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
        (settings.of_shell, "#!/bin/sh\n\nexport A=1\n", [(3, "A", "1")]),
        (
            settings.of_list,
            '# A=0\nA="1"\nexport B=2 # two\nplain\n',
            [(2, "A", "1"), (3, "B", "2")],
        ),
        (
            settings.of_pam,
            '# A DEFAULT=0\nA  DEFAULT=1\nB OVERRIDE="x y"\nC=3\nD DEFAULT=\n',
            [(2, "A", "1"), (3, "B", "x y"), (4, "C", "3")],
        ),
        (
            settings.of_unit,
            '[Service]\n#Environment=A=0\nEnvironment=A=1 "B=x y"\nEnvironment=C=3 \\\n  D=4\n',
            [(3, "A", "1"), (3, "B", "x y"), (4, "C", "3"), (4, "D", "4")],
        ),
        (settings.of_unit, "[Manager]\nDefaultEnvironment='A=1'\n", [(2, "A", "1")]),
        (
            settings.of_fish,
            "# set -x A 0\nset -gx A 1 # one\nset -Ux B '2'\nexport C=3\nset -e D\n",
            [(2, "A", "1"), (3, "B", "2"), (4, "C", "3")],
        ),
    ],
)
def test_settings(parse: object, text: str, found: list[tuple[int, str, str]]) -> None:
    assert callable(parse)
    names = [setting for setting in parse(text) if len(setting[1]) == 1]
    assert names == found
