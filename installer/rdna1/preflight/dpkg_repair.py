"""What dpkg left unfinished, and what finishes it: each state has a remedy of its own."""

from __future__ import annotations

import re

import msgspec

from rdna1.preflight.apt_facts import Unfinished
from rdna1.preflight.facts import Facts
from rdna1.preflight.machine import DRIVER_PACKAGES, dkms_packages

# Their scripts build every module of DKMS, and fail with any of them.
_BUILDS_MODULES = re.compile(r"linux-(?:image|headers|modules)-\S+")
# By Debian's way of naming them: nvidia-dkms-535, zfs-dkms, virtualbox-dkms.
_MODULE_PACKAGE = re.compile(r"\S+-dkms(?:-\S+)?|bcmwl-kernel-source")
_GOING = frozenset(["deinstall", "purge"])


class Repair(msgspec.Struct, frozen=True):
    """Names of packages by what they need, in the order in which it is done.

    Attributes:
        broken: removed with force, for dpkg itself wants them installed again first.
        driver: AMD's own driver, whose script fails for good: removed.
        going: a removal that was interrupted.
        half: half installed, and not broken: removed, or installed again.
        configure: left to be configured.
        journal: whether an interrupted dpkg left changes that it did not write down.
    """

    broken: list[str] = []
    driver: list[str] = []
    going: list[str] = []
    half: list[str] = []
    configure: list[str] = []
    journal: bool = False

    @property
    def only_configures(self) -> bool:
        """Whether dpkg --configure -a finishes all of it."""
        return not (self.broken or self.driver or self.going or self.half)

    @property
    def builds(self) -> list[str]:
        """Packages left to be configured whose script builds a module, and may fail for good."""
        return [name for name in self.configure if _MODULE_PACKAGE.fullmatch(name)]

    @property
    def steps(self) -> list[str]:
        """The commands for root, in their order; none where nothing is unfinished."""
        commands = (
            ("dpkg --remove --force-remove-reinstreq", self.broken),
            ("apt purge", self.driver),
            ("dpkg --purge", self.going),
            ("dpkg --remove", self.half),
        )
        steps = [f"{command} {' '.join(names)}" for command, names in commands if names]
        return [*steps, "dpkg --configure -a"] if self.configure or self.journal else steps


def repair_of(facts: Facts) -> Repair:
    """Return what finishes the unfinished packages of a machine."""
    kinds: dict[str, list[str]] = {}
    for package in facts.apt.unfinished or []:
        kinds.setdefault(_kind(facts, package), []).append(package.name)
    known = {package.name for package in facts.apt.unfinished or []}
    # Facts of before have the names alone.
    kinds.setdefault("configure", []).extend(sorted(set(facts.apt.half_configured or []) - known))
    waits_for_driver = any(map(_BUILDS_MODULES.fullmatch, kinds.get("configure", [])))
    if waits_for_driver and not kinds.get("driver"):
        kinds["driver"] = [name for name in dkms_packages(facts) if _never_built(facts)]
    return Repair(
        **{kind: names for kind, names in kinds.items() if names},
        journal=bool(facts.apt.dpkg_journal),
    )


def _kind(facts: Facts, package: Unfinished) -> str:
    if package.flag == "reinstreq":
        return "broken"
    if package.name in DRIVER_PACKAGES and package.state == "half-configured":
        return "driver" if _never_built(facts) else "configure"
    if package.wanted in _GOING:
        return "going"
    return "half" if package.state == "half-installed" else "configure"


def _never_built(facts: Facts) -> bool:
    """Return whether DKMS has a driver of AMD's that it could not build for the running kernel."""
    builds = facts.modules.dkms
    return builds is None or not any(facts.kernel.release in build.kernels for build in builds)
