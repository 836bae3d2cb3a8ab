"""Pages in a headless Chromium."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "chromium"
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    # The measuring page looks into the frame, which is a file as well.
    "--allow-file-access-from-files",
)
# A window of Chromium is at least 500 pixels wide: a frame can be narrower.
MEASURE = """<!DOCTYPE html>
<meta charset="utf-8"><title>-</title>
<style>body {{ margin: 0 }} iframe {{ border: 0; width: {width}px; height: {height}px }}</style>
<iframe src="{address}"></iframe>
<script>
addEventListener("load", () => {{
  const page = document.querySelector("iframe").contentDocument;
  page.querySelectorAll("details").forEach(details => {{ details.open = true; }});
  const wide = [...page.querySelectorAll("body, body *")]
    .filter(element => element.getBoundingClientRect().right > {width} + .5);
  const root = page.documentElement;
  document.title = `${{root.clientWidth}} ${{root.scrollWidth}} ${{wide.length}}`;
}});
</script>
"""


@dataclass(frozen=True)
class Rendering:
    """A page in a frame of a given width.

    Attributes:
        width: of the frame, in pixels.
        content_width: of what is in it, in pixels.
        wide_elements: how many elements reach beyond the frame.
        console: what the browser's console said.
        picture: a PNG file.
    """

    width: int
    content_width: int
    wide_elements: int
    console: list[str]
    picture: Path


def render(page: Path, folder: Path, *, width: int, height: int = 2400) -> Rendering:
    """Open a page, measure it with all its details open, and take a picture.

    Args:
        page: an HTML file.
        folder: for the browser's profile and the picture.
        width: in pixels.
        height: in pixels.
    """
    frame = folder / f"measure-{width}.html"
    address = page.resolve().as_uri()
    frame.write_text(MEASURE.format(address=address, width=width, height=height))
    picture = folder / f"{page.stem}-{width}.png"
    options = [f"--user-data-dir={folder / 'profile'}", f"--window-size={max(width, 500)},{height}"]
    measured = _chromium([*options, "--dump-dom", frame.as_uri()])
    pictured = _chromium([*options, f"--screenshot={picture}", frame.as_uri()])
    found = re.search(r"<title>(\d+) (\d+) (\d+)</title>", measured.stdout)
    assert found, measured.stdout + measured.stderr
    return Rendering(
        width=int(found[1]),
        content_width=int(found[2]),
        wide_elements=int(found[3]),
        console=console(measured.stderr) + console(pictured.stderr),
        picture=picture,
    )


def console(log: str) -> list[str]:
    """The lines of Chromium's log that come from a page's console."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def _chromium(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *OPTIONS, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
