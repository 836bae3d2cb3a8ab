"""The ``sim:FILE`` device: rules that say which cases misbehave, and how.

The misbehaviour is real. It happens in the worker that a graphics card would have hung or
killed, so everything around it can be tried without a card.
"""

from __future__ import annotations

import ctypes
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NoReturn

import msgspec

from rdna1.catalog.yaml_data import load
from rdna1.conv.case import ConvCase
from rdna1.sim.expression import Expression

Misbehaviour = Literal["hang", "crash", "error", "wrong", "slow"]


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of a file.

    Attributes:
        when: condition over the case, see `rdna1.sim.expression.Expression`.
        outcome: what happens to a case that meets it. ``slow`` gives the right result a
            second late.
    """

    when: str
    outcome: Misbehaviour

    def __post_init__(self) -> None:
        """Refuse a wrong expression while the file is read, which names file and line."""
        try:
            Expression(self.when)
        except ValueError as error:
            raise ValueError(f"when: {error}") from error

    def holds(self, case: ConvCase, env: Mapping[str, str]) -> bool:
        """Say whether the rule applies to ``case`` under the variables ``env``."""
        names = msgspec.structs.asdict(case)
        return Expression(self.when)({**names, "workspace": case.workspace_bytes, "env": env})


def load_rules(path: Path) -> list[Rule]:
    """Read a rule file: a YAML list of ``{when: EXPRESSION, outcome: OUTCOME}``.

    Raises:
        rdna1.catalog.yaml_data.DataFileError: it is no such file; file, line and key are named.
    """
    return load(path, list[Rule])


def hang() -> NoReturn:
    """Stop answering for good, deaf to everything but SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        signal.pause()


def crash() -> None:
    """Read address 0, which the kernel answers with SIGSEGV."""
    ctypes.string_at(0)
