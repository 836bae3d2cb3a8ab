"""Rules about installed packages."""

from __future__ import annotations

from rdna1.preflight.facts import RocmPart
from rdna1.preflight.model import Case, Outcome, check

_MOST_SHOWN = 6


@check(
    "apt-state",
    "State of dpkg and apt",
    references=("ROCm/amdgpu#192", "Azure/aks-engine#1538"),
)
def apt_state(case: Case) -> Outcome:
    """Apt installs nothing while dpkg is half done with a package.

    A full disk, a lost connection or a failed build of a kernel module are the usual
    reasons. Provisioning finishes such packages first, so this only warns. A process that
    holds the lock, often unattended-upgrades, only makes apt wait.
    """
    facts = case.facts
    unfinished = facts.known("apt.half_configured", facts.apt.half_configured)
    if unfinished:
        return Outcome(
            "warn",
            "dpkg did not finish with some packages; provisioning does that first",
            _shown(unfinished),
            "As root: dpkg --configure -a",
        )
    holder = facts.apt.lock_holder
    if holder is not None:
        return Outcome(
            "warn",
            "another process holds the lock of dpkg or apt",
            [f"process {holder.pid}: {holder.command}"],
            "Wait until it is done; do not delete the lock.",
        )
    unread = facts.unknown.get("apt.lock_holder")
    return Outcome("pass", "dpkg is done with all packages", [unread] if unread else [])


@check(
    "rocm-mixture",
    "ROCm of one source",
    strict=True,
    references=("ROCm/ROCm#5555", "ROCm/ROCm#1899", "ROCm/rocm-install-on-linux#583"),
)
def rocm_mixture(case: Case) -> Outcome:
    """ROCm of AMD and ROCm of the distribution must not be mixed.

    Both have packages called rocminfo or hipcc with versions that outrank each other, and
    libraries that load each other's files. What apt then installs is broken, or breaks
    with the next update.
    """
    parts = case.facts.known("rocm", case.facts.rocm)
    amd = [part for part in parts if part.source == "amd"]
    distro = [part for part in parts if part.source == "distro"]
    folders = [part for part in parts if part.source == "folder"]
    purge_amd = "As root: apt purge " + " ".join(_shown([part.name for part in amd]))
    if amd and distro:
        return Outcome(
            "fail",
            "ROCm of AMD and of the distribution are installed together",
            [f"AMD: {line}" for line in _versions(amd)]
            + [f"distribution: {line}" for line in _versions(distro)],
            f"Keep one of them. {purge_amd}",
        )
    if amd and case.rocm_source == "distro":
        return Outcome(
            "fail",
            "ROCm of AMD is installed, and the stack would add the distribution's",
            _versions(amd),
            f"{purge_amd}; or choose the ROCm source none.",
        )
    if folders and case.rocm_source == "distro":
        return Outcome(
            "warn",
            "there is a ROCm that no package owns",
            [f"{part.name}: {part.version}" for part in folders],
            "Remove the folder, or keep it out of PATH and LD_LIBRARY_PATH.",
        )
    return Outcome("pass", "ROCm has one source at most", _versions(parts))


def _versions(parts: list[RocmPart]) -> list[str]:
    return _shown([f"{part.name} {part.version}" for part in parts])


def _shown(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], f"and {more} more"] if more > 0 else lines
