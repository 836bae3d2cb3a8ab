"""The Python environments that this project built, and what was changed in them by hand."""

from __future__ import annotations

from ...layout import HOME, SYSTEM
from ..printable import printable
from ..rootfs import RootFs, UnreadableError
from ..venvs.contents import Difference, differences, marker, python_version
from ..venvs.ownership import closed
from . import accounts
from .unknown import Unknown

_FOLDER = "environments"
_MOST_LINKS = 50


def environments(
    rootfs: RootFs, names: tuple[str, ...], unknown: Unknown
) -> list[dict[str, object]]:
    """Return the environments in use.

    Each has the ``path`` of the link that names it, its ``identity`` (see
    `rdna1.target.venvs.Spec.identity`; empty where it is not whole), the version of its
    ``python``, name to version of its ``packages``, and what is ``altered``.

    Args:
        rootfs: of the machine.
        names: users who were asked about, see `accounts.homes`.
        unknown: gets the reason for each folder that cannot be read.

    Raises:
        UnreadableError: /etc/passwd cannot be read.
    """
    found = _in_folder(rootfs, SYSTEM.environments, unknown)
    for home in accounts.open_homes(rootfs, names, unknown, "environments"):
        with unknown.of_home("environments", home) as reasons:
            found += _in_folder(rootfs, f"{home}/{HOME.environments}", reasons)
    return found


def _in_folder(rootfs: RootFs, folder: str, unknown: Unknown) -> list[dict[str, object]]:
    links = unknown.collect(f"environments.{folder}", _links, rootfs, folder) or []
    return [_environment(rootfs, link, unknown) for link in links]


def _links(rootfs: RootFs, folder: str) -> list[str]:
    """Return links to environments; every other entry is none of them."""
    built = set(rootfs.optional_names(f"{folder}/{_FOLDER}"))
    links = [
        f"{folder}/{name}"
        for name in rootfs.optional_names(folder)
        if rootfs.link_name(f"{folder}/{name}") in built
    ]
    if len(links) > _MOST_LINKS:
        raise UnreadableError(printable(f"{folder}: more than {_MOST_LINKS} environments"))
    return links


def _closed(rootfs: RootFs, path: str) -> list[Difference]:
    place = rootfs.locate(path)
    try:
        return closed(place, place.parents[1])
    except OSError as error:
        return [Difference("", f"{path}: {error.strerror}")]


def _environment(rootfs: RootFs, path: str, unknown: Unknown) -> dict[str, object]:
    fact = f"environments.{path}"
    kept = unknown.collect(fact, marker, rootfs, path) or {}
    packages, cleared = kept.get("packages", {}), kept.get("cleared", {})
    asked = (rootfs, path, packages, cleared)
    altered = (unknown.collect(fact, differences, *asked) or []) if kept else []
    # One in a home is for its owner alone.
    if kept and path.startswith(f"{SYSTEM.environments}/"):
        altered += unknown.collect(fact, _closed, rootfs, path) or []
    return {
        "path": path,
        "identity": kept.get("identity", ""),
        "python": unknown.collect(fact, python_version, rootfs, path) or "",
        "packages": packages,
        "altered": [difference.text for difference in altered],
    }
