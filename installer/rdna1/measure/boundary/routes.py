"""Other ways to compute a layer than MIOpen as it is set: up to which size do they work?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec
from msgspec.structs import replace

from rdna1.conv.case import ConvCase
from rdna1.conv.result import LOSSES, CaseResult
from rdna1.measure.boundary.allowed import allowed, form_of
from rdna1.measure.boundary.investigation import HangBudgetError, Step
from rdna1.measure.boundary.keys import Keys, keys_of
from rdna1.measure.boundary.kinds import Form, Kind, kinds, kinds_of_products
from rdna1.measure.boundary.report import BoundaryCase, RouteName, RouteReport
from rdna1.measure.boundary.survey import Survey
from rdna1.measure.head import INTERRUPTED
from rdna1.worker.supervisor import DeviceLostError, Supervisor
from rdna1.worker.variables import BYPASS_VARIABLE, MATMUL_VARIABLE

# What makes a worker compute by a route.
VARIABLES: Mapping[RouteName, Mapping[str, str]] = MappingProxyType(
    {"bypass": {BYPASS_VARIABLE: "1"}, "matmul": {MATMUL_VARIABLE: "1"}}
)


def search_route(
    route: RouteName,
    supervisor: Supervisor,
    *,
    max_side: int,
    max_hangs: int,
    form: Form,
    on_step: Callable[[Step], None],
) -> RouteReport:
    """Run the classes of layers that a route computes, until the end or the last hang allowed.

    Args:
        route: what computes them.
        supervisor: of workers with the `VARIABLES` of the route.
        max_side: no map is higher or wider, in pixels.
        max_hangs: no case is run after so many lost workers.
        form: which classes of layers are tried.
        on_step: called before each case.
    """
    search = _Search(route, supervisor, max_hangs, on_step)
    survey = Survey(search.passes, search.hangs_left, max_side)
    stopped = ""
    try:
        survey.run(form, [], _kinds(route, form))
    except HangBudgetError:
        stopped = f"the {max_hangs} hangs that are left are used up"
    except DeviceLostError as lost:
        search.record(lost.result)
        stopped = f"device lost: {lost.result.detail}"
    except KeyboardInterrupt:
        stopped = INTERRUPTED
    keys = route_keys(route, search.cases)
    return RouteReport(
        route=route,
        max_side=keys.side if keys else None,
        max_workspace_bytes=keys.workspace if keys else None,
        stopped=stopped,
        workers_lost=supervisor.workers_lost,
        cases=search.cases,
    )


def route_keys(route: RouteName, results: Iterable[CaseResult]) -> Keys | None:
    """Return the two limits that are sound for all layers of a route; None where nothing passes.

    A file has one pair for a route, so it is the smallest of all forms that were tried. torch's
    im2col computes one image after the other (aten/src/ATen/native/cuda/ConvolutionMM2d.cu): where
    all batches passed, each counts as one of its images, of which larger ones were tried.
    """
    results = list(results)
    if route == "bypass" and all(each.outcome == "pass" for each in results if each.case.n > 1):
        results = [replace(each, case=replace(each.case, n=1)) for each in results]
    forms = allowed(results, tries_less=True)
    found = [
        keys_of([each.case for each in results if form_of(each.case) == form], allows)
        for form, allows in forms.items()
    ]
    known = [keys for keys in found if keys]
    if not known or len(known) < len(found):
        return None
    return Keys(min(keys.side for keys in known), min(keys.workspace for keys in known))


def _kinds(route: RouteName, form: Form) -> list[Kind]:
    return kinds_of_products(form) if route == "matmul" else kinds(form)


class _Search:
    """Runs cases for a survey, and keeps what they came to."""

    def __init__(
        self,
        route: RouteName,
        supervisor: Supervisor,
        max_hangs: int,
        on_step: Callable[[Step], None],
    ) -> None:
        self.cases: list[BoundaryCase] = []
        self._route = route
        self._supervisor = supervisor
        self._max_hangs = max_hangs
        self._on_step = on_step
        self._lost = 0

    def hangs_left(self) -> int:
        return self._max_hangs - self._lost

    def passes(self, case: ConvCase, name: str, *, patient: bool) -> bool:
        if self.hangs_left() < 1:
            raise HangBudgetError
        self._on_step(Step(case, "route", f"{self._route}: {name}", self._lost, 0, None))
        result = self._supervisor.run(case, patient=patient)
        self.record(result)
        return result.outcome == "pass"

    def record(self, result: CaseResult) -> None:
        self._lost += result.outcome in LOSSES
        self.cases.append(BoundaryCase(**msgspec.structs.asdict(result), purpose="route"))
