"""Rules about AMD's package repository among apt's sources."""

from __future__ import annotations

import fnmatch
import re
from urllib.parse import urlsplit

from packaging.version import Version

from rdna1.preflight.apt_facts import Key, Keyring, Pin, Source
from rdna1.preflight.facts import UnknownFactError
from rdna1.preflight.model import Case, CheckOutcome, check

_ROCM_PATH = re.compile(r"/rocm/apt/(?P<version>[^/\s]+)")
_ARCHIVE_PRIORITY = 500
_CONTESTED = "rocminfo"  # of the packages that both offer, the one others depend on exactly
_SQV_SINCE = "13"  # of Debian
_REPLACED = "Nothing: provisioning replaces AMD's source and key by those of the stack."
_REMOVED = "Nothing: provisioning removes the source of AMD that it wrote."
_NONE = "no source of AMD is enabled"


@check(
    "amd-key",
    "Key of AMD's repository",
    references=(
        "ROCm/ROCm docs/deploy/linux/os-native/install.md at docs/5.7.1",
        "ROCm/legacy-rocm-build#854",
        "ROCm/legacy-rocm-build#1538",
        "ROCm/legacy-rocm-build#5619",
    ),
)
def amd_key(case: Case) -> CheckOutcome:
    """Apt takes nothing from AMD's repository unless it has AMD's key.

    The key has one fingerprint since 2016 and its expiry was extended several times: copies fetched
    before say that it has expired. The newer apt of Debian 13 also refuses keys that are
    self-signed with SHA-1 from 2026-02-01 on. A mirror may sign with a key of its own, whose
    fingerprint the provisioning is told; it counts for no source of AMD's own host. Whoever has
    another key of the same keyring can sign packages as AMD, too.
    """
    sources = [source for source in _amd_sources(case) if not source.trusted]
    if not sources:
        return CheckOutcome("pass", _NONE)
    wrong = [line for source in sources for line in _wrong_keys(case, source)]
    if wrong and _is_replaced(case, sources):
        return CheckOutcome(
            "warn", "apt does not have the key of AMD's repository", wrong, _fate(case)
        )
    if wrong:
        summary = "apt does not have the key of AMD's repository"
        remedy = f"{_fetch(case)} with: gpg --dearmor"
        if case.rocm_source == "distro":
            remedy = f"{_disable(sources)}. The stack takes nothing from it."
        return CheckOutcome("fail", summary, wrong, remedy)
    more = sorted({line for source in sources for line in _more_keys(case, source)})
    if more:
        replaced = _is_replaced(case, sources)
        return CheckOutcome(
            "warn",
            "the keyring of AMD's repository holds more than AMD's key",
            more,
            _fate(case)
            if replaced
            else f"{_fetch(case)} with: gpg --dearmor; nothing else may be in that file",
        )
    keys = [key for source in sources for _, key in _right_keys(case, source)]
    if _refuses_sha1(case) and any(key.sha1 for key in keys):
        return CheckOutcome(
            "warn",
            "AMD's key is self-signed with SHA-1, which apt of Debian 13 may refuse",
            [f"{_spaced(case.amd.fingerprint)}: its own signature is over SHA-1"],
            f"Fetch {case.amd.key_url} again, or do without AMD's repository.",
        )
    ends = sorted({key.expires or "never" for key in keys})
    return CheckOutcome(
        "pass", f"the key of AMD's repository is right; it expires: {', '.join(ends)}"
    )


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
    signed-by every key that apt trusts vouches for AMD's packages, AMD's for every other
    archive, and an expired copy in the common keyring stops the update.
    """
    new = _new_sources(case)
    sources = [*_amd_sources(case), *new]
    trusted = [source for source in sources if source.trusted]
    lines = [_shown(source) for source in trusted]
    summary = "apt takes AMD's packages without a signature"
    if trusted and _is_replaced(case, sources):
        return CheckOutcome("warn", summary, lines, _fate(case))
    if trusted and all(source in new for source in trusted):
        remedy = f"{_disable(trusted)}. AMD's nightly packages have no signature."
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
        lines = [_shown(source) for source in unsigned]
        remedy = _disable(unsigned) if case.rocm_source == "distro" else f"Add {where}."
        return CheckOutcome("warn", "AMD's source does not name its key", lines, remedy)
    return CheckOutcome("pass", "each source of AMD names its key" if sources else _NONE)


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
    sources = [(source, version) for source in _amd_sources(case) for version in _rocm(source)]
    if not sources:
        return CheckOutcome("pass", "no source of AMD's ROCm is enabled")
    release = case.facts.known(lambda f: f.os).codename
    assessed = [
        (_shown(source), *_suite(case, version, suite, release))
        for source, version in sources
        for suite in source.suites
    ]
    lines = [f"{shown}: {reason}" for shown, _, reason in assessed if reason]
    remedy = "Remove the source, or name a suite and version that exist for this release."
    if lines and _is_replaced(case, [source for source, _ in sources]):
        return CheckOutcome("warn", "AMD's source is not made for this release", lines, _fate(case))
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
    sources = [(source, version) for source in _amd_sources(case) for version in _rocm(source)]
    versions = sorted({version for _, version in sources})
    lines = [_shown(source) for source, _ in sources]
    if len(versions) > 1:
        summary = f"AMD's sources are of several versions of ROCm: {', '.join(versions)}"
        if _is_replaced(case, [source for source, _ in sources]):
            return CheckOutcome("warn", summary, lines, _fate(case))
        return CheckOutcome(
            "fail", summary, lines, "Keep one of them; then run as root: apt update"
        )
    stray = _new_sources(case) if case.rocm_source != "none" else []
    if stray:
        summary = "another repository of AMD's is enabled, of ROCm 10 or newer: no stack uses it"
        return CheckOutcome("warn", summary, lines + list(map(_shown, stray)), _disable(stray))
    wanted = case.stack.rocm_version
    if versions and case.rocm_source == "amd" and versions != [wanted]:
        summary = f"AMD's source is of ROCm {versions[0]}, and the stack's is {wanted}"
        if _is_replaced(case, [source for source, _ in sources]):
            return CheckOutcome("warn", summary, lines, _fate(case))
        remedy = _disable([source for source, _ in sources])
        return CheckOutcome("fail", summary, lines, remedy)
    if sources and case.rocm_source == "distro":
        own = all(is_own(case, source) for source, _ in sources)
        files = " ".join(sorted({source.file for source, _ in sources}))
        return CheckOutcome(
            "warn",
            "a source of AMD is enabled, and the stack takes ROCm of the distribution",
            lines,
            _REMOVED if own else f"Disable it in {files}; then run as root: apt update",
        )
    unused = [
        source
        for source in _amd_sources(case)
        if not _rocm(source) and case.stack.rocm_version not in " ".join(source.uris)
    ]
    if unused:
        by_hand = (
            f"{_disable(unused)}. Once its address is gone from AMD's server, apt update fails."
        )
        return CheckOutcome(
            "warn",
            "a source of AMD is enabled that the stack does not use",
            lines + list(map(_shown, unused)),
            _fate(case) if _is_replaced(case, unused) else by_hand,
        )
    version = f"AMD's sources are of ROCm {versions[0]} alone" if versions else _NONE
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
    sources = [source for source in _amd_sources(case) if _rocm(source)]
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
    by_amd = any(case.amd.host in origin or _ROCM_PATH.search(origin) for origin in origins)
    if candidate and origins and not by_amd:
        lines = [f"{_CONTESTED} {candidate.version}: {origin}" for origin in origins]
        return CheckOutcome("warn", f"apt prefers another {_CONTESTED} to AMD's", lines, _pin(case))
    pins = [pin for pin in case.facts.known(lambda f: f.apt.pins) if _pins(case, pin)]
    if by_amd or pins:
        lines = [f"{pin.where}: {pin.pin}, priority {pin.priority}" for pin in pins]
        return CheckOutcome("pass", "apt prefers AMD's packages", lines)
    lines = [_shown(source) for source in sources]
    return CheckOutcome("warn", "nothing makes apt prefer AMD's packages", lines, _pin(case))


def _amd_sources(case: Case) -> list[Source]:
    """Enabled sources of packages from AMD's host, or from a mirror with its folders."""
    facts = case.facts
    sources = facts.known(lambda f: f.apt.sources)
    unread = facts.unread("apt.sources")
    found = [s for s in sources if s.enabled and "deb" in s.types and _is_amds(case, s)]
    if not found and unread:
        raise UnknownFactError(unread[0])
    return found


def _new_sources(case: Case) -> list[Source]:
    """Enabled sources of AMD's other servers: ROCm 10 and newer, and nightly builds."""
    sources = case.facts.known(lambda f: f.apt.sources)
    return [
        source
        for source in sources
        if source.enabled
        and "deb" in source.types
        and not _is_amds(case, source)
        and any(_is_below(case, _host(uri) or "") for uri in source.uris)
    ]


def _is_below(case: Case, host: str) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in case.amd.domains)


def _disable(sources: list[Source]) -> str:
    files = " ".join(sorted({source.file for source in sources}))
    return f"Disable it in {files}; then run as root: apt update"


def _is_amds(case: Case, source: Source) -> bool:
    return any(case.amd.host == _host(uri) or _ROCM_PATH.search(uri) for uri in source.uris)


def _is_replaced(case: Case, sources: list[Source]) -> bool:
    """Whether provisioning replaces or removes these sources.

    Mirrors are left alone: only what names AMD's host, or this project's file, is replaced.
    Where the stack takes ROCm from elsewhere, only this project's file is removed.
    """
    hosts = {_host(uri) for source in sources for uri in source.uris}
    own = all(is_own(case, source) for source in sources)
    return own or (case.rocm_source == "amd" and hosts == {case.amd.host})


def _fate(case: Case) -> str:
    """What provisioning does with the sources of `_is_replaced`, as a remedy."""
    return _REPLACED if case.rocm_source == "amd" else _REMOVED


def is_own(case: Case, source: Source) -> bool:
    """Whether a source is in one of the files that provisioning writes for AMD's repository."""
    return source.file in (case.amd.sources_file, case.amd.driver_sources_file)


def _host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:  # brackets that hold no address
        return None


def _rocm(source: Source) -> list[str]:
    """Versions of ROCm that a source offers; none for that of the driver."""
    return [match["version"] for match in map(_ROCM_PATH.search, source.uris) if match]


def _shown(source: Source) -> str:
    return f"{source.where}: {' '.join(source.uris)} {' '.join(source.suites)}"


def _keys_of(case: Case, source: Source) -> list[tuple[Keyring, Key]]:
    """The keys apt checks a source with.

    Raises:
        UnknownFactError: one of its keyrings could not be read.
    """
    facts = case.facts
    keyrings = facts.known(lambda f: f.apt.keyrings)
    paths = [name for name in source.signed_by if "/" in name]
    for path in paths:
        facts.need(f"apt.keyrings.{path}")
    used = [k for k in keyrings if (k.path in paths if paths else k.for_all)]
    return [(keyring, key) for keyring in used for key in keyring.keys]


def _right_keys(case: Case, source: Source) -> list[tuple[Keyring, Key]]:
    """Those of `_keys_of` that may sign the source, expired or not."""
    expected = _fingerprints(case, source)
    return [(ring, key) for ring, key in _keys_of(case, source) if key.fingerprint in expected]


def _fingerprints(case: Case, source: Source) -> list[str]:
    """Of the keys that may sign a source, the one to name first."""
    if not case.mirror_fingerprint or any(_host(uri) == case.amd.host for uri in source.uris):
        return [case.amd.fingerprint]
    if is_own(case, source):
        return [case.mirror_fingerprint]
    # Another mirror than the one that provisioning uses may have AMD's signatures.
    return [case.amd.fingerprint, case.mirror_fingerprint]


def _more_keys(case: Case, source: Source) -> list[str]:
    """The keys besides the right ones in the keyrings that a source names."""
    if not any("/" in name for name in source.signed_by):
        return []  # one key, named by its fingerprint; or every keyring, see `amd_signature`
    expected = _fingerprints(case, source)
    return [
        f"{keyring.path}: {_spaced(key.fingerprint)} may sign AMD's packages as well"
        for keyring, key in _keys_of(case, source)
        if key.fingerprint not in expected
    ]


def _fetch(case: Case) -> str:
    """The first half of a remedy: AMD's key alone, put where the source looks for it."""
    return (
        f"Fetch {case.amd.key_url}, compare its fingerprint with {_spaced(case.amd.fingerprint)}, "
        f"and put it into {case.amd.keyring}"
    )


def _wrong_keys(case: Case, source: Source) -> list[str]:
    """What is wrong with the key of a source; nothing for a right one."""
    keys = _keys_of(case, source)
    keyrings = case.facts.known(lambda f: f.apt.keyrings)
    missing = [k.path for k in keyrings if not k.exists and k.path in source.signed_by]
    right = _right_keys(case, source)
    if any(not key.expired and not key.revoked for _, key in right):
        return []
    if right:
        return [
            f"{keyring.path}: {_spaced(key.fingerprint)} "
            + ("is revoked" if key.revoked else f"expired on {key.expires}")
            for keyring, key in right
        ]
    unread = case.facts.unread("apt.keyrings")
    if unread and not source.signed_by:
        raise UnknownFactError(unread[0])
    if missing:
        return [f"{source.where}: {path} does not exist" for path in missing]
    others = ", ".join(key.fingerprint for _, key in keys[:3]) if source.signed_by else ""
    expected = _spaced(_fingerprints(case, source)[0])
    return [f"{source.where}: the key {expected} is not there" + f", but {others}" * bool(others)]


def _refuses_sha1(case: Case) -> bool:
    """Whether apt checks keys with sqv, which distrusts SHA-1 from 2026-02-01 on."""
    found = case.facts.os
    if found is None or found.id != "debian":
        return False
    return not _is_older(found.version_id or "", _SQV_SINCE)


def _spaced(fingerprint: str) -> str:
    """In groups of four, as GnuPG shows it."""
    return " ".join(re.findall("....", fingerprint))


def _suite(case: Case, version: str, suite: str, release: str | None) -> tuple[str, str]:
    """Status and reason of one suite; no reason where it is right."""
    if _is_of_stack(case, version, suite):
        return "pass", ""
    known = case.amd.suites_of(version)
    first = case.amd.first_rocm.get(suite)
    if first is not None and _is_older(version, first):
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
    """Whether it is what the stack itself takes here, where no suite is of this release."""
    found = case.facts.os
    if found is None or case.rocm_source != "amd":
        return False
    packages = case.stack.packages("amd", found.id, found.version_id or "")
    return packages is not None and (version, suite) == (case.stack.rocm_version, packages.suite)


def _is_older(version: str, first: str) -> bool:
    try:
        return Version(version) < Version(first)
    except ValueError:  # "latest", "debian", or a number of more digits than int() takes
        return False


def _pins(case: Case, pin: Pin) -> bool:
    """Whether a pin lifts AMD's packages above any archive's."""
    target = pin.pin.replace('"', "")
    is_amds = case.amd.pin.release in target or target == f"origin {case.amd.host}"
    covers = any(fnmatch.fnmatchcase(_CONTESTED, pattern) for pattern in pin.packages)
    return is_amds and covers and pin.priority > _ARCHIVE_PRIORITY


def _outranking(case: Case) -> CheckOutcome | None:
    """Pins of others that outrank the one that provisioning writes."""
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
