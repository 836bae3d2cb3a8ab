"""Checks of the settings of PyTorch's allocator."""

from __future__ import annotations

import re

from packaging.version import Version

from rdna1.catalog.stacks import ExpandableSegments
from rdna1.preflight.facts import Facts, KernelMessage
from rdna1.preflight.model import Case, CheckOutcome, check
from rdna1.preflight.variable_places import settings_of, shown, unread_places

_NAMES = re.compile(r"PYTORCH_(?:(?:HIP|CUDA)_)?ALLOC_CONF")
_ON = re.compile(r"(?:^|,)\s*expandable_segments\s*:\s*True\b")
_SPLIT = re.compile(r"(?:^|,)\s*max_split_size_mb\s*:")
# As the driver says when it starts: [drm] Initialized amdgpu 3.61.0 for 0000:03:00.0 on minor 0
_DRM = re.compile(r"Initialized amdgpu (?P<version>\d{1,3}\.\d{1,3})\.\d")
_KERNEL = re.compile(r"\d{1,3}\.\d{1,3}")


@check(
    "expandable-segments",
    "PyTorch's allocator fits the kernel driver",
    references=("pytorch/pytorch#192259", "ROCm/legacy-rocm-build#6603"),
)
def expandable_segments(case: Case) -> CheckOutcome:
    """With ROCm from 7.14 on, expandable_segments:True hangs on an older amdgpu driver.

    The first copy to the card never returns with the driver's interface (DRM) 3.61, as of
    Debian 13's kernel, and works with 3.64. With max_split_size_mb next to it, memory in use
    was seen to read back as zeros, whatever the driver. PyTorch of ROCm 5 ignores the setting.
    """
    segments = case.stack.expandable_segments
    if segments is None or case.pytorch_source == "distro":
        return CheckOutcome(
            "pass", f"PyTorch of the stack {case.stack.name} does not have the setting"
        )
    places = [v for v in settings_of(case.facts, _NAMES) if _ON.search(v.value)]
    unread = unread_places(case.facts)
    if not places:
        return CheckOutcome("pass", "no variable sets expandable_segments:True", unread)
    evidence = [shown(v) for v in places]
    remedy = "Take expandable_segments:True out of these settings, then log in again."
    message = _message(case.facts)
    if message is not None and not _is_older(message, segments):
        if any(_SPLIT.search(v.value) for v in places):
            summary = "expandable_segments with max_split_size_mb may lose what is in memory"
            return CheckOutcome("warn", summary, evidence + unread, remedy)
        summary = f"the driver's interface is at least {segments.works_with}"
        return CheckOutcome("pass", summary, [message.shown, *unread])
    if message is not None:
        evidence.append(message.shown)
        return CheckOutcome("fail", _hangs(segments), evidence + unread, remedy)
    if _is_older_kernel(case.facts, segments):
        evidence.append(f"Linux {case.facts.kernel.release} is older than that interface")
        return CheckOutcome("fail", _hangs(segments), evidence + unread, remedy)
    summary = f"expandable_segments:True hangs on a driver older than {segments.works_with}"
    evidence.append("the driver's version is not known: no saved log of the kernel names it")
    return CheckOutcome("warn", summary, evidence + unread, remedy)


def _hangs(segments: ExpandableSegments) -> str:
    return (
        "expandable_segments:True makes the first copy to the card hang: the driver's interface "
        f"is older than {segments.works_with}"
    )


def _message(facts: Facts) -> KernelMessage | None:
    return next((m for m in facts.kernel.messages if _DRM.search(m.text)), None)


def _is_older(message: KernelMessage, segments: ExpandableSegments) -> bool:
    match = _DRM.search(message.text)
    return match is not None and Version(match["version"]) < Version(segments.works_with)


def _is_older_kernel(facts: Facts, segments: ExpandableSegments) -> bool:
    match = _KERNEL.match(facts.kernel.release or "")
    return match is not None and Version(match[0]) < Version(segments.not_before_kernel)
