"""The parts of the documentation that are generated, between marks in pages written by hand."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent


def filled(page: Path, parts: dict[str, str]) -> str:
    """Return a page with its generated parts renewed.

    Args:
        page: Markdown file with the marks ``<!-- begin SUBJECT -->`` and ``<!-- end SUBJECT -->``.
        parts: Markdown for each subject.

    Raises:
        ValueError: the page lacks the marks of a subject.
    """
    content = page.read_text()
    for subject, text in parts.items():
        begin, end = f"<!-- begin {subject} -->", f"<!-- end {subject} -->"
        before, _, rest = content.partition(begin)
        _, mark, after = rest.partition(end)
        if not mark:
            raise ValueError(f"{page.relative_to(ROOT)}: the marks {begin} and {end} are missing")
        content = f"{before}{begin}\n{text}\n{end}{after}"
    return content


def joined(text: str) -> str:
    """Return a text without its line breaks."""
    return " ".join(text.split())


def cell(text: str) -> str:
    """Return a text for a cell of a table, which a bar would end."""
    return joined(text).replace("|", "\\|")


def code(text: str) -> str:
    """Return what a program printed, for a cell of a table; it may hold backticks itself."""
    return f"`` {cell(text)} ``" if "`" in text else f"`{cell(text)}`"
