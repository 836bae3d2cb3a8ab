"""Jinja filters of the roles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from rdna1.catalog.amd_leftovers import leftovers
from rdna1.catalog.failures import explain
from rdna1.catalog.repositories import amd_repository, distribution
from rdna1.catalog.stacks import load_stack
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.envelope import EnvelopeError, documented_envelope, measured_envelope
from rdna1.measure.envelope_renewal import renewed
from rdna1.mirror import MirrorArchive
from rdna1.mirror.keyrings import signed_by
from rdna1.plan.profile_files import settings_file
from rdna1.preflight.facts import RocmPart
from rdna1.preflight.rocm_parts import not_of
from rdna1.report.json import to_json
from rdna1.target.printable import printable, printable_lines


def rdna1_failure(result: Mapping[str, Any]) -> str:
    """Return cause and remedy of a failed task's result."""
    output = "\n".join(str(result[key]) for key in ("msg", "stderr", "stdout") if result.get(key))
    return printable_lines(explain(output))


def rdna1_printable(names: str | Iterable[str]) -> str | list[str]:
    """Return what others have named, one name or several, for a message."""
    if isinstance(names, str):
        return printable(names)
    return [printable(str(name)) for name in names]


def rdna1_amd_preferences(host: str) -> str:
    """Return content of apt's preferences for AMD's archive; see `rdna1.catalog.repositories.Pin`.

    Args:
        host: that serves it.
    """
    return amd_repository().pin.preferences(host)


def rdna1_amd_leftovers(apt: Mapping[str, Any], fingerprint: str) -> dict[str, list[str]]:
    """Return files that others wrote for AMD's repository; see `rdna1.catalog.amd_leftovers`.

    Args:
        apt: of the facts.
        fingerprint: of the key that a mirror signs with, in any form; empty for none.
    """
    amd = amd_repository()
    found = leftovers(apt, amd, {amd.fingerprint, fingerprint.replace(" ", "").upper()})
    plain: dict[str, list[str]] = msgspec.to_builtins(found)
    return plain


def rdna1_other_rocm(
    parts: Sequence[Mapping[str, str]] | None, source: str, release: str
) -> list[str]:
    """Return names of the installed ROCm packages that are not of a source, or of another release.

    Args:
        parts: the fact ``rocm``.
        source: where ROCm comes from.
        release: of the stack.
    """
    # Ansible finds the values of its lists and objects as they are asked for.
    plain = [dict(part.items()) for part in parts or []]
    listed = msgspec.convert(plain, list[RocmPart])
    return [part.name for part in not_of(listed, source, release)]


def rdna1_envelope(boundary: str, stack: str, earlier: str = "") -> str:
    """Return content of the envelope file, empty where nothing is known to work.

    Args:
        boundary: JSON of the search for the limit, empty where it was left out.
        stack: name of the stack, whose documented limit counts then.
        earlier: content of the file so far, empty where there is none.
    """
    if not boundary:
        found = documented_envelope(load_stack(stack))
    else:
        try:
            found = measured_envelope(msgspec.json.decode(boundary.encode(), type=BoundaryReport))
        except EnvelopeError:
            return ""
    return to_json(renewed(earlier, found)) if found else ""


def rdna1_mirror_archives(
    manifest: Mapping[str, Any], facts: Mapping[str, Any], amd_keyring: str
) -> list[dict[str, Any]]:
    """Return archives of a mirror, with the keyrings on the machine; see `rdna1.mirror.keyrings`.

    Args:
        manifest: of the mirror.
        facts: of the machine.
        amd_keyring: file with AMD's key, empty where it is not used.
    """
    sources = facts["apt"]["sources"] or []
    archives = msgspec.convert(json.loads(json.dumps(manifest["archives"])), list[MirrorArchive])
    return [
        {
            **msgspec.to_builtins(archive),
            "signed_by": signed_by(archive, sources, str(facts["os"]["id"]), str(amd_keyring)),
        }
        for archive in archives
    ]


def rdna1_pytorch_packages(stack: str, source: str = "") -> list[str]:
    """Return packages of the distribution's PyTorch and of what this project imports as well.

    Args:
        stack: its name.
        source: of PyTorch; empty for the stack's own. None are needed for another than distro.
    """
    pytorch = load_stack(stack).pytorch
    if (source or pytorch.source) != "distro" or not pytorch.distro_packages:
        return []
    return [*pytorch.distro_packages, *distribution().own_requirements]


def rdna1_settings_file(template: str, values: Mapping[str, Any]) -> str:
    """Return the text of a file for shells or services; see `rdna1.plan.profile_files`."""
    return settings_file(Path(template), values)


class FilterModule:
    """What Ansible looks for in a filter file."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return names and functions of the filters."""
        return {
            "rdna1_amd_leftovers": rdna1_amd_leftovers,
            "rdna1_amd_preferences": rdna1_amd_preferences,
            "rdna1_envelope": rdna1_envelope,
            "rdna1_failure": rdna1_failure,
            "rdna1_printable": rdna1_printable,
            "rdna1_mirror_archives": rdna1_mirror_archives,
            "rdna1_other_rocm": rdna1_other_rocm,
            "rdna1_pytorch_packages": rdna1_pytorch_packages,
            "rdna1_settings_file": rdna1_settings_file,
        }
