from __future__ import annotations

import pytest

from rdna1.preflight import Finding
from rdna1.preflight.advice import Advice, Alternative, CardAdvice, StackAdvice
from rdna1.report.advice import advice_text

PROBLEM = Finding("os-release", "Release", "fail", "too new", ["a\x1b[2Jb is gone"], "Go back", [])
OLD = StackAdvice("old", "Old ROCm", "impossible", [PROBLEM])
NEW = StackAdvice("new", "New ROCm", "ready", [])
ALTERNATIVE = Alternative(
    "x", "Do less", "Use small layers.", ["It works."], ["It is slow."], ["a", "b"], "old", "warned"
)
ADVICE = Advice(
    machine="Some Linux 1",
    card=CardAdvice("rdna1", "A board", "gfx1010"),
    proceed=True,
    stack="new",
    summary="new (New ROCm) is the stack for this machine: no problems found.",
    stacks=[NEW, OLD],
    alternatives=[ALTERNATIVE],
)


def test_what_a_person_reads() -> None:
    assert advice_text(ADVICE, width=60, colour=False) == (
        "Some Linux 1, A board, gfx1010\n"
        "\n"
        "new (New ROCm) is the stack for this machine: no problems\n"
        "found.\n"
        "\n"
        "new (New ROCm): can be installed\n"
        "\n"
        "old (Old ROCm): refused\n"
        "FAIL os-release: too new\n"
        "   - a\\x1b[2Jb is gone\n"
        "  => Go back\n"
        "\n"
        "What else can be done\n"
        "\n"
        "Do less\n"
        " how Use small layers.\n"
        "here old: can be installed, with warnings\n"
        "   + It works.\n"
        "   - It is slow.\n"
        " see a; b\n"
        "\n"
    )


@pytest.mark.parametrize("kind", ["newer", "other", "none"])
def test_without_such_a_card_the_stacks_are_no_subject(kind: str) -> None:
    card = CardAdvice(kind, "A board", None)  # type: ignore[arg-type]
    advice = Advice(
        machine="Some Linux 1",
        card=card,
        proceed=False,
        stack=None,
        summary="Go elsewhere.",
        stacks=[OLD],
        alternatives=[],
    )
    text = advice_text(advice, width=60, colour=False)
    assert text == "Some Linux 1, A board\n\nGo elsewhere.\n\n"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = advice_text(ADVICE, width=width, colour=False).splitlines()
    assert max(map(len, lines)) <= width


def test_colours_only_when_asked_for() -> None:
    assert "\x1b[" in advice_text(ADVICE, width=80, colour=True)
    assert "\x1b" not in advice_text(ADVICE, width=80, colour=False)
