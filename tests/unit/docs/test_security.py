"""The threat model names what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_file_and_test_that_it_names_is_there() -> None:
    named = re.findall(r"`((?:installer|tests)/[^`]+|ansible\.cfg)`", PAGE)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_leads_to_it() -> None:
    assert "(docs/security.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_command_that_it_names_is_one() -> None:
    assert "./run checkout" in PAGE
    assert "\n#   checkout " in (ROOT / "run").read_text(encoding="utf-8")
