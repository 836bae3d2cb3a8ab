"""The process that runs convolutions, and that may hang or die of them.

Started by `rdna1.worker.process.Worker` as ``python -m rdna1.worker.worker``; says what
`rdna1.worker.messages` describes on its standard output and reads cases from standard input.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from rdna1.catalog.yaml_data import DataFileError
from rdna1.conv.case import ConvCase
from rdna1.conv.result import UnusableDeviceError
from rdna1.sim.rules import load_rules
from rdna1.worker.device_error import DeviceError
from rdna1.worker.given_time import threads_of, waited_between
from rdna1.worker.messages import CHECK, Answer, Failed, FirstRun, Ready, Started, Unusable, encode

if TYPE_CHECKING:
    from torch import Tensor

    from rdna1.conv.reference import Expected
    from rdna1.worker.device import TorchDevice

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

# Enough to recognise an error; HIP repeats itself over pages.
_MAX_ERROR_TEXT = 2000


class Channel:
    """The two pipes to the supervisor, out of reach of everything else in this process.

    Libraries write to descriptor 1 as they like (MIOpen's log does), and children inherit
    descriptor 0: both are moved away and replaced.
    """

    def __init__(self) -> None:
        """Take the pipes over."""
        self._requests: BinaryIO = os.fdopen(os.dup(0), "rb")
        self._answers: BinaryIO = os.fdopen(os.dup(1), "wb")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def send(self, message: msgspec.Struct) -> None:
        """Send one message at once."""
        self._answers.write(encode(message))
        self._answers.flush()

    def receive(self) -> Iterator[ConvCase | None]:
        """The cases as they come, None to check the device, until the supervisor ends it."""
        for line in iter(self._requests.readline, b""):
            yield None if line == CHECK else msgspec.json.decode(line, type=ConvCase)


def main(argv: list[str] | None = None) -> None:
    """Serve cases until the supervisor closes the pipe.

    Args:
        argv: arguments after the program's name; None takes those of the process.
    """
    parser = argparse.ArgumentParser(prog="rdna1.worker.worker")
    parser.add_argument("--device", required=True, help="auto, cpu, cuda, cuda:N or sim:FILE")
    parser.add_argument("--supervisor", required=True, type=int, help="its process id")
    arguments = parser.parse_args(argv)
    die_with(arguments.supervisor)
    channel = Channel()
    try:
        device = _open(arguments.device)
    except UnusableDeviceError as error:
        channel.send(Unusable(str(error)))
    except RuntimeError as error:
        channel.send(_failure(error))
    else:
        ready = Ready(device.info, device.identity)
        channel.send(ready)
        for case in channel.receive():
            if case:
                _serve(case, device, channel)
            else:
                _check(device, channel, ready)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies, even by SIGKILL.

    The parent is the warden; a process that has one thread only, as prctl(2) means the thread.

    Raises:
        OSError: the kernel refuses.
        SystemExit: the parent is dead already.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the supervisor is dead")


def _open(name: str) -> TorchDevice:
    """Open a device by the name that the user gave it.

    Raises:
        UnusableDeviceError: there is no such device here, or no torch, or a wrong rule file.
        RuntimeError: the device is there and does not work.
    """
    kind, _, file = name.partition(":")
    try:
        # Before torch, whose import takes seconds, so that a mistake shows at once.
        rules = load_rules(Path(file)) if kind == "sim" else None
    except DataFileError as error:
        raise UnusableDeviceError(str(error)) from error
    try:
        from rdna1.worker.device import SimulatedDevice, TorchDevice
    except (ImportError, OSError) as error:
        raise UnusableDeviceError(
            f"{sys.executable} cannot import torch: {error}; "
            "use the rdna1-validate of an environment that can, or add torch to this one with the "
            "extra rdna1[torch]"
        ) from error
    return TorchDevice(name) if rules is None else SimulatedDevice(rules, Path(file))


def _check(device: TorchDevice, channel: Channel, ready: Ready) -> None:
    """See whether the device still works."""
    try:
        device.check()
    except RuntimeError as error:
        channel.send(_failure(error))
    else:
        channel.send(ready)


def _serve(case: ConvCase, device: TorchDevice, channel: Channel) -> None:
    """Run one case and answer."""
    from rdna1.conv.reference import expect, make_inputs

    try:
        inputs = make_inputs(case)
        expected = expect(case, inputs)
        channel.send(Started())
        first, seconds = device.run(case, inputs)
        channel.send(FirstRun(seconds))
        threads = threads_of([os.getpid()])
        second, seconds = device.run(case, inputs)
        waited = min(seconds, waited_between(threads, threads_of([os.getpid()])))
        channel.send(_answer([first, second], expected, seconds, waited))
    except RuntimeError as error:
        channel.send(_failure(error))


def _answer(
    runs: list[dict[str, Tensor]], expected: dict[str, Expected], seconds: float, waited: float
) -> Answer:
    """Compare all results of a case's runs; the errors of the answer are the largest of them."""
    from rdna1.conv.reference import compare

    compared = [(name, compare(run[name], expected[name])) for run in runs for name in expected]
    # Both runs are mostly wrong in the same way, which is said once.
    faults = dict.fromkeys(f"{name}: {found.fault}" for name, found in compared if found.fault)
    return Answer(
        seconds=seconds,
        max_abs_err=_largest([found.max_abs_err for _, found in compared]),
        max_rel_err=_largest([found.max_rel_err for _, found in compared]),
        fault="; ".join(faults),
        waited_seconds=waited,
    )


def _largest(errors: list[float | None]) -> float | None:
    """The largest error, None when there is one that is no number."""
    numbers = [error for error in errors if error is not None]
    return max(numbers) if len(numbers) == len(errors) else None


def _failure(error: RuntimeError) -> Failed:
    if isinstance(error, DeviceError):
        return Failed(str(error)[:_MAX_ERROR_TEXT], error.usable)
    return Failed(f"{type(error).__name__}: {error}"[:_MAX_ERROR_TEXT])


if __name__ == "__main__":
    main()
