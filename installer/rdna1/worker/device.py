"""Devices that a worker can run convolutions on. Importing this module imports torch."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

import torch
from torch import Tensor

from rdna1.conv.case import ConvCase
from rdna1.conv.reference import convolve
from rdna1.conv.reference_part import Inputs
from rdna1.conv.result import DeviceInfo, DeviceType, UnusableDeviceError
from rdna1.sim.rules import Rule, crash, hang
from rdna1.worker.device_error import DeviceError
from rdna1.worker.device_identity import cuda_identity
from rdna1.worker.products import multiplied
from rdna1.worker.variables import BYPASS_VARIABLE, IMMEDIATE_VARIABLE, MATMUL_VARIABLE

# The convolutions are small: more threads take longer to wake than they save.
_MAX_THREADS = 4

_SLOW_SECONDS = 1.0


class TorchDevice:
    """The CPU, or a CUDA or ROCm device.

    Args:
        requested: ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: a GPU when torch sees one,
            else the CPU.

    Raises:
        UnusableDeviceError: torch does not see it, or `BYPASS_VARIABLE`, `IMMEDIATE_VARIABLE` or
            `MATMUL_VARIABLE` has another value than 0 or 1, or torch has no immediate mode.
        RuntimeError: it is there and does not work.
    """

    def __init__(self, requested: str) -> None:
        """Create the device's context."""
        self._requested = requested
        if requested == "auto":
            requested = "cuda" if torch.cuda.is_available() else "cpu"
        self._device = torch.device(requested)
        torch.set_num_threads(min(torch.get_num_threads(), _MAX_THREADS))
        torch.backends.cudnn.enabled = not _is_on(BYPASS_VARIABLE)
        self._multiplies = _is_on(MATMUL_VARIABLE)
        if _is_on(IMMEDIATE_VARIABLE):
            _use_immediate_mode()
        if self._device.type == "cuda":
            seen = torch.cuda.device_count()
            if (self._device.index or 0) >= seen:
                raise UnusableDeviceError(
                    f"--device {requested}: torch {torch.__version__} sees {_count(seen)} GPU"
                )
            # float32 shall mean float32: TF32 keeps 10 bits of the mantissa.
            torch.backends.cudnn.allow_tf32 = False
        # The first touch creates the device's context, which may take seconds.
        self.check()

    @property
    def info(self) -> DeviceInfo:
        """What torch and the system say about the device."""
        if self._device.type == "cpu":
            return self._describe("cpu", _cpu_name())
        properties = torch.cuda.get_device_properties(self._device)
        return self._describe("cuda", properties.name, getattr(properties, "gcnArchName", None))

    @property
    def identity(self) -> str | None:
        """What other processes call the device too; None for the CPU, which many may use."""
        if self._device.type == "cpu":
            return None
        index = torch.cuda.current_device() if self._device.index is None else self._device.index
        return cuda_identity(index, os.environ)

    def check(self) -> None:
        """See that the device works.

        Raises:
            RuntimeError: it does not.
        """
        torch.zeros(1, device=self._device)
        self._synchronize()

    def _describe(self, kind: DeviceType, name: str, gfx_target: str | None = None) -> DeviceInfo:
        return DeviceInfo(
            requested=self._requested,
            type=kind,
            name=name,
            torch=str(torch.__version__),
            hip=torch.version.hip,
            gfx_target=gfx_target,
            architectures=torch.cuda.get_arch_list() if kind == "cuda" else [],
        )

    def run(self, case: ConvCase, inputs: Inputs) -> tuple[dict[str, Tensor], float]:
        """Run a case and wait for the device.

        Args:
            case: what to run.
            inputs: on the CPU.

        Returns:
            The results by name (see `rdna1.conv.reference.convolve`), on the CPU, and the
            seconds that the convolution took, transfers apart.

        Raises:
            DeviceError: torch raised an error.
        """
        try:
            return self._run(case, inputs)
        except RuntimeError as error:
            # torch's own allocator has refused; nothing has happened on the device.
            usable = isinstance(error, torch.cuda.OutOfMemoryError)
            explained = DeviceError(case, error, usable=usable)
        # Not sooner: the error's traceback holds the tensors.
        if explained.usable:
            torch.cuda.empty_cache()
        raise explained

    def _run(self, case: ConvCase, inputs: Inputs) -> tuple[dict[str, Tensor], float]:
        """As `run`, with torch's own errors."""
        there = Inputs(*(tensor.to(self._device) for tensor in inputs))
        self._synchronize()
        begun = time.perf_counter()
        results = multiplied(case, there) if self._multiplies else convolve(case, there)
        self._synchronize()
        seconds = time.perf_counter() - begun
        return {name: tensor.cpu() for name, tensor in results.items()}, seconds

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


class SimulatedDevice(TorchDevice):
    """The CPU, misbehaving where the rules of a file say so.

    Args:
        rules: the first one that holds for a case decides.
        rule_file: their file.
    """

    def __init__(self, rules: list[Rule], rule_file: Path) -> None:
        """Open the CPU."""
        super().__init__("cpu")
        self._requested = f"sim:{rule_file}"
        self._rules = rules
        self._rule_file = rule_file

    @property
    def info(self) -> DeviceInfo:
        """As of the CPU, under the name of the rule file."""
        return self._describe("sim", f"simulated by {self._rule_file.name}")

    @property
    def identity(self) -> str:
        """The rule file: two runs of it take turns, as on a card."""
        return f"sim:{self._rule_file.resolve()}"

    def run(self, case: ConvCase, inputs: Inputs) -> tuple[dict[str, Tensor], float]:
        """As on the CPU, unless a rule holds.

        Raises:
            RuntimeError: a rule says ``error``.
        """
        rule = next((rule for rule in self._rules if rule.holds(case, os.environ)), None)
        outcome = rule.outcome if rule else None
        if outcome == "hang":
            hang()
        if outcome == "crash":
            crash()
        if rule and outcome == "error":
            raise RuntimeError(f"simulated, as {rule.when} holds")
        results, seconds = self._compute(case, inputs)
        if outcome == "wrong":
            damaged = next(iter(results.values()))
            damaged[(0,) * damaged.dim()] += 1 + damaged.abs().max()
        if outcome == "slow":
            time.sleep(_SLOW_SECONDS)
            seconds += _SLOW_SECONDS
        return results, seconds

    def _compute(self, case: ConvCase, inputs: Inputs) -> tuple[dict[str, Tensor], float]:
        """As on the CPU, where float16 forward takes a thousand times as long as on a card.

        So it is computed in float32 and rounded, which is how cards accumulate.
        """
        if case.dtype != "float16":
            return super().run(case, inputs)
        wide = Inputs(*(tensor.float() for tensor in inputs))
        results, seconds = super().run(case, wide)
        return {name: tensor.half() for name, tensor in results.items()}, seconds


_PURPOSES = {
    BYPASS_VARIABLE: "bypass MIOpen",
    IMMEDIATE_VARIABLE: "use its immediate mode",
    MATMUL_VARIABLE: "compute 1x1 convolutions as matrix products",
}


def _is_on(variable: str) -> bool:
    text = os.environ.get(variable, "0")
    if text not in ("0", "1"):
        raise UnusableDeviceError(f"{variable}={text}: use 1 to {_PURPOSES[variable]}, or 0")
    return text == "1"


def _use_immediate_mode() -> None:
    miopen = getattr(torch.backends, "miopen", None)
    if miopen is None or not hasattr(miopen, "immediate"):
        raise UnusableDeviceError(f"torch {torch.__version__} has no immediate mode of MIOpen")
    miopen.immediate = True


def _count(number: int) -> str:
    return {0: "no", 1: "only one"}.get(number, f"only {number}")


def _cpu_name() -> str:
    """Model of the processor as the kernel names it, or its architecture."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
