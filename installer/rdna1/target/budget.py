"""How much of one user's files is looked at, so that no home holds up the facts of all others."""

from __future__ import annotations

# What no user's files of the kinds that are read come near.
_MOST_LOOKS = 20_000
_MOST_FAILURES = 200
_LARGEST_FILES = 8  # as many files of the largest size that is allowed for their kind
_MOST_STATUSES = 500_000


class SpentError(Exception):
    """So much has been read for one user that the rest is left alone."""

    def __init__(self, uid: int, reason: str) -> None:
        """Say whose budget is spent, and on what."""
        super().__init__(f"user {uid}: {reason}; the rest is not looked at")
        self.uid = uid


class Budget:
    """What may still be read of one user's files."""

    def __init__(self, uid: int) -> None:
        """Begin with the whole budget."""
        self._uid = uid
        self._looks = 0
        self._statuses = 0
        self._failures = 0
        self._bytes: dict[int, int] = {}

    def look(self, count: int = 1) -> None:
        """Count more files, folders or names.

        Raises:
            SpentError: there were too many, or too many that could not be read.
        """
        self._looks += count
        if self._failures > _MOST_FAILURES:
            raise SpentError(self._uid, f"more than {_MOST_FAILURES} files cannot be read")
        if self._looks > _MOST_LOOKS:
            raise SpentError(self._uid, f"more than {_MOST_LOOKS} files")

    def fail(self) -> None:
        """Count one more that could not be read."""
        self._failures += 1

    def take(self, size: int, limit: int) -> None:
        """Count bytes that were read of a kind of file that has this limit.

        Raises:
            SpentError: there were too many.
        """
        self._bytes[limit] = self._bytes.get(limit, 0) + size
        if self._bytes[limit] > _LARGEST_FILES * limit:
            raise SpentError(self._uid, f"more than {_LARGEST_FILES * limit} bytes")

    def compare(self, count: int) -> None:
        """Count files whose sizes are compared.

        Raises:
            SpentError: there were too many.
        """
        self._statuses += count
        if self._statuses > _MOST_STATUSES:
            raise SpentError(self._uid, f"more than {_MOST_STATUSES} files of packages")
