"""Puts all facts together; imported while apt thinks."""

from __future__ import annotations

from typing import Callable, Sequence

from ..rootfs import Reader
from . import (
    accounts,
    apt_keys,
    apt_log,
    apt_policy,
    apt_preferences,
    apt_settings,
    apt_sources,
    boot_files,
    container,
    devices,
    disk,
    dpkg,
    envelopes,
    firmware,
    gpu,
    kernel_config,
    kernel_messages,
    kernel_modules,
    kfd,
    linker,
    lock_holder,
    miopen,
    miopen_state,
    own_files,
    pci,
    pcie,
    pep668,
    python,
    release,
    rocm,
    session,
    system,
    variables,
    venvs,
    virtualization,
)
from .unknown import Unknown

SCHEMA_VERSION = 1


def facts(
    reader: Reader,
    users: Sequence[str],
    question: apt_policy.Question,
    meanwhile: Callable[[], object],
) -> dict[str, object]:
    """All facts of a machine, for `rdna1.target.facts.collect.collect`, which says what they are.

    Args:
        reader: of the machine's files.
        users: as there.
        question: put to apt already; its answer is awaited last.
        meanwhile: as there.
    """
    names = tuple(users)
    unknown = Unknown()
    status = dpkg.Status(reader)
    apt = _apt(reader, status, question.names, unknown)
    found: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "root": reader.root,
        "system": unknown.ask("system", system.system, reader, status),
        "machine": unknown.ask("machine", system.machine, reader, status),
        "os": unknown.ask("os", release.os_release, reader),
        "kernel": _kernel(reader, unknown),
        "glibc": unknown.ask("glibc", system.glibc, reader, status),
        "container": unknown.ask("container", container.container, reader),
        **_graphics(reader, unknown),
        **_hardware(reader, unknown),
        "users": unknown.ask("users", accounts.memberships, reader, names),
        "session": unknown.ask("session", session.session, reader),
        "pythons": unknown.ask("pythons", python.pythons, reader),
        "externally_managed": unknown.ask("externally_managed", pep668.externally_managed, reader),
        "disk": unknown.ask("disk", disk.disk, reader),
        "apt": apt,
        "rocm": unknown.ask("rocm", rocm.rocm, reader, status, unknown),
        "library_folders": unknown.ask("library_folders", linker.library_folders, reader, unknown),
        "variables": variables.variables(reader, names, unknown),
        "profiles": unknown.ask("profiles", miopen.profiles, reader),
        "miopen_databases": unknown.ask(
            "miopen_databases", miopen.databases, reader, names, unknown
        ),
        "unknown": unknown,
        "reboot_required": unknown.ask("reboot_required", system.reboot_required, reader),
        "model": unknown.ask("model", virtualization.model, reader),
        "derivative": unknown.ask("derivative", release.derivative, reader, status),
        "miopen_damaged": unknown.ask(
            "miopen_damaged", miopen_state.damaged, reader, names, unknown
        ),
        "network_homes": unknown.ask("network_homes", miopen_state.on_network, reader, names),
        "envelopes": unknown.ask("envelopes", envelopes.envelopes, reader, names, unknown),
        "environments": unknown.ask("environments", venvs.environments, reader, names, unknown),
        "stack_settings": unknown.ask("stack_settings", own_files.stack_settings, reader),
    }
    meanwhile()
    apt["candidates"] = unknown.ask("apt.candidates", question.candidates)
    return {name: _encodable(value) for name, value in found.items()}


def _kernel(reader: Reader, unknown: Unknown) -> dict[str, object]:
    running = unknown.ask("kernel.release", system.kernel_release, reader)
    return {
        "release": running,
        "cmdline": unknown.ask("kernel.cmdline", system.kernel_command_line, reader),
        "config": unknown.ask("kernel.config", kernel_config.kernel_config, reader, running),
        "messages": kernel_messages.kernel_messages(reader, unknown),
        "boot_settings": boot_files.boot_settings(reader, unknown),
    }


def _graphics(reader: Reader, unknown: Unknown) -> dict[str, object]:
    return {
        "displays": unknown.ask("displays", pci.displays, reader, unknown),
        "kfd": {
            "device": unknown.ask("kfd.device", devices.kfd_device, reader, unknown),
            "nodes": unknown.ask("kfd.nodes", kfd.nodes, reader, unknown),
        },
        "render_nodes": unknown.ask("render_nodes", devices.render_nodes, reader, unknown),
        "amdgpu": {
            "loaded": unknown.ask("amdgpu.loaded", gpu.loaded, reader),
            "blacklisted": unknown.ask("amdgpu.blacklisted", gpu.blacklisted, reader),
        },
    }


def _hardware(reader: Reader, unknown: Unknown) -> dict[str, object]:
    return {
        "pcie": unknown.ask("pcie", pcie.links, reader, unknown),
        "virtualization": unknown.ask("virtualization", virtualization.virtualization, reader),
        "memory_bytes": unknown.ask("memory_bytes", virtualization.memory_bytes, reader),
        "secure_boot": unknown.ask("secure_boot", firmware.secure_boot, reader),
        "firmware": unknown.ask("firmware", firmware.firmware_files, reader),
        "modules": {
            "kernels": unknown.ask("modules.kernels", kernel_modules.kernels, reader),
            "dkms": unknown.ask("modules.dkms", kernel_modules.dkms_builds, reader),
            "with_amdgpu": unknown.ask("modules.with_amdgpu", kernel_modules.with_amdgpu, reader),
            "own_amdgpu": unknown.ask("modules.own_amdgpu", kernel_modules.own_amdgpu, reader),
        },
    }


def _apt(
    reader: Reader, status: dpkg.Status, asked: Sequence[str], unknown: Unknown
) -> dict[str, object]:
    return {
        "packages": unknown.ask("apt.packages", dpkg.relevant_packages, status, asked),
        "half_configured": unknown.ask("apt.half_configured", dpkg.half_configured, status),
        "dpkg_journal": unknown.ask("apt.dpkg_journal", dpkg.journal_entries, status),
        "unfinished": unknown.ask("apt.unfinished", dpkg.unfinished, status),
        "overwritten": unknown.ask("apt.overwritten", apt_log.overwritten, reader) or [],
        "lock_holder": unknown.ask("apt.lock_holder", lock_holder.lock_holder, reader),
        "held": unknown.ask("apt.held", dpkg.held, status),
        **_apt_settings(reader, unknown),
    }


def _apt_settings(reader: Reader, unknown: Unknown) -> dict[str, object]:
    sources = unknown.ask("apt.sources", apt_sources.sources, reader, unknown)
    return {
        "sources": None if sources is None else [source.as_fact() for source in sources],
        "keyrings": unknown.ask("apt.keyrings", apt_keys.keyrings, reader, sources or [], unknown),
        "pins": unknown.ask("apt.pins", apt_preferences.pins, reader, unknown),
        "proxies": unknown.ask("apt.proxies", apt_settings.proxies, reader, unknown),
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
