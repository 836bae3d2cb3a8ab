"""``rdna1-validate report``: show results again, and merge the shards of a sweep."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rdna1.cli.output import UsageError, add_report_options, write_report
from rdna1.cli.validate.envelope_file import write_envelope
from rdna1.cli.validate.options import FORMS, check_report, check_writable
from rdna1.cli.validate.rendering import rendered
from rdna1.measure.envelope import EnvelopeError
from rdna1.measure.envelope_merge import combined
from rdna1.measure.head import Head
from rdna1.measure.result_file import load_result
from rdna1.measure.sweep.merge import merged_by_card
from rdna1.measure.sweep.report import SweepReport
from rdna1.measure.verbs import verb_of

if TYPE_CHECKING:
    from rdna1.cli.validate.options import Commands

_EXAMPLES = """\
examples:
  rdna1-validate report smoke.json boundary.json
  rdna1-validate report shard-*.json --format json --output sweep.json
  rdna1-validate report shard-*.json --envelope envelope.json
  rdna1-validate report boundary.json sweep.json --format html --output card.html

exit codes: 0 all passed, 1 some did not or a shard is missing, 2 wrong usage or
            unreadable input
"""


def add_to(commands: Commands) -> None:
    """Add the parser of the subcommand."""
    parser = commands.add_parser(
        "report",
        help="show results again, merge the shards of a sweep",
        description="Show results that were written with --format json. Shards of one sweep\n"
        "become one report; a shard that is there twice is of another card, and a report of\n"
        "its own. An envelope is made of all of them, whatever was measured.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a result")
    add_report_options(parser, *FORMS)
    parser.add_argument(
        "--envelope",
        type=Path,
        metavar="FILE",
        help="also write what all of them allow there, for programs",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    check_report(options)
    check_writable("--envelope", options.envelope)
    loaded = [(str(path), load_result(path)) for path in options.files]
    if options.envelope:
        _refuse_comparisons(loaded, options.envelope)
    reports: list[Head] = [each for _, each in loaded if not isinstance(each, SweepReport)]
    shards = [(name, each) for name, each in loaded if isinstance(each, SweepReport)]
    if shards:
        reports += merged_by_card(shards, several=options.envelope is not None)
    write_report(rendered(reports, options.format, options.output), options.output)
    if options.envelope:
        _write_envelope([each for _, each in loaded], options.envelope)
    return 0 if all(report.passed for report in reports) else 1


def _refuse_comparisons(loaded: Sequence[tuple[str, Head]], file: Path) -> None:
    """End where the cases of a report hold in other environments than the one that is used."""
    for name, report in loaded:
        if verb_of(report).compares:
            raise UsageError(
                f"--envelope {file}: {name} compares environments, and an envelope is of one. "
                "Remedy: leave it out, or run rdna1-validate boundary in the environment chosen"
            )


def _write_envelope(reports: Sequence[Head], file: Path) -> None:
    """Write what the cases of all reports allow.

    Raises:
        UsageError: they are of different cards or conditions, or nothing passed.
    """
    try:
        envelope, contradictory = combined(reports)
    except EnvelopeError as error:
        raise UsageError(f"--envelope {file}: {error}") from error
    write_envelope(envelope, file)
    for case in contradictory:
        print(
            f"rdna1-validate: {case.label} passed one time and not another: it counts as failed",
            file=sys.stderr,
        )
