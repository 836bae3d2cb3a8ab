"""Users read plain English: pages, names of plays and the usage of run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.shown_commands import ROOT, pages

# What docs/glossary.md has another word for.
FORBIDDEN = re.compile(
    r"\b(?:judg(?:e[sd]?|ing|ements?)|box(?:es)?|anew|beside|stand-ins?|the way back"
    r"|put(?:s|ting)? right|vouch\w*|illegal|sittings?|gone on with|people|prolonged)\b",
    re.IGNORECASE,
)
# Names of plays and tasks, messages, options and comments.
ANSIBLE = [
    ROOT / "site.yml",
    *sorted(
        file
        for folder in ("playbooks", "roles", "inventory")
        for suffix in ("yml", "j2")
        for file in (ROOT / folder).rglob(f"*.{suffix}")
    ),
]


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


@pytest.mark.parametrize("file", ANSIBLE, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_ansible_runs_is_in_plain_words(file: Path) -> None:
    # The connection plugin of the sandbox is a contract.
    text = text_of(file).replace("ansible_connection: box", "")
    assert FORBIDDEN.findall(text) == []


def test_the_usage_of_run_is_in_plain_words() -> None:
    usage = (ROOT / "run").read_text(encoding="utf-8").partition("\nset -eu")[0]
    assert FORBIDDEN.findall(usage) == []


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_comment_behind_a_command_ends_within_80_columns(page: Path) -> None:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if " # " in line and len(line) > 80] == []


# With what a noun phrase begins; "Return what ..." says as much and begins with a verb.
NOUN_PHRASE = re.compile(
    r"(?:The|A|An|What|Whether|How|Why|Where|Who|Which|Those|All|Each|Every|One)\b"
    r"|(?:Paths?|Names? (?:of|to))\b|`|[a-z/]"
)


def docstrings(source: Path) -> Iterator[tuple[str, str]]:
    """Name and first line of each function that returns something; no checks, no properties."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.FunctionDef)
            and node.returns
            and ast.unparse(node.returns) != "None"
        ):
            decorators = [ast.unparse(each).partition("(")[0] for each in node.decorator_list]
            text = ast.get_docstring(node)
            if text and not {"check", "property", "functools.cached_property"} & set(decorators):
                yield node.name, text.partition("\n")[0]


SOURCES = sorted((ROOT / "installer").rglob("*.py"))


def test_docstrings_begin_with_a_verb() -> None:
    assert [
        f"{source.relative_to(ROOT)}: {name}: {line}"
        for source in SOURCES
        for name, line in docstrings(source)
        if NOUN_PHRASE.match(line)
    ] == []


def texts(source: Path) -> Iterator[str]:
    """Messages and docstrings of a module; a text of one word is a key."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            # Names are in code quotes or have a colon behind them; CUDA has words of its own.
            text = re.sub(r"illegal (?:memory access|instruction)", "", node.value)
            yield re.sub(r"`[^`]*`|^ *\w+:", "", text, flags=re.MULTILINE)


def test_texts_of_the_source_are_in_plain_words() -> None:
    found = {
        str(source.relative_to(ROOT)): words
        for source in SOURCES
        if (words := [word for text in texts(source) for word in FORBIDDEN.findall(text)])
    }
    assert found == {}
