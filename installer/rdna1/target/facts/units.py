"""Services of systemd: their unit files and drop-ins, and the environment files these name."""

from __future__ import annotations

import fnmatch
import itertools
import re
from typing import Iterator

from ..printable import printable
from ..rights import Owner
from ..rootfs import RootFs, UnreadableError
from . import variable_files
from .unknown import Unknown

# Where units lie: of two with one name the first counts (systemd.unit(5)).
SYSTEM_FOLDERS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
USER_FOLDERS = (
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
)
HOME_FOLDER = ".config/systemd/user"

_MASK = "null"  # a unit that is a link to /dev/null does not exist for systemd
_SPECIFIER = re.compile(r"%.?")
_WILDCARD = re.compile(r"[*?\[]")
_MOST_FILES = 1000
_MOST_STARS = 3  # Python 3.8 takes for ever to compare a name with many


def services(rootfs: RootFs, folders: tuple[str, ...], unknown: Unknown) -> list[list[str]]:
    """Give files of each service in the order in which systemd reads them: the unit, its drop-ins.

    Args:
        rootfs: of the machine.
        folders: where units lie, the first has precedence.
        unknown: gets the reason for each folder that cannot be read.
    """
    units: dict[str, str] = {}
    drop_ins: dict[str, dict[str, str]] = {}
    for folder in folders:
        for name in unknown.collect(f"variables.{folder}", rootfs.optional_names, folder) or []:
            path = f"{folder}/{name}"
            if name.endswith(".service"):
                units.setdefault(name, path)
            elif name.endswith(".d"):
                of_unit = drop_ins.setdefault(name[: -len(".d")], {})
                for drop_in in (
                    unknown.collect(f"variables.{path}", rootfs.optional_names, path) or []
                ):
                    if drop_in.endswith(".conf"):
                        of_unit.setdefault(drop_in, f"{path}/{drop_in}")
    links = {
        name: unknown.collect(f"variables.{p}", rootfs.link_name, p) for name, p in units.items()
    }
    return [
        [
            *([units[name]] if name in units and not _is_alias(name, links[name], units) else []),
            *(path for _, path in sorted(drop_ins.get(name, {}).items())),
        ]
        for name in sorted({*units, *drop_ins})
        if links.get(name) != _MASK
    ]


def environment_files(
    rootfs: RootFs, files: list[str], unknown: Unknown
) -> Iterator[tuple[str, Owner]]:
    """Yield the paths of ``EnvironmentFile=`` of one service, wildcards resolved, with owners.

    An empty value takes back what is named before it. As systemd does, a value is taken whole
    and as it is: one with quotes around it is not an absolute path, and is ignored.

    Args:
        rootfs: of the machine.
        files: the service's unit file and drop-ins in their order.
        unknown: gets the reason for each value that cannot be followed.
    """
    named: list[tuple[str, str, Owner]] = []
    for file in files:
        text = unknown.collect(f"variables.{file}", rootfs.optional_text, file) or ""
        values = list(itertools.islice(variable_files.environment_files_of_unit(text), _MOST_FILES))
        owner = unknown.collect(f"variables.{file}", rootfs.owner, file) if values else None
        for line, value in values:
            if not value:
                named.clear()
            elif owner is not None:
                named.append((f"{file}:{line}", value, owner))
    for where, value, owner in named:
        paths = unknown.collect(f"variables.{where}", _followed, rootfs, where, value, owner)
        for path in paths or []:
            yield path, owner


def _is_alias(name: str, link: str | None, units: dict[str, str]) -> bool:
    """Return whether a unit is another name of one that is read already."""
    return link is not None and link != name and link in units


def _followed(rootfs: RootFs, where: str, value: str, owner: Owner) -> list[str]:
    # Behind a dash stands a file that may be missing.
    path = value[1:] if value.startswith("-") else value
    specifier = _SPECIFIER.search(path.replace("%%", ""))
    if specifier:
        raise UnreadableError(
            printable(f"{where}: EnvironmentFile={value}: only systemd knows what {specifier[0]}")
            + " stands for"
        )
    if not path.startswith("/"):
        return []
    found = [""]
    for part in path.replace("%%", "%").split("/"):
        if part.count("*") > _MOST_STARS:
            raise UnreadableError(
                printable(f"{where}: EnvironmentFile={value}: too many wildcards")
            )
        if _WILDCARD.search(part):
            found = [path for folder in found for path in _matches(rootfs, folder, part, owner)]
        elif part not in ("", "."):
            found = [f"{folder}/{part}" for folder in found]
        if len(found) > _MOST_FILES:
            raise UnreadableError(
                printable(f"{where}: EnvironmentFile={value} means more than {_MOST_FILES} files")
            )
    return found


def _matches(rootfs: RootFs, folder: str, pattern: str, owner: Owner) -> Iterator[str]:
    # glob(7): a wildcard does not stand for a leading dot; [^a] is [!a] there too.
    plain = pattern.replace("[^", "[!")
    for name in rootfs.optional_names(folder or "/", owner):
        if fnmatch.fnmatchcase(name, plain) and name.startswith(".") <= pattern.startswith("."):
            yield f"{folder}/{name}"
