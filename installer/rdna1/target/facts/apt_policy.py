"""What apt would install, from one question to apt itself."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Sequence

from ..credentials import text_without_credentials
from ..rootfs import RootFs, UnreadableError

_PROGRAM = "/usr/bin/apt-cache"
# Else a name apt does not know is a pattern, sought among all names: a third of its time.
_EXACT = ("-o", "APT::Cmd::Pattern-Only=true")
_LISTS = "/var/lib/apt/lists"
_INDEX = re.compile(r".*_Packages(\.\w+)?")
_CANDIDATE = "  Candidate: "
_VERSION = re.compile(r" (?:\*\*\*|   ) (\S+)(?: -?\d+)?")
_ORIGIN = re.compile(r" {6,}-?\d+ (.+)")
_ERROR = re.compile(r"^E: (.+)", re.MULTILINE)
_SECONDS = 20.0


class PolicyQuery:
    """One ``apt-cache policy`` for several packages, begun now and answered later.

    It takes apt up to half a second, in which the other facts are collected.

    Attributes:
        names: of the packages, sorted.
    """

    def __init__(self, rootfs: RootFs, names: Sequence[str], program: str = _PROGRAM) -> None:
        """Start ``program`` where it can know the answer: on the running machine."""
        self.names = sorted(set(names))
        self._reason = _obstacle(rootfs)
        self._process: subprocess.Popen[str] | None = None
        if self.names and not self._reason:
            self._start(program)

    def candidates(self, seconds: float = _SECONDS) -> dict[str, object]:
        """Return the name to ``version`` and ``origins`` of the candidate, None for one without.

        Args:
            seconds: how long apt may still take.

        Raises:
            UnreadableError: under another root, without apt or its package indexes, and
                with apt's own words when it fails.
        """
        if self._reason:
            raise UnreadableError(self._reason)
        if self._process is None:
            return {}
        try:
            output, errors = self._process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            self._process.kill()
            self._process.communicate()
            raise UnreadableError(f"{_PROGRAM} gave no answer within {seconds:g} s") from error
        if self._process.returncode != 0:
            raise UnreadableError(f"{_PROGRAM}: {_reason(errors)}")
        found = parse(output)
        return {name: found.get(name) for name in self.names}

    def _start(self, program: str) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - apt, as a list
                [program, *_EXACT, "policy", *self.names],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"},
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            self._reason = f"{program}: {error.strerror}"


def parse(output: str) -> dict[str, dict[str, object]]:
    """Return candidates in what ``apt-cache policy NAME...`` prints in the C locale."""
    found: dict[str, dict[str, object]] = {}
    origins: list[str] = []
    name = wanted = shown = ""
    for line in output.splitlines():
        version, origin = _VERSION.fullmatch(line), _ORIGIN.fullmatch(line)
        if not line.startswith(" "):
            name, wanted = line.rstrip(":"), ""
        elif line.startswith(_CANDIDATE):
            wanted = line[len(_CANDIDATE) :]
            origins = []
            if wanted != "(none)":
                found[name] = {"version": wanted, "origins": origins}
        elif version:
            shown = version[1]
        elif origin and shown == wanted:
            origins.append(text_without_credentials(origin[1]))
    return found


def _obstacle(rootfs: RootFs) -> str:
    if not rootfs.live:
        return "what apt would install belongs to a running machine"
    if not any(map(_INDEX.fullmatch, rootfs.optional_names(_LISTS))):
        return f"{_LISTS}: no package index; run as root: apt-get update"
    return ""


def _reason(errors: str) -> str:
    error = _ERROR.search(errors)
    return text_without_credentials(error[1]) if error else "no reason given"
