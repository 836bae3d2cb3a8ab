"""Prints what is said of each machine and log, and whether that is right.

    PYTHONPATH=tests python -m support.field [--no-smoke]

As root, for the machines have device files. Ends with 1 where an answer is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from support.field.case import Answer, answer_of, explanation_of
from support.field.reports import REPORTS
from support.field.smoke import NAME, answer_of_smoke
from support.field.table import CASES, LOGS

HEAD = ("report", "case", "the owner saw", "verdict", "finding", "cause", "remedy", "right")
LONGEST = 160


def answers(smoke: bool) -> Iterator[tuple[str, Answer]]:
    """Name and answer of each case."""
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(CASES):
            yield case.name, answer_of(case, Path(folder, str(number)))
        for log in LOGS:
            yield log.name, explanation_of(log)
        if smoke:
            yield NAME, answer_of_smoke(Path(folder))


def row(name: str, answer: Answer) -> tuple[str, ...]:
    """One line of the table, its cells short enough to read."""
    report = next((each for each in REPORTS if each.case == name), None)
    number = f"{report.number} {report.source}".strip() if report else ""
    right = "right" if not answer.wrong else f"WRONG: {'; '.join(answer.wrong)}"
    cells = (number, name, report.saw if report else "", answer.verdict, answer.finding)
    told = (answer.summary, answer.remedy if answer.finding.split()[-1] != "pass" else "")
    return (*cells, *(short(text) for text in told), right)


def short(text: str) -> str:
    """A text as the cell of a table."""
    text = " ".join(text.replace("|", "/").split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def main() -> int:
    """Print the table, the reports first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-smoke", action="store_true", help="leave the measurement out")
    rows = [row(name, answer) for name, answer in answers(not parser.parse_args().no_smoke)]
    rows.sort(key=lambda cells: (not cells[0], cells[0]))
    for cells in (HEAD, ["---"] * len(HEAD), *rows):
        print(f"| {' | '.join(cells)} |")
    right = sum(cells[-1] == "right" for cells in rows)
    reported = [cells for cells in rows if cells[0]]
    right_reported = sum(cells[-1] == "right" for cells in reported)
    print(
        f"\n{right_reported} of {len(reported)} reports are answered right, {right} of "
        f"{len(rows)} cases in all"
    )
    return 0 if right == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
