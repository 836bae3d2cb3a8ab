"""Writes the envelope file that ``--envelope`` names."""

from __future__ import annotations

import sys
from pathlib import Path

from rdna1.cli.output import UsageError, write_report
from rdna1.measure.envelope import Envelope
from rdna1.measure.envelope_renewal import with_routes


def write_envelope(envelope: Envelope, file: Path) -> None:
    """Write an envelope; routes that somebody added to the file stay, or it is said that they go.

    Raises:
        UsageError: the file cannot be read or written.
    """
    from rdna1.report.json import to_json

    try:
        earlier = file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise UsageError(f"--envelope {file}: {error.strerror}") from error
    envelope, different = with_routes(earlier, envelope)
    write_report(to_json(envelope), file)
    if different:
        print(
            f"rdna1-validate: --envelope {file}: its routes were measured elsewhere and are left "
            f"out: {'; '.join(different)}",
            file=sys.stderr,
        )
