"""What came of the steps and cases of a seed: written after each, and gone on with later."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from faults.cases.bench import Verdict
from faults.steps import StepOutcome
from faults.summary import Summary, illegal, table
from rdna1.report.json import to_json

REPORT = "report.json"
# What an earlier run recorded is not part of what is tried.
_RECORDED = "docs/reliability-results.json"


class NoReportError(Exception):
    """There is no report of an earlier run to go on with."""


@dataclass
class Results:
    """The results of a seed so far.

    Attributes:
        folder: of the report.
        seed: that the steps are drawn from.
        commit: that the next results are of.
        undisturbed: seconds that an undisturbed run and rollback took.
        steps: what came of each, by its number.
        cases: what came of each named case.
        earlier_seconds: that runs took which this one goes on with.
    """

    folder: Path
    seed: int
    commit: str
    undisturbed: dict[str, float] = field(default_factory=dict)
    steps: dict[int, StepOutcome] = field(default_factory=dict)
    cases: dict[str, Verdict] = field(default_factory=dict)
    earlier_seconds: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def add(self, result: StepOutcome | Verdict) -> None:
        """Write a result down, in place of an earlier one of the same step or case."""
        if isinstance(result, StepOutcome):
            self.steps[result.step.number] = replace(result, commit=self.commit)
        else:
            self.cases[result.name] = replace(result, commit=self.commit)
        self.write()

    def summary(self) -> Summary:
        """All results so far."""
        steps = [self.steps[number] for number in sorted(self.steps)]
        cases = list(self.cases.values())
        seconds = round(self.earlier_seconds + time.monotonic() - self.started, 1)
        count = illegal(steps, cases)
        return Summary(self.seed, self.undisturbed, steps, cases, count, seconds)

    def write(self) -> None:
        """Write report.json and report.txt; each is there whole, however this ends."""
        summary = self.summary()
        for name, text in ((REPORT, to_json(summary)), ("report.txt", f"{table(summary)}\n")):
            draft = self.folder / f".{name}"
            draft.write_text(text)
            draft.replace(self.folder / name)


def go_on(folder: Path, seed: int, commit: str) -> Results:
    """The results that are in a folder, to go on with.

    Raises:
        NoReportError: there are none, or they are of another seed.
    """
    report = folder / REPORT
    try:
        known = msgspec.json.decode(report.read_bytes(), type=Summary)
    except FileNotFoundError:
        raise NoReportError(f"{report} is not there: nothing to go on with") from None
    except msgspec.MsgspecError as error:
        raise NoReportError(f"{report} cannot be read: {error}") from error
    if known.seed != seed:
        raise NoReportError(f"{report} is of seed {known.seed}. Remedy: --seed {known.seed}")
    steps = {outcome.step.number: outcome for outcome in known.steps}
    cases = {verdict.name: verdict for verdict in known.cases}
    return Results(folder, seed, commit, steps=steps, cases=cases, earlier_seconds=known.seconds)


def commit_of(checkout: Path) -> str:
    """The commit of a checkout, marked where files differ from it, those of results left out."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{_RECORDED}")
    return git("rev-parse", "--short=7", "HEAD") + ("+" if changed else "")
