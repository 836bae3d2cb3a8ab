"""The page about measurements. Needs jinja2, of the extra ``rdna1[report]``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

import jinja2
from markupsafe import Markup

from rdna1.conv.result import ConvOutcome
from rdna1.report.console import printable
from rdna1.report.measurement import figures
from rdna1.report.measurement.subject import Subject
from rdna1.report.measurement.verdict import verdict

# For a box of -1 to 1; shapes differ, so that nobody depends on the colours.
SYMBOLS: Final[dict[ConvOutcome, str]] = {
    "pass": "M1 0A1 1 0 1 1-1 0A1 1 0 1 1 1 0Z",
    "slow": "M0-1L1 .8L-1 .8Z",
    "error": "M0-1.1L1.1 0L0 1.1L-1.1 0Z",
    "wrong": "M-1-.3H-.3V-1H.3V-.3H1V.3H.3V1H-.3V.3H-1Z",
    "crash": "M-.85-.85H.85V.85H-.85Z",
    "hang": "M-1-.6L-.6-1L0-.4L.6-1L1-.6L.4 0L1 .6L.6 1L0 .4L-.6 1L-1 .6L-.4 0Z",
}


def page(subjects: Sequence[Subject]) -> str:
    """Write a page that needs nothing but itself: no script, no request, no font.

    Args:
        subjects: one for each device. None of their texts is trusted: markup and control
            characters are shown as such.
    """
    return _template().render(
        subjects=[(subject, verdict(subject)) for subject in subjects],
        figures=figures,
        symbols=SYMBOLS,
        data=lambda document: base64.b64encode(document).decode("ascii"),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        # What a macro wrote is finished.
        finalize=lambda value: value if isinstance(value, Markup) else printable(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    source = files("rdna1.report.measurement").joinpath("page.html.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))
