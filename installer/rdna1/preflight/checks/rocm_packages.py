"""Checks of installed packages."""

from __future__ import annotations

import re

from rdna1.preflight.dpkg_repair import repair_of
from rdna1.preflight.facts import Facts, RocmPart, UnknownFactError
from rdna1.preflight.model import Case, CheckOutcome, check
from rdna1.preflight.rocm_parts import amd_release, not_of, of_other_release

_MOST_SHOWN = 6
_REPLACE = "let provisioning do it with rdna1_rocm_replace: true"
_AMD_FOLDER = re.compile(r"/opt/rocm(?![a-z])")
# A shared library by Debian's way of naming packages: its soname's number ends the name.
_RUNTIME_LIBRARY = re.compile(r"lib\S*\d(?:t64)?")


@check(
    "apt-state",
    "State of dpkg and apt",
    references=("ROCm/amdgpu#192", "Azure/aks-engine#1538"),
)
def apt_state(case: Case) -> CheckOutcome:
    """Apt installs nothing while dpkg is half done with a package.

    A full disk, a lost connection or a failed build of a kernel module are the usual
    reasons. Each state of dpkg has a remedy of its own: configuring does nothing for a
    package that must be installed again, and repeats a build that fails for good. A dpkg that
    was killed leaves a journal as well, and apt refuses to work until dpkg has read it, even
    where every package looks complete. Provisioning finishes what can be finished, so that
    this only warns. A process that holds the lock, often unattended-upgrades, only makes apt
    wait.
    """
    facts = case.facts
    if facts.known(lambda f: f.apt.half_configured) or facts.apt.dpkg_journal:
        return _unfinished(facts)
    holder = facts.apt.lock_holder
    if holder is not None:
        return CheckOutcome(
            "warn",
            "another process holds the lock of dpkg or apt",
            [f"process {holder.pid}: {holder.command}"],
            "Wait until it is done; do not delete the lock.",
        )
    unread = facts.unknown.get("apt.lock_holder")
    return CheckOutcome("pass", "dpkg is done with all packages", [unread] if unread else [])


def _unfinished(facts: Facts) -> CheckOutcome:
    """Return what dpkg did not finish with, and the commands that do."""
    repair = repair_of(facts)
    packages = facts.apt.unfinished or []
    names = [f"{p.name} {p.version}: {p.state}" for p in packages]
    lines = _shown(names or facts.apt.half_configured or [])
    if facts.apt.dpkg_journal:
        lines.append(f"/var/lib/dpkg/updates: {facts.apt.dpkg_journal} changes not written down")
    broken = set(repair.broken)
    lines += [
        f"{entry.path} is also in {entry.owner}"
        for entry in (facts.apt.overwritten if broken else [])
    ]
    if repair.driver:
        lines += [
            f"/var/lib/dkms/amdgpu/{build.version}/build/make.log tells why the build failed"
            for build in facts.modules.dkms or []
            if not build.kernels
        ]
        remedy = (
            f"As root: {'; '.join(repair.steps)}. The kernel's own driver serves the card; "
            "configuring AMD's would repeat the build that failed."
        )
        summary = f"dpkg cannot finish {', '.join(repair.driver)}, which does not build here"
        return CheckOutcome("fail", summary, lines, remedy)
    remedy = f"As root: {'; '.join(repair.steps)}."
    if not repair.only_configures:
        remedy += " What is missing afterwards: apt install --fix-broken"
    if repair.builds:
        remedy += (
            " Where that fails again, a module does not build on this kernel: its package must be "
            f"renewed, or go with: apt purge {' '.join(repair.builds)}"
        )
    what = "did not finish with some packages" if facts.apt.half_configured else "was interrupted"
    return CheckOutcome("warn", f"dpkg {what}; provisioning does that first", lines, remedy)


@check(
    "rocm-mixture",
    "ROCm of one source",
    strict=True,
    references=(
        "ROCm/ROCm#5555",
        "ROCm/ROCm#1899",
        "ROCm/rocm-install-on-linux#583",
        "ROCm/legacy-rocm-build#3306",
        "ROCm installation on Linux: post-installation instructions (ld.so.conf.d/rocm.conf)",
    ),
)
def rocm_mixture(case: Case) -> CheckOutcome:
    """ROCm of AMD and ROCm of the distribution must not be mixed.

    Both have packages called rocminfo or hipcc with versions that outrank each other, and
    headers that do not fit each other. What apt then installs is broken, or breaks with the
    next update. Only a runtime library of the distribution, which another program may need,
    stays out of the way: it lies in /usr/lib, AMD's in /opt/rocm. That ends where a file in
    /etc/ld.so.conf.d, as AMD's guide writes one, names AMD's folder: both libraries have
    the same name, and each program then loads the one that the linker found first.
    """
    parts = case.facts.known(lambda f: f.rocm)
    going = not_of(parts, case.rocm_source, case.stack.rocm_version)
    if case.rocm_replace and going:
        return CheckOutcome(
            "warn",
            "ROCm of another source or release is installed, and provisioning removes it first",
            _versions(going),
            "Nothing. To keep it, leave rdna1_rocm_replace out.",
        )
    amd = [part for part in parts if part.source == "amd"]
    distro = [part for part in parts if part.source == "distro"]
    if case.rocm_source == "amd" and (other := _of_other_release(case, amd)):
        return other
    if amd and distro and (clash := _clash(case, amd, distro)):
        return clash
    if amd and case.rocm_source == "distro":
        return CheckOutcome(
            "fail",
            "ROCm of AMD is installed, and the stack would add the distribution's",
            _versions(amd),
            f"{_purge(case, amd)}; or {_REPLACE}; or choose the ROCm source none.",
        )
    if amd and distro:
        return CheckOutcome(
            "warn",
            "next to AMD's ROCm there are runtime libraries of the distribution",
            _of_both(amd, distro),
            "Nothing to do while a program needs them; keep /opt/rocm out of "
            "/etc/ld.so.conf.d and LD_LIBRARY_PATH.",
        )
    in_the_way = _more_than_libraries(distro)
    if in_the_way and case.rocm_source == "amd":
        return CheckOutcome(
            "fail",
            "ROCm of the distribution is installed, and AMD's would be added",
            _versions(in_the_way),
            f"{_purge(case, in_the_way)}; or {_REPLACE}; or choose the ROCm source distro or none.",
        )
    folders = [part for part in parts if part.source == "folder"]
    if folders and case.rocm_source == "distro":
        linked = [
            f"{entry.where}: {entry.folder}"
            for entry in case.facts.library_folders or []
            if _AMD_FOLDER.match(entry.folder)
        ]
        return CheckOutcome(
            "warn",
            "there is a ROCm that no package owns",
            [*(f"{part.name}: {part.version}" for part in folders), *linked],
            "Remove the folder, or keep it out of PATH, LD_LIBRARY_PATH and /etc/ld.so.conf.d.",
        )
    return CheckOutcome("pass", "ROCm has one source at most", _versions(parts))


def _of_other_release(case: Case, amd: list[RocmPart]) -> CheckOutcome | None:
    """Return AMD's ROCm of another release than the stack's, which apt keeps where it is newer."""
    wanted = case.stack.rocm_version
    others = of_other_release(amd, wanted)
    if not others:
        return None
    releases = sorted({str(amd_release(part)) for part in others})
    return CheckOutcome(
        "fail",
        f"ROCm {', '.join(releases)} of AMD is installed, and the stack's is {wanted}: apt "
        "replaces no package by an older one",
        _versions(others),
        f"{_purge(case, others)}; or {_REPLACE}; or choose the ROCm source none.",
    )


def _more_than_libraries(distro: list[RocmPart]) -> list[RocmPart]:
    """Return the parts of the distribution that AMD's packages do not get along with."""
    return [part for part in distro if not _RUNTIME_LIBRARY.fullmatch(part.name)]


def _clash(case: Case, amd: list[RocmPart], distro: list[RocmPart]) -> CheckOutcome | None:
    """Return what breaks where both are installed, if anything does.

    Raises:
        UnknownFactError: that depends on the linker's configuration, which is not known.
    """
    more = _more_than_libraries(distro)
    both_run_hip = any(part.name.startswith("hip-runtime-amd") for part in amd) and any(
        part.name.startswith("libamdhip64") for part in distro
    )
    if more or both_run_hip:
        return CheckOutcome(
            "fail",
            "ROCm of AMD and of the distribution are installed together",
            _of_both(amd, distro),
            f"Keep one of them. {_purge(case, amd)}; or {_REPLACE}.",
        )
    unread = case.facts.unread("library_folders")
    if unread:
        raise UnknownFactError(unread[0])
    folders = case.facts.known(lambda f: f.library_folders)
    entries = [entry for entry in folders if _AMD_FOLDER.match(entry.folder)]
    if not entries:
        return None
    return CheckOutcome(
        "fail",
        "libraries of AMD and of the distribution compete for the same names",
        [f"{entry.where}: {entry.folder}" for entry in entries] + _of_both(amd, distro),
        "As root: take these lines out of the files and run ldconfig.",
    )


def _of_both(amd: list[RocmPart], distro: list[RocmPart]) -> list[str]:
    return [
        *(f"AMD: {line}" for line in _versions(amd)),
        *(f"distribution: {line}" for line in _versions(distro)),
    ]


def _purge(case: Case, parts: list[RocmPart]) -> str:
    """Return the command that removes parts; apt refuses any before broken packages are gone."""
    broken = repair_of(case.facts).broken
    names = " ".join(part.name for part in parts if part.name not in broken)
    if broken:
        return f"First what apt-state says. Then as root: apt purge {names}"
    return f"As root: apt purge {names}"


def _versions(parts: list[RocmPart]) -> list[str]:
    return _shown([f"{part.name} {part.version}" for part in parts])


def _shown(lines: list[str]) -> list[str]:
    more = len(lines) - _MOST_SHOWN
    return [*lines[:_MOST_SHOWN], f"and {more} more"] if more > 0 else lines
