"""Installed parts of ROCm: which release of AMD's they are of, and which do not fit a stack."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rdna1.preflight.facts import RocmPart

# AMD's release ends the upstream version of each package: 2.21.5.70200-43~22.04 is of 7.2.0.
_DIGITS = re.compile(r"\.(\d{5,6})-\d")
_NEW_NAME = "amdrocm"
_NEW_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")


def amd_release(part: RocmPart) -> str | None:
    """Return the release of ROCm that a package of AMD belongs to, None where it does not tell."""
    if part.name.startswith(_NEW_NAME):
        match = _NEW_VERSION.match(part.version)
        return match[0] if match else None
    digits = _DIGITS.search(part.version)
    if digits is None:
        return None
    number = int(digits[1])
    return f"{number // 10000}.{number // 100 % 100}.{number % 100}"


def of_other_release(parts: Iterable[RocmPart], release: str) -> list[RocmPart]:
    """Return AMD's packages that are certainly of another release."""
    return [
        part for part in parts if part.source == "amd" and amd_release(part) not in (None, release)
    ]


def not_of(parts: Iterable[RocmPart], source: str, release: str) -> list[RocmPart]:
    """Return the packages of another source than ``source``, or of another release of AMD's."""
    listed = [part for part in parts if part.source != "folder"]
    others = of_other_release(listed, release) if source == "amd" else []
    return [part for part in listed if part.source != source or part in others]
