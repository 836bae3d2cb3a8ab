"""Checks of MIOpen: which algorithms it may use, and what it remembers of them."""

from __future__ import annotations

import re
import shlex

from rdna1.preflight.facts import Facts, Variable
from rdna1.preflight.model import Case, CheckOutcome, check
from rdna1.preflight.variable_places import is_profile, shown, unread_places

DEBUGGING = "ROCm/MIOpen docs/DebugAndLogging.md at rocm-5.7.0"

# What MIOpen takes for no and yes, in these letters alone (src/include/miopen/env.hpp at
# rocm-5.7.0): "off", "on" and "False" do nothing.
OFF = frozenset(["0", "no", "false", "disable", "disabled"])
ON = frozenset(["1", "yes", "true", "enable", "enabled"])

FAMILY = re.compile(r"MIOPEN_DEBUG_CONV_(FFT|DIRECT|GEMM|WINOGRAD|IMPLICIT_GEMM)")
_FILTER = re.compile(
    rf"{FAMILY.pattern}(_\w+)?|MIOPEN_DEBUG_AMD_\w+"
    r"|MIOPEN_DEBUG_(GCN_ASM_KERNELS|HIP_KERNELS|OPENCL_CONVOLUTIONS)"
)
_ELSEWHERE = {"MIOPEN_USER_DB_PATH", "MIOPEN_CUSTOM_CACHE_DIR"}
_ONLY_SOLVER = "MIOPEN_DEBUG_FIND_ONLY_SOLVER"


@check(
    "miopen-filters",
    "Filters of MIOpen's algorithms are those of the stack",
    references=(DEBUGGING, "hkevin01/rocm-patch docs/BREAKTHROUGH.md"),
)
def miopen_filters(case: Case) -> CheckOutcome:
    """Which algorithms MIOpen may use decides which convolutions hang.

    The limits that a stack documents were measured with the filters of its profile script.
    Other places that are read later, or programs that no login starts, run with other
    algorithms: what was measured then says nothing about them.
    """
    wanted = case.stack.environment.variables
    places = [v for v in case.facts.variables if not is_profile(v.place) and not v.expands]
    others = [shown(v) for v in places if _differs(v, wanted)]
    unread = unread_places(case.facts)
    if not others:
        return CheckOutcome("pass", "no other place sets other filters", unread)
    profile = case.stack.environment.profile
    return CheckOutcome(
        "warn",
        "filters of MIOpen's algorithms differ from those of the stack",
        others + unread,
        f"Remove these settings; {profile} sets those of the stack. Then measure again.",
    )


@check(
    "miopen-databases",
    "State and age of MIOpen's databases",
    references=(
        DEBUGGING,
        "ROCm/MIOpen docs/cache.md at rocm-5.7.0",
        "comfyanonymous/ComfyUI#10369",
        "ROCm/MIOpen#1878",
        "ROCm/MIOpen#2214",
    ),
)
def miopen_databases(case: Case) -> CheckOutcome:
    """MIOpen remembers per user which algorithm was fastest among those it was allowed.

    After a change of the filters it goes on with what it remembers, also with algorithms
    that are switched off now. Files older than the stack's profile script come from before
    its filters. The folders hold nothing that MIOpen does not make again. A damaged file, and
    locks that a network file system does not keep, make it fail or hang.
    """
    if unusable := _unusable(case.facts):
        return unusable
    if not any(_FILTER.fullmatch(name) for name in case.stack.environment.variables):
        return CheckOutcome("pass", f"the stack {case.stack.name} has no filters")
    facts = case.facts
    databases = facts.known(lambda f: f.miopen_databases)
    profiles = facts.known(lambda f: f.profiles)
    changed = next((p.modified for p in profiles if p.path == case.stack.environment.profile), None)
    old = [d for d in databases if changed is None or d.oldest < changed]
    unread = [f"not read: {reason}" for reason in facts.unread("miopen_databases")]
    if not old:
        return CheckOutcome(
            "pass", "no database of MIOpen is older than the stack's filters", unread
        )
    when = "As soon as the stack is provisioned" if changed is None else "As their users"
    return CheckOutcome(
        "warn",
        "databases of MIOpen come from before the stack's filters",
        [f"{d.path}: {d.files} files" for d in old] + unread,
        f"{when}: rm -r {shlex.join(d.path for d in old)}",
    )


def _unusable(facts: Facts) -> CheckOutcome | None:
    """Return databases that MIOpen cannot use, or not safely."""
    if facts.miopen_damaged:
        paths = [file.path for file in facts.miopen_damaged]
        return CheckOutcome(
            "warn",
            "files of MIOpen are damaged",
            [f"{file.path}: {file.reason}" for file in facts.miopen_damaged],
            f"As their users: rm {shlex.join(paths)}. MIOpen makes them again.",
        )
    names = {variable.name for variable in facts.variables}
    if not facts.network_homes or names >= _ELSEWHERE:
        return None
    return CheckOutcome(
        "warn",
        "MIOpen keeps its databases on a network file system, where their locks do not hold",
        [f"{home.path}: {home.kind}" for home in facts.network_homes or []],
        "Set MIOPEN_USER_DB_PATH and MIOPEN_CUSTOM_CACHE_DIR to folders on a local disk, a pair "
        "for each user.",
    )


def _differs(variable: Variable, wanted: dict[str, str]) -> bool:
    """Return whether a setting lets MIOpen use other algorithms than the profile script does."""
    value = variable.value
    if variable.name == _ONLY_SOLVER:
        return value.strip().lower() != wanted.get(_ONLY_SOLVER, "").lower()
    if not _FILTER.fullmatch(variable.name):
        return False
    return (value in OFF) != (wanted.get(variable.name, "") in OFF)
