"""A comparison of environments as text and as JUnit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rdna1.conv.result import RIGHT
from rdna1.measure.tune.report import Status, Trial, TuneReport
from rdna1.report.console import as_text, printable
from rdna1.report.junit import JUnitCase, junit_xml
from rdna1.report.smoke import device_line

_STYLES: Final[dict[Status, str]] = {
    "passed": "green",
    "failed": "bold red",
    "partial": "yellow",
    "left out": "",
}


def tune_text(report: TuneReport, *, width: int, colour: bool) -> str:
    """Write a report as text: device, table, what each candidate changed, the winner.

    Args:
        report: of one machine.
        width: of the lines, in columns.
        colour: whether to use the terminal's colours.
    """
    style = "bold green" if report.winner else "bold red"
    return as_text(
        Text(device_line(report.device), "bold"),
        _table(report),
        "",
        *(Padding(Text(printable(line)), (0, 0, 0, indent)) for line, indent in _notes(report)),
        "",
        Text(printable(tune_verdict(report)), style),
        *(Text(printable(line)) for line in _advice(report)),
        width=width,
        colour=colour,
    )


def tune_junit(report: TuneReport) -> str:
    """Write a report as one test case for the winner, and one for each candidate.

    That a candidate fails is what was looked for: only no winner counts as a failure.
    """
    verdict = JUnitCase(
        name="winner",
        classname="rdna1.measure.tune",
        seconds=report.wall_seconds - sum(trial.wall_seconds for trial in report.trials),
        failure=None if report.winner else tune_verdict(report),
        skipped=None,
        output="\n".join([tune_verdict(report), *_advice(report)]),
    )
    cases = [
        JUnitCase(
            name=trial.candidate,
            classname="rdna1.measure.tune.candidate",
            seconds=trial.wall_seconds,
            failure=None,
            skipped=trial.reason if trial.status == "left out" else None,
            output=f"{trial.status}: limit {limit_of(trial)}; {trial.reason}".removesuffix("; "),
        )
        for trial in report.trials
    ]
    return junit_xml("rdna1-validate tune", [verdict, *cases])


def tune_verdict(report: TuneReport) -> str:
    """Return the report in one line."""
    cost = f"{report.workers_lost} of {report.max_hangs} hangs, {report.wall_seconds:.1f} s"
    winner = next((t for t in report.trials if t.candidate == report.winner), None)
    if winner is None:
        return f"NO WINNER: no candidate passed the smoke test ({cost})"
    return f"WINNER: {winner.candidate}, limit {limit_of(winner)} ({cost})"


def limit_of(trial: Trial) -> str:
    """Return what is known of a candidate's limit, in a few words."""
    result = trial.boundary
    if result is None:
        return "-"
    if result.rule == "none":
        return f"none to {result.largest_side_tried}"
    if result.first_bad_side is None:
        return f"{result.largest_side_tried}, other layers fail"
    if result.safe_side is None:
        return "nothing passes"
    gap = "" if result.limit_found else f", {result.first_bad_side} fails"
    return f"{result.safe_side} ({result.first_bad_outcome}{gap})"


def _table(report: TuneReport) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("rank", justify="right")
    for name in ("candidate", "smoke test", "limit, pixels"):
        table.add_column(name)
    table.add_column("warm ms", justify="right")
    table.add_column("hangs", justify="right")
    for trial in _in_order(report):
        ranks = report.ranking
        right = sum(result.outcome in RIGHT for result in trial.correctness)
        passed = f" ({right})" if trial.correctness else ""
        table.add_row(
            str(ranks.index(trial.candidate) + 1) if trial.candidate in ranks else "-",
            trial.candidate,
            Text(f"{trial.status}{passed}", _STYLES[trial.status]),
            limit_of(trial),
            f"{1000 * trial.warm_seconds:.1f}" if trial.warm_seconds is not None else "-",
            str(trial.workers_lost),
        )
    return table


def _in_order(report: TuneReport) -> list[Trial]:
    """Return those that passed by rank, then the others as they were tried."""
    ranks = {name: rank for rank, name in enumerate(report.ranking)}
    return sorted(report.trials, key=lambda trial: ranks.get(trial.candidate, len(ranks)))


def _notes(report: TuneReport) -> Iterable[tuple[str, int]]:
    """Return what each candidate changed, and what became of it; with the columns to indent."""
    for trial in _in_order(report):
        if trial.status == "left out":
            yield f"{trial.candidate}: left out, {trial.reason}", 0
            continue
        yield f"{trial.candidate}: {trial.title}", 0
        yield trial.effect, 2
        yield f"Changes: {', '.join([*trial.changes, trial.program]).strip(', ') or 'nothing'}", 2
        if trial.reason:
            yield f"{trial.status}: {trial.reason}", 2


def _advice(report: TuneReport) -> Iterable[str]:
    if report.stopped:
        yield f"Stopped early: {report.stopped}. This is what was known by then."
    trials = {trial.candidate: trial for trial in report.trials}
    if report.winner is None:
        yield (
            "Do: check the installation with rdna1-preflight, try another stack, or compute on "
            "the CPU."
        )
        return
    if report.winner != report.for_role:
        yield f"It needs a change of your programs: {trials[report.winner].program}."
    if report.for_role is None:
        yield "No candidate that variables alone make passed."
    elif report.for_role == "stack":
        yield "Of variables alone, those of the stack do best: there is nothing to write."
    else:
        yield (
            f"Do: --write FILE writes the variables of {report.for_role} for the environment role; "
            "then provision and measure again."
        )
