"""What a sweep found; the attributes are the keys of its JSON form."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from rdna1.conv.result import RIGHT, CaseResult, DeviceInfo
from rdna1.measure.conditions import Conditions
from rdna1.measure.head import INTERRUPTED, Head, Verdict
from rdna1.measure.sweep.grid import Grid


class SweepCase(CaseResult, frozen=True, kw_only=True):
    """One case of a sweep and its outcome.

    Attributes:
        shard: in which it was run.
    """

    shard: int


class SweepPart(msgspec.Struct, frozen=True, kw_only=True):
    """One shard, or the only one: where it ran and how it ended.

    Attributes:
        shard: its number, from 1.
        device: where the cases ran, None when no worker could start.
        measured: where and when.
        stopped: why the shard is not complete, empty when it is.
        not_run: number of its cases that were not run.
        workers_lost: number of worker processes that died or had to be killed.
        wall_seconds: from start to end, the earlier sessions of a resumed sweep included.
        kernel_log_unavailable: why no reset would have been noticed, empty if one would.
        resets: what the kernel said about resets of a card.
    """

    shard: int
    device: DeviceInfo | None
    measured: Conditions
    stopped: str
    not_run: int
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str
    resets: list[str]


class SweepReport(Head, frozen=True, kw_only=True, tag="sweep"):
    """A sweep, one shard of it or several merged ones.

    Attributes:
        verdict: ``pass`` when every case of the shards that are here was run and gave the right
            result; some may be slow.
        grid: what was asked for, ranges written out.
        timeout: seconds that each of the two runs of a case was given.
        max_hangs: lost workers that each shard was allowed.
        legal: number of legal combinations that the grid asks for, those of all shards.
        illegal: number of combinations that no convolution can be.
        too_large: number of legal ones beyond the grid's ``max_side``, which are left out.
        shard_count: into how many shards the legal ones are divided.
        parts: the shards that are here, in their order.
        cases: in the order of the grid.
    """

    grid: Grid
    timeout: float
    max_hangs: int
    legal: int
    illegal: int
    too_large: int
    shard_count: int
    parts: list[SweepPart]
    cases: list[SweepCase]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong in any shard, and all of them are here."""
        return self.verdict == "pass" and not self.missing_shards

    @property
    def was_interrupted(self) -> bool:
        """Whether the user stopped a shard."""
        return any(part.stopped == INTERRUPTED for part in self.parts)

    @property
    def missing_shards(self) -> list[int]:
        """Numbers of the shards that are not here."""
        here = {part.shard for part in self.parts}
        return [number for number in range(1, self.shard_count + 1) if number not in here]


def verdict(parts: Sequence[SweepPart], cases: Sequence[SweepCase]) -> Verdict:
    """Return what shards come to: ``pass`` when all of their cases were run and are right."""
    complete = all(part.not_run == 0 for part in parts)
    return "pass" if complete and all(case.outcome in RIGHT for case in cases) else "fail"
