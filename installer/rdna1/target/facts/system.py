"""Operating system, machine, kernel, C library and free space."""

from __future__ import annotations

import os

from ..credentials import text_without_credentials
from ..rootfs import MissingError, RootFs, UnreadableError
from . import dpkg

# Debian's architecture names of Linux, and what uname calls the same machine.
_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "armhf": "armv7l",
    "i386": "i686",
    "ppc64el": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
_FOLDERS = ("/", "/home", "/opt", "/var")


def system(rootfs: RootFs, status: dpkg.Status) -> str:
    """Return the name of the operating system's kernel as uname gives it, ``Linux`` for example.

    Raises:
        UnreadableError: under another root, when dpkg's architecture does not tell.
    """
    if rootfs.live:
        return os.uname().sysname
    _machine_of(status.native_architecture())
    return "Linux"


def machine(rootfs: RootFs, status: dpkg.Status) -> str:
    """Return machine as uname gives it, ``x86_64`` for example.

    Raises:
        UnreadableError: under another root, when dpkg's architecture does not tell.
    """
    return os.uname().machine if rootfs.live else _machine_of(status.native_architecture())


def kernel_release(rootfs: RootFs) -> str:
    """Return release of the running kernel, ``6.8.0-45-generic`` for example.

    Raises:
        UnreadableError: no such file, as on a disk that is not booted.
    """
    return rootfs.text("/proc/sys/kernel/osrelease").strip()


def reboot_required(rootfs: RootFs) -> bool:
    """Say whether a package that was installed asks for a reboot, as update-notifier-common has it.

    Raises:
        UnreadableError: the folder cannot be looked into.
    """
    return rootfs.exists("/run/reboot-required")


def kernel_command_line(rootfs: RootFs) -> str:
    """Return the command line of the running kernel, where an installer may have left its proxy.

    Raises:
        UnreadableError: no such file, as on a disk that is not booted.
    """
    return text_without_credentials(rootfs.text("/proc/cmdline").strip())


def glibc(rootfs: RootFs, status: dpkg.Status) -> str:
    """Return version of the GNU C library, ``2.39`` for example.

    Raises:
        UnreadableError: another C library, or no file tells.
    """
    if not rootfs.live:
        return status.installed("libc6").upstream_version
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION")
    except ValueError:
        library = None
    if not library:
        raise UnreadableError("the C library is not glibc")
    return library.rpartition(" ")[2]


def _machine_of(architecture: str) -> str:
    if architecture not in _MACHINES:
        raise UnreadableError(f"dpkg's architecture {architecture!r} says no kernel and machine")
    return _MACHINES[architecture]


def disk(rootfs: RootFs) -> list[dict[str, object]]:
    """Return ``path``, ``free_bytes`` for users other than root, and ``device`` of each folder.

    Folders with the same ``device`` share their space. A folder that does not exist yet
    has the space of its nearest parent.

    Raises:
        UnreadableError: under a root that is not a mounted file system, a copied tree for
            example, whose space says nothing about the machine.
    """
    if not rootfs.live and not os.path.ismount(rootfs.root):
        raise UnreadableError(f"{rootfs.root} is not a mounted file system")
    return [_space(rootfs, path) for path in _FOLDERS]


def _space(rootfs: RootFs, path: str) -> dict[str, object]:
    nearest = path
    while True:
        try:
            device = rootfs.status(nearest).st_dev
            break
        except MissingError:
            nearest = nearest.rpartition("/")[0] or "/"
    space = rootfs.space(nearest)
    return {"path": path, "free_bytes": space.f_bavail * space.f_frsize, "device": device}
