"""What a search for the boundary found; the attributes are the keys of its JSON form."""

from __future__ import annotations

from typing import Literal

import msgspec

from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult, ConvOutcome, DeviceInfo
from rdna1.measure.conditions import Conditions
from rdna1.measure.head import Head, Verdict

Rule = Literal["side", "workspace", "none", "unknown"]
Purpose = Literal["search", "below", "decide", "refine", "vary", "beyond", "classes", "route"]
RouteName = Literal["bypass", "matmul"]


class BoundaryCase(CaseResult, frozen=True, kw_only=True):
    """One case of the search and its outcome.

    Attributes:
        purpose: why it was run: ``search`` for the limit of the reference layer; ``below`` it, to
            see whether all passes there; ``decide`` between rules; ``refine`` the limit of the
            workspace; ``vary`` the layer inside the rule; ``beyond`` the limit; other ``classes``
            of layers; by another ``route`` than MIOpen.
    """

    purpose: Purpose


class BoundaryResult(msgspec.Struct, frozen=True, kw_only=True):
    """The limit, and the rule behind it. Sides are those of the reference layer's square maps.

    Attributes:
        safe_side: largest side up to which every tested one passed; None when there is no such
            side, or no limit.
        first_bad_side: smallest side that did not pass, None when all passed.
        first_bad_outcome: what happened there.
        rule: ``side``: the longer side of the map decides; ``workspace``: the im2col workspace
            decides; ``none``: everything passed; ``unknown``: see ``explanation``.
        safe_workspace_bytes: largest workspace that passed when the rule is ``workspace``.
        first_bad_workspace_bytes: smallest that did not, likewise.
        largest_side_tried: of the reference layer.
        monotonic: whether no side of the reference layer passed above one that did not.
        quantity: the only quantity whose limit explains all cases, None when there is none or
            more than one; for the rule ``unknown`` it is neither side nor workspace.
        explanation: what the rule rests on, or why there is none.
        contradicting: cases that show why there is no rule.
        deciding_case: would tell the rules apart that are left, None when none is needed or
            none would.
    """

    safe_side: int | None
    first_bad_side: int | None
    first_bad_outcome: ConvOutcome | None
    rule: Rule
    safe_workspace_bytes: int | None
    first_bad_workspace_bytes: int | None
    largest_side_tried: int | None
    monotonic: bool
    quantity: str | None
    explanation: str
    contradicting: list[ConvCase]
    deciding_case: ConvCase | None

    @property
    def limit_found(self) -> bool:
        """Whether the limit is known to one pixel, or known not to be within reach.

        Where the reference layer has none and other layers do not pass, they are the limit.
        """
        if self.first_bad_side is None:
            return self.rule == "none" or bool(self.contradicting)
        return self.safe_side is not None and self.safe_side + 1 == self.first_bad_side


class RouteReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found about another way to compute layers than MIOpen as it is set.

    Attributes:
        route: ``bypass``: PyTorch's own im2col, without MIOpen; ``matmul``: a 1x1 convolution as a
            plain matrix product.
        max_side: inside this and ``max_workspace_bytes`` all that was tried passes; None where
            nothing is known to pass.
        max_workspace_bytes: likewise, as `ConvCase.workspace_bytes` counts them.
        stopped: why the search did not come to its end, empty if it did.
        workers_lost: number of worker processes that died or had to be killed.
        cases: in the order in which they were run.
    """

    route: RouteName
    max_side: int | None
    max_workspace_bytes: int | None
    stopped: str
    workers_lost: int
    cases: list[BoundaryCase]


class BoundaryReport(Head, frozen=True, kw_only=True, tag="boundary"):
    """The result, everything it rests on, and where it holds.

    Attributes:
        device: where the cases ran, None when no worker could start.
        result: what the cases say.
        complete: whether the search came to its end.
        stopped: why it did not.
        max_side: largest side that the search was allowed.
        max_hangs: lost workers that it was allowed.
        workers_lost: number of worker processes that died or had to be killed, those of routes
            included.
        wall_seconds: from start to end, starting workers included.
        kernel_log_unavailable: why no reset of the card would have been noticed, empty if one
            would.
        resets: what the kernel said about resets of a card.
        measured: where and when this was measured.
        cases: in the order in which they were run.
        routes: other ways to compute layers, where they were asked for.
        verdict: ``pass`` when the limit is known; it follows from the result.
    """

    verdict: Verdict = "fail"
    device: DeviceInfo | None
    result: BoundaryResult
    complete: bool
    stopped: str
    max_side: int
    max_hangs: int
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str = ""
    resets: list[str] = msgspec.field(default_factory=list)
    measured: Conditions
    cases: list[BoundaryCase]
    routes: list[RouteReport] = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the verdict; reports of earlier versions have none."""
        verdict = "pass" if self.result.limit_found else "fail"
        msgspec.structs.force_setattr(self, "verdict", verdict)
