"""Pages in a headless Chromium."""

from __future__ import annotations

import html
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
FRAME = '<iframe src="{address}" style="width: {width}px; height: {height}px"></iframe>\n'
MEASURE = """<!DOCTYPE html>
<meta charset="utf-8"><title>-</title>
<style>body { margin: 0 } iframe { border: 0; display: block }</style>
<script>
addEventListener("load", () => {
  document.title = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument;
    page.querySelectorAll("details").forEach(details => { details.open = true; });
    const root = page.documentElement;
    const wide = [...page.querySelectorAll("body, body *")]
      .filter(element => element.getBoundingClientRect().right > root.clientWidth + .5);
    return `${root.clientWidth} ${root.scrollWidth} ${wide.length}`;
  }).join(", ");
});
</script>
"""


@dataclass(frozen=True)
class Frame:
    """What a page does in a frame of a given width.

    Attributes:
        width: of the frame, in pixels.
        content_width: of what is in it, in pixels.
        wide_elements: how many elements reach beyond the frame.
    """

    width: int
    content_width: int
    wide_elements: int


@dataclass(frozen=True)
class Rendering:
    """A page in frames of given widths.

    Attributes:
        frames: one for each width.
        console: what the browser's console said.
        picture: a PNG file that shows the frames one below the other.
    """

    frames: list[Frame]
    console: list[str]
    picture: Path


def render(page: Path, folder: Path, widths: Sequence[int], *, height: int = 2400) -> Rendering:
    """Open a page, measure it with all its details open, and take a picture.

    Args:
        page: an HTML file.
        folder: for the browser's profile and the picture.
        widths: of the frames to open it in, in pixels.
        height: of each frame, in pixels.
    """
    frames = folder / "frames.html"
    address = html.escape(page.resolve().as_uri())
    shown = [FRAME.format(address=address, width=width, height=height) for width in widths]
    frames.write_text(MEASURE + "".join(shown))
    picture = folder / f"{page.stem}.png"
    size = f"{max(500, *widths)},{height * len(widths)}"
    options = [f"--user-data-dir={folder / 'profile'}", f"--window-size={size}"]
    done = _chromium([*options, "--dump-dom", f"--screenshot={picture}", frames.as_uri()])
    found = re.search(r"<title>([\d ,]+)</title>", done.stdout)
    assert found, done.stdout + done.stderr
    return Rendering(
        frames=[Frame(*map(int, measured.split())) for measured in found[1].split(", ")],
        console=console(done.stderr),
        picture=picture,
    )


def console(log: str) -> list[str]:
    """The lines of Chromium's log that come from a page's console."""
    return [line for line in log.splitlines() if "CONSOLE" in line]


def _chromium(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *OPTIONS, *arguments], capture_output=True, text=True, check=True, timeout=120
    )
