"""A server of archives and wheels whose answers can be late, cut or missing."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

# Enough of a file that its beginning is right.
_KEPT_PART = 2


class Weather:
    """What the server does now.

    Attributes:
        address: of the server.
        down: whether connections are closed without an answer.
        delay: seconds before each answer.
        truncated: a part of the paths whose files end in the middle; None for none.
    """

    def __init__(self) -> None:
        """Answer everything at once and whole."""
        self.address = ""
        self.down = False
        self.delay = 0.0
        self.truncated: str | None = None


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that left: it was killed on purpose."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def weather(folder: Path) -> Iterator[Weather]:
    """Serve a folder on loopback, as the weather is.

    Args:
        folder: that is served.
    """
    state = Weather()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(state.delay)
            if not state.down:
                super().do_GET()

        def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
            if state.truncated is None or state.truncated not in self.path:
                shutil.copyfileobj(source, outputfile)
                return
            content = source.read()
            outputfile.write(content[: len(content) // _KEPT_PART])
            self.close_connection = True

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            """Keep the log free of requests."""

    server = _Server(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
