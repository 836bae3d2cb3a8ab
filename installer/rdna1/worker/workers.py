"""The workers of a run, one after the other: copies of a template."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rdna1.conv.result import UnusableDeviceError
from rdna1.worker.dialogue import STARTING, LossError, listen, with_last_words
from rdna1.worker.messages import Ready, Unusable
from rdna1.worker.process import Ending, Worker
from rdna1.worker.run_folder import RunFolder
from rdna1.worker.template import Template
from rdna1.worker.variables import worker_environment


class Limits(NamedTuple):
    """What workers may take.

    Attributes:
        allowance: seconds to start.
        patience: seconds to end after SIGKILL.
        unkillable: how many that do not end are gone on without.
    """

    allowance: float
    patience: float
    unkillable: int


class Workers:
    """Starts and ends the workers of one run.

    Args:
        command: the worker's program and arguments.
        variables: what the workers' environment shall have otherwise, see
            `rdna1.worker.variables.worker_environment`.
        limits: what they may take.

    Attributes:
        lost: number of workers that died or had to be killed.
        unkillable: for each worker that SIGKILL did not end, its processes.
        open_seconds: from the start of the last worker until it had opened the device, None before.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str | None], limits: Limits
    ) -> None:
        """Make a folder for the workers' files.

        Raises:
            ValueError: ``variables`` has one that is the run's own.
        """
        self.lost = 0
        self.unkillable: list[tuple[int, ...]] = []
        self.open_seconds: float | None = None
        self._command = command
        self._limits = limits
        self._template: Template | None = None
        self._current: Worker | None = None
        self._opened: Ready | None = None
        self._variables = variables
        self._make_folder()

    @property
    def exhausted(self) -> bool:
        """Whether more workers cannot be killed than the limit allows."""
        return len(self.unkillable) > self._limits.unkillable

    def take(self) -> tuple[Worker, Ready]:
        """Return a worker that has opened the device: the present one, or a new one.

        Raises:
            LossError: a new one does not start.
            UnusableDeviceError: the device does not exist here.
        """
        if self._current and self._opened:
            return self._current, self._opened
        try:
            return self._start()
        except LossError as loss:
            if not self.lost:
                raise
            # What ended the one before, a reset say, may still have been going on.
            self.note(loss)
        return self._start()

    def discard(self) -> None:
        """Kill the present worker, if there is one."""
        worker, self._current, self._opened = self._current, None, None
        if worker:
            self._bury(worker.kill())

    def note(self, loss: LossError) -> None:
        """Count the present worker as lost; `rdna1.worker.dialogue.listen` has killed it."""
        self._current = self._opened = None
        self.lost += 1
        self._bury(loss.ending)

    def start_afresh(self) -> None:
        """Close, and let later workers begin without what these have compiled and chosen."""
        self.close()
        self._make_folder()

    def close(self) -> None:
        """Kill all workers and remove their files."""
        self.discard()
        self._end_template()
        self._folder.remove()

    def _end_template(self) -> None:
        template, self._template = self._template, None
        if template:
            template.close()

    def _make_folder(self) -> None:
        self._folder = RunFolder()
        try:
            self._environment = worker_environment(os.environ, self._folder.path, self._variables)
        except BaseException:
            self._folder.remove()
            raise

    def _start(self) -> tuple[Worker, Ready]:
        """Start a worker, and wait until it has opened the device."""
        self.open_seconds = None
        begun = time.monotonic()
        if self._template and not self._template.alive:
            self._end_template()
        if not self._template:
            self._template = Template(self._command, self._folder.path, self._environment)
        self._current = worker = Worker(self._template, self._limits.patience)
        message = listen(worker, self._limits.allowance, STARTING)
        if isinstance(message, Ready):
            self._opened = message
            self.open_seconds = time.monotonic() - begun
            return worker, message
        self._current = None
        ending = worker.kill()
        if isinstance(message, Unusable):
            self._bury(ending)
            raise UnusableDeviceError(message.text)
        detail = STARTING.prefix + with_last_words(message.text, worker)
        raise LossError("error", 0.0, detail, ending)

    def _bury(self, ending: Ending) -> None:
        if ending.left:
            self.unkillable.append(ending.left)
