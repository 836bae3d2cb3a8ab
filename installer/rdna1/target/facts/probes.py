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
        **unknown.told("system", system.system, reader, status),
        **unknown.told("machine", system.machine, reader, status),
        **unknown.told("os", release.os_release, reader),
        "kernel": _kernel(reader, unknown),
        **unknown.told("glibc", system.glibc, reader, status),
        **unknown.told("container", container.container, reader),
        **_graphics(reader, unknown),
        **_hardware(reader, unknown),
        **unknown.told("users", accounts.memberships, reader, names),
        **unknown.told("session", session.session, reader),
        **unknown.told("pythons", python.pythons, reader),
        **unknown.told("externally_managed", pep668.externally_managed, reader),
        **unknown.told("disk", disk.disk, reader),
        "apt": apt,
        **unknown.told("rocm", rocm.rocm, reader, status, unknown),
        **unknown.told("library_folders", linker.library_folders, reader, unknown),
        "variables": variables.variables(reader, names, unknown),
        **unknown.told("profiles", miopen.profiles, reader),
        **unknown.told("miopen_databases", miopen.databases, reader, names, unknown),
        "unknown": unknown,
        **unknown.told("reboot_required", system.reboot_required, reader),
        **unknown.told("model", virtualization.model, reader),
        **unknown.told("derivative", release.derivative, reader, status),
        **unknown.told("miopen_damaged", miopen_state.damaged, reader, names, unknown),
        **unknown.told("network_homes", miopen_state.on_network, reader, names),
        **unknown.told("envelopes", envelopes.envelopes, reader, names, unknown),
        **unknown.told("environments", venvs.environments, reader, names, unknown),
        **unknown.told("stack_settings", own_files.stack_settings, reader),
    }
    meanwhile()
    apt["candidates"] = unknown.ask("apt.candidates", question.candidates)
    return {name: _encodable(value) for name, value in found.items()}


def _kernel(reader: Reader, unknown: Unknown) -> dict[str, object]:
    running = unknown.ask("kernel.release", system.kernel_release, reader)
    return {
        "release": running,
        **unknown.told("kernel.cmdline", system.kernel_command_line, reader),
        **unknown.told("kernel.config", kernel_config.kernel_config, reader, running),
        "messages": kernel_messages.kernel_messages(reader, unknown),
        "boot_settings": boot_files.boot_settings(reader, unknown),
    }


def _graphics(reader: Reader, unknown: Unknown) -> dict[str, object]:
    return {
        **unknown.told("displays", pci.displays, reader, unknown),
        "kfd": {
            **unknown.told("kfd.device", devices.kfd_device, reader, unknown),
            **unknown.told("kfd.nodes", kfd.nodes, reader, unknown),
        },
        **unknown.told("render_nodes", devices.render_nodes, reader, unknown),
        "amdgpu": {
            **unknown.told("amdgpu.loaded", gpu.loaded, reader),
            **unknown.told("amdgpu.blacklisted", gpu.blacklisted, reader),
        },
    }


def _hardware(reader: Reader, unknown: Unknown) -> dict[str, object]:
    return {
        **unknown.told("pcie", pcie.links, reader, unknown),
        **unknown.told("virtualization", virtualization.virtualization, reader),
        **unknown.told("memory_bytes", virtualization.memory_bytes, reader),
        **unknown.told("secure_boot", firmware.secure_boot, reader),
        **unknown.told("firmware", firmware.firmware_files, reader),
        "modules": {
            **unknown.told("modules.kernels", kernel_modules.kernels, reader),
            **unknown.told("modules.dkms", kernel_modules.dkms_builds, reader),
            **unknown.told("modules.with_amdgpu", kernel_modules.with_amdgpu, reader),
            **unknown.told("modules.own_amdgpu", kernel_modules.own_amdgpu, reader),
        },
    }


def _apt(
    reader: Reader, status: dpkg.Status, asked: Sequence[str], unknown: Unknown
) -> dict[str, object]:
    return {
        **unknown.told("apt.packages", dpkg.relevant_packages, status, asked),
        **unknown.told("apt.half_configured", dpkg.half_configured, status),
        **unknown.told("apt.dpkg_journal", dpkg.journal_entries, status),
        **unknown.told("apt.unfinished", dpkg.unfinished, status),
        "overwritten": unknown.ask("apt.overwritten", apt_log.overwritten, reader) or [],
        **unknown.told("apt.lock_holder", lock_holder.lock_holder, reader),
        **unknown.told("apt.held", dpkg.held, status),
        **_apt_settings(reader, unknown),
    }


def _apt_settings(reader: Reader, unknown: Unknown) -> dict[str, object]:
    sources = unknown.ask("apt.sources", apt_sources.sources, reader, unknown)
    return {
        "sources": None if sources is None else [source.as_fact() for source in sources],
        **unknown.told("apt.keyrings", apt_keys.keyrings, reader, sources or [], unknown),
        **unknown.told("apt.pins", apt_preferences.pins, reader, unknown),
        **unknown.told("apt.proxies", apt_settings.proxies, reader, unknown),
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
