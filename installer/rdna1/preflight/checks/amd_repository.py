"""Checks of AMD's package repository among apt's sources."""

from __future__ import annotations

import fnmatch

from rdna1.preflight.amd_sources import (
    NONE_ENABLED,
    REMOVED,
    ROCM_PATH,
    amd_sources,
    disable,
    fate,
    is_older,
    is_own,
    is_replaced,
    new_sources,
    rocm_versions,
    shown,
)
from rdna1.preflight.apt_facts import Pin
from rdna1.preflight.model import Case, CheckOutcome, check

_ARCHIVE_PRIORITY = 500
_CONTESTED = "rocminfo"  # of the packages that both offer, the one others depend on exactly


@check(
    "amd-signature",
    "AMD's source is signed",
    references=(
        "ROCm/ROCm docs/deploy/linux/os-native/install.md at docs/5.7.1",
        "ROCm/legacy-rocm-build#2362",
        "sources.list(5)",
    ),
)
def amd_signature(case: Case) -> CheckOutcome:
    """A source of AMD must be checked against AMD's key, and against no other.

    With trusted=yes anybody on the way to the server can install programs as root. Without
    signed-by every key that apt trusts is enough for AMD's packages, AMD's for every other
    archive, and an expired copy in the common keyring stops the update.
    """
    new = new_sources(case)
    sources = [*amd_sources(case), *new]
    trusted = [source for source in sources if source.trusted]
    lines = [shown(source) for source in trusted]
    summary = "apt takes AMD's packages without a signature"
    if trusted and is_replaced(case, sources):
        return CheckOutcome("warn", summary, lines, fate(case))
    if trusted and all(source in new for source in trusted):
        remedy = f"{disable(trusted)}. AMD's nightly packages have no signature."
        return CheckOutcome("fail", summary, lines, remedy)
    if trusted:
        remedy = f"Replace trusted=yes by signed-by={case.amd.keyring} and put AMD's key there."
        return CheckOutcome("fail", summary, lines, remedy)
    unsigned = [source for source in sources if not source.signed_by]
    if unsigned:
        keyring = case.amd.keyring
        where = f"signed-by={keyring} and put AMD's key there"
        if all(source in new for source in unsigned):
            where = f"signed-by={case.amd.new_keyring} and put the key there that is at "
            where += case.amd.new_key_url
        lines = [shown(source) for source in unsigned]
        remedy = disable(unsigned) if case.rocm_source == "distro" else f"Add {where}."
        return CheckOutcome("warn", "AMD's source does not name its key", lines, remedy)
    return CheckOutcome("pass", "each source of AMD names its key" if sources else NONE_ENABLED)


@check(
    "amd-suite",
    "Suite of AMD's source",
    references=(
        "ROCm/ROCm docs/deploy/linux/linux.template.jinja at docs/5.7.1",
        "ROCm/legacy-rocm-build#2993",
        "ROCm/legacy-rocm-build#2939",
    ),
)
def amd_suite(case: Case) -> CheckOutcome:
    """AMD's repository has a suite for each release it supported at the time, and no other.

    ROCm 5.7 exists for focal and jammy; noble begins with ROCm 6.2, and nothing was ported
    back. Many scripts name a suite "ubuntu", which AMD documents for neither 5.2 nor 5.7.
    """
    sources = [
        (source, version) for source in amd_sources(case) for version in rocm_versions(source)
    ]
    if not sources:
        return CheckOutcome("pass", "no source of AMD's ROCm is enabled")
    release = case.facts.known(lambda f: f.os).codename
    assessed = [
        (shown(source), *_suite(case, version, suite, release))
        for source, version in sources
        for suite in source.suites
    ]
    lines = [f"{shown}: {reason}" for shown, _, reason in assessed if reason]
    remedy = "Remove the source, or name a suite and version that exist for this release."
    if lines and is_replaced(case, [source for source, _ in sources]):
        return CheckOutcome("warn", "AMD's source is not made for this release", lines, fate(case))
    if any(status == "fail" for _, status, _ in assessed):
        return CheckOutcome("fail", "AMD's source names a suite that does not exist", lines, remedy)
    if lines:
        return CheckOutcome("warn", "AMD's source is not made for this release", lines, remedy)
    return CheckOutcome("pass", "AMD's source is made for this release", [j[0] for j in assessed])


@check(
    "amd-source",
    "AMD's sources fit the stack",
    references=("ROCm/ROCm#5555", "ROCm/legacy-rocm-build#1899"),
)
def amd_source(case: Case) -> CheckOutcome:
    """The sources of AMD must be of one version, and absent where the stack needs none.

    Every version of ROCm has its own repository. With two of them apt mixes packages that
    depend on each other's exact version; left over next to the distribution's ROCm, AMD's
    packages of the same name replace it with the next update. amdgpu-install leaves sources of
    the driver and of graphics, whose addresses AMD takes away after a while.
    """
    sources = [
        (source, version) for source in amd_sources(case) for version in rocm_versions(source)
    ]
    versions = sorted({version for _, version in sources})
    lines = [shown(source) for source, _ in sources]
    if len(versions) > 1:
        summary = f"AMD's sources are of several versions of ROCm: {', '.join(versions)}"
        if is_replaced(case, [source for source, _ in sources]):
            return CheckOutcome("warn", summary, lines, fate(case))
        return CheckOutcome(
            "fail", summary, lines, "Keep one of them; then run as root: apt update"
        )
    stray = new_sources(case) if case.rocm_source != "none" else []
    if stray:
        summary = "another repository of AMD's is enabled, of ROCm 10 or newer: no stack uses it"
        return CheckOutcome("warn", summary, lines + list(map(shown, stray)), disable(stray))
    wanted = case.stack.rocm_version
    if versions and case.rocm_source == "amd" and versions != [wanted]:
        summary = f"AMD's source is of ROCm {versions[0]}, and the stack's is {wanted}"
        if is_replaced(case, [source for source, _ in sources]):
            return CheckOutcome("warn", summary, lines, fate(case))
        remedy = disable([source for source, _ in sources])
        return CheckOutcome("fail", summary, lines, remedy)
    if sources and case.rocm_source == "distro":
        own = all(is_own(case, source) for source, _ in sources)
        files = " ".join(sorted({source.file for source, _ in sources}))
        return CheckOutcome(
            "warn",
            "a source of AMD is enabled, and the stack takes ROCm of the distribution",
            lines,
            REMOVED if own else f"Disable it in {files}; then run as root: apt update",
        )
    unused = [
        source
        for source in amd_sources(case)
        if not rocm_versions(source) and case.stack.rocm_version not in " ".join(source.uris)
    ]
    if unused:
        by_hand = (
            f"{disable(unused)}. Once its address is gone from AMD's server, apt update fails."
        )
        return CheckOutcome(
            "warn",
            "a source of AMD is enabled that the stack does not use",
            lines + list(map(shown, unused)),
            fate(case) if is_replaced(case, unused) else by_hand,
        )
    version = f"AMD's sources are of ROCm {versions[0]} alone" if versions else NONE_ENABLED
    return CheckOutcome("pass", version, lines)


@check(
    "amd-pin",
    "AMD's packages outrank the distribution's",
    references=(
        "ROCm/ROCm docs/deploy/linux/os-native/install.md at docs/5.7.1",
        "ROCm/legacy-rocm-build#1899",
        "ROCm/legacy-rocm-build#3656",
        "ROCm/ROCm#3946",
        "ROCm/rocm-install-on-linux#583",
    ),
)
def amd_pin(case: Case) -> CheckOutcome:
    """With AMD's repository apt must prefer AMD's packages, which takes a pin.

    Ubuntu's rocminfo 5.7.1-3build1 counts as newer than AMD's 1.0.0.50701, and AMD's
    packages depend on their own to the digit: without the pin apt cannot install them. A
    pin that was written with echo and kept its backslashes is none.
    """
    sources = [source for source in amd_sources(case) if rocm_versions(source)]
    if case.rocm_source == "amd" and (outranking := _outranking(case)):
        return outranking
    if not sources:
        return CheckOutcome("pass", "no source of AMD's ROCm is enabled")
    if case.rocm_source == "distro":
        return CheckOutcome("skip", "the stack takes ROCm of the distribution")
    if case.rocm_source == "amd":
        return CheckOutcome(
            "pass", "provisioning writes the pin that makes apt prefer AMD's packages"
        )
    candidate = (case.facts.apt.candidates or {}).get(_CONTESTED)
    # An installed version that no archive has any more says nothing about which one wins.
    origins = [o for o in (candidate.origins if candidate else []) if not o.startswith("/")]
    by_amd = any(case.amd.host in origin or ROCM_PATH.search(origin) for origin in origins)
    if candidate and origins and not by_amd:
        lines = [f"{_CONTESTED} {candidate.version}: {origin}" for origin in origins]
        return CheckOutcome("warn", f"apt prefers another {_CONTESTED} to AMD's", lines, _pin(case))
    pins = [pin for pin in case.facts.known(lambda f: f.apt.pins) if _pins(case, pin)]
    if by_amd or pins:
        lines = [f"{pin.where}: {pin.pin}, priority {pin.priority}" for pin in pins]
        return CheckOutcome("pass", "apt prefers AMD's packages", lines)
    lines = [shown(source) for source in sources]
    return CheckOutcome("warn", "nothing makes apt prefer AMD's packages", lines, _pin(case))


def _suite(case: Case, version: str, suite: str, release: str | None) -> tuple[str, str]:
    """Return status and reason of one suite; no reason where it is right."""
    if _is_of_stack(case, version, suite):
        return "pass", ""
    known = case.amd.suites_of(version)
    first = case.amd.first_rocm.get(suite)
    if first is not None and is_older(version, first):
        return "fail", f"{suite} begins with ROCm {first}"
    if known is not None and suite not in known.documented:
        documented = f"AMD documents {' and '.join(known.documented)} for ROCm {version}"
        if suite in known.seen:
            return "warn", f"{documented}; {suite} was seen in scripts"
        return "fail", f"{documented}, not {suite}"
    if suite != release:
        return "warn", f"{suite} is another release than {release or 'this one'}"
    return "pass", ""


def _is_of_stack(case: Case, version: str, suite: str) -> bool:
    """Return whether it is what the stack itself takes here, where no suite is of this release."""
    found = case.facts.os
    if found is None or case.rocm_source != "amd":
        return False
    packages = case.stack.packages("amd", found.id, found.version_id or "")
    return packages is not None and (version, suite) == (case.stack.rocm_version, packages.suite)


def _pins(case: Case, pin: Pin) -> bool:
    """Return whether a pin lifts AMD's packages above any archive's."""
    target = pin.pin.replace('"', "")
    is_amds = case.amd.pin.release in target or target == f"origin {case.amd.host}"
    covers = any(fnmatch.fnmatchcase(_CONTESTED, pattern) for pattern in pin.packages)
    return is_amds and covers and pin.priority > _ARCHIVE_PRIORITY


def _outranking(case: Case) -> CheckOutcome | None:
    """Return pins of others that outrank the one that provisioning writes."""
    ours = case.amd.pin.priority
    above = [
        pin
        for pin in case.facts.known(lambda f: f.apt.pins)
        if pin.priority > ours
        and not _pins(case, pin)
        and any(fnmatch.fnmatchcase(_CONTESTED, pattern) for pattern in pin.packages)
    ]
    if not above:
        return None
    return CheckOutcome(
        "warn",
        f"a pin outranks AMD's packages, which provisioning gives the priority {ours}",
        [f"{pin.where}: {pin.pin}, priority {pin.priority}" for pin in above],
        f"Give it a priority below {ours}, or name the packages that it is for instead of all.",
    )


def _pin(case: Case) -> str:
    lines = "; ".join(case.amd.pin.text.splitlines())
    return f"Write into {case.amd.pin.file} the lines: {lines}. Then run as root: apt update"
