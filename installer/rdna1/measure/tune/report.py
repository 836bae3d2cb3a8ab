"""What a comparison of environments found; the attributes are the keys of its JSON form."""

from __future__ import annotations

from typing import Literal

import msgspec

from rdna1.conv.result import CaseResult, DeviceInfo
from rdna1.measure.boundary.report import BoundaryCase, BoundaryResult
from rdna1.measure.conditions import Conditions
from rdna1.measure.head import Head, Verdict

Status = Literal["passed", "failed", "partial", "left out"]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate and how it did.

    Attributes:
        candidate: its name.
        title: its title.
        effect: what it changes, in words.
        source: who says so.
        program: what programs must do themselves, empty if variables are enough.
        variables: all that it sets.
        changes: what differs from the stack's default.
        status: ``passed``: every case of the smoke test is right; ``failed``: one is not, and
            nothing more was tried; ``partial``: stopped on the way; ``left out``: not tried.
        reason: why it failed, stopped or was left out.
        device: where it ran.
        correctness: cases of the smoke test, up to the first that failed.
        boundary: what is known of its limit, None where that was not looked for.
        boundary_cases: what that rests on.
        warm_seconds: of a few layers together, the best run of each; None where not measured.
        workers_lost: worker processes that died or had to be killed.
        wall_seconds: from start to end.
    """

    candidate: str
    title: str
    effect: str
    source: str
    program: str
    variables: dict[str, str]
    changes: list[str]
    status: Status
    reason: str = ""
    device: DeviceInfo | None = None
    correctness: list[CaseResult] = []
    boundary: BoundaryResult | None = None
    boundary_cases: list[BoundaryCase] = []
    warm_seconds: float | None = None
    workers_lost: int = 0
    wall_seconds: float = 0.0


class TuneReport(Head, frozen=True, kw_only=True, tag="tune"):
    """All candidates, and which is best.

    Attributes:
        device: that the first candidate ran on, None when no worker could start.
        stack: name of the stack that the candidates change.
        trials: in the order in which they were tried.
        ranking: names of those that passed, the best first.
        winner: the first of them, None when none passed.
        for_role: the best of those that variables alone make, for the environment role.
        complete: whether all were tried that make sense here.
        stopped: why not.
        max_side: largest map, in pixels.
        max_hangs: lost workers that were allowed, all candidates together.
        workers_lost: worker processes that died or had to be killed.
        wall_seconds: from start to end.
        measured: where and when; the variables are those of the calling process.
        verdict: ``pass`` when there is a winner.
    """

    verdict: Verdict = "fail"
    device: DeviceInfo | None
    stack: str
    trials: list[Trial]
    ranking: list[str]
    winner: str | None
    for_role: str | None
    complete: bool
    stopped: str
    max_side: int
    max_hangs: int
    workers_lost: int
    wall_seconds: float
    measured: Conditions

    def __post_init__(self) -> None:
        """Draw the verdict; reports of earlier versions have none."""
        msgspec.structs.force_setattr(self, "verdict", "pass" if self.winner else "fail")
