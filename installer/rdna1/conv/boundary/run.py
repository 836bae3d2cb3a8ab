"""Find the boundary of a device, whatever happens on the way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from rdna1.conv.boundary.conclusion import conclude
from rdna1.conv.boundary.investigation import HangBudgetError, Investigation, Step
from rdna1.conv.boundary.kinds import Form
from rdna1.conv.boundary.report import BoundaryReport
from rdna1.conv.case import ConvCase
from rdna1.conv.circumstances import observe
from rdna1.conv.result import CaseResult
from rdna1.conv.slowness import FLOOR_SECONDS, mark_slow
from rdna1.conv.supervisor import WAIT_SECONDS, DeviceLostError, Supervisor

INTERRUPTED = "interrupted"


def run_boundary(
    device: str,
    timeout: float,
    max_side: int,
    max_hangs: int,
    on_step: Callable[[Step], None],
    *,
    form: Form = "full",
    wait: float = WAIT_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> BoundaryReport:
    """Search until the end, the last hang allowed, the loss of the device, or Ctrl-C.

    Args:
        device: as `rdna1.conv.supervisor.Supervisor` takes it.
        timeout: seconds for each case on the device, at most.
        max_side: no map is higher or wider, in pixels.
        max_hangs: no case is run after so many lost workers.
        on_step: called before each case.
        form: which classes of layers are tried.
        wait: seconds to wait for another run that has the device.
        on_wait: told who has it.

    Raises:
        rdna1.conv.result.UnusableDeviceError: the device does not exist here, or another run
            has it.
    """
    begun = time.monotonic()
    stopped = ""
    with Supervisor(device, timeout, adaptive=True, wait=wait, on_wait=on_wait) as supervisor:

        def measure(case: ConvCase) -> CaseResult:
            return _judged(supervisor.run, case, investigation.cases)

        def confirm(case: ConvCase) -> CaseResult:
            return _judged(lambda c: supervisor.run(c, patient=True), case, investigation.cases)

        investigation = Investigation(
            measure, max_side, max_hangs, on_step, form, supervisor.hurried, confirm
        )
        try:
            investigation.run()
        except HangBudgetError:
            stopped = f"the {max_hangs} hangs that are allowed are used up"
        except DeviceLostError as lost:
            stopped = f"device lost: {lost.result.detail}"
        except KeyboardInterrupt:
            stopped = INTERRUPTED
    return BoundaryReport(
        device=supervisor.device,
        result=conclude(investigation.cases, max_side),
        complete=not stopped,
        stopped=stopped,
        max_side=max_side,
        max_hangs=max_hangs,
        workers_lost=supervisor.workers_lost,
        wall_seconds=time.monotonic() - begun,
        kernel_log_unavailable=supervisor.kernel_log_unavailable,
        resets=supervisor.resets,
        measured=observe(supervisor.device, os.environ),
        cases=investigation.cases,
    )


def _judged(
    run: Callable[[ConvCase], CaseResult], case: ConvCase, earlier: Sequence[CaseResult]
) -> CaseResult:
    """Run a case; once more if it looks slow beside earlier ones, as the machine may be busy."""
    result = run(case)
    if result.outcome != "pass" or result.seconds - result.waited_seconds <= FLOOR_SECONDS:
        return result
    if mark_slow([*earlier, result])[-1].outcome == "slow":
        again = run(case)
        if again.outcome != "pass" or again.seconds < result.seconds:
            result = again
    return mark_slow([*earlier, result])[-1]
