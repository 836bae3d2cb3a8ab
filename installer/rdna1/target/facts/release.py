"""Which release of Debian or Ubuntu a machine is, or derives from."""

from __future__ import annotations

from typing import Mapping

# Elsewhere than on a target of Ansible's, which brings its own copy, the package depends on it.
try:
    import distro
except ImportError:
    from ansible.module_utils import distro  # type: ignore[no-redef,unused-ignore]

from ..rootfs import MissingError, RootFs, UnreadableError
from . import dpkg

_FILES = ("/etc/os-release", "/usr/lib/os-release")
_UPSTREAM = "/etc/upstream-release/lsb-release"
_DEBIAN_VERSION = "/etc/debian_version"
_ROOTS = ("debian", "ubuntu")
# Codenames to what os-release calls VERSION_ID.
_UBUNTU = {
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "noble": "24.04",
    "oracular": "24.10",
    "plucky": "25.04",
    "questing": "25.10",
    "resolute": "26.04",
    "stonking": "26.10",
}
_DEBIAN = {"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14"}
_RELEASES = {"ubuntu": _UBUNTU, "debian": _DEBIAN}
# Derivatives that call themselves Debian, by a package that each of their machines has.
_BY_PACKAGE = {
    "pve-manager": "Proxmox VE",
    "proxmox-backup-server": "Proxmox Backup Server",
    "openmediavault": "openmediavault",
}


def os_release(rootfs: RootFs) -> dict[str, object]:
    """Return ``id``, ``version_id``, ``codename``, ``pretty_name``, ``id_like`` (os-release(5)).

    Of a derivative the first three are those of the release of Debian or Ubuntu that it is built
    from; one whose base no file names is what it calls itself.

    Raises:
        UnreadableError: neither of the files of os-release can be read.
    """
    values = _values(rootfs)
    system, codename = _base(rootfs, values) or ("", "")
    return {
        "id": system or values.get("id", "linux"),
        "version_id": _RELEASES[system][codename] if system else values.get("version_id"),
        "codename": codename or values.get("version_codename"),
        "pretty_name": values.get("pretty_name", "Linux"),
        "id_like": values.get("id_like", "").split(),
    }


def derivative(rootfs: RootFs, status: dpkg.Status) -> dict[str, object] | None:
    """Return ``id``, ``version_id`` and ``name`` of a derivative, None where the system is none.

    Args:
        rootfs: of the machine.
        status: its packages: some derivatives call themselves Debian.

    Raises:
        UnreadableError: neither of the files of os-release can be read.
    """
    values = _values(rootfs)
    name = values.get("pretty_name", values.get("id", ""))
    if _base(rootfs, values) is None:
        name = _by_package(status) or ""
    if not name:
        return None
    return {"id": values.get("id"), "version_id": values.get("version_id"), "name": name}


def _values(rootfs: RootFs) -> Mapping[str, str]:
    """Return the keys of os-release in lower case."""
    path = _FILES[0]
    try:
        rootfs.text(path)
    except MissingError:
        path = _FILES[1]
        # Read once here, so that no pipe or device is opened by the library.
        rootfs.text(path)
    release = distro.LinuxDistribution(
        include_lsb=False,
        include_uname=False,
        os_release_file=str(rootfs.locate(path)),
        distro_release_file="/dev/null",
        root_dir=None if rootfs.live else rootfs.root,
    )
    try:
        values: Mapping[str, str] = release.os_release_info()
    except ValueError as error:  # a quote that nothing closes
        raise UnreadableError(f"{path}: {error}") from error
    return values


def _base(rootfs: RootFs, values: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what a derivative is built from: ``ubuntu`` or ``debian``, and the codename."""
    if values.get("id") in _ROOTS:
        return None
    like = values.get("id_like", "").split()
    # A codename alone proves nothing: others call their releases by any word.
    own = values.get("version_codename", "") if set(like) & set(_ROOTS) else ""
    if values.get("ubuntu_codename") in _UBUNTU:
        return "ubuntu", values["ubuntu_codename"]
    if values.get("debian_codename") in _DEBIAN:
        return "debian", values["debian_codename"]
    upstream = _assignments(rootfs, _UPSTREAM).get("DISTRIB_CODENAME", "")
    for codename in (upstream, own):
        if codename in _UBUNTU:
            return "ubuntu", codename
        if codename in _DEBIAN:
            return "debian", codename
    if "debian" in like and "ubuntu" not in like:
        return _of_debian_version(rootfs)
    return None


def _of_debian_version(rootfs: RootFs) -> tuple[str, str] | None:
    """By Debian's own file: ``12.5``, or ``trixie/sid`` before a release."""
    text = (rootfs.optional_text(_DEBIAN_VERSION) or "").strip()
    by_number = {number: codename for codename, number in _DEBIAN.items()}
    codename = by_number.get(text.partition(".")[0], text.partition("/")[0])
    return ("debian", codename) if codename in _DEBIAN else None


def _assignments(rootfs: RootFs, path: str) -> dict[str, str]:
    lines = (rootfs.optional_text(path) or "").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _by_package(status: dpkg.Status) -> str | None:
    try:
        names = {package.name for package in status.packages()}
    except UnreadableError:
        return None
    return next((name for package, name in _BY_PACKAGE.items() if package in names), None)
