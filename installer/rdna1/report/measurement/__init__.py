"""A page and a picture of measurements, made from what ``rdna1-validate`` reports."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final, Literal

import msgspec

PageForm = Literal["html", "png"]

# What each form needs beyond the packages that every machine has; the extra ``rdna1[report]``.
_NEEDS: Final[dict[PageForm, str]] = {"html": "jinja2", "png": "matplotlib"}


def missing_package(form: PageForm) -> str | None:
    """Return the name of the package that a form needs and lacks, None if all is there."""
    return None if find_spec(_NEEDS[form]) else _NEEDS[form]


def measurement_page(form: PageForm, reports: Sequence[msgspec.Struct]) -> str | bytes:
    """Render reports as an HTML page or as the bytes of a PNG.

    Args:
        form: ``html`` or ``png``.
        reports: of ``rdna1-validate``, at least one, of any kind.

    Raises:
        ModuleNotFoundError: `missing_package` names it.
    """
    # Each form is imported where it is used: its package may be missing.
    from rdna1.report.measurement.subject import subjects

    if form == "html":
        from rdna1.report.measurement.html import page

        return page(subjects(reports))
    from rdna1.report.measurement.picture import picture

    return picture(subjects(reports))
