"""What real uv says of a server that fails it in the middle of a file has a cause and a remedy."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from integration.venvs.conftest import UV
from rdna1.catalog.failures import explain
from support.wheels import QuietHandler, running, write_fake_wheel

Answer = Callable[[SimpleHTTPRequestHandler, bytes], None]
COMMAND = ["--no-config", "--cache-dir=cache", "pip", "compile", "--generate-hashes", "in.txt"]
# uv waits a second, and no attempt comes after the first.
IMPATIENT = {"UV_HTTP_TIMEOUT": "1", "UV_HTTP_RETRIES": "0"}


def send(handler: SimpleHTTPRequestHandler, content: bytes, length: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(content)
    handler.wfile.flush()


def cut(handler: SimpleHTTPRequestHandler, wheel: bytes) -> None:
    send(handler, wheel[:100], len(wheel))


def stall(handler: SimpleHTTPRequestHandler, wheel: bytes) -> None:
    send(handler, wheel[:100], len(wheel))
    time.sleep(3)


def damage(handler: SimpleHTTPRequestHandler, wheel: bytes) -> None:
    send(handler, wheel[: len(wheel) // 2], len(wheel) // 2)


def ask_to_log_in(handler: SimpleHTTPRequestHandler, _wheel: bytes) -> None:
    page = b"<html>Please log in.</html>"
    send(handler, page, len(page))


def answering(answer: Answer) -> type[QuietHandler]:
    """A server that answers in its own way for a wheel."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name is that of the library
            if self.path.endswith(".whl"):
                self.close_connection = True
                answer(self, Path(self.translate_path(self.path)).read_bytes())
            else:
                super().do_GET()

    return Handler


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (cut, "a download ended before the file did, or no more of it came"),
        (stall, "a download ended before the file did, or no more of it came"),
        (damage, "what a server gave as demo-1.0-py3-none-any.whl is damaged or no wheel"),
        (ask_to_log_in, "what a server gave as demo-1.0-py3-none-any.whl is damaged or no wheel"),
    ],
)
def test_cause_and_remedy(tmp_path: Path, answer: Answer, cause: str) -> None:
    write_fake_wheel(tmp_path / "index", "demo", "1.0")
    (tmp_path / "in.txt").write_text("demo==1.0\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    with running(answering(answer), tmp_path / "index") as address:
        done = subprocess.run(
            [UV, *COMMAND, "--default-index", address],
            cwd=tmp_path,
            env=inherited | IMPATIENT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode != 0
    explained = explain(done.stderr)
    assert explained.startswith(f"Cause: {cause}")
    assert "Remedy: " in explained
    assert "It said: error: Failed to download `demo==1.0`" in explained
