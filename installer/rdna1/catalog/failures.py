"""Name cause and remedy of what failed: ``failures.yml``, ``machine_failures.yml`` for machines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import msgspec

from rdna1.catalog.harm import with_harm
from rdna1.catalog.yaml_data import DATA, load
from rdna1.target.credentials import text_without_credentials

# What the module apt says before the error: its command, longer than the error itself.
_WARNING = re.compile(r"^(?:W: |warning: |WARNING: )[^\n]*$", re.MULTILINE)
_COMMAND = re.compile(r"^'\S*/apt-get [^\n]*?' failed: ", re.MULTILINE)


class KnownFailure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A failure by what tools print of it.

    Attributes:
        pattern: regular expression, searched without regard to case; a named group that
            starts with ``name`` is what ``{name}`` in the cause stands for, another group what
            its own name does.
        example: what a tool printed, for docs/troubleshooting.md; this failure is the first
            that it matches.
        cause: what happened.
        remedy: what to do; may hold the same names.
        lines: regular expression of the lines, or sentences over several lines, that tell it one
            by one, where the line that the pattern is found in does not.
    """

    pattern: str
    example: str
    cause: str
    remedy: str
    lines: str = ""


@cache
def known_failures(file: str = "failures.yml") -> list[KnownFailure]:
    """Load ``failures.yml``, or another file of the kind.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: the file is damaged.
    """
    return load(DATA / file, list[KnownFailure])


def explain(output: str) -> str:
    """Return cause, remedy and the telling line of a failed tool's output.

    Args:
        output: what the tool printed, of any length.

    Returns:
        Text of a few lines; the end of the output itself when the failure is not known.
    """
    output = text_without_credentials(_COMMAND.sub("", output))
    # An error outranks a warning, whichever was printed first.
    errors = _WARNING.sub("", output)
    return (
        _explained(errors)
        or _explained(output)
        or f"The installation failed. The end of what it said:\n{output.strip()[-1500:]}"
    )


def explain_machine(output: str) -> str:
    """Return cause and remedy of what Ansible says of a machine that fails it; empty if unknown."""
    return _explained(text_without_credentials(output), known_failures("machine_failures.yml"))


def _explained(output: str, failures: Sequence[KnownFailure] | None = None) -> str:
    """Return the first failure that is found, in words; nothing where none is."""
    for failure in known_failures() if failures is None else failures:
        # uv breaks its lines at the width of a terminal.
        pattern = failure.pattern.strip().replace(" ", r"\s+")
        found = re.search(pattern, output, re.IGNORECASE | re.DOTALL)
        if found:
            groups = {name: text for name, text in found.groupdict().items() if text}
            names = [text for name, text in groups.items() if name.startswith("name")]
            words = {**groups, "name": next(iter(names), "")}
            said = _lines(failure, output) or _line_around(output, found.start())
            # Our own errors end with a remedy, and one is enough.
            said = said.partition(" Remedy: ")[0]
            cause, remedy = failure.cause.format(**words), with_harm(failure.remedy.format(**words))
            return f"Cause: {cause}\nRemedy: {remedy}\nIt said: {said}"
    return ""


def _lines(failure: KnownFailure, output: str) -> str:
    """Return the telling lines, each once, in their order; nothing where the failure names none."""
    if not failure.lines:
        return ""
    found = re.finditer(failure.lines, output, re.MULTILINE)
    lines = (line[0] for line in found)
    # A sentence that a tool broke at the width of a terminal is one line again.
    whole = (" ".join(line.split()) if "\n" in line else line.rstrip() for line in lines)
    return "\n".join(dict.fromkeys(line[:500] for line in whole)).strip()


def _line_around(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return text[start : end if end >= 0 else len(text)].strip()[:500]
