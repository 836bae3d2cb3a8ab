"""What worker and supervisor say to each other: one JSON document a line.

The supervisor sends a `rdna1.conv.case.ConvCase`. The worker first says `Ready`, `Unusable` or
`Failed`; after that, for each case, `Started` and then `Answer` or `Failed`.
"""

from __future__ import annotations

import msgspec

from rdna1.conv.result import DeviceInfo


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """torch is imported and the device has answered."""

    device: DeviceInfo


class Unusable(msgspec.Struct, frozen=True, tag="unusable"):
    """The device that was asked for does not exist here; nothing can be said about it."""

    text: str


class Started(msgspec.Struct, frozen=True, tag="started"):
    """Inputs and reference of the case are ready; from here on the device works."""


class Answer(msgspec.Struct, frozen=True, tag="answer"):
    """The device has finished.

    Attributes:
        seconds: on the device.
        max_abs_err: as in `rdna1.conv.result.CaseResult`.
        max_rel_err: likewise.
        fault: what is wrong with the result, empty when it is right.
    """

    seconds: float
    max_abs_err: float | None
    max_rel_err: float | None
    fault: str


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
Reply = Answer | Failed


def encode(message: msgspec.Struct) -> bytes:
    """One line, its line feed included."""
    return msgspec.json.encode(message) + b"\n"
