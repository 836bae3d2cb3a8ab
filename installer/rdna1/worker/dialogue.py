"""Listen to a worker, and make a loss of whatever it does instead of answering."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from rdna1.conv.result import ConvOutcome
from rdna1.worker.given_time import SLICE_SECONDS, GivenTime
from rdna1.worker.messages import FirstReply, Opening, Preparation, Reply
from rdna1.worker.process import DeadlineError, DeathError, Ending, Worker, describe_exit

M = TypeVar("M")

# Small convolutions take milliseconds: of what takes longer the given time is counted.
_AT_ONCE_SECONDS = 0.25
_SHORTEST_SLICE = 0.01


@dataclass(frozen=True)
class Phase(Generic[M]):
    """What the worker is doing while the supervisor waits.

    Attributes:
        answers: reads what the worker may say then.
        prefix: begins the detail of a result that was lost in this phase.
        late: outcome when the deadline passes.
    """

    answers: msgspec.json.Decoder[M]
    prefix: str
    late: ConvOutcome


STARTING: Phase[Opening] = Phase(
    msgspec.json.Decoder(Opening), "the worker did not start: ", "hang"
)
PREPARING: Phase[Preparation] = Phase(
    msgspec.json.Decoder(Preparation), "before the device was used: ", "error"
)
FIRST_RUN: Phase[FirstReply] = Phase(msgspec.json.Decoder(FirstReply), "", "hang")
SECOND_RUN: Phase[Reply] = Phase(msgspec.json.Decoder(Reply), "in the second run: ", "hang")


class IdleError(DeadlineError):
    """A worker did nothing for as long as it may."""


class LossError(Exception):
    """A worker is gone and has not answered.

    Attributes:
        outcome: of the case that it had.
        seconds: from the beginning of the phase to its end.
        ending: what became of the worker.
    """

    def __init__(self, outcome: ConvOutcome, seconds: float, detail: str, ending: Ending) -> None:
        """Keep what is known."""
        super().__init__(detail)
        self.outcome: ConvOutcome = outcome
        self.seconds = seconds
        self.ending = ending


def listen(
    worker: Worker,
    seconds: float,
    phase: Phase[M],
    *,
    idle: float = math.inf,
) -> M:
    """Wait for what a worker says next.

    Args:
        worker: any.
        seconds: that it may take, of the time that the machine gives it.
        phase: what it does.
        idle: of the seconds, how many on end it may do nothing by itself
            (`rdna1.worker.given_time`): then it waits for the device alone.

    Raises:
        LossError: it says nothing, or nothing that makes sense; it has been killed then.
    """
    begun = time.monotonic()
    try:
        return phase.answers.decode(_receive(worker, seconds, idle))
    except IdleError:
        outcome, cause = phase.late, f"no answer, and idle for {idle:.3g} s, killed"
    except DeadlineError:
        outcome, cause = phase.late, f"no answer within {seconds:.3g} s, killed"
    except DeathError:
        outcome, cause = "crash", "killed with its reaper"
    except msgspec.MsgspecError as error:
        outcome, cause = "error", f"unintelligible answer: {error}"
    elapsed = time.monotonic() - begun
    ending = worker.kill()
    if outcome == "crash" and ending.code is not None:
        cause = describe_exit(ending.code)
    if ending.left:
        cause += f", but {describe_left(ending.left)}"
    raise LossError(outcome, elapsed, phase.prefix + with_last_words(cause, worker), ending)


def _receive(worker: Worker, seconds: float, idle: float) -> bytes:
    """As `rdna1.worker.process.Worker.receive`, within the seconds that the machine gives."""
    first = min(_AT_ONCE_SECONDS, seconds)
    with contextlib.suppress(DeadlineError):
        return worker.receive(time.monotonic() + first)
    clock = GivenTime(worker.pid, first)
    while clock.seconds < seconds:
        wait = max(_SHORTEST_SLICE, min(SLICE_SECONDS, seconds - clock.seconds))
        with contextlib.suppress(DeadlineError):
            return worker.receive(time.monotonic() + wait)
        clock.tick(wait)
        if clock.idle >= idle:
            raise IdleError
    raise DeadlineError


def describe_left(pids: tuple[int, ...]) -> str:
    """Say that processes cannot be killed."""
    listed = ", ".join(map(str, pids))
    return f"process {listed} does not die; only a reboot ends it"


def with_last_words(cause: str, worker: Worker) -> str:
    """Return a cause, and below it what the worker wrote last to standard error."""
    return f"{cause}\n{worker.last_words}".strip()
