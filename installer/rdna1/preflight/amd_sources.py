"""AMD's repository among apt's sources: which sources name it, and what becomes of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from packaging.version import Version

from rdna1.preflight.apt_facts import Source
from rdna1.preflight.facts import UnknownFactError
from rdna1.preflight.model import Case

ROCM_PATH = re.compile(r"/rocm/apt/(?P<version>[^/\s]+)")
_REPLACED = "Nothing: provisioning replaces AMD's source and key by those of the stack."
REMOVED = "Nothing: provisioning removes the source of AMD that it wrote."
NONE_ENABLED = "no source of AMD is enabled"


def amd_sources(case: Case) -> list[Source]:
    """Return enabled sources of packages from AMD's host, or from a mirror with its folders."""
    facts = case.facts
    sources = facts.known(lambda f: f.apt.sources)
    unread = facts.unread("apt.sources")
    found = [s for s in sources if s.enabled and "deb" in s.types and _is_amds(case, s)]
    if not found and unread:
        raise UnknownFactError(unread[0])
    return found


def new_sources(case: Case) -> list[Source]:
    """Return enabled sources of AMD's other servers: ROCm 10 and newer, and nightly builds."""
    sources = case.facts.known(lambda f: f.apt.sources)
    return [
        source
        for source in sources
        if source.enabled
        and "deb" in source.types
        and not _is_amds(case, source)
        and any(_is_below(case, host(uri) or "") for uri in source.uris)
    ]


def is_replaced(case: Case, sources: list[Source]) -> bool:
    """Return whether provisioning replaces or removes these sources.

    Mirrors are left alone: only what names AMD's host, or this project's file, is replaced.
    Where the stack takes ROCm from elsewhere, only this project's file is removed.
    """
    hosts = {host(uri) for source in sources for uri in source.uris}
    own = all(is_own(case, source) for source in sources)
    return own or (case.rocm_source == "amd" and hosts == {case.amd.host})


def is_own(case: Case, source: Source) -> bool:
    """Say whether a source is in one of the files that provisioning writes for AMD's repository."""
    return source.file in (case.amd.sources_file, case.amd.driver_sources_file)


def fate(case: Case) -> str:
    """Return what provisioning does with the sources of `is_replaced`, as a remedy."""
    return _REPLACED if case.rocm_source == "amd" else REMOVED


def disable(sources: list[Source]) -> str:
    """Return the remedy that takes sources away."""
    files = " ".join(sorted({source.file for source in sources}))
    return f"Disable it in {files}; then run as root: apt update"


def rocm_versions(source: Source) -> list[str]:
    """Return versions of ROCm that a source offers; none for that of the driver."""
    return [match["version"] for match in map(ROCM_PATH.search, source.uris) if match]


def host(uri: str) -> str | None:
    """Return the host that an address names."""
    try:
        return urlsplit(uri).hostname
    except ValueError:  # brackets that hold no address
        return None


def is_older(version: str, first: str) -> bool:
    """Return whether a version comes before another; False for what is not a version."""
    try:
        return Version(version) < Version(first)
    except ValueError:  # "latest", "debian", or a number of more digits than int() takes
        return False


def shown(source: Source) -> str:
    """Return a source as a line of evidence."""
    return f"{source.where}: {' '.join(source.uris)} {' '.join(source.suites)}"


def _is_amds(case: Case, source: Source) -> bool:
    return any(case.amd.host == host(uri) or ROCM_PATH.search(uri) for uri in source.uris)


def _is_below(case: Case, host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in case.amd.domains)
