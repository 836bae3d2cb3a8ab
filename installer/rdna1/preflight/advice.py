"""The stack that suits a machine best, and what else its owner can do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from rdna1.catalog.cards import CardList
from rdna1.catalog.gfx_targets import INTEGRATED, is_newer
from rdna1.catalog.recommendations import CardKind, Recommendation
from rdna1.catalog.stacks import DEFAULT_STACK, Stack
from rdna1.preflight.assessment import assess
from rdna1.preflight.facts import Facts, UnknownFactError
from rdna1.preflight.model import Finding, Verdict

# No repair of the machine undoes a failure of these: it takes another machine, release or card.
_LASTING = ("architecture", "os-release", "glibc", "card", "cyan-skillfish", "wsl")
_AMD_LIST = "https://rocm.docs.amd.com/en/latest/compatibility/compatibility-matrix.html"
_ORDER: tuple[Verdict, ...] = ("pass", "warn", "refuse")

Fit = Literal["ready", "warned", "after-repair", "impossible"]


class CardAdvice(msgspec.Struct, frozen=True):
    """What the machine computes with.

    Attributes:
        kind: ``newer`` is RDNA2 and later, ``other`` any other AMD card or the graphics of a
            processor, ``none`` no AMD card, ``unknown`` what could not be read.
        name: for users.
        gfx_target: of the card, None where neither a list nor the driver tells it.
    """

    kind: CardKind
    name: str
    gfx_target: str | None


class StackAdvice(msgspec.Struct, frozen=True):
    """How one stack stands to the machine.

    Attributes:
        stack: its name.
        title: ROCm and PyTorch of it.
        fit: ``after-repair`` is refused now for reasons that the machine's owner can remove.
        problems: preflight's failures and warnings; of an ``impossible`` stack only those
            that make it so.
        known: what others saw with it on such cards.
        unknown: what nobody is known to have tried.
    """

    stack: str
    title: str
    fit: Fit
    problems: list[Finding]
    known: list[str] = []
    unknown: list[str] = []


class Alternative(msgspec.Struct, frozen=True):
    """Another way to go; the attributes are those of `Recommendation`.

    Attributes:
        fit: that of the stack that it means, None where it means none.
    """

    id: str
    title: str
    how: str
    gains: list[str]
    costs: list[str]
    sources: list[str]
    stack: str | None
    fit: Fit | None


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a machine.

    Attributes:
        machine: its operating system.
        card: what it computes with.
        proceed: whether a stack can go on it now.
        stack: name of the best stack, None where none ever can.
        summary: the advice in a sentence or two.
        stacks: all of them, the best first.
        alternatives: what else can be done.
    """

    schema_version: Literal[1] = 1
    machine: str
    card: CardAdvice
    proceed: bool
    stack: str | None
    summary: str
    stacks: list[StackAdvice]
    alternatives: list[Alternative]


def advise(
    facts: Facts,
    stacks: Iterable[Stack],
    cards: CardList,
    recommendations: Iterable[Recommendation],
) -> Advice:
    """Choose the best stack for a machine.

    A stack that is refused comes last. Then one with code for the card itself is better than
    one that needs an override, then the better verdict of preflight decides, then the better
    support for the release, then the order of the stacks.

    Args:
        facts: of the machine.
        stacks: to choose from, the preferred first.
        cards: the RDNA1 chips.
        recommendations: other ways to go.
    """
    # The order of equals stays: sorting is stable.
    card = _card(facts, cards)
    assessed = sorted(
        (_assessed(facts, stack, card) for stack in stacks), key=lambda found: found[0]
    )
    found = [advice for _, advice in assessed]
    best = next((advice for advice in found if advice.fit != "impossible"), None)
    fits = {advice.stack: advice.fit for advice in found}
    return Advice(
        machine=facts.os.pretty_name if facts.os else "unknown operating system",
        card=card,
        proceed=best is not None and best.fit != "after-repair",
        stack=best.stack if best else None,
        summary=_summary(facts, card, best),
        stacks=found,
        alternatives=[_alternative(r, card, fits) for r in recommendations if card.kind in r.cards],
    )


def _assessed(
    facts: Facts, stack: Stack, card: CardAdvice
) -> tuple[tuple[bool | int, ...], StackAdvice]:
    """Return the advice on a stack, after its rank."""
    report = assess(facts, stack)
    failures = [finding for finding in report.checks if finding.status == "fail"]
    lasting = [finding for finding in failures if finding.id in _LASTING]
    warnings = [finding for finding in report.checks if finding.status == "warn"]
    refused: Fit = "impossible" if lasting else "after-repair"
    fit: dict[Verdict, Fit] = {"pass": "ready", "warn": "warned", "refuse": refused}
    release = stack.release(facts.os.id, facts.os.version_id or "") if facts.os else None
    supported = release is not None and release.support == "supported"
    is_native = not lasting and stack.is_native and card.gfx_target in stack.gfx_targets
    order = _ORDER.index(report.verdict)
    rank = (bool(lasting), report.verdict == "refuse", not is_native, order, not supported)
    problems = lasting or [*failures, *warnings]
    advice = StackAdvice(stack.name, stack.title, fit[report.verdict], problems)
    experience = stack.experience
    if experience is None or lasting:
        return rank, advice
    return rank, msgspec.structs.replace(advice, known=experience.known, unknown=experience.unknown)


def _card(facts: Facts, cards: CardList) -> CardAdvice:
    try:
        displays = facts.known(lambda f: f.displays)
    except UnknownFactError as error:
        return CardAdvice("unknown", f"the cards could not be read: {error}", None)
    for display in displays:
        match = cards.find(display.vendor, display.device, display.revision)
        if match:
            chip, board = match
            return CardAdvice("rdna1", f"{board} ({chip.name})", chip.gfx_target)
    targets = {(node.vendor_id, node.device_id): node.gfx_target for node in facts.kfd.nodes or []}
    found = [
        _unlisted(display.vendor, display.device, targets.get((display.vendor, display.device)))
        for display in displays
        if display.vendor == cards.vendor
    ]
    # Next to a newer card, an older one or the graphics of the processor does not matter.
    found.sort(key=lambda card: card.kind != "newer")
    return found[0] if found else CardAdvice("none", "no AMD card", None)


def _unlisted(vendor: str, device: str, gfx_target: str | None) -> CardAdvice:
    """Return an AMD card, or graphics of the processor, that is not in the list of RDNA1 boards."""
    name = f"AMD card {vendor}:{device}"
    if gfx_target in INTEGRATED:
        return CardAdvice("other", f"integrated AMD GPU (iGPU) {vendor}:{device}", gfx_target)
    if gfx_target and is_newer(gfx_target):
        return CardAdvice("newer", name, gfx_target)
    return CardAdvice("other", name, gfx_target)


def _summary(facts: Facts, card: CardAdvice, best: StackAdvice | None) -> str:
    if card.kind == "newer":
        return (
            f"This machine needs no stack of this project: its card ({card.gfx_target}) is newer "
            f"than RDNA1, and a current ROCm serves such cards. AMD's list of them: {_AMD_LIST}"
        )
    if card.kind in ("other", "none") and facts.container == "wsl":
        return (
            "No stack of this project goes inside Windows' subsystem for Linux: no card is there."
        )
    if card.kind == "other":
        hint = "" if card.gfx_target else " If it is newer, a current ROCm is what it needs."
        return (
            f"No stack of this project is for this machine: its {card.name} is not one of RDNA1 "
            f"(Radeon RX 5000).{hint}"
        )
    if card.kind == "none":
        return "No stack of this project is for this machine: it has no AMD card."
    if best is None:
        return (
            "No stack can be installed on this machine as it is: each is refused for good reasons."
        )
    named = f"{best.stack} ({best.title})"
    choice = "" if best.stack == DEFAULT_STACK else f" {_chosen(best)}"
    if best.fit == "after-repair":
        return f"{named} suits this machine, once its failures are fixed.{choice}"
    if best.fit == "warned":
        return f"{named} can be installed: review the warnings.{choice}"
    return f"{named} is the stack for this machine: no problems found.{choice}"


def _chosen(best: StackAdvice) -> str:
    """Return how to get another stack than the usual one."""
    chosen = f"site.yml installs {DEFAULT_STACK} unless told otherwise: -e rdna1_stack={best.stack}"
    return f"{chosen}. What is known of it, and what is not, is below." if best.known else chosen


def _alternative(
    recommendation: Recommendation, card: CardAdvice, fits: dict[str, Fit]
) -> Alternative:
    stack = recommendation.stack
    return Alternative(
        id=recommendation.id,
        title=recommendation.title,
        how=recommendation.how.replace("{gfx_target}", card.gfx_target or "GFX_TARGET"),
        gains=recommendation.gains,
        costs=recommendation.costs,
        sources=recommendation.sources,
        stack=stack,
        fit=fits.get(stack) if stack else None,
    )
