"""The Python environments that this project built, and what was changed in them by hand."""

from __future__ import annotations

from pathlib import Path

from ..environments.contents import Difference, differences, marker, python_version
from ..environments.ownership import closed
from . import accounts
from .reader import Reader
from .unknown import Unknown

_SYSTEM = "/opt/rdna1"
_USER = ".local/share/rdna1"
_FOLDER = "environments"


def environments(
    reader: Reader, names: tuple[str, ...], unknown: Unknown
) -> list[dict[str, object]]:
    """The environments in use.

    Each has the ``path`` of the link that names it, its ``identity`` (see
    `rdna1.environments.Spec.identity`; empty where it is not whole), the version of its
    ``python``, name to version of its ``packages``, and what is ``altered``.

    Args:
        reader: of the machine.
        names: users who were asked about, see `accounts.homes`.
        unknown: gets the reason for each folder that cannot be read.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    homes = accounts.open_homes(reader, names, unknown, "environments")
    return [
        _environment(reader.locate(link), link)
        for folder in [_SYSTEM, *(f"{home}/{_USER}" for home in homes)]
        for link in unknown.ask(f"environments.{folder}", _links, reader, folder) or []
    ]


def _links(reader: Reader, folder: str) -> list[str]:
    """Links to environments; every other entry is none of them."""
    built = set(reader.optional_names(f"{folder}/{_FOLDER}"))
    return [
        f"{folder}/{name}"
        for name in reader.optional_names(folder)
        if reader.link_name(f"{folder}/{name}") in built
    ]


def _closed(place: Path, path: str) -> list[Difference]:
    try:
        return closed(place, place.parents[1])
    except OSError as error:
        return [Difference("", f"{path}: {error.strerror}")]


def _environment(place: Path, path: str) -> dict[str, object]:
    kept = marker(place)
    packages = kept.get("packages", {})
    altered = [*differences(place, packages), *_closed(place, path)] if kept else []
    return {
        "path": path,
        "identity": kept.get("identity", ""),
        "python": python_version(place),
        "packages": packages,
        "altered": [difference.text for difference in altered],
    }
