"""The process that runs convolutions, and that may hang or die of them.

Started by `rdna1.worker.template.Template` as ``python -m rdna1.worker.worker``: that imports
torch, and a copy of it is the worker. It says what `rdna1.worker.messages` describes on its
channel, and reads cases there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rdna1.catalog.yaml_data import DataFileError
from rdna1.conv.case import ConvCase
from rdna1.conv.result import UnusableDeviceError
from rdna1.sim.rules import Rule, load_rules
from rdna1.worker.device_error import DeviceError
from rdna1.worker.given_time import threads_of, waited_between
from rdna1.worker.messages import Answer, Failed, FirstRun, Ready, Started, Unusable, encode
from rdna1.worker.template import become_worker, end_with_supervisor

if TYPE_CHECKING:
    from torch import Tensor

    from rdna1.conv.reference import Expected
    from rdna1.worker.device import TorchDevice

# Enough to recognise an error; HIP repeats itself over pages.
_MAX_ERROR_TEXT = 2000


class Channel:
    """The socket to the supervisor, out of reach of everything else in this process.

    Libraries write to descriptor 1 as they like (MIOpen's log does).
    """

    def __init__(self, end: socket.socket) -> None:
        """Take the socket over."""
        self._requests = end.makefile("rb")
        self._answers = end.makefile("wb")

    def send(self, message: msgspec.Struct) -> None:
        """Send one message at once."""
        self._answers.write(encode(message))
        self._answers.flush()

    def receive(self) -> Iterator[ConvCase]:
        """Yield the cases as they come, until the supervisor ends it."""
        for line in iter(self._requests.readline, b""):
            yield msgspec.json.decode(line, type=ConvCase)


def main(argv: list[str] | None = None) -> None:
    """Be the template, and in its copies serve cases until the supervisor closes the channel.

    Args:
        argv: arguments after the program's name; None takes those of the process.
    """
    parser = argparse.ArgumentParser(prog="rdna1.worker.worker")
    parser.add_argument("--device", required=True, help="auto, cpu, cuda, cuda:N or sim:FILE")
    parser.add_argument("--requests", required=True, type=int, help="descriptor of a socket")
    arguments = parser.parse_args(argv)
    end_with_supervisor()
    # A mistake is the worker's to tell.
    with contextlib.suppress(UnusableDeviceError):
        _load(arguments.device)
    channel = Channel(become_worker(arguments.requests))
    try:
        device = _open(arguments.device)
    except UnusableDeviceError as error:
        channel.send(Unusable(str(error)))
    except RuntimeError as error:
        channel.send(_failure(error))
    else:
        channel.send(Ready(device.info, device.identity))
        for case in channel.receive():
            _serve(case, device, channel)


def _open(name: str) -> TorchDevice:
    """Open a device by the name that the user gave it.

    Raises:
        UnusableDeviceError: as `_load`, or there is no such device here.
        RuntimeError: the device is there and does not work.
    """
    rules = _load(name)
    from rdna1.worker.device import SimulatedDevice, TorchDevice

    if rules is None:
        return TorchDevice(name)
    return SimulatedDevice(rules, Path(name.partition(":")[2]))


def _load(name: str) -> list[Rule] | None:
    """Read a simulated device's rules, and import torch; touch no device.

    Returns:
        The rules, None for a device that is not simulated.

    Raises:
        UnusableDeviceError: there is no torch, or a wrong rule file.
    """
    kind, _, file = name.partition(":")
    try:
        # Before torch, whose import takes seconds, so that a mistake shows at once.
        rules = load_rules(Path(file)) if kind == "sim" else None
    except DataFileError as error:
        raise UnusableDeviceError(str(error)) from error
    # numpy, which torch imports, starts threads of OpenBLAS, and whoever is copied has one only.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        import rdna1.conv.reference
        import rdna1.worker.device  # noqa: F401 - for `_open`
    except (ImportError, OSError) as error:
        raise UnusableDeviceError(
            f"{sys.executable} cannot import torch: {error}; "
            "use the rdna1-validate of an environment that can, or add torch to this one with the "
            "extra rdna1[torch]"
        ) from error
    return rules


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
    """Return the largest error, None when there is one that is no number."""
    numbers = [error for error in errors if error is not None]
    return max(numbers) if len(numbers) == len(errors) else None


def _failure(error: RuntimeError) -> Failed:
    if isinstance(error, DeviceError):
        return Failed(str(error)[:_MAX_ERROR_TEXT], error.usable)
    return Failed(f"{type(error).__name__}: {error}"[:_MAX_ERROR_TEXT])


if __name__ == "__main__":
    main()
