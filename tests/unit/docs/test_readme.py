"""The README is short, and its figures are those of the source."""

from __future__ import annotations

import re

from rdna1.catalog.stacks import load_stack, stack_names
from rdna1.preflight import CHECKS
from support.shown_commands import ROOT, shown_commands

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


def test_the_hang_is_named_before_the_first_command_that_measures() -> None:
    assert README.index("A measurement can hang the card") < README.index("\n./run provision")


def test_it_counts_the_layers_that_are_too_large_as_the_page_of_the_guard() -> None:
    too_large, total = map(int, re.findall(r"(\d+) of (\d+) convolutions are larger", README)[0])
    (command,) = re.findall(r"`(rdna1-audit tests/support/.*?)`", README)
    (shown,) = (s for s in shown_commands(ROOT / "docs" / "guard.md") if s.line == command)
    assert f"{total} convolutions: {total - too_large} inside, {too_large} outside" in shown.output
