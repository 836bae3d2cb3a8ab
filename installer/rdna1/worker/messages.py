"""What worker and supervisor say to each other: one JSON document a line.

The supervisor sends a `rdna1.conv.case.ConvCase`. The worker first says `Ready`, `Unusable` or
`Failed`; after that, for each case, `Started`, `FirstRun` and `Answer`, any of which may be
`Failed` instead and the last.
"""

from __future__ import annotations

import msgspec

from rdna1.conv.result import DeviceInfo


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """torch is imported and the device has answered.

    Attributes:
        device: which.
        identity: what other processes call it too, None when runs need not take turns on it.
    """

    device: DeviceInfo
    identity: str | None = None


class Unusable(msgspec.Struct, frozen=True, tag="unusable"):
    """The device that was asked for does not exist here; nothing can be said about it."""

    text: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """Inputs and reference of the case are ready; from here on the device works."""


class FirstRun(msgspec.Struct, frozen=True, tag="first"):
    """The device has run the case once and will now run it again.

    Attributes:
        seconds: on the device, compiling and choosing kernels included.
    """

    seconds: float


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The device has finished.

    Attributes:
        seconds: on the device, in the second run.
        max_abs_err: as in `rdna1.conv.result.CaseResult`.
        max_rel_err: likewise.
        fault: what is wrong with the result of either run, empty when it is right.
        waited_seconds: of ``seconds``, as in `rdna1.conv.result.CaseResult`.
    """

    seconds: float
    max_abs_err: float | None
    max_rel_err: float | None
    fault: str
    waited_seconds: float = 0.0


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The device, or torch, raised an error.

    Attributes:
        text: the error.
        usable: whether the worker can take another case.
    """

    text: str
    usable: bool = False


Opening = Ready | Unusable | Failed
Preparation = Started | Failed
FirstReply = FirstRun | Failed
Reply = Answer | Failed


def encode(message: msgspec.Struct) -> bytes:
    """Return one line, its line feed included."""
    return msgspec.json.encode(message) + b"\n"
