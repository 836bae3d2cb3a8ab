from __future__ import annotations

import pytest

from rdna1.preflight.matrix import Matrix, MatrixCard, MatrixEntry
from rdna1.report.matrix import matrix_markdown, matrix_text


def entry(stack: str, gfx_target: str, *reasons: str, remedy: str = "") -> MatrixEntry:
    return MatrixEntry(
        stack=stack,
        os="ubuntu",
        version="24.04",
        gfx_target=gfx_target,
        support="refused" if reasons else "supported",
        rocm_source=None if reasons else "distro",
        reasons=list(reasons),
        remedy=remedy,
    )


MATRIX = Matrix(
    stacks={"new": "New", "old": "Old"},
    cards=[MatrixCard("gfx1", "One"), MatrixCard("gfx2", "Two"), MatrixCard("gfx3", "Three")],
    entries=[
        entry("new", "gfx1"),
        entry("old", "gfx1", "It is old.", "Very.", remedy="Use new."),
        entry("new", "gfx2"),
        entry("old", "gfx2", "It is old.", "Very.", remedy="Use new."),
        entry("new", "gfx3"),
        entry("old", "gfx3", "It is old " + "indeed " * 12),
    ],
)


def test_cards_that_are_served_alike_share_a_table() -> None:
    assert matrix_text(MATRIX, width=60, colour=False) == (
        "gfx1 (One), gfx2 (Two)\n"
        "\n"
        "release        new         old\n"
        "Ubuntu 24.04   supported   refused\n"
        "\n"
        "old on Ubuntu 24.04: refused\n"
        "-  It is old.\n"
        "-  Very.\n"
        "=> Use new.\n"
        "\n"
        "gfx3 (Three)\n"
        "\n"
        "release        new         old\n"
        "Ubuntu 24.04   supported   refused\n"
        "\n"
        "old on Ubuntu 24.04: refused\n"
        "-  It is old indeed indeed indeed indeed indeed indeed\n"
        "   indeed indeed indeed indeed indeed indeed\n"
        "\n"
        "supported: made for it\n"
        "community: works for users, nobody promises it\n"
        "refused: nothing is installed\n"
    )


def test_markdown() -> None:
    text = matrix_markdown(MATRIX)
    assert text.startswith(
        "gfx1 (One), gfx2 (Two):\n"
        "\n"
        "| release | `new` | `old` |\n"
        "|---|---|---|\n"
        "| Ubuntu 24.04 | supported | refused |\n"
        "\n"
        "- `old` on Ubuntu 24.04: refused. It is old. Very. Use new.\n"
        "\n"
        "gfx3 (Three):\n"
    )
    assert text.endswith("*refused*: nothing is installed.\n")


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = matrix_text(MATRIX, width=width, colour=False).splitlines()
    assert max(map(len, lines)) <= width


def test_colours_only_when_asked_for() -> None:
    assert "\x1b[" in matrix_text(MATRIX, width=80, colour=True)
    assert "\x1b" not in matrix_text(MATRIX, width=80, colour=False)
