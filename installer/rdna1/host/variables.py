"""Every place that sets a variable of ROCm, HSA, HIP, MIOpen or PyTorch on AMD cards."""

from __future__ import annotations

import os
import re
from typing import Callable, Iterator

from . import accounts, settings, units
from .reader import Reader
from .unknown import Unknown

ENVIRONMENT = "environment"
# With it MIOpen measures every solver for every convolution: roles take it out of files.
FORBIDDEN = "MIOPEN_FIND_ENFORCE"

Parser = Callable[[str], Iterator[settings.Setting]]

_WATCHED = re.compile(
    r"\b(?:(?:HSA|HIP|ROC|ROCM|ROCR|MIOPEN|AMD)_\w+|GPU_MAX_HW_QUEUES|PYTORCH_ROCM_ARCH"
    r"|PYTORCH_HIP_ALLOC_CONF|CUDA_VISIBLE_DEVICES|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONPATH"
    r"|PYTHONHOME)\b"
)
_SYSTEM_FILES: tuple[tuple[str, Parser], ...] = (
    ("/etc/environment", settings.of_list),
    ("/etc/security/pam_env.conf", settings.of_pam),
    ("/etc/profile", settings.of_shell),
    ("/etc/bash.bashrc", settings.of_shell),
    ("/etc/zsh/zshenv", settings.of_shell),
    ("/etc/zsh/zprofile", settings.of_shell),
    ("/etc/zsh/zshrc", settings.of_shell),
    ("/etc/fish/config.fish", settings.of_fish),
    ("/etc/csh.cshrc", settings.of_csh),
    ("/etc/csh.login", settings.of_csh),
    ("/etc/systemd/system.conf", settings.of_unit),
    ("/etc/systemd/user.conf", settings.of_unit),
)
# Folder, end of the names in it, parser.
_SYSTEM_FOLDERS: tuple[tuple[str, str, Parser], ...] = (
    ("/etc/environment.d", ".conf", settings.of_list),
    ("/etc/profile.d", ".sh", settings.of_shell),
    ("/etc/profile.d", ".csh", settings.of_csh),
    ("/etc/fish/conf.d", ".fish", settings.of_fish),
    ("/usr/share/fish/vendor_conf.d", ".fish", settings.of_fish),
    ("/etc/systemd/system.conf.d", ".conf", settings.of_unit),
    ("/etc/systemd/user.conf.d", ".conf", settings.of_unit),
)
_HOME_FILES: tuple[tuple[str, Parser], ...] = (
    (".profile", settings.of_shell),
    (".bashrc", settings.of_shell),
    (".bash_profile", settings.of_shell),
    (".bash_login", settings.of_shell),
    (".zshenv", settings.of_shell),
    (".zprofile", settings.of_shell),
    (".zshrc", settings.of_shell),
    (".xprofile", settings.of_shell),
    (".xsessionrc", settings.of_shell),
    (".cshrc", settings.of_csh),
    (".tcshrc", settings.of_csh),
    (".login", settings.of_csh),
    (".pam_environment", settings.of_pam),
    (".config/fish/config.fish", settings.of_fish),
    (".config/fish/fish_variables", settings.of_fish_variables),
)
_HOME_FOLDERS: tuple[tuple[str, str, Parser], ...] = (
    (".config/environment.d", ".conf", settings.of_list),
    (".config/fish/conf.d", ".fish", settings.of_fish),
    (".config/plasma-workspace/env", ".sh", settings.of_shell),
)


def variables(reader: Reader, names: tuple[str, ...], unknown: Unknown) -> list[dict[str, object]]:
    """``name``, ``value``, ``place`` (a file, or ``environment``) and ``line`` or None.

    Args:
        reader: of the machine.
        names: users whose start files are read beside root's; without names those of
            everybody with a user id from 1000 on.
        unknown: gets the reason for each file that cannot be read.
    """
    found = _of_process() if reader.live else []
    # A file may be named several times: by services, and as one that logins read.
    files: dict[str, Parser] = {}
    for path, parse in _files(reader, names, unknown):
        files.setdefault(path, parse)
    for path, parse in files.items():
        found += unknown.ask(f"variables.{path}", _of_file, reader, path, parse) or []
    return found


def forbidden_places(reader: Reader, names: tuple[str, ...], unknown: Unknown) -> list[str]:
    """Paths of the files that set the forbidden variable.

    Args:
        reader: of the machine.
        names: users, as for `variables`.
        unknown: gets the reason for each file that cannot be read.
    """
    found = variables(reader, names, unknown)
    settings = (v for v in found if v["name"] == FORBIDDEN and v["line"] is not None)
    return list(dict.fromkeys(str(setting["place"]) for setting in settings))


def _of_process() -> list[dict[str, object]]:
    return [
        {"name": name, "value": value, "place": ENVIRONMENT, "line": None}
        for name, value in sorted(os.environ.items())
        if _WATCHED.fullmatch(name)
    ]


def _of_file(reader: Reader, path: str, parse: Parser) -> list[dict[str, object]]:
    text = reader.optional_text(path) or ""
    # Nearly all files name no such variable and need no parsing.
    if not _WATCHED.search(text):
        return []
    return [
        {"name": name, "value": value, "place": path, "line": line}
        for line, name, value in parse(text)
        if _WATCHED.fullmatch(name)
    ]


def _files(
    reader: Reader, names: tuple[str, ...], unknown: Unknown
) -> Iterator[tuple[str, Parser]]:
    yield from _SYSTEM_FILES
    for folder, end, parse in _SYSTEM_FOLDERS:
        yield from _folder_files(reader, folder, end, parse, unknown)
    for folders in (units.SYSTEM_FOLDERS, units.USER_FOLDERS):
        yield from _service_files(reader, folders, unknown)
    of_root = unknown.ask("variables.homes", accounts.homes_of_root, reader) or []
    for home in unknown.ask("variables.homes", accounts.homes, reader, names) or []:
        for path, parse in _home_files(reader, home, unknown):
            # What a user's own service names elsewhere is none of the user's start files.
            if home in of_root or _is_below(path, home):
                yield path, parse
            else:
                unknown[f"variables.{home}:{path}"] = f"{path}: a service of {home} names it"


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/") and ".." not in path.split("/")


def _folder_files(
    reader: Reader, folder: str, end: str, parse: Parser, unknown: Unknown
) -> Iterator[tuple[str, Parser]]:
    for name in unknown.ask(f"variables.{folder}", reader.optional_names, folder) or []:
        if name.endswith(end):
            yield f"{folder}/{name}", parse


def _service_files(
    reader: Reader, folders: tuple[str, ...], unknown: Unknown
) -> Iterator[tuple[str, Parser]]:
    for files in units.services(reader, folders, unknown):
        for path in files:
            yield path, settings.of_unit
        for path in units.environment_files(reader, files, unknown):
            yield path, settings.of_environment_file


def _home_files(reader: Reader, home: str, unknown: Unknown) -> Iterator[tuple[str, Parser]]:
    # One reason for a home that must not be entered instead of one for each of its files.
    if unknown.ask(f"variables.{home}", reader.enter, home):
        for name, parse in _HOME_FILES:
            yield f"{home}/{name}", parse
        for folder, end, parse in _HOME_FOLDERS:
            yield from _folder_files(reader, f"{home}/{folder}", end, parse, unknown)
        yield from _service_files(reader, (f"{home}/{units.HOME_FOLDER}",), unknown)
