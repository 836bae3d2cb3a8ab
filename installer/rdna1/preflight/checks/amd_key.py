"""Check of the key that signs AMD's repository."""

from __future__ import annotations

import re

from rdna1.preflight.amd_sources import (
    NONE_ENABLED,
    amd_sources,
    disable,
    fate,
    host,
    is_older,
    is_own,
    is_replaced,
)
from rdna1.preflight.apt_facts import Key, Keyring, Source
from rdna1.preflight.facts import UnknownFactError
from rdna1.preflight.model import Case, CheckOutcome, check

_SQV_SINCE = "13"  # of Debian


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
    sources = [source for source in amd_sources(case) if not source.trusted]
    if not sources:
        return CheckOutcome("pass", NONE_ENABLED)
    wrong = [line for source in sources for line in _wrong_keys(case, source)]
    if wrong and is_replaced(case, sources):
        return CheckOutcome(
            "warn", "apt does not have the key of AMD's repository", wrong, fate(case)
        )
    if wrong:
        summary = "apt does not have the key of AMD's repository"
        remedy = f"{_fetch(case)} with: gpg --dearmor"
        if case.rocm_source == "distro":
            remedy = f"{disable(sources)}. The stack takes nothing from it."
        return CheckOutcome("fail", summary, wrong, remedy)
    more = sorted({line for source in sources for line in _more_keys(case, source)})
    if more:
        replaced = is_replaced(case, sources)
        return CheckOutcome(
            "warn",
            "the keyring of AMD's repository holds more than AMD's key",
            more,
            fate(case)
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


def _wrong_keys(case: Case, source: Source) -> list[str]:
    """Return what is wrong with the key of a source; nothing for a right one."""
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


def _right_keys(case: Case, source: Source) -> list[tuple[Keyring, Key]]:
    """Return those of `_keys_of` that may sign the source, expired or not."""
    expected = _fingerprints(case, source)
    return [(ring, key) for ring, key in _keys_of(case, source) if key.fingerprint in expected]


def _keys_of(case: Case, source: Source) -> list[tuple[Keyring, Key]]:
    """Return the keys apt checks a source with.

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


def _fingerprints(case: Case, source: Source) -> list[str]:
    """Return the key to name first of those that may sign a source."""
    if not case.mirror_fingerprint or any(host(uri) == case.amd.host for uri in source.uris):
        return [case.amd.fingerprint]
    if is_own(case, source):
        return [case.mirror_fingerprint]
    # Another mirror than the one that provisioning uses may have AMD's signatures.
    return [case.amd.fingerprint, case.mirror_fingerprint]


def _more_keys(case: Case, source: Source) -> list[str]:
    """Return the keys besides the right ones in the keyrings that a source names."""
    if not any("/" in name for name in source.signed_by):
        return []  # one key, named by its fingerprint; or every keyring, see `amd_signature`
    expected = _fingerprints(case, source)
    return [
        f"{keyring.path}: {_spaced(key.fingerprint)} may sign AMD's packages as well"
        for keyring, key in _keys_of(case, source)
        if key.fingerprint not in expected
    ]


def _fetch(case: Case) -> str:
    """Return the first half of a remedy: AMD's key alone, put where the source looks for it."""
    return (
        f"Fetch {case.amd.key_url}, compare its fingerprint with {_spaced(case.amd.fingerprint)}, "
        f"and put it into {case.amd.keyring}"
    )


def _refuses_sha1(case: Case) -> bool:
    """Return whether apt checks keys with sqv, which distrusts SHA-1 from 2026-02-01 on."""
    found = case.facts.os
    if found is None or found.id != "debian":
        return False
    return not is_older(found.version_id or "", _SQV_SINCE)


def _spaced(fingerprint: str) -> str:
    """Return a fingerprint in groups of four, as GnuPG shows it."""
    return " ".join(re.findall("....", fingerprint))
