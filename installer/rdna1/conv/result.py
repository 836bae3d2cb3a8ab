"""What a measurement found out."""

from __future__ import annotations

from typing import Literal

import msgspec

from rdna1.conv.case import ConvCase

DeviceType = Literal["cpu", "cuda", "sim"]
ConvOutcome = Literal["pass", "slow", "hang", "crash", "error", "wrong"]

# Outcomes with the right result.
RIGHT: tuple[ConvOutcome, ...] = ("pass", "slow")
# After these the worker is gone, and the card may be reset.
LOSSES: tuple[ConvOutcome, ...] = ("hang", "crash")


class UnusableDeviceError(Exception):
    """The device that was asked for does not exist here; nothing can be said about it."""


class DeviceInfo(msgspec.Struct, frozen=True):
    """Where the convolutions ran.

    Attributes:
        requested: the device as it was asked for.
        type: ``cpu``, ``cuda`` (which is what torch calls ROCm devices too) or ``sim``.
        name: what the hardware calls itself.
        torch: version of torch.
        hip: version of HIP that torch was built for, None for other builds.
        gfx_target: LLVM's processor name as the runtime sees it, overrides included;
            None where torch does not say.
        architectures: what torch holds GPU code for, empty for other devices than GPUs.
    """

    requested: str
    type: DeviceType
    name: str
    torch: str
    hip: str | None
    gfx_target: str | None
    architectures: list[str] = []


class CaseResult(msgspec.Struct, frozen=True):
    """The outcome of one case.

    Attributes:
        case: what was run.
        outcome: ``pass``; ``slow``, right but later than the other cases lead one to expect
            (`rdna1.measure.slowness`); ``hang``, no answer before the deadline; ``crash``, the
            worker died; ``error``, it reported one; ``wrong``, not what the reference says.
        seconds: on the device, or until the worker was given up.
        max_abs_err: largest absolute error, None when there is no finite result.
        max_rel_err: ``max_abs_err`` over the largest absolute value of the reference.
        detail: what went wrong or was slow, empty after ``pass``.
        first_seconds: on the device in the first run, which compiles and chooses kernels;
            ``seconds`` is of the second. None when the first did not end.
        waited_seconds: of ``seconds``, those in which threads of the worker were ready to run and
            had no processor, as the machine was busy.
    """

    case: ConvCase
    outcome: ConvOutcome
    seconds: float
    max_abs_err: float | None = None
    max_rel_err: float | None = None
    detail: str = ""
    first_seconds: float | None = None
    waited_seconds: float = 0.0
