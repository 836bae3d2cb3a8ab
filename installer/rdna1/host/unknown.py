"""Keeps the reasons of what could not be read."""

from __future__ import annotations

from typing import Callable, Dict, TypeVar

from .reader import UnreadableError

T = TypeVar("T")


class Unknown(Dict[str, str]):
    """Name of a fact to the reason why it could not be read."""

    def ask(self, fact: str, read: Callable[..., T], *arguments: object) -> T | None:
        """Return what ``read`` returns, or note its `UnreadableError` and return None."""
        try:
            return read(*arguments)
        except UnreadableError as error:
            self[fact] = str(error)
            return None
