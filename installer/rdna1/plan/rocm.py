"""ROCm on a machine: source, packages, AMD's repository and driver, access to the card."""

from __future__ import annotations

import re

from packaging.version import Version

from rdna1.catalog.cards import card_list
from rdna1.catalog.repositories import amd_repository
from rdna1.catalog.stacks import DEFAULT_PURPOSES, Driver, PackageSet, Purpose, RocmSource
from rdna1.layout import MODULES_FILE
from rdna1.plan.amd_files import COLLECTION, Abandoned, AmdPlan, abandoned, amd_plan
from rdna1.plan.options import Part, PlanError, Request, packages_text
from rdna1.preflight.facts import Facts
from rdna1.preflight.rocm_parts import not_of
from rdna1.target.snapshot.rollback import DEVICE_GROUPS

_KERNEL = re.compile(r"[0-9]+\.[0-9]+")
_KEEP = "Remedy: leave rocm_dkms out, the kernel's own driver serves the card"
# A package that only force removes: dpkg wants it installed again before anything else.
_BROKEN = "reinstreq"


class RocmPlan(Part, frozen=True):
    """What is done for ROCm.

    Attributes:
        os: ``ID`` of the release.
        version: ``VERSION_ID`` of the release.
        architecture: of the packages.
        source: where the packages come from.
        packages: of ROCm, and of AMD's driver where it is asked for.
        transaction: these and what is installed with them.
        missing: those of the transaction that have to be installed.
        others: installed packages of ROCm that are not of this source, or of another release.
        repair: whether dpkg has something to finish.
        broken: packages that have to be removed before anything else.
        amd: how apt gets to know AMD's repository, None where ROCm comes from elsewhere.
        abandoned: what is left of AMD's repository then, None where nothing is.
        collection: folder on the machine in which the role mirror collects packages.
        device_groups: that the card's devices belong to.
        modules_file: names the kernel's driver for the next boot; empty where it need not.
        reboot_required: whether a package asked for a reboot before this run.
    """

    os: str
    version: str
    architecture: str
    source: RocmSource
    packages: list[str]
    transaction: list[str]
    missing: list[str]
    others: list[str]
    repair: bool
    broken: list[str]
    amd: AmdPlan | None
    abandoned: Abandoned | None
    collection: str
    device_groups: list[str]
    modules_file: str
    reboot_required: bool

    @property
    def summary(self) -> str:
        """Where ROCm comes from."""
        if self.source == "none":
            return "ROCm: no packages; PyTorch's wheels bring what they need"
        names = {"amd": "AMD's repository", "distro": "the distribution"}
        counted = packages_text(self.transaction, self.missing)
        return f"ROCm of {names[self.source]}: {counted}"


def rocm_plan(request: Request) -> RocmPlan:
    """Return what is done for ROCm.

    Raises:
        PlanError: the source, packages or driver that were asked for do not exist here.
    """
    options, facts, release = request.options, request.facts, request.release
    os, version = release.id, release.version_id or ""
    entry = request.stack.release(os, version)
    source = options.rocm_source or (entry.rocm_source if entry else "none")
    packages = _packages(request, source)
    driver = _driver(request, source) if options.rocm_dkms else None
    names = packages.names(options.rocm_packages or DEFAULT_PURPOSES) if packages else []
    if driver:
        names += [*driver.packages, f"linux-headers-{facts.kernel.release or ''}"]
    others = [part.name for part in not_of(facts.rocm or [], source, request.stack.rocm_version)]
    transaction = names + options.rocm_more_packages
    there = request.installed - set(others if options.rocm_replace else [])
    is_amd = source == "amd" and packages is not None
    return RocmPlan(
        os=os,
        version=version,
        architecture=amd_repository().architecture,
        source=source,
        packages=names,
        transaction=transaction,
        missing=[name for name in transaction if name not in there],
        others=others,
        repair=bool(facts.apt.half_configured or facts.apt.dpkg_journal),
        broken=[each.name for each in facts.apt.unfinished or [] if each.flag == _BROKEN],
        amd=amd_plan(request, packages, driver) if is_amd and packages else None,
        abandoned=None if is_amd else abandoned(request),
        collection=COLLECTION,
        device_groups=sorted(DEVICE_GROUPS),
        modules_file=MODULES_FILE if _driver_is_missing(facts) else "",
        reboot_required=facts.reboot_required is True,
    )


def _packages(request: Request, source: RocmSource) -> PackageSet | None:
    """Return the packages of a source, None for the source that has none.

    Raises:
        PlanError: the stack has none of it here, or not those that were asked for.
    """
    if source == "none":
        return None
    options, release = request.options, request.release
    where = f"{release.id} {release.version_id or ''}"
    found = request.stack.packages(source, release.id, release.version_id or "")
    if found is None:
        raise PlanError(
            f"The stack {options.stack} has no packages from the source {source} on {where}. "
            "Remedy: leave rocm_source empty, or set it to none."
        )
    if lacking := _lacking(options.rocm_packages, found):
        why = f"{found.lacks} " if found.lacks else ""
        raise PlanError(
            f"The source {source} of the stack {options.stack} has no packages for "
            f"{', '.join(lacking)} on {where}. {why}Remedy: choose from "
            f"{', '.join(found.packages)} in rocm_packages, or another source."
        )
    return found


def _lacking(purposes: list[Purpose], found: PackageSet) -> list[Purpose]:
    return [purpose for purpose in purposes if purpose not in found.packages]


def _driver(request: Request, source: RocmSource) -> Driver:
    """Return AMD's own driver.

    Raises:
        PlanError: it is not known to build here.
    """
    if source != "amd":
        raise PlanError(
            f"rocm_dkms takes AMD's driver from AMD's repository, and the source here is {source}. "
            "Remedy: leave rocm_dkms out, as the kernel's own driver serves the card, or set "
            "rocm_source to amd."
        )
    stack, release = request.stack, request.release
    here = (release.id, release.version_id)
    driver = next((each for each in stack.dkms if (each.os, each.version) == here), None)
    if driver is None:
        raise PlanError(
            f"AMD's driver of the stack {stack.name} is not known to build on {release.id} "
            f"{release.version_id}. {_KEEP}."
        )
    # Its modules are built against the headers of the running kernel.
    kernel = request.facts.kernel.release or ""
    match = _KERNEL.match(kernel)
    running = Version(match[0] if match else "0")
    if not Version(driver.oldest_kernel) <= running <= Version(driver.newest_kernel):
        raise PlanError(
            f"AMD's driver of the stack {stack.name} is for the kernels {driver.oldest_kernel} to "
            f"{driver.newest_kernel}, and {kernel} runs. {_KEEP}, or boot such a kernel first."
        )
    return driver


def _driver_is_missing(facts: Facts) -> bool:
    """Return whether the kernel has a card and not loaded its own driver, which nobody forbade.

    A module that is built in is among the loaded ones as well.
    """
    cards = card_list()
    has_card = any(cards.find(each.vendor, each.device) for each in facts.displays or [])
    return has_card and facts.amdgpu.loaded is False and facts.amdgpu.blacklisted == []
