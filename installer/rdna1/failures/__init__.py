"""Name the cause and the remedy of a failed installation (``failures.yml``)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import msgspec

from rdna1.yaml_data import load

# What the module apt says before the error: its command, longer than the error itself.
_COMMAND = re.compile(r"^'\S*/apt-get [^\n]*?' failed: ", re.MULTILINE)


class KnownFailure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A failure by what tools print of it.

    Attributes:
        pattern: regular expression, searched without regard to case; a named group that
            starts with ``name`` is what ``{name}`` in the cause stands for.
        cause: what happened.
        remedy: what to do.
        lines: regular expression of the lines that tell it one by one, where the line that
            the pattern is found in does not.
    """

    pattern: str
    cause: str
    remedy: str
    lines: str = ""


@cache
def known_failures() -> list[KnownFailure]:
    """Load ``failures.yml``.

    Raises:
        rdna1.yaml_data.DataFileError: the file is damaged.
    """
    return load(Path(__file__).with_name("failures.yml"), list[KnownFailure])


def explain(output: str) -> str:
    """Cause, remedy and the telling line of a failed tool's output.

    Args:
        output: what the tool printed, of any length.

    Returns:
        Text of a few lines; the end of the output itself when the failure is not known.
    """
    output = _COMMAND.sub("", output)
    for failure in known_failures():
        # uv breaks its lines at the width of a terminal.
        pattern = failure.pattern.replace(" ", r"\s+")
        found = re.search(pattern, output, re.IGNORECASE | re.DOTALL)
        if found:
            name = next((text for text in found.groupdict().values() if text), "")
            cause = failure.cause.format(name=name)
            said = _lines(failure, output) or _line_around(output, found.start())
            return f"Cause: {cause}\nRemedy: {failure.remedy}\nIt said: {said}"
    return f"The installation failed. The end of what it said:\n{output.strip()[-1500:]}"


def _lines(failure: KnownFailure, output: str) -> str:
    """The telling lines, each once, in their order; nothing where the failure names none."""
    if not failure.lines:
        return ""
    found = re.finditer(failure.lines, output, re.MULTILINE)
    return "\n".join(dict.fromkeys(line[0].rstrip()[:500] for line in found)).strip()


def _line_around(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    return text[start : end if end >= 0 else len(text)].strip()[:500]
