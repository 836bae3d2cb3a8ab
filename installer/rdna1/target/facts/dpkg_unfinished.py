"""What dpkg did not finish, and what to do about each package."""

from __future__ import annotations

from typing import NamedTuple

from .dpkg import JOURNAL, Package, Status

_REMEDIES = {
    "half-configured": "its configuration failed, see the output: dpkg --configure {0}",
    "unpacked": "what it depends on is missing or unfinished: apt-get --fix-broken install",
    "half-installed": "it was not unpacked to the end: apt-get --reinstall install {0}, or to be "
    "without it: dpkg --purge --force-remove-reinstreq {0}",
    "triggers-awaited": "it waits for others: dpkg --configure -a",
    "triggers-pending": "it waits for its triggers: dpkg --configure -a",
}


class Unfinished(NamedTuple):
    """What an interrupted dpkg left.

    Attributes:
        packages: that are neither whole nor gone.
        journal: how many changes are not in the status file; apt refuses to work meanwhile.
    """

    packages: list[Package]
    journal: int

    def __bool__(self) -> bool:
        """Return whether there is anything to finish."""
        return bool(self.packages or self.journal)

    def lines(self) -> list[str]:
        """Return each package with its state and its remedy."""
        lines = [f"{p.name} is {_state(p)}: {_remedy(p)}" for p in self.packages]
        if self.journal:
            lines.append(f"{JOURNAL} holds {self.journal} changes: dpkg --configure -a")
        return lines


def unfinished(status: Status) -> Unfinished:
    """Return what dpkg did not finish.

    Raises:
        rdna1.target.rootfs.UnreadableError: dpkg's files cannot be read.
    """
    packages = [package for package in status.packages() if not package.settled]
    return Unfinished(packages, len(status.journal()))


def _state(package: Package) -> str:
    return package.state if package.flag == "ok" else f"{package.state} ({package.flag})"


def _remedy(package: Package) -> str:
    state = "half-installed" if package.flag != "ok" else package.state
    return _REMEDIES.get(state, "dpkg --configure -a").format(package.name)
