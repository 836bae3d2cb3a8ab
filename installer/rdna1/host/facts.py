"""Puts all facts together."""

from __future__ import annotations

from typing import Sequence

from . import (
    accounts,
    amdgpu,
    container,
    devices,
    disk,
    dpkg,
    kfd,
    locks,
    pci,
    pythons,
    rocm,
    system,
    variables,
)
from .reader import Reader
from .unknown import Unknown

SCHEMA_VERSION = 1


def collect(root: str = "/", users: Sequence[str] = ()) -> dict[str, object]:
    """Collect the facts of a machine.

    Args:
        root: root folder of the machine: ``/``, a mounted disk, or a tree of files.
        users: names of the users whose groups and start files matter.

    Returns:
        Plain data that JSON can hold. ``unknown`` names each fact that could not be read
        with the reason; the fact itself is None or lacks the part.
    """
    reader = Reader(root)
    names = tuple(users)
    unknown = Unknown()
    status = dpkg.Status(reader)
    facts: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "root": reader.root,
        "system": unknown.ask("system", system.system, reader, status),
        "machine": unknown.ask("machine", system.machine, reader, status),
        "os": unknown.ask("os", system.os_release, reader),
        "kernel": {
            "release": unknown.ask("kernel.release", system.kernel_release, reader),
            "cmdline": unknown.ask("kernel.cmdline", system.kernel_command_line, reader),
        },
        "glibc": unknown.ask("glibc", system.glibc, reader, status),
        "container": unknown.ask("container", container.container, reader),
        **_graphics(reader, unknown),
        "users": unknown.ask("users", accounts.memberships, reader, names),
        "pythons": unknown.ask("pythons", pythons.pythons, reader),
        "disk": unknown.ask("disk", disk.disk, reader),
        "apt": _apt(reader, status, unknown),
        "rocm": unknown.ask("rocm", rocm.rocm, reader, status, unknown),
        "variables": variables.variables(reader, names, unknown),
        "unknown": unknown,
    }
    return {name: _encodable(value) for name, value in facts.items()}


def _graphics(reader: Reader, unknown: Unknown) -> dict[str, object]:
    return {
        "displays": unknown.ask("displays", pci.displays, reader, unknown),
        "kfd": {
            "device": unknown.ask("kfd.device", devices.kfd_device, reader, unknown),
            "nodes": unknown.ask("kfd.nodes", kfd.nodes, reader, unknown),
        },
        "render_nodes": unknown.ask("render_nodes", devices.render_nodes, reader, unknown),
        "amdgpu": {
            "loaded": unknown.ask("amdgpu.loaded", amdgpu.loaded, reader),
            "blacklisted": unknown.ask("amdgpu.blacklisted", amdgpu.blacklisted, reader),
        },
    }


def _apt(reader: Reader, status: dpkg.Status, unknown: Unknown) -> dict[str, object]:
    return {
        "packages": unknown.ask("apt.packages", dpkg.relevant_packages, status),
        "half_configured": unknown.ask("apt.half_configured", dpkg.half_configured, status),
        "lock_holder": unknown.ask("apt.lock_holder", locks.lock_holder, reader),
    }


def _encodable(value: object) -> object:
    """Replace what Python keeps of undecodable file names; JSON could not hold it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    return value
