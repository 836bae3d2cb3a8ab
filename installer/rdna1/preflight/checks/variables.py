"""Rules about environment variables."""

from __future__ import annotations

import re

from rdna1.preflight.model import Case, CheckOutcome, check

_FIND_ENFORCE = "MIOPEN_FIND_ENFORCE"
_CSH = re.compile(r"/\.(?:t?cshrc|login)$|\.csh$|/csh\.\w+$")
_HARMLESS = frozenset(["", "1", "NONE"])


@check(
    "find-enforce",
    f"{_FIND_ENFORCE} is not set",
    references=(
        "ROCm/MIOpen src/include/miopen/find_controls.hpp at rocm-5.7.0",
        "ROCm/MIOpen docs/perfdatabase.md at rocm-5.7.0",
    ),
)
def find_enforce(case: Case) -> CheckOutcome:
    """MIOPEN_FIND_ENFORCE makes MIOpen benchmark every solver for every convolution.

    Any value but NONE (1) switches to the search of all kernels and tuning points. On
    RDNA1 this took more than 33 minutes for one convolution, and among the kernels are
    those that hang.
    """
    places = [v for v in case.facts.variables if v.name == _FIND_ENFORCE]
    forcing = [v for v in places if v.value.strip().upper() not in _HARMLESS]
    unread = [f"not read: {reason}" for reason in case.facts.unread("variables")]
    if not places:
        where = "in no place that could be read" if unread else "nowhere"
        return CheckOutcome("pass", f"{_FIND_ENFORCE} is set {where}", unread)
    evidence = [f"{v.where}: {v.name}={v.value}" for v in forcing or places]
    remedy = (
        "Remove these settings, by hand or with rdna1-preflight fix; then log in again or "
        f"run: {_unset([v.place for v in places])}"
    )
    if forcing:
        summary = f"{_FIND_ENFORCE} forces a search that can take 33 minutes a convolution"
        return CheckOutcome("fail", summary, evidence + unread, remedy)
    summary = f"{_FIND_ENFORCE} is set to a value that changes nothing"
    return CheckOutcome("warn", summary, evidence + unread, remedy)


def _unset(places: list[str]) -> str:
    """The command that takes the variable out of a running shell, in that shell's language."""
    if all("/fish/" in place for place in places):
        return f"set --erase {_FIND_ENFORCE}"
    if all(_CSH.search(place) for place in places):
        return f"unsetenv {_FIND_ENFORCE}"
    return f"unset {_FIND_ENFORCE}"
