"""The table at the end of a fault run, and the same as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from faults.cases.bench import Verdict
from faults.phases import BEGINNING, PHASES
from faults.steps import TARGETS, StepOutcome


class Summary(msgspec.Struct, frozen=True):
    """All that a fault run found.

    Attributes:
        seed: that the steps were drawn from.
        undisturbed_seconds: what an undisturbed run and rollback took.
        steps: what came of each.
        cases: what came of each named case.
        illegal: how many steps and cases ended in an illegal state.
        seconds: that all of it took.
    """

    seed: int
    undisturbed_seconds: dict[str, float]
    steps: list[StepOutcome]
    cases: list[Verdict]
    illegal: int
    seconds: float
    schema_version: int = 1
    kind: str = "faults"


def illegal(outcomes: Sequence[StepOutcome], verdicts: Sequence[Verdict]) -> int:
    """How many ended in an illegal state."""
    return sum(bool(o.problems) for o in outcomes) + sum(bool(v.problems) for v in verdicts)


def step_line(outcome: StepOutcome, seed: int) -> str:
    """What is said of a step when it ends."""
    step = outcome.step
    missed = "" if outcome.hit else ", which was not there any more"
    line = (
        f"seed {seed} step {step.number}: {step.target} killed in {step.playbook}/{outcome.phase} "
        f"after {outcome.killed_after} s{missed}, {step.follow}: "
    )
    again = f"./run faults --seed {seed} --only {step.number}"
    return line + _verdict(outcome.problems, outcome.seconds, again, outcome.log)


def case_line(verdict: Verdict) -> str:
    """What is said of a case when it ends."""
    again = f"./run faults --case {verdict.name}"
    return f"{verdict.name}: " + _verdict(verdict.problems, verdict.seconds, again, verdict.log)


def _verdict(problems: Sequence[str], seconds: float, again: str, log: str) -> str:
    if not problems:
        return f"legal ({seconds} s)"
    listed = "".join(f"\n    {problem}" for problem in problems)
    return f"ILLEGAL ({seconds} s){listed}\n    again: {again}; printed: {log}"


def table(summary: Summary) -> str:
    """The table: kills by target, reruns and rollbacks, phases, illegal states."""
    parts = [_targets(summary.steps), _phases(summary.steps)] if summary.steps else []
    if summary.cases:
        parts.append(_cases(summary.cases))
    left = Counter("workers on the controller" for o in summary.steps if o.workers)
    left.update(place.rpartition("/")[0] for o in summary.steps for place in o.left)
    if left:
        counted = ", ".join(f"{what} {count}" for what, count in sorted(left.items()))
        parts.append(f"left behind (in a legal state): {counted}")
    undisturbed = ", ".join(f"{k} {v:.1f} s" for k, v in summary.undisturbed_seconds.items())
    parts.append(
        f"seed {summary.seed}; undisturbed: {undisturbed}; in all {summary.seconds:.0f} s\n"
        f"illegal states: {summary.illegal}"
    )
    return "\n\n".join(parts)


def _targets(outcomes: Sequence[StepOutcome]) -> str:
    rows: list[tuple[str, ...]] = [("killed", "steps", "hit", "rerun", "rollback", "illegal")]
    rows += [_row(target, [o for o in outcomes if o.step.target == target]) for target in TARGETS]
    return _aligned([*rows, _row("all", outcomes)])


def _row(name: str, outcomes: Sequence[StepOutcome]) -> tuple[str, ...]:
    counts = (
        len(outcomes),
        sum(outcome.hit > 0 for outcome in outcomes),
        sum(outcome.step.follow == "rerun" for outcome in outcomes),
        sum(outcome.step.follow == "rollback" for outcome in outcomes),
        illegal(outcomes, ()),
    )
    return (name, *map(str, counts))


def _phases(outcomes: Sequence[StepOutcome]) -> str:
    rows = [("playbook", "phase", "kills", "illegal")]
    known = [("provision", BEGINNING), ("rollback", BEGINNING)]
    known += [(phase.playbook, phase.name) for phase in PHASES]
    for playbook, phase in sorted(known, key=lambda pair: pair[0]):
        here = [o for o in outcomes if (o.step.playbook, o.phase) == (playbook, phase)]
        if here:
            rows.append((playbook, phase, str(len(here)), str(illegal(here, ()))))
    return _aligned(rows)


def _cases(verdicts: Sequence[Verdict]) -> str:
    rows = [("case", "result", "seconds")]
    rows += [(v.name, "ILLEGAL" if v.problems else "legal", f"{v.seconds:.0f}") for v in verdicts]
    return _aligned(rows)


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
