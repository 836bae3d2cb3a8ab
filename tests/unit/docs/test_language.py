"""Users read plain English: pages, names of plays and the usage of run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from support.shown_commands import ROOT, pages

# What docs/glossary.md has another word for.
FORBIDDEN = re.compile(
    r"\b(?:judg(?:e[sd]?|ing|ements?)|box(?:es)?|anew|beside|stand-ins?|the way back"
    r"|put(?:s|ting)? right|vouch\w*|illegal|sittings?|gone on with)\b",
    re.IGNORECASE,
)
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))


def text_of(page: Path) -> str:
    """A page without code, which names things as they are, and without what is generated."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<!-- begin .*?<!-- end [\w.-]+ -->", "", text, flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    # Paths of files are no words.
    return re.sub(r"`[^`]*`|\S*/\S*", "", text)


# The changelog tells of earlier versions in their words.
@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page.name != "CHANGELOG.md"],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_a_page_is_in_plain_words(page: Path) -> None:
    assert FORBIDDEN.findall(text_of(page)) == []


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda playbook: playbook.name)
def test_names_of_plays_are_in_plain_words(playbook: Path) -> None:
    names = [str(play.get("name", "")) for play in yaml.safe_load(playbook.read_text())]
    assert FORBIDDEN.findall(" ".join(names)) == []


def test_the_usage_of_run_is_in_plain_words() -> None:
    usage = (ROOT / "run").read_text(encoding="utf-8").partition("\nset -eu")[0]
    assert FORBIDDEN.findall(usage) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_comment_behind_a_command_ends_within_80_columns(page: Path) -> None:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if " # " in line and len(line) > 80] == []
