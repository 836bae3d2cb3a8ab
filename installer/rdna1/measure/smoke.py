"""The suite that follows an installation: do ordinary small convolutions work?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from rdna1.conv.case import ConvCase, Direction, DType
from rdna1.conv.result import RIGHT, CaseResult, DeviceInfo
from rdna1.measure.head import Head
from rdna1.measure.slowness import mark_slow
from rdna1.worker.supervisor import WAIT_SECONDS, DeviceLostError, Supervisor

# The sizes that the first investigation of a card found to work (16->32, 3x3).
KNOWN_GOOD_SIDES = (32, 36, 40, 42)

# Both gradients come from one call, as in training.
SMOKE_DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")

# One layer for each kind that common networks have. The sides keep two limits, as it is not known
# which of them the card has: sides of at most 42, and an im2col workspace of at most
# 1 MiB. That is why the 7x7 stem of a ResNet is not run at its usual 224.
_LAYERS = (
    *(ConvCase(16, 32, side, side, 3, 3, padding=1) for side in KNOWN_GOOD_SIDES),
    ConvCase(64, 256, 42, 42, 1, 1),
    ConvCase(64, 128, 42, 42, 3, 3, stride=2, padding=1),
    ConvCase(16, 32, 25, 25, 5, 5, padding=2),
    ConvCase(3, 64, 42, 42, 7, 7, stride=2, padding=3),
    ConvCase(32, 32, 30, 30, 3, 3, padding=1, groups=32),
    ConvCase(32, 32, 30, 30, 3, 3, stride=2, padding=1, groups=32),
    ConvCase(16, 32, 40, 40, 3, 3, padding=2, dilation=2),
    # The upsampling of a U-Net, and of a DCGAN.
    ConvCase(64, 32, 21, 21, 2, 2, stride=2, transposed=True),
    ConvCase(64, 32, 21, 21, 4, 4, stride=2, padding=1, transposed=True),
    ConvCase(64, 64, 1, 42, 1, 3, padding=1, dims=1),
    ConvCase(4, 8, 12, 12, 3, 3, padding=1, dims=3, depth=12, kd=3),
    # The downsampling of a ResNet, which hung where all of the above passed (ROCm/MIOpen#13).
    ConvCase(64, 128, 42, 42, 1, 1, stride=2),
    # What a card does with one image it may do in another way with several.
    ConvCase(16, 32, 40, 40, 3, 3, n=4, padding=1),
    ConvCase(64, 128, 28, 28, 1, 1, n=4, stride=2),
    ConvCase(64, 64, 14, 14, 3, 3, n=4, padding=1, groups=16),
    # The patches of a transformer, and the kernels of newer depthwise networks.
    ConvCase(3, 96, 40, 40, 4, 4, n=2, stride=4),
    ConvCase(16, 16, 14, 14, 7, 7, n=2, padding=3, groups=16),
    # Kernels that read several channels at once have another path for what is left over.
    ConvCase(15, 31, 33, 33, 3, 3, padding=1),
    ConvCase(1, 7, 28, 28, 3, 3, n=3, padding=1),
    ConvCase(32, 32, 28, 28, 3, 3, n=2, padding=1, memory_format="channels_last"),
    ConvCase(64, 128, 28, 28, 1, 1, n=2, stride=2, memory_format="channels_last"),
)

# Mixed precision runs these next to float32; a card may fail at them alone (ComfyUI#15615).
_SHORT_DTYPES: tuple[DType, ...] = ("float16", "bfloat16")
# Small, as CPUs take a hundred times as long for float16.
_IN_SHORT_DTYPES = (
    ConvCase(16, 32, 20, 20, 3, 3, padding=1),
    ConvCase(32, 64, 28, 28, 1, 1, n=2, stride=2),
    ConvCase(32, 32, 15, 15, 3, 3, n=2, padding=1, groups=32),
    ConvCase(16, 32, 14, 14, 3, 3, n=2, padding=1, memory_format="channels_last"),
    ConvCase(15, 31, 17, 17, 3, 3, padding=1),
)
# What must work is first, so that it is known whatever the rest does.
_ALL_LAYERS = (
    *_LAYERS,
    *(
        msgspec.structs.replace(layer, dtype=dtype)
        for dtype in _SHORT_DTYPES
        for layer in _IN_SHORT_DTYPES
    ),
)

Advice = Literal["", "use float32"]


class SmokeReport(Head, frozen=True, kw_only=True, tag="smoke"):
    """What a smoke test found; the attributes are the keys of its JSON form.

    Attributes:
        device: where the cases ran, None when no worker could start.
        verdict: ``pass`` when every float32 case was run and gave the right result, be it slow.
        advice: ``use float32`` when others did not, else empty.
        interrupted: whether the user stopped it.
        not_run: number of cases that were planned and not run.
        workers_lost: number of worker processes that died or had to be killed.
        wall_seconds: from start to end, starting workers included.
        kernel_log_unavailable: why no reset of the card would have been noticed, empty if one
            would.
        resets: what the kernel said about resets of a card.
        cases: in the order in which they were run.
    """

    device: DeviceInfo | None
    advice: Advice = ""
    interrupted: bool
    not_run: int
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str = ""
    resets: list[str] = msgspec.field(default_factory=list)
    cases: list[CaseResult]

    @property
    def was_interrupted(self) -> bool:
        """Whether the user stopped it."""
        return self.interrupted


def smoke_cases(max_side: int | None = None) -> list[ConvCase]:
    """Return the cases of the suite, each layer forward and then backward.

    Args:
        max_side: leave out cases whose input or output has a longer side, in pixels.
    """
    return [
        msgspec.structs.replace(layer, direction=direction)
        for layer in _ALL_LAYERS
        if max_side is None or layer.longest_side <= max_side
        for direction in SMOKE_DIRECTIONS
    ]


def run_smoke(
    device: str,
    timeout: float,
    cases: Sequence[ConvCase],
    on_case: Callable[[ConvCase], None],
    *,
    wait: float = WAIT_SECONDS,
    on_wait: Callable[[str], None] = lambda _: None,
) -> SmokeReport:
    """Run cases until the end, until the device is lost, or until the user interrupts.

    Args:
        device: as `rdna1.worker.supervisor.Supervisor` takes it.
        timeout: seconds for each case on the device.
        cases: at least one.
        on_case: called before each case.
        wait: seconds to wait for another run that has the device.
        on_wait: told who has it.

    Raises:
        rdna1.conv.result.UnusableDeviceError: the device does not exist here, or another run
            has it.
    """
    begun = time.monotonic()
    results: list[CaseResult] = []
    interrupted = False
    with Supervisor(device, timeout, wait=wait, on_wait=on_wait) as supervisor:
        try:
            for case in cases:
                if not _is_given_up(case, results):
                    on_case(case)
                    results.append(supervisor.run(case))
            confirm_slow(supervisor, results)
        except DeviceLostError as lost:
            results.append(lost.result)
        except KeyboardInterrupt:
            interrupted = True
    results = mark_slow(results)
    right = {result.case for result in results if result.outcome in RIGHT}
    # What is given up is known; what was not asked is not.
    passed = not interrupted and all(case in right for case in cases if is_required(case))
    return SmokeReport(
        device=supervisor.device,
        verdict="pass" if passed else "fail",
        advice="use float32" if passed and len(right) < len(cases) else "",
        interrupted=interrupted,
        not_run=len(cases) - len(results),
        workers_lost=supervisor.workers_lost,
        wall_seconds=time.monotonic() - begun,
        kernel_log_unavailable=supervisor.kernel_log_unavailable,
        resets=supervisor.resets,
        cases=results,
    )


def is_required(case: ConvCase) -> bool:
    """Return whether a device must do a case to pass; the shorter dtypes may be left to float32."""
    return case.dtype not in _SHORT_DTYPES


def _is_given_up(case: ConvCase, results: Sequence[CaseResult]) -> bool:
    """Return whether a short dtype has cost a worker before: each may be a reset of the card."""
    return not is_required(case) and any(
        result.case.dtype == case.dtype and result.outcome in ("hang", "crash")
        for result in results
    )


def confirm_slow(supervisor: Supervisor, results: list[CaseResult]) -> None:
    """Run what looks slow once more: the machine may have been busy.

    Args:
        supervisor: of the device.
        results: of its run, changed in place: the faster of two runs counts, or a failed one.
    """
    for place, result in enumerate(mark_slow(results)):
        if result.outcome != "slow":
            continue
        try:
            again = supervisor.run(result.case)
        except DeviceLostError as lost:
            results[place] = lost.result
            return
        if again.outcome != "pass" or again.seconds < result.seconds:
            results[place] = again
