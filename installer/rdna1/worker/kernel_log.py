"""What the kernel says about graphics cards while a run goes on."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from rdna1.catalog.yaml_data import DATA, load

KERNEL_LOG = Path("/dev/kmsg")

MessageKind = Literal["reset", "stall", "fault"]

# A record has at most 8 KiB (CONSOLE_EXT_LOG_MAX of kernel/printk); a smaller buffer fails.
_RECORD_BYTES = 8192


class MessagePattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of kernel_messages.yml, where the attributes are described."""

    pattern: str
    kind: MessageKind
    example: str
    source: str


class KernelMessage(NamedTuple):
    """A message that says something about a card."""

    kind: MessageKind
    text: str


def load_patterns() -> list[MessagePattern]:
    """Read kernel_messages.yml."""
    return load(DATA / "kernel_messages.yml", list[MessagePattern])


class KernelLog:
    """The messages that arrive after this object is made.

    Args:
        path: a file of records as Documentation/ABI/testing/dev-kmsg of the kernel describes
            them.

    Attributes:
        unavailable: why nothing can be read, empty when it can. Reading may be root's privilege
            (kernel.dmesg_restrict); a container has no such file.
    """

    def __init__(self, path: Path = KERNEL_LOG) -> None:
        """Open the log at its end."""
        self.unavailable = ""
        self._descriptor: int | None = None
        self._rest = b""
        self._patterns = [(re.compile(p.pattern), p.kind) for p in load_patterns()]
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            # A pipe has no end to go to.
            with contextlib.suppress(OSError):
                os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError as error:
            self.unavailable = f"{path}: {error.strerror}"

    def poll(self) -> list[KernelMessage]:
        """Return what has been said about cards since the last call; never waits."""
        found = []
        for text in self._texts():
            kind = next((kind for pattern, kind in self._patterns if pattern.search(text)), None)
            if kind:
                found.append(KernelMessage(kind, text))
        return found

    def close(self) -> None:
        """Close the log; `poll` finds nothing more."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _texts(self) -> Iterator[str]:
        """Yield the messages without the fields before them and the dictionary lines after them."""
        while self._descriptor is not None:
            try:
                chunk = os.read(self._descriptor, _RECORD_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                # Records were overwritten before they were read; the next read goes on.
                if error.errno == errno.EPIPE:
                    continue
                self.unavailable = f"reading failed: {error.strerror}"
                self.close()
                return
            if not chunk:
                return
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                if not line.startswith(b" "):
                    yield line.partition(b";")[2].decode(errors="replace")
