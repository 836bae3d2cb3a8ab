"""The one runner of all measurements: ask, measure, report, and end with the right code."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

from rdna1.cli.entry import INTERRUPTED
from rdna1.cli.output import write_report
from rdna1.cli.validate.consent import REFUSED, may_measure
from rdna1.cli.validate.options import check_report
from rdna1.cli.validate.progress import ProgressLine, progress_line
from rdna1.cli.validate.rendering import rendered, verdict_line
from rdna1.measure.head import Head

R = TypeVar("R", bound=Head)


def run_measurement(
    options: argparse.Namespace,
    measure: Callable[[ProgressLine], R],
    *,
    total: int | None = None,
    after: Callable[[R], None] = lambda _: None,
) -> int:
    """Run a measurement as its command was asked to.

    Args:
        options: of `rdna1.cli.validate.options.add_command`; with those of ``add_consent`` the
            owner of the card is asked first.
        measure: makes the report, and shows how far it is.
        total: number of cases, None when it is not known.
        after: what else is done with the report, once it is written.

    Returns:
        The exit code.
    """
    check_report(options)
    if "yes" in options and not may_measure(options, options.command, options.max_hangs):
        return REFUSED
    with progress_line(total) as line:
        report = measure(line)
    write_report(rendered([report], options.format, options.output), options.output)
    if options.output:
        write_report(f"{verdict_line(report)}; report in {options.output}", None)
    after(report)
    if report.was_interrupted:
        return INTERRUPTED
    # Of a sweep it is the verdict on this shard: the others are run elsewhere.
    return 0 if report.verdict == "pass" else 1
