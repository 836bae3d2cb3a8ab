"""The warning about a measured limit says which layers it is about."""

from __future__ import annotations

from rdna1.catalog.stacks import load_stack
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.conditions import Conditions
from rdna1.report.limit import limit_warning
from support.convolutions import investigate, losses, pretend


def test_a_class_with_a_limit_of_its_own_is_named() -> None:
    result, cases = investigate(pretend(lambda case: case.kh == 5 and case.h > 20), 64, form="full")
    report = BoundaryReport(
        device=None,
        result=result,
        complete=True,
        stopped="",
        max_side=64,
        max_hangs=12,
        workers_lost=losses(cases),
        wall_seconds=0.0,
        measured=Conditions(),
        cases=cases,
    )
    said = limit_warning(report, load_stack("rocm-5.7"))
    assert said is not None
    assert "in 5x5 float32 forward" in said
    assert "3x3 float32" not in said
