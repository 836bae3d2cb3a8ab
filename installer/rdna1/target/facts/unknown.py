"""Keeps the reasons of what could not be read."""

from __future__ import annotations

import contextlib
import itertools
from typing import Callable, Dict, Iterator, TypeVar

from ..rootfs import ExhaustedError, UnreadableError

# Of one home: whoever fills it with files that cannot be read fills no facts with reasons.
_MOST_OF_HOME = 50
_LONGEST = 1000

T = TypeVar("T")


class Unknown(Dict[str, str]):
    """Name of a fact to the reason why it could not be read."""

    def collect(self, fact: str, read: Callable[..., T], *arguments: object) -> T | None:
        """Return what ``read`` returns, or note its `UnreadableError` and return None."""
        try:
            return read(*arguments)
        except ExhaustedError as error:
            # One reason for all that was left out, and not one for each.
            self[f"{fact.partition('.')[0]}.user {error.uid}"] = str(error)
        except UnreadableError as error:
            self[fact[:_LONGEST]] = str(error)[:_LONGEST]
        return None

    def told(self, fact: str, read: Callable[..., object], *arguments: object) -> dict[str, object]:
        """Return what `collect` returns, under the last part of the fact's name."""
        return {fact.rpartition(".")[2]: self.collect(fact, read, *arguments)}

    @contextlib.contextmanager
    def of_home(self, fact: str, home: str) -> Iterator[Unknown]:
        """Yield what keeps the reasons of one home, of which a bounded number is taken over."""
        reasons = Unknown()
        yield reasons
        for name, reason in itertools.islice(reasons.items(), _MOST_OF_HOME):
            self[name[:_LONGEST]] = reason[:_LONGEST]
        left = len(reasons) - _MOST_OF_HOME
        if left > 0:
            self[f"{fact}.{home}"] = f"{home}: {left} more files cannot be read"
