"""The README is short, and its figures are those of the source."""

from __future__ import annotations

import re

from rdna1.catalog.stacks import load_stack, stack_names
from rdna1.preflight import CHECKS
from support.shown_commands import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_it_fits_in_130_lines() -> None:
    assert len(README.splitlines()) <= 130


def test_it_counts_the_checks() -> None:
    assert f"- {len(CHECKS)} checks of the machine" in README


def test_it_names_the_space_that_every_stack_asks_for() -> None:
    spaces = {load_stack(name).disk_gib for name in stack_names()}
    (space,) = spaces
    assert f"| {space.environment} GiB for `/opt`, {space.system} GiB for `/`;" in README


def test_it_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([\w./-]+)\)", README))
    pages = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    # Made by a benchmark; docs/benchmarks.md leads to it.
    assert pages - {"docs/gpu.md"} <= linked
    assert [name for name in linked if not (ROOT / name).exists()] == []
