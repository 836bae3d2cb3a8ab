"""The workers of a run: one that works, and spare ones that are ready to take over."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rdna1.conv.result import UnusableDeviceError
from rdna1.worker.dialogue import STARTING, LossError, listen, with_last_words
from rdna1.worker.messages import CHECK, Ready, Unusable
from rdna1.worker.process import Ending, Worker
from rdna1.worker.run_folder import RunFolder
from rdna1.worker.variables import worker_environment


class Limits(NamedTuple):
    """What workers may take.

    Attributes:
        allowance: seconds to start.
        check: seconds for a spare to show that its device works.
        patience: seconds to end after SIGKILL.
        unkillable: how many that do not end are gone on without.
    """

    allowance: float
    check: float
    patience: float
    unkillable: int


class Workers:
    """Starts and ends the workers of one run.

    Args:
        command: the worker's program and arguments.
        variables: what the workers' environment shall have otherwise, see
            `rdna1.worker.variables.worker_environment`.
        limits: what they may take.
        spares: whether to keep a spare.
        early: whether the first one starts beside the first worker; and two are kept once a worker
            is lost, as another hang may follow before one has imported torch.

    Attributes:
        lost: number of workers that died or had to be killed.
        replaced: whether a worker of this run has been killed, or has died.
        unkillable: for each worker that SIGKILL did not end, its processes.
        open_seconds: from the start of the last worker that was no spare until it had opened the
            device, None before.
    """

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str | None],
        limits: Limits,
        *,
        spares: bool,
        early: bool = False,
    ) -> None:
        """Make a folder for the workers' files.

        Raises:
            ValueError: ``variables`` has one that is the run's own.
        """
        self.lost = 0
        self.replaced = False
        self.unkillable: list[tuple[int, ...]] = []
        self.open_seconds: float | None = None
        self._command = command
        self._limits = limits
        self._spares = spares
        self._early = early
        self._current: Worker | None = None
        self._ready: list[Worker] = []
        self._opened: Ready | None = None
        self._variables = variables
        self._make_folder()

    @property
    def exhausted(self) -> bool:
        """Whether more workers cannot be killed than the limit allows."""
        return len(self.unkillable) > self._limits.unkillable

    def take(self) -> tuple[Worker, Ready]:
        """A worker that has opened the device: the present one, the spare one, or a new one.

        Raises:
            LossError: a new one does not start.
            UnusableDeviceError: the device does not exist here.
        """
        if self._current and self._opened:
            return self._current, self._opened
        if self._ready:
            self._current = spare = self._ready.pop(0)
            self._opened = self._check_spare(spare)
            if self._opened:
                return spare, self._opened
        self.open_seconds = None
        begun = time.monotonic()
        self._current = worker = self._start()
        if self._early and not self.replaced:
            self.start_spare()
        self._opened = ready = self._open(worker)
        self.open_seconds = time.monotonic() - begun
        return worker, ready

    def start_spare(self) -> None:
        """Start the spares that are missing; they open the device while this process goes on."""
        wanted = (2 if self._early and self.replaced else 1) if self._spares else 0
        while len(self._ready) < wanted:
            self._ready.append(self._start())

    def discard(self) -> None:
        """Kill the present worker, if there is one."""
        worker, self._current, self._opened = self._current, None, None
        if worker:
            self.replaced = True
            self._bury(worker.kill())

    def note(self, loss: LossError) -> None:
        """Count the present worker as lost; `rdna1.worker.dialogue.listen` has killed it."""
        self._current = self._opened = None
        self.lost += 1
        self.replaced = True
        self._bury(loss.ending)

    def start_afresh(self) -> None:
        """Close, and let later workers begin without what these have compiled and chosen."""
        self.close()
        self._make_folder()

    def close(self) -> None:
        """Kill all workers and remove their files."""
        self.discard()
        self._end_spares()
        self._folder.remove()

    def _end_spares(self) -> None:
        while self._ready:
            self._bury(self._ready.pop().kill())

    def _make_folder(self) -> None:
        self._folder = RunFolder()
        try:
            self._environment = worker_environment(os.environ, self._folder.path, self._variables)
        except BaseException:
            self._folder.remove()
            raise

    def _start(self) -> Worker:
        return Worker(self._command, self._folder.path, self._environment, self._limits.patience)

    def _bury(self, ending: Ending) -> None:
        if ending.left:
            self.unkillable.append(ending.left)

    def _open(self, worker: Worker) -> Ready:
        """Wait until a worker has opened the device."""
        message = listen(worker, self._limits.allowance, STARTING)
        if isinstance(message, Ready):
            return message
        self._current = None
        ending = worker.kill()
        if isinstance(message, Unusable):
            self._bury(ending)
            raise UnusableDeviceError(message.text)
        detail = STARTING.prefix + with_last_words(message.text, worker)
        raise LossError("error", 0.0, detail, ending)

    def _check_spare(self, spare: Worker) -> Ready | None:
        """Have the spare show that what ended its predecessor has left its device usable.

        A reset of a card ends the contexts of all processes, and a card may not have the memory
        for so many; so a spare that fails is no verdict on the device, and is the last one.
        """
        try:
            self._open(spare)
            spare.send(CHECK)
            message = listen(spare, self._limits.check, STARTING)
        except UnusableDeviceError:
            pass
        except LossError as loss:
            self.note(loss)
        else:
            if isinstance(message, Ready):
                return message
        self._spares = False
        self.discard()
        self._end_spares()
        return None
