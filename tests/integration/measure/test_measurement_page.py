"""Pages of real runs on simulated devices, in a browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from support.chromium import PROGRAM, Frame, render

needs_chromium = pytest.mark.skipif(
    shutil.which(PROGRAM) is None, reason=f"{PROGRAM} is not installed: apt install {PROGRAM}"
)


def validate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rdna1.cli.validate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@needs_chromium
@pytest.mark.parametrize(
    ("command", "when"),
    [
        # The one with most classes on its page.
        (["boundary", "--max-side=20"], "max(h, w) > 16"),
        *product(
            (["smoke", "--max-side=40"], ["boundary", "--quick", "--max-side=40"]),
            ["max(h, w) > 32", "workspace > 524288", "h < 0", "h > 0 and '<b>' != ''"],
        ),
    ],
)
def test_the_page_is_readable_in_a_browser(tmp_path: Path, command: list[str], when: str) -> None:
    rules = tmp_path / "<b>rules & more.yml"
    rules.write_text(f'- {{when: "{when}", outcome: wrong}}\n')
    page = tmp_path / "page.html"
    done = validate(*command, f"--device=sim:{rules}", "--format=html", f"--output={page}")
    assert page.exists(), done.stderr
    rendering = render(page, tmp_path, widths=(400, 1280))
    assert rendering.console == []
    assert rendering.frames == [Frame(400, 400, 0), Frame(1280, 1280, 0)]


def test_a_picture_is_written_to_a_file_only(tmp_path: Path) -> None:
    refused = validate("smoke", "--device=cpu", "--format=png")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "rdna1-validate: --format png: a picture needs --output FILE\n"
    picture = tmp_path / "smoke.png"
    assert validate("smoke", "--device=cpu", "--format=png", f"--output={picture}").returncode == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_missing_package_is_named_before_anything_is_measured(tmp_path: Path) -> None:
    hide = "import sys; sys.modules['matplotlib'] = None; "
    run = "from rdna1.cli.validate import main; sys.exit(main(sys.argv[1:]))"
    output = tmp_path / "smoke.png"
    done = subprocess.run(
        [sys.executable, "-c", hide + run, "smoke", "--format=png", f"--output={output}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "matplotlib is not installed. Remedy: install the extra rdna1[report]" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not output.exists()
