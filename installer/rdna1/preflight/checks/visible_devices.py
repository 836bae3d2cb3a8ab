"""Checks of the variables that choose the GPUs a program sees."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rdna1.preflight.facts import Facts, KfdNode, Variable
from rdna1.preflight.machine import gpu_nodes
from rdna1.preflight.model import Case, CheckOutcome, check
from rdna1.preflight.variable_places import parent_of, scope_of, settings_of, shown, unread_places

_OF_ROCR, _OF_HIP, _OF_CUDA = (
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "CUDA_VISIBLE_DEVICES",
)
_VISIBLE = re.compile(f"{_OF_ROCR}|{_OF_HIP}|{_OF_CUDA}")
_INDEX = re.compile(r"\d{1,9}", re.ASCII)
_UNIQUE = "GPU-"

Read = Mapping[str, Variable]


@check(
    "visible-devices",
    "No variable hides the card",
    references=(
        "ROCm/ROCR-Runtime src/core/runtime/amd_filter_device.cpp",
        "ROCm/clr rocclr/device/rocm/rocdevice.cpp",
        "ROCm documentation: GPU isolation techniques",
        "ROCm/ROCm#1306",
    ),
)
def visible_devices(case: Case) -> CheckOutcome:
    """ROCR_, HIP_ and CUDA_VISIBLE_DEVICES choose the cards that a program sees.

    They act one after the other: ROCR_VISIBLE_DEVICES counts KFD's GPUs, the graphics of a
    processor among them, and the others count what it leaves. The runtimes read a list of
    indices from the left and stop at the first that is none: -1, or an index beyond the last
    card. An empty ROCR_VISIBLE_DEVICES hides all cards; an empty HIP_ or
    CUDA_VISIBLE_DEVICES hides none, and HIP reads the latter only without the former.
    """
    facts = case.facts
    nodes = _known_nodes(facts)
    places = _places(facts)
    unread = unread_places(facts)
    wrong: dict[str, str] = {}
    for read in _readers(places):
        left = None if nodes is None else left_by(_values(read), nodes)
        lines = [shown(variable) for variable in read.values()]
        if left == [] or (nodes is None and _hides_all(read)):
            wrong.update(dict.fromkeys(lines, "a variable hides every card from ROCm's programs"))
        elif nodes and left is not None and _hides_rdna1(case, nodes, left):
            summary = "variables leave other GPUs to ROCm's programs, and not the RDNA1 card"
            wrong.update(dict.fromkeys(lines, summary))
    if wrong:
        evidence = list(wrong) + _numbered(case, nodes or [])
        return CheckOutcome("fail", next(iter(wrong.values())), evidence + unread, _remedy(case))
    empty = [shown(v) for v in places if not v.value.strip() and v.name != _OF_ROCR]
    if empty:
        summary = "an empty variable looks as if it hid the cards, and hides none"
        return CheckOutcome("warn", summary, empty + unread, "Remove these settings.")
    chosen = [shown(v) for v in places]
    return CheckOutcome("pass", "no variable hides every card", chosen + unread)


def rdna1_alone(case: Case) -> str:
    """Return the setting that leaves the RDNA1 cards alone; empty without other GPUs or them."""
    nodes = _known_nodes(case.facts) or []
    ours = [str(i) for i, n in enumerate(nodes) if case.cards.find(n.vendor_id, n.device_id)]
    return f"{_OF_ROCR}={','.join(ours)}" if 0 < len(ours) < len(nodes) else ""


def left_of(facts: Facts) -> list[list[KfdNode]]:
    """Return what ROCR_VISIBLE_DEVICES leaves of KFD's GPUs, for each kind of session that sets it.

    The other variables act after the runtime has started on all GPUs and are left out. Where
    nothing sets it, or the nodes are not known, all of the nodes are left.
    """
    nodes = facts.kfd.nodes or []
    all_nodes = [node for node in nodes if node.simd_count > 0]
    places = [variable for variable in _places(facts) if variable.name == _OF_ROCR]
    left = [left_by(_values(read), all_nodes) for read in _readers(places)]
    return [all_nodes if nodes is None else nodes for nodes in left] or [all_nodes]


def _remedy(case: Case) -> str:
    remedy = "Remove these settings, then log in again."
    alone = rdna1_alone(case)
    return f"{remedy} To leave programs the RDNA1 card alone: {alone}" if alone else remedy


def _places(facts: Facts) -> list[Variable]:
    return [v for v in settings_of(facts, _VISIBLE) if not v.expands]


def _known_nodes(facts: Facts) -> list[KfdNode] | None:
    """Return KFD's GPUs, or None where they are not certain."""
    if facts.kfd.nodes is None or facts.unread("kfd.nodes"):
        return None
    return gpu_nodes(facts) or None


def _readers(places: list[Variable]) -> list[Read]:
    """Return the settings that act together, for each kind of session: later places win."""
    found: list[Read] = []
    for scope in sorted({scope_of(v.place) for v in places}):
        read = [
            v
            for s in dict.fromkeys([parent_of(scope), scope])
            for v in places
            if scope_of(v.place) == s
        ]
        found.append({variable.name: variable for variable in read})
    return found


def left_by(environment: Mapping[str, str], nodes: list[KfdNode]) -> list[KfdNode] | None:
    """Return the GPUs that the variables leave, as a program counts them; None if not known.

    Args:
        environment: names and values, of these variables and of any others.
        nodes: KFD's GPUs in their order.
    """
    left: list[KfdNode] | None = nodes
    if _OF_ROCR in environment:
        left = _chosen(environment[_OF_ROCR], nodes)
    second = next((n for n in (_OF_HIP, _OF_CUDA) if environment.get(n, "").strip()), None)
    if left is not None and second is not None:
        left = _chosen(environment[second], left)
    return left


def _values(read: Read) -> dict[str, str]:
    return {name: variable.value for name, variable in read.items()}


def _chosen(value: str, nodes: list[KfdNode]) -> list[KfdNode] | None:
    """Return the GPUs that a list names, up to the first entry that is none of them."""
    chosen: list[KfdNode] = []
    for entry in (part.strip() for part in value.split(",")):
        if entry.upper().startswith(_UNIQUE):
            named = [n for n in nodes if n.unique_id and _UNIQUE + n.unique_id == _unique(entry)]
            if not named and any(node.unique_id is None for node in nodes):
                return None
        else:
            number = int(entry) if _INDEX.fullmatch(entry) else len(nodes)
            named = nodes[number : number + 1]
        if not named:
            break
        chosen += [node for node in named if node not in chosen]
    return chosen


def _unique(entry: str) -> str:
    return _UNIQUE + entry[len(_UNIQUE) :].lower()


def _hides_all(read: Read) -> bool:
    """Return whether the variables hide everything, whatever GPUs there are."""
    return any(_first_is_none(variable) for variable in read.values())


def _first_is_none(variable: Variable) -> bool:
    first = variable.value.split(",")[0].strip()
    if not first:
        return variable.name == _OF_ROCR
    return not (first.upper().startswith(_UNIQUE) or _INDEX.fullmatch(first))


def _hides_rdna1(case: Case, nodes: list[KfdNode], left: list[KfdNode]) -> bool:
    ours = [node for node in nodes if case.cards.find(node.vendor_id, node.device_id)]
    return bool(ours) and not any(node in left for node in ours)


def _numbered(case: Case, nodes: list[KfdNode]) -> list[str]:
    """Return which index names which GPU, where there are several."""
    if len(nodes) < 2:
        return []
    return [
        f"index {index} of {_OF_ROCR} is {node.vendor_id}:{node.device_id}"
        + (f" ({match[1]})" if (match := case.cards.find(node.vendor_id, node.device_id)) else "")
        for index, node in enumerate(nodes)
    ]
