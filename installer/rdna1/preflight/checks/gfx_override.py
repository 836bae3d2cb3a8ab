"""Checks of HSA_OVERRIDE_GFX_VERSION, which makes ROCm take a card for another one."""

from __future__ import annotations

import re

from rdna1.catalog.stacks import Stack
from rdna1.preflight.checks.visible_devices import rdna1_alone
from rdna1.preflight.facts import Variable
from rdna1.preflight.machine import target_of
from rdna1.preflight.model import Case, CheckOutcome, check
from rdna1.preflight.variable_places import is_profile, settings_of, shown, unread_places

_NAME = "HSA_OVERRIDE_GFX_VERSION"
_WRITTEN_AGAIN = "Provision again, which writes the profile script again"
# The second form is for one KFD node, and ROCm 5 does not read it: see dead-variables.
_NAMES = re.compile(rf"{_NAME}(_\d+)?")
_FORM = re.compile(r"\s*(\d+)\.(\d+)\.(\d+)", re.ASCII)
_LARGEST = (63, 255, 255)
_TOPOLOGY = "ROCm/ROCT-Thunk-Interface src/topology.c at rocm-5.7.1"

GfxVersion = tuple[int, int, int]


@check("gfx-override-form", f"Form of {_NAME}", references=(_TOPOLOGY,))
def gfx_override_form(case: Case) -> CheckOutcome:
    """HSA_OVERRIDE_GFX_VERSION must read major.minor.stepping, 10.3.0 for example.

    The runtime reads three numbers (at most 63, 255 and 255) and nothing behind them. With
    anything else, an empty value or gfx1030 for example, it takes no node of the system,
    and no ROCm program starts.
    """
    places = _places(case)
    wrong = [v for v in places if _version(v) is None and not v.expands]
    unread = unread_places(case.facts)
    if wrong:
        summary = f"{_NAME} is not a major.minor.stepping: no ROCm program starts with it"
        evidence = [shown(v) for v in wrong] + unread
        if all(is_profile(v.place) for v in wrong):
            return CheckOutcome("warn", summary, evidence, f"{_WRITTEN_AGAIN}.")
        remedy = "Remove these settings; the stack's profile script sets what is needed."
        return CheckOutcome("fail", summary, evidence, remedy)
    open_ones = [f"depends on other variables: {shown(v)}" for v in places if v.expands]
    summary = f"{_NAME} is well-formed where it is set" if places else f"{_NAME} is not set"
    return CheckOutcome("pass", summary, open_ones + unread)


@check(
    "gfx-override",
    f"{_NAME} is that of the stack",
    references=(_TOPOLOGY, "ROCm/rocm-systems PR #5686", "ROCm/ROCm#887", "pytorch/pytorch#132570"),
)
def gfx_override(case: Case) -> CheckOutcome:
    """A value other than the stack's makes PyTorch look for code that its wheels do not hold.

    The wheels of PyTorch hold code for a few cards, gfx1030 among them and gfx101x not. A
    place that is read later than the stack's profile script wins. Another major version
    names another instruction set; newer runtimes refuse it. Wheels for gfx101x itself hold
    that code alone, and with another value there is none for the card.
    """
    wanted = _wanted(case.stack)
    set_ones = [(v, version) for v in _places(case) if (version := _version(v))]
    others = [(v, version) for v, version in set_ones if version != wanted]
    unread = unread_places(case.facts)
    if not others:
        value = "not set" if not set_ones else "that of the stack"
        return CheckOutcome("pass", f"{_NAME} is {value}", unread)
    evidence = [shown(v) for v, _ in others] + unread
    ours = "sets " + ".".join(map(str, wanted)) if wanted else "sets none"
    remedy = f"Remove these settings: the stack {case.stack.name} {ours}."
    # A session has them from the script until the next login.
    ours_set = {v.value for v, _ in others if is_profile(v.place)}
    if all(is_profile(v.place) or (v.line is None and v.value in ours_set) for v, _ in others):
        summary = f"{_NAME} in a profile script is not that of the stack"
        remedy = f"{_WRITTEN_AGAIN}: the stack {case.stack.name} {ours}."
        return CheckOutcome("warn", summary, evidence, remedy)
    if any(version[0] not in _majors(case.stack) for _, version in others):
        summary = f"{_NAME} names another major version than the card's"
        return CheckOutcome("fail", summary, evidence, remedy)
    if case.stack.is_native and any(not _is_native(version, case) for _, version in others):
        summary = f"{_NAME} names a card that the wheels of {case.stack.name} hold no code for"
        return CheckOutcome("fail", summary, evidence, remedy)
    return CheckOutcome("warn", f"{_NAME} is not that of the stack", evidence, remedy)


@check(
    "gfx-override-reach",
    f"Reach of {_NAME}",
    needs=("card",),
    references=(
        _TOPOLOGY,
        "LLVM features of gfx1010 in ziglang/zig lib/std/Target/amdgcn.zig at 0.17.1",
        "ROCm/ROCm#887",
        "ROCm/ROCm#5238",
    ),
)
def gfx_override_reach(case: Case) -> CheckOutcome:
    """HSA_OVERRIDE_GFX_VERSION applies to every GPU of every program that sees it.

    With 10.3.0 code for gfx1030 runs on gfx101x without the workarounds that LLVM puts in
    for gfx101x: it may hang, fault or compute wrong values, and AMD calls the variable a
    tool for its own debugging. Official wheels offer nothing else, so the stacks set it,
    but only where an RDNA1 card is; that is not a warning, and rdna1-validate measures what it
    costs. It is one when another GPU is taken for a wrong one too, or when a file sets it
    for programs that have nothing to do with the stack.
    """
    facts = case.facts
    wanted = _wanted(case.stack)
    risky = [v for v in _places(case) if (found := _version(v)) and not _is_native(found, case)]
    nodes = [
        node
        for node in facts.kfd.nodes or []
        if node.simd_count > 0 and target_of(node, case.cards) not in case.stack.gfx_targets
    ]
    unread = unread_places(facts) + [facts.unknown[n] for n in ("kfd.nodes",) if n in facts.unknown]
    if not risky and wanted is None:
        return CheckOutcome("pass", f"{_NAME} is not set, and the stack does not set it", unread)
    stray = [shown(v) for v in risky if v.line is not None and not is_profile(v.place)]
    hit = [
        f"reaches node {node.node} too: {node.gfx_target or f'{node.vendor_id}:{node.device_id}'}"
        for node in nodes
    ]
    if not stray and not hit:
        version = ".".join(map(str, wanted)) if wanted else "it"
        note = f"code for another card runs with {version}: measure it with rdna1-validate"
        return CheckOutcome("pass", f"{_NAME} reaches the RDNA1 card only", [note, *unread])
    remedies = ["Leave the variable to the stack's profile script."] if stray else []
    if hit:
        alone = rdna1_alone(case)
        setting = f" with {alone}" if alone else ""
        remedies.append(
            f"Keep the other GPU from ROCm's programs{setting}, or switch it off in the firmware."
        )
    return CheckOutcome(
        "warn",
        f"{_NAME} reaches more than the RDNA1 card",
        stray + hit + unread,
        " ".join(remedies),
    )


def _places(case: Case) -> list[Variable]:
    """Return the places that set it, in the forms that the stack's ROCm reads."""
    names = _NAMES if not case.stack.rocm_version.startswith("5.") else re.compile(_NAME)
    return settings_of(case.facts, names)


def _version(variable: Variable) -> GfxVersion | None:
    return _parsed(variable.value)


def _parsed(text: str) -> GfxVersion | None:
    match = _FORM.fullmatch(text)
    # A number of more digits than that is too large, and slow to convert.
    if match is None or any(len(part) > 9 for part in match.groups()):
        return None
    major, minor, stepping = (int(part) for part in match.groups())
    if major > _LARGEST[0] or minor > _LARGEST[1] or stepping > _LARGEST[2]:
        return None
    return major, minor, stepping


def _wanted(stack: Stack) -> GfxVersion | None:
    return _parsed(stack.environment.variables.get(_NAME, ""))


def _of_target(target: str) -> GfxVersion:
    """Return version of a name such as gfx1012: the last two digits are hexadecimal."""
    return int(target[3:-2]), int(target[-2], 16), int(target[-1], 16)


def _majors(stack: Stack) -> set[int]:
    return {_of_target(target)[0] for target in stack.gfx_targets}


def _is_native(version: GfxVersion, case: Case) -> bool:
    return any(version[:2] == _of_target(target)[:2] for target in case.stack.gfx_targets)
