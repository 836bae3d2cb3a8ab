"""Stand-ins for PyTorch's wheels, and an index for them on loopback."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread


def write_stand_in(folder: Path, name: str, version: str) -> Path:
    """Write a wheel that has the name and version of a real one and nothing else of it.

    Args:
        folder: of the index; the wheel goes to ``folder/NAME``.
        name: of the distribution and of its one module.
        version: local part included.
    """
    files = {
        f"{name}.py": f'"""A stand-in for tests, not {name}."""\n__version__ = "{version}"\n',
        f"{name}-{version}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            "Summary: a stand-in for tests\n"
        ),
        f"{name}-{version}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: rdna1 tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    record = "".join(f"{path},{_hash(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{name}-{version}.dist-info/RECORD"] = record + f"{name}-{version}.dist-info/RECORD,,\n"
    wheel = folder / name / f"{name}-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _QuietHandler(SimpleHTTPRequestHandler):
    """The listing of a folder of wheels is a page of the simple repository API (PEP 503)."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Keep the tests' output free of requests."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder of projects on loopback; gives the address of the index."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
