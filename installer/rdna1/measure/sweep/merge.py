"""Make one sweep of its shards."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from rdna1.errors import InputError
from rdna1.measure.sweep.grid import combinations
from rdna1.measure.sweep.report import SweepReport, verdict

# What the shards of one sweep share.
_SHARED = ("grid", "timeout", "legal", "illegal", "too_large", "shard_count")


class MergeError(InputError):
    """Reports that are not shards of one sweep."""


def merged_by_card(
    reports: Sequence[tuple[str, SweepReport]], *, several: bool
) -> list[SweepReport]:
    """Return one report for each whole sweep: a shard that is there twice was run on another card.

    Args:
        reports: at least one, each with the name of its file.
        several: whether they may be of different sweeps.

    Raises:
        MergeError: they are of different sweeps, or the same report is there twice.
    """
    groups: list[list[tuple[str, SweepReport]]] = []
    for name, report in reports:
        for other, earlier in itertools.chain.from_iterable(groups):
            if earlier == report:
                raise MergeError(f"{name} has shard {report.parts[0].shard}, as {other} has")
        group = next((each for each in groups if _lacks(each, report, several=several)), None)
        if group is None:
            groups.append([(name, report)])
        else:
            group.append((name, report))
    return [merged(group) for group in groups]


def _lacks(group: Sequence[tuple[str, SweepReport]], report: SweepReport, *, several: bool) -> bool:
    """Return whether a report belongs to the sweep of others and has other shards."""
    of_another = any(getattr(report, key) != getattr(group[0][1], key) for key in _SHARED)
    if of_another:
        # Told apart by `merged`, which says how they differ.
        return not several
    shards = {part.shard for _, each in group for part in each.parts}
    return not shards & {part.shard for part in report.parts}


def merged(reports: Sequence[tuple[str, SweepReport]]) -> SweepReport:
    """Return one report of several.

    Args:
        reports: at least one, each with the name of its file. Each may be merged already.

    Raises:
        MergeError: they are of different sweeps, or a shard is there twice.
    """
    first_name, first = reports[0]
    owners: dict[int, str] = {}
    for name, report in reports:
        different = [key for key in _SHARED if getattr(report, key) != getattr(first, key)]
        if different:
            raise MergeError(
                f"{name} is of another sweep than {first_name}: {_difference(first, report)}"
            )
        for part in report.parts:
            if part.shard in owners:
                raise MergeError(f"{name} has shard {part.shard}, as {owners[part.shard]} has")
            owners[part.shard] = name
    parts = sorted((part for _, each in reports for part in each.parts), key=lambda p: p.shard)
    place = {case: number for number, case in enumerate(combinations(first.grid).cases)}
    cases = sorted(
        (result for _, report in reports for result in report.cases),
        key=lambda result: place[result.case],
    )
    return msgspec.structs.replace(
        first,
        verdict=verdict(parts, cases),
        max_hangs=max(report.max_hangs for _, report in reports),
        parts=parts,
        cases=cases,
    )


def _difference(one: SweepReport, other: SweepReport) -> str:
    for name in one.grid.__struct_fields__:
        if getattr(one.grid, name) != getattr(other.grid, name):
            return f"the grids differ in {name}"
    names = [name for name in _SHARED if getattr(one, name) != getattr(other, name)]
    return f"{names[0]} is {getattr(other, names[0])}, not {getattr(one, names[0])}"
