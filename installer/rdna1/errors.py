"""The error that a command turns into one line."""

from __future__ import annotations


class InputError(Exception):
    """What the user gave cannot be used; the message is the line that the user reads.

    Light on purpose: a command can catch it without importing what may raise it.
    """
