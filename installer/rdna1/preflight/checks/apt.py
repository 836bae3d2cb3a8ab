"""Checks of apt: its sources, what it would install, and how it gets there."""

from __future__ import annotations

import re

from packaging.version import Version

from rdna1.catalog.repositories import distribution
from rdna1.catalog.stacks import Dependency, release_name
from rdna1.preflight.amd_sources import is_own
from rdna1.preflight.apt_facts import Candidate, Source
from rdna1.preflight.facts import OperatingSystem
from rdna1.preflight.model import Case, CheckOutcome, check

_PROXY_URL = re.compile(r"(https?|socks5h)://[^\s/]+.*", re.IGNORECASE)
_DIRECT = "DIRECT"
# The first release with apt 3.0; its 3.0.4 was seen to go on where 2.6.1 stops.
_LENIENT_SINCE = {"debian": "13"}
# The first releases whose Python is closed to pip (PEP 668).
_CLOSED_SINCE = {"debian": "12", "ubuntu": "23.04"}


@check(
    "signed-by",
    "One key for each archive",
    references=(
        "microsoft/linux-package-repositories#69",
        "NVIDIA/libnvidia-container#194",
        "sources.list(5)",
    ),
)
def signed_by(case: Case) -> CheckOutcome:
    """Two entries of one archive must name the same key, or apt reads no source at all.

    It then says "Conflicting values set for option Signed-By" and neither updates nor
    installs. The usual way there is a second file that some script wrote. Where only one
    of them names a key, apt 3.0 of Debian 13 goes on, and older ones do not.
    """
    facts = case.facts
    sources = facts.known(lambda f: f.apt.sources)
    found = [
        (archive, entries, {_keys(case, entry) for entry in entries})
        for archive, entries in _archives(sources).items()
    ]
    differing = [(archive, entries) for archive, entries, keys in found if len(keys) > 1]
    lines = [
        f"{source.where}: {' '.join(archive)} signed by {' '.join(source.signed_by) or 'any key'}"
        for archive, entries in differing
        for source in entries
    ]
    remedy = "Remove all but one of these entries."
    if any(len(keys - {()}) > 1 for *_, keys in found) or (lines and not _is_lenient(case)):
        summary = "entries of one archive name different keys: apt refuses to read any source"
        return CheckOutcome("fail", summary, lines, remedy)
    if lines:
        return CheckOutcome("warn", "entries of one archive name a key and none", lines, remedy)
    unread = [f"not read: {reason}" for reason in facts.unread("apt.sources")]
    return CheckOutcome("pass", "no archive has two different keys", unread)


@check(
    "candidates",
    "Apt offers the stack's packages",
    references=("packages.ubuntu.com noble rocminfo", "packages.debian.org trixie rocminfo"),
)
def candidates(case: Case) -> CheckOutcome:
    """Apt must have a candidate for every package that the stack installs.

    Ubuntu keeps ROCm in the component universe, which minimal images leave out. A package
    of AMD with the same name would mix two builds of ROCm. What comes from AMD's own
    repository is asked about later: provisioning adds the repository, then simulates.
    """
    names = _pytorch_packages(case) if case.rocm_source == "amd" else _packages(case)
    if not names and case.rocm_source == "amd":
        return CheckOutcome("pass", "apt is asked once provisioning has added AMD's repository")
    if not names:
        return CheckOutcome("pass", "the stack installs no package of ROCm or PyTorch with apt")
    offered = _offered(case, names)
    missing = [name for name in names if offered[name] is None]
    if missing:
        lines = [f"{name}: no candidate" for name in missing]
        summary = f"apt does not offer {', '.join(missing)}"
        return CheckOutcome("fail", summary, lines, _where_packages_are(case, missing))
    shown = {name: found for name, found in offered.items() if found}
    lines = [f"{name} {found.version}: {' '.join(found.origins)}" for name, found in shown.items()]
    by_amd = [
        name
        for name, found in shown.items()
        if any(case.amd.host in origin for origin in found.origins)
    ]
    if by_amd and case.rocm_source == "distro":
        summary = f"apt would take {', '.join(by_amd)} from AMD instead of the distribution"
        sources = _of_amd(case)
        if sources and all(is_own(case, source) for source in sources):
            remedy = "Nothing: provisioning removes its own source of AMD first."
            return CheckOutcome("warn", summary, lines, remedy)
        return CheckOutcome("fail", summary, lines, "Disable AMD's source; then: apt update")
    return CheckOutcome("pass", f"apt offers {', '.join(names)}", lines)


@check(
    "held-packages",
    "No held package of the stack",
    references=("apt-mark(8)", "dpkg-query(1)"),
)
def held_packages(case: Case) -> CheckOutcome:
    """A held package stays at its version, and apt stops where the stack needs another.

    Holding ROCm is common advice, so that an update does not replace a version that works.
    """
    facts = case.facts
    held = set(facts.known(lambda f: f.apt.held))
    installed = {part.name for part in facts.rocm or []}
    ours = sorted(held & {*_packages(case), *installed})
    if ours:
        summary = f"held at their version: {', '.join(ours)}"
        remedy = f"As root, where the stack shall change them: apt-mark unhold {' '.join(ours)}"
        return CheckOutcome("warn", summary, [], remedy)
    return CheckOutcome("pass", "no package of ROCm or of the stack is held")


@check(
    "amd-dependencies",
    "What AMD's packages depend on",
    references=(
        "ROCm/ROCm-CompilerSupport lib/comgr/CMakeLists.txt at rocm-5.2.3",
        "ROCm/legacy-rocm-build#1713",
        "ROCm/legacy-rocm-build#1844",
    ),
)
def amd_dependencies(case: Case) -> CheckOutcome:
    """AMD's packages of ROCm 5.2 depend on libraries that newer releases have dropped.

    comgr needs libtinfo5, rocm-llvm an old libstdc++. This asks apt of this machine
    instead of a table. It only fails where the stack would be refused anyway: elsewhere
    the PyTorch wheel brings its own ROCm.
    """
    wanted = case.stack.amd_dependencies
    if not wanted:
        return CheckOutcome("pass", f"{case.stack.name} needs nothing that releases have dropped")
    offered = _offered(case, [name for each in wanted for name in each.any_of])
    unmet = [each for each in wanted if not any(offered[name] for name in each.any_of)]
    lines = [_unmet(each) for each in unmet]
    if not unmet:
        return CheckOutcome("pass", f"apt has what AMD's packages of {case.stack.name} depend on")
    summary = f"apt does not have what AMD's packages of {case.stack.name} depend on"
    found = case.facts.os
    release = case.stack.release(found.id, found.version_id or "") if found else None
    if release is None or release.support == "refused":
        remedy = "Use another stack or release; do not add the sources of an older release."
        return CheckOutcome("fail", summary, lines, (release and release.remedy) or remedy)
    return CheckOutcome("pass", f"{summary}; the PyTorch wheel brings its own ROCm", lines)


@check("apt-proxy", "Proxies of apt", references=("apt-transport-http(1)", "Debian/apt#42"))
def apt_proxy(case: Case) -> CheckOutcome:
    """Downloads of apt go through the proxies its settings name, those of PyTorch do not.

    A proxy without http:// in front, or two files that name different ones, are why an
    installation fails that works from a browser. uv and pip read https_proxy instead.
    """
    facts = case.facts
    settings = facts.known(lambda f: f.apt.proxies)
    lines = [f"{setting.where}: {setting.name} {setting.value!r}" for setting in settings]
    unread = [f"not read: {reason}" for reason in facts.unread("apt.proxies")]
    direct = [s for s in settings if "detect" not in s.name.lower() and s.value != _DIRECT]
    odd = [s for s in direct if s.value and not _PROXY_URL.fullmatch(s.value)]
    if odd:
        summary = f"{odd[0].where}: {odd[0].value!r} is not an address of a proxy"
        return CheckOutcome("warn", summary, lines + unread, "Write it as http://HOST:PORT/")
    values: dict[str, set[str]] = {}
    for setting in direct:
        values.setdefault(setting.name.lower(), set()).add(setting.value)
    if any(len(different) > 1 for different in values.values()):
        summary = "settings of apt name different proxies; the last one counts"
        return CheckOutcome("warn", summary, lines + unread, "Keep one of these settings.")
    if not settings:
        return CheckOutcome("pass", "the settings of apt name no proxy", unread)
    summary = "apt uses a proxy; for PyTorch's download set https_proxy as well"
    return CheckOutcome("pass", summary, lines + unread)


@check(
    "pep668",
    "The system's Python is closed to pip",
    references=(
        "PEP 668",
        "discuss.python.org/t/10302",
        "hkevin01/robust-thermal-image-object-detection downgrade_rocm57.sh",
    ),
)
def pep668(case: Case) -> CheckOutcome:
    """Debian 12, Ubuntu 23.04 and later close their Python to pip, for good reason.

    The stack's PyTorch goes into an environment of its own. Where the marker was removed,
    pip as root overwrites files of the distribution's packages, and programs of the
    system load the wrong numpy or torch.
    """
    facts = case.facts
    markers = facts.known(lambda f: f.externally_managed)
    if markers:
        summary = "pip leaves the system's Python alone; PyTorch gets its own environment"
        return CheckOutcome("pass", summary, markers)
    found = facts.known(lambda f: f.os)
    since = _CLOSED_SINCE.get(found.id)
    if since is None or not _is_from(found, since):
        return CheckOutcome("pass", "this release has no marker; PyTorch gets its own environment")
    return CheckOutcome(
        "warn",
        f"the marker that {found.pretty_name} puts into its Python is gone: pip writes over it",
        ["/usr/lib/python3*/EXTERNALLY-MANAGED: No such file or directory"],
        "As root: apt install --reinstall the package libpython3.N-stdlib of the system's Python.",
    )


def _archives(sources: list[Source]) -> dict[tuple[str, str], list[Source]]:
    """Return address and suite of each archive to its enabled entries."""
    archives: dict[tuple[str, str], list[Source]] = {}
    for source in sources:
        for uri in source.uris if source.enabled else ():
            for suite in source.suites:
                archives.setdefault((uri.rstrip("/"), suite), []).append(source)
    return archives


def _is_lenient(case: Case) -> bool:
    """Return whether apt goes on when one entry of an archive names a key and another none."""
    found = case.facts.os
    since = _LENIENT_SINCE.get(found.id) if found else None
    return found is not None and since is not None and _is_from(found, since)


def _keys(case: Case, source: Source) -> tuple[str, ...]:
    """Return what a source is signed by; for a key in the entry itself its fingerprints."""
    keyrings = {keyring.path: keyring for keyring in case.facts.apt.keyrings or []}
    embedded = keyrings.get(source.where) if source.signed_by == [source.where] else None
    if embedded is None:
        return tuple(source.signed_by)
    return tuple(key.fingerprint for key in embedded.keys)


def _packages(case: Case) -> list[str]:
    """Return packages of ROCm and PyTorch that the stack installs with apt on this release."""
    return sorted({*_rocm_packages(case), *_pytorch_packages(case)})


def _rocm_packages(case: Case) -> list[str]:
    found = case.facts.os
    if found is None:
        return []
    packages = case.stack.packages(case.rocm_source, found.id, found.version_id or "")
    return packages.names() if packages else []


def _pytorch_packages(case: Case) -> list[str]:
    """Return the distribution's PyTorch, and what rdna1 imports in an environment with it."""
    if case.pytorch_source != "distro":
        return []
    return [*case.stack.pytorch.distro_packages, *distribution().own_requirements]


def _of_amd(case: Case) -> list[Source]:
    sources = case.facts.known(lambda f: f.apt.sources)
    return [s for s in sources if s.enabled and any(case.amd.host in uri for uri in s.uris)]


def _offered(case: Case, names: list[str]) -> dict[str, Candidate | None]:
    """Return candidates of packages.

    Raises:
        UnknownFactError: apt was not asked, or not about all of them.
    """
    facts = case.facts
    known = facts.known(lambda f: f.apt.candidates)
    for name in names:
        if name not in known:
            facts.lacking(f"apt.candidates.{name}")
    return {name: known[name] for name in names}


def _where_packages_are(case: Case, missing: list[str]) -> str:
    found, sources = case.facts.os, case.facts.apt.sources or []
    archive = distribution()
    has_pytorch = found is None or archive.has_pytorch(found.id, found.version_id)
    if set(missing) & set(_pytorch_packages(case)) and not has_pytorch:
        offered = [release_name(each.os, each.version) for each in archive.pytorch_releases]
        return (
            "Leave rdna1_pytorch_source empty, or set it to index: the archive of this release "
            "does not have what an environment with the distribution's PyTorch needs, that of "
            f"{' or '.join(offered)} does."
        )
    has_universe = any("universe" in source.components for source in sources if source.enabled)
    if found and found.id == "ubuntu" and not has_universe:
        return "As root: add-apt-repository universe && apt update"
    return "As root: apt update; then see that the sources name this release and its archive."


def _unmet(dependency: Dependency) -> str:
    return f"{' and '.join(dependency.of)}: no candidate for {' or '.join(dependency.any_of)}"


def _is_from(found: OperatingSystem, since: str) -> bool:
    try:
        return Version(found.version_id or "") >= Version(since)
    except ValueError:  # no version, or a number of more digits than int() takes
        return False
