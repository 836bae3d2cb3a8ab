"""Puts all facts together; imported while apt thinks."""

from __future__ import annotations

from typing import Callable, Sequence

from ..rootfs import RootFs
from . import (
    accounts,
    apt_keys,
    apt_log,
    apt_policy,
    apt_preferences,
    apt_settings,
    apt_sources,
    boot_files,
    dpkg,
    envelopes,
    gpu,
    kernel,
    kernel_messages,
    lock_holder,
    miopen,
    miopen_state,
    own_files,
    pcie,
    python,
    release,
    rocm,
    system,
    variables,
    venvs,
    virtualization,
)
from .unknown import Unknown

SCHEMA_VERSION = 1


def facts(
    rootfs: RootFs,
    users: Sequence[str],
    query: apt_policy.PolicyQuery,
    meanwhile: Callable[[], object],
) -> dict[str, object]:
    """Return all facts of a machine; `rdna1.target.facts.collect.collect` says what they are.

    Args:
        rootfs: of the machine's files.
        users: as there.
        query: put to apt already; its answer is awaited last.
        meanwhile: as there.
    """
    names = tuple(users)
    unknown = Unknown()
    status = dpkg.Status(rootfs)
    apt = _apt(rootfs, status, query.names, unknown)
    found: dict[str, object] = {
        "schema_version": SCHEMA_VERSION,
        "root": rootfs.root,
        **unknown.told("system", system.system, rootfs, status),
        **unknown.told("machine", system.machine, rootfs, status),
        **unknown.told("os", release.os_release, rootfs),
        "kernel": _kernel(rootfs, unknown),
        **unknown.told("glibc", system.glibc, rootfs, status),
        **unknown.told("container", virtualization.container, rootfs),
        **_graphics(rootfs, unknown),
        **_hardware(rootfs, unknown),
        **unknown.told("users", accounts.memberships, rootfs, names),
        **unknown.told("session", accounts.session, rootfs),
        **unknown.told("pythons", python.pythons, rootfs),
        **unknown.told("externally_managed", python.externally_managed, rootfs),
        **unknown.told("disk", system.disk, rootfs),
        "apt": apt,
        **unknown.told("rocm", rocm.rocm, rootfs, status, unknown),
        **unknown.told("library_folders", rocm.library_folders, rootfs, unknown),
        "variables": variables.variables(rootfs, names, unknown),
        **unknown.told("profiles", miopen.profiles, rootfs),
        **unknown.told("miopen_databases", miopen.databases, rootfs, names, unknown),
        "unknown": unknown,
        **unknown.told("reboot_required", system.reboot_required, rootfs),
        **unknown.told("model", virtualization.model, rootfs),
        **unknown.told("derivative", release.derivative, rootfs, status),
        **unknown.told("miopen_damaged", miopen_state.damaged, rootfs, names, unknown),
        **unknown.told("network_homes", miopen_state.on_network, rootfs, names),
        **unknown.told("envelopes", envelopes.envelopes, rootfs, names, unknown),
        **unknown.told("environments", venvs.environments, rootfs, names, unknown),
        **unknown.told("stack_settings", own_files.stack_settings, rootfs),
    }
    meanwhile()
    apt["candidates"] = unknown.collect("apt.candidates", query.candidates)
    return {name: _encodable(value) for name, value in found.items()}


def _kernel(rootfs: RootFs, unknown: Unknown) -> dict[str, object]:
    running = unknown.collect("kernel.release", system.kernel_release, rootfs)
    return {
        "release": running,
        **unknown.told("kernel.cmdline", system.kernel_command_line, rootfs),
        **unknown.told("kernel.config", kernel.kernel_config, rootfs, running),
        "messages": kernel_messages.kernel_messages(rootfs, unknown),
        "boot_settings": boot_files.boot_settings(rootfs, unknown),
    }


def _graphics(rootfs: RootFs, unknown: Unknown) -> dict[str, object]:
    return {
        **unknown.told("displays", gpu.displays, rootfs, unknown),
        "kfd": {
            **unknown.told("kfd.device", gpu.kfd_device, rootfs, unknown),
            **unknown.told("kfd.nodes", gpu.nodes, rootfs, unknown),
        },
        **unknown.told("render_nodes", gpu.render_nodes, rootfs, unknown),
        "amdgpu": {
            **unknown.told("amdgpu.loaded", gpu.loaded, rootfs),
            **unknown.told("amdgpu.blacklisted", gpu.blacklisted, rootfs),
        },
    }


def _hardware(rootfs: RootFs, unknown: Unknown) -> dict[str, object]:
    return {
        **unknown.told("pcie", pcie.links, rootfs, unknown),
        **unknown.told("virtualization", virtualization.virtualization, rootfs),
        **unknown.told("memory_bytes", virtualization.memory_bytes, rootfs),
        **unknown.told("secure_boot", kernel.secure_boot, rootfs),
        **unknown.told("firmware", kernel.firmware_files, rootfs),
        "modules": {
            **unknown.told("modules.kernels", kernel.kernels, rootfs),
            **unknown.told("modules.dkms", kernel.dkms_builds, rootfs),
            **unknown.told("modules.with_amdgpu", kernel.with_amdgpu, rootfs),
            **unknown.told("modules.own_amdgpu", kernel.own_amdgpu, rootfs),
        },
    }


def _apt(
    rootfs: RootFs, status: dpkg.Status, asked: Sequence[str], unknown: Unknown
) -> dict[str, object]:
    return {
        **unknown.told("apt.packages", dpkg.relevant_packages, status, asked),
        **unknown.told("apt.half_configured", dpkg.half_configured, status),
        **unknown.told("apt.dpkg_journal", dpkg.journal_entries, status),
        **unknown.told("apt.unfinished", dpkg.unfinished, status),
        "overwritten": unknown.collect("apt.overwritten", apt_log.overwritten, rootfs) or [],
        **unknown.told("apt.lock_holder", lock_holder.lock_holder, rootfs),
        **unknown.told("apt.held", dpkg.held, status),
        **_apt_settings(rootfs, unknown),
    }


def _apt_settings(rootfs: RootFs, unknown: Unknown) -> dict[str, object]:
    sources = unknown.collect("apt.sources", apt_sources.sources, rootfs, unknown)
    return {
        "sources": None if sources is None else [source.as_fact() for source in sources],
        **unknown.told("apt.keyrings", apt_keys.keyrings, rootfs, sources or [], unknown),
        **unknown.told("apt.pins", apt_preferences.pins, rootfs, unknown),
        **unknown.told("apt.proxies", apt_settings.proxies, rootfs, unknown),
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
