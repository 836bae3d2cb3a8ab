"""What the reports of all measurements begin with."""

from __future__ import annotations

from typing import Literal

import msgspec

# Why a measurement stopped when its user stopped it.
INTERRUPTED = "interrupted"

Verdict = Literal["pass", "fail"]


class Head(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """The begin of a report; the tag of a report's type is its ``kind``, the measurement's name.

    Attributes:
        schema_version: of the JSON form.
        verdict: ``pass`` when the measurement found what it was made to find.
    """

    schema_version: Literal[1] = 1
    verdict: Verdict

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong and nothing is missing."""
        return self.verdict == "pass"

    @property
    def was_interrupted(self) -> bool:
        """Whether the user stopped it."""
        return getattr(self, "stopped", "") == INTERRUPTED
