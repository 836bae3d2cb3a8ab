"""Read what a run has written with ``--format json``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rdna1.errors import InputError
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.smoke import SmokeReport
from rdna1.measure.sweep.report import SweepReport
from rdna1.measure.timing import TimingReport

ConvReport = SmokeReport | BoundaryReport | TimingReport | SweepReport


class ResultFileError(InputError):
    """A file that holds no result; one line with the cause."""


class _Head(msgspec.Struct):
    schema_version: int
    kind: str


_KINDS: dict[str, type[ConvReport]] = {
    "smoke": SmokeReport,
    "boundary": BoundaryReport,
    "timing": TimingReport,
    "sweep": SweepReport,
}


def load_result(path: Path) -> ConvReport:
    """Read a result.

    Raises:
        ResultFileError: the file cannot be read, or is no result of a kind and version that this
            program knows.
    """
    try:
        text = path.read_bytes()
        head = msgspec.json.decode(text, type=_Head)
        if head.kind not in _KINDS:
            raise ResultFileError(f"{path}: kind {head.kind!r} is none of {', '.join(_KINDS)}")
        if head.schema_version != 1:
            raise ResultFileError(f"{path}: schema version {head.schema_version}, not 1")
        return msgspec.json.decode(text, type=_KINDS[head.kind])
    except OSError as error:
        raise ResultFileError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ResultFileError(f"{path}: no result of rdna1-validate: {error}") from error
