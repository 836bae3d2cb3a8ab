"""Fakes of PyTorch's wheels, and an index for them on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name


def write_fake_wheel(
    folder: Path,
    name: str,
    version: str,
    requires: Sequence[str] = (),
    payload: bytes = b"",
    data: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a wheel that has the name and version of a real one and nothing else of it.

    Args:
        folder: of the index; the wheel goes to the folder of its project there.
        name: of the distribution and of its one module.
        version: local part included.
        requires: PEP 508 requirements, one that starts with ``extra:`` declares an extra.
        payload: content of a data file next to the module.
        data: path in the wheel to content of further files.
    """
    lines = [
        f"Provides-Extra: {text[6:]}" if text.startswith("extra:") else f"Requires-Dist: {text}"
        for text in requires
    ]
    texts = {
        f"{name}.py": f'"""A fake for tests, not {name}."""\n__version__ = "{version}"\n',
        f"{name}-{version}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            "Summary: a fake for tests\n" + "".join(f"{line}\n" for line in lines)
        ),
        f"{name}-{version}.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nGenerator: rdna1 tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    files = {path: text.encode() for path, text in texts.items()} | dict(data or {})
    record = "".join(f"{path},{_hash(text)},{len(text)}\n" for path, text in files.items())
    if payload:
        record += f"{name}.bin,,\n"
    record += f"{name}-{version}.dist-info/RECORD,,\n"
    files[f"{name}-{version}.dist-info/RECORD"] = record.encode()
    wheel = folder / canonicalize_name(name) / f"{name}-{version}-py3-none-any.whl"
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        if payload:
            archive.writestr(f"{name}.bin", payload)
    return wheel


def write_source(folder: Path, name: str, version: str, setup: str) -> Path:
    """Write a source distribution that consists of a setup.py.

    Args:
        folder: of the index.
        name: of the distribution.
        version: of it.
        setup: text of the program that builds it.
    """
    files = {
        "setup.py": setup,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    archive = folder / canonicalize_name(name) / f"{name}-{version}.tar.gz"
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return archive


def write_pages(folder: Path) -> None:
    """Give an index the pages that PyPI and PyTorch's index have, with hashes and metadata.

    Without them an index is the listing of its folders, and whoever wants the hash or the
    dependencies of a wheel has to fetch all of it.

    Args:
        folder: of the index.
    """
    for project in filter(Path.is_dir, folder.iterdir()):
        links = [
            f'<a href="{file.name}#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}">'
            f"{file.name}</a>"
            for file in sorted(project.glob("*.tar.gz"))
        ]
        for wheel in sorted(project.glob("*.whl")):
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            with zipfile.ZipFile(wheel) as archive:
                name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
                metadata = archive.read(name)
            wheel.with_name(f"{wheel.name}.metadata").write_bytes(metadata)
            described = f"sha256={hashlib.sha256(metadata).hexdigest()}"
            links.append(
                f'<a href="{quote(wheel.name)}#sha256={digest}"'
                f' data-core-metadata="{described}">{wheel.name}</a>'
            )
        page = "<!DOCTYPE html>\n" + "<br>\n".join(links)
        project.joinpath("index.html").write_text(page)


def _hash(content: bytes) -> str:
    digest = hashlib.sha256(content).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class QuietHandler(SimpleHTTPRequestHandler):
    """The listing of a folder of wheels is a page of the simple repository API (PEP 503)."""

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Keep the tests' output free of requests."""


@contextmanager
def serve(folder: Path, before: Callable[[str], object] = str, lacking: int = 404) -> Iterator[str]:
    """Serve a folder of projects on loopback; gives the address of the index.

    Args:
        folder: of the index.
        before: called with the path of a request before it is answered.
        lacking: the status of an answer for what is not there.
    """

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            before(self.path)
            super().do_GET()

        def send_error(self, code: int, *more: Any) -> None:
            super().send_error(lacking if code == 404 else code, *more)

    with running(Handler, folder) as address:
        yield address


@contextmanager
def running(handler: type[QuietHandler], folder: Path) -> Iterator[str]:
    """Run a server of a folder on loopback that answers in its own way; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
