"""Read what a run has written with ``--format json``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from rdna1.errors import InputError
from rdna1.measure.head import Head
from rdna1.measure.verbs import VERBS


class ResultFileError(InputError):
    """A file that holds no result; one line with the cause."""


class _Kind(msgspec.Struct):
    schema_version: int
    kind: str


def load_result(path: Path) -> Head:
    """Read a result.

    Raises:
        ResultFileError: the file cannot be read, or is not a result of a kind and version that this
            program knows.
    """
    types = {verb.name: verb.report for verb in VERBS}
    try:
        text = path.read_bytes()
        head = msgspec.json.decode(text, type=_Kind)
        if head.kind not in types:
            raise ResultFileError(f"{path}: kind {head.kind!r} is none of {', '.join(types)}")
        if head.schema_version != 1:
            raise ResultFileError(f"{path}: schema version {head.schema_version}, not 1")
        return msgspec.json.decode(text, type=types[head.kind])
    except OSError as error:
        raise ResultFileError(f"{path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ResultFileError(f"{path}: no result of rdna1-validate: {error}") from error
