"""Jinja filters of the roles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rdna1.catalog.failures import explain
from rdna1.target.printable import printable, printable_lines


def rdna1_failure(result: Mapping[str, Any]) -> str:
    """Return cause and remedy of a failed task's result."""
    output = "\n".join(str(result[key]) for key in ("msg", "stderr", "stdout") if result.get(key))
    return printable_lines(explain(output))


def rdna1_printable(names: str | Iterable[str]) -> str | list[str]:
    """Return what others have named, one name or several, for a message."""
    if isinstance(names, str):
        return printable(names)
    return [printable(str(name)) for name in names]


def rdna1_envelope(boundary: str, stack: str, earlier: str = "") -> str:
    """Return content of the envelope file, empty where nothing is known to work.

    Args:
        boundary: JSON of the search for the limit, empty where it was left out.
        stack: name of the stack, whose documented limit counts then.
        earlier: content of the file so far, empty where there is none.
    """
    # Each task is a process that loads all filters; these imports are one filter's.
    import msgspec

    from rdna1.catalog.stacks import load_stack
    from rdna1.measure.boundary.report import BoundaryReport
    from rdna1.measure.envelope import EnvelopeError, documented_envelope, measured_envelope
    from rdna1.measure.envelope_renewal import renewed
    from rdna1.report.json import to_json

    if not boundary:
        found = documented_envelope(load_stack(stack))
    else:
        try:
            found = measured_envelope(msgspec.json.decode(boundary.encode(), type=BoundaryReport))
        except EnvelopeError:
            return ""
    return to_json(renewed(earlier, found)) if found else ""


class FilterModule:
    """What Ansible looks for in a filter file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return names and functions of the filters."""
        return {
            "rdna1_envelope": rdna1_envelope,
            "rdna1_failure": rdna1_failure,
            "rdna1_printable": rdna1_printable,
        }
