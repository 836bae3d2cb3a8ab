"""Every place that sets a variable of ROCm, HSA, HIP, MIOpen or PyTorch on AMD cards."""

from __future__ import annotations

import itertools
import os
import re
from typing import Callable, Iterator, NamedTuple

from ..printable import printable
from ..rights import Owner
from ..rootfs import RootFs, UnreadableError
from . import accounts, units, variable_files
from .unknown import Unknown

ENVIRONMENT = "environment"
# With it MIOpen measures every solver for every convolution: roles take it out of files.
FORBIDDEN = "MIOPEN_FIND_ENFORCE"

Parser = Callable[[str], Iterator[variable_files.Setting]]

# What no home and no file comes near.
_MOST_FILES, _MOST_SETTINGS, _LONGEST = 2000, 500, 8192

_WATCHED = re.compile(
    r"\b(?:(?:HSA|HIP|ROC|ROCM|ROCR|MIOPEN|AMD)_\w+|GPU_MAX_HW_QUEUES|PYTORCH_ROCM_ARCH"
    r"|PYTORCH_(?:(?:HIP|CUDA)_)?ALLOC_CONF|CUDA_VISIBLE_DEVICES|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONPATH"
    r"|PYTHONHOME)\b"
)
_SYSTEM_FILES: tuple[tuple[str, Parser], ...] = (
    ("/etc/environment", variable_files.of_list),
    # For every program, whoever starts it (ld.so(8)).
    ("/etc/ld.so.preload", variable_files.of_preload),
    ("/etc/security/pam_env.conf", variable_files.of_pam),
    ("/etc/profile", variable_files.of_shell),
    ("/etc/bash.bashrc", variable_files.of_shell),
    ("/etc/zsh/zshenv", variable_files.of_shell),
    ("/etc/zsh/zprofile", variable_files.of_shell),
    ("/etc/zsh/zshrc", variable_files.of_shell),
    ("/etc/fish/config.fish", variable_files.of_fish),
    ("/etc/csh.cshrc", variable_files.of_csh),
    ("/etc/csh.login", variable_files.of_csh),
    ("/etc/systemd/system.conf", variable_files.of_unit),
    ("/etc/systemd/user.conf", variable_files.of_unit),
)
# Folder, end of the names in it, parser.
_SYSTEM_FOLDERS: tuple[tuple[str, str, Parser], ...] = (
    ("/etc/environment.d", ".conf", variable_files.of_list),
    ("/etc/profile.d", ".sh", variable_files.of_shell),
    ("/etc/profile.d", ".csh", variable_files.of_csh),
    ("/etc/fish/conf.d", ".fish", variable_files.of_fish),
    ("/usr/share/fish/vendor_conf.d", ".fish", variable_files.of_fish),
    ("/etc/systemd/system.conf.d", ".conf", variable_files.of_unit),
    ("/etc/systemd/user.conf.d", ".conf", variable_files.of_unit),
)
_HOME_FILES: tuple[tuple[str, Parser], ...] = (
    (".profile", variable_files.of_shell),
    (".bashrc", variable_files.of_shell),
    (".bash_aliases", variable_files.of_shell),
    (".bash_profile", variable_files.of_shell),
    (".bash_login", variable_files.of_shell),
    (".zshenv", variable_files.of_shell),
    (".zprofile", variable_files.of_shell),
    (".zshrc", variable_files.of_shell),
    (".zlogin", variable_files.of_shell),
    (".xprofile", variable_files.of_shell),
    (".xsessionrc", variable_files.of_shell),
    (".cshrc", variable_files.of_csh),
    (".tcshrc", variable_files.of_csh),
    (".login", variable_files.of_csh),
    (".pam_environment", variable_files.of_pam),
    (".config/fish/config.fish", variable_files.of_fish),
    (".config/fish/fish_variables", variable_files.of_fish_variables),
)
_HOME_FOLDERS: tuple[tuple[str, str, Parser], ...] = (
    (".config/environment.d", ".conf", variable_files.of_list),
    (".config/fish/conf.d", ".fish", variable_files.of_fish),
    (".config/plasma-workspace/env", ".sh", variable_files.of_shell),
)


class File(NamedTuple):
    """A file that may set variables.

    Attributes:
        path: of the file.
        parse: how its settings are read.
        named_by: owner of the unit that names it, None where none does.
    """

    path: str
    parse: Parser
    named_by: Owner | None = None


def variables(rootfs: RootFs, names: tuple[str, ...], unknown: Unknown) -> list[dict[str, object]]:
    """Return ``name``, ``value``, ``place`` (a file, or ``environment``) and ``line`` or None.

    Args:
        rootfs: of the machine.
        names: users whose start files are read with root's; without names those of
            everybody with a user id from 1000 on.
        unknown: gets the reason for each file that cannot be read.
    """
    found = _of_process() if rootfs.live else []
    # A file may be named several times: by services, and as one that logins read.
    seen: set[str] = set()
    found += _of_files(rootfs, _system_files(rootfs, unknown), seen, unknown)
    of_root = unknown.collect("variables.homes", accounts.homes_of_root, rootfs) or []
    for home in unknown.collect("variables.homes", accounts.homes, rootfs, names) or []:
        with unknown.of_home("variables", home) as reasons:
            files = _home_files(rootfs, home, home in of_root, reasons)
            found += _of_files(rootfs, itertools.islice(files, _MOST_FILES), seen, reasons)
    return found


def forbidden_places(rootfs: RootFs, names: tuple[str, ...], unknown: Unknown) -> list[str]:
    """Return paths of the files that set the forbidden variable.

    Args:
        rootfs: of the machine.
        names: users, as for `variables`.
        unknown: gets the reason for each file that cannot be read.
    """
    found = variables(rootfs, names, unknown)
    settings = (v for v in found if v["name"] == FORBIDDEN and v["line"] is not None)
    return list(dict.fromkeys(str(setting["place"]) for setting in settings))


def _of_process() -> list[dict[str, object]]:
    return [
        {"name": name, "value": value, "place": ENVIRONMENT, "line": None}
        for name, value in sorted(os.environ.items())
        if _WATCHED.fullmatch(name)
    ]


def _of_files(
    rootfs: RootFs, files: Iterator[File], seen: set[str], unknown: Unknown
) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for file in files:
        if file.path not in seen:
            seen.add(file.path)
            found += unknown.collect(f"variables.{file.path}", _of_file, rootfs, file) or []
    return found


def _of_file(rootfs: RootFs, file: File) -> list[dict[str, object]]:
    text = rootfs.optional_text(file.path, file.named_by) or ""
    # Nearly all files name no such variable and need no parsing.
    if file.parse is not variable_files.of_preload and not _WATCHED.search(text):
        return []
    found: list[dict[str, object]] = []
    for line, name, value in file.parse(text):
        if _WATCHED.fullmatch(name):
            if len(found) == _MOST_SETTINGS or len(name) + len(value) > _LONGEST:
                raise UnreadableError(printable(f"{file.path}:{line}: more than any setting needs"))
            found.append({"name": name, "value": value, "place": file.path, "line": line})
    return found


def _system_files(rootfs: RootFs, unknown: Unknown) -> Iterator[File]:
    for path, parse in _SYSTEM_FILES:
        yield File(path, parse)
    for folder, end, parse in _SYSTEM_FOLDERS:
        yield from _folder_files(rootfs, folder, end, parse, unknown)
    for folders in (units.SYSTEM_FOLDERS, units.USER_FOLDERS):
        yield from _service_files(rootfs, folders, unknown)


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/") and ".." not in path.split("/")


def _folder_files(
    rootfs: RootFs, folder: str, end: str, parse: Parser, unknown: Unknown
) -> Iterator[File]:
    for name in unknown.collect(f"variables.{folder}", rootfs.optional_names, folder) or []:
        if name.endswith(end):
            yield File(f"{folder}/{name}", parse)


def _service_files(rootfs: RootFs, folders: tuple[str, ...], unknown: Unknown) -> Iterator[File]:
    for files in units.services(rootfs, folders, unknown):
        for path in files:
            yield File(path, variable_files.of_unit)
        for path, owner in units.environment_files(rootfs, files, unknown):
            yield File(path, variable_files.of_environment_file, owner)


def _home_files(rootfs: RootFs, home: str, is_root: bool, unknown: Unknown) -> Iterator[File]:
    # One reason for a home that must not be entered instead of one for each of its files.
    if not unknown.collect(f"variables.{home}", rootfs.enter, home):
        return
    for name, parse in _HOME_FILES:
        yield File(f"{home}/{name}", parse)
    for folder, end, parse in _HOME_FOLDERS:
        yield from _folder_files(rootfs, f"{home}/{folder}", end, parse, unknown)
    for file in _service_files(rootfs, (f"{home}/{units.HOME_FOLDER}",), unknown):
        # What a user's own service names elsewhere is none of the user's start files.
        if is_root or _is_below(file.path, home):
            yield file
        else:
            reason = printable(f"{file.path}: a service of {home} names it")
            unknown[f"variables.{home}:{file.path}"] = reason
