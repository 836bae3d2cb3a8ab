"""All checks, in the order in which they are judged and shown.

What may be the cause of other findings comes before them: the kernel before its driver, the driver
before the devices that it makes.
"""

from __future__ import annotations

import difflib

from rdna1.errors import InputError
from rdna1.preflight.checks import (
    allocator,
    amd_driver,
    amd_repository,
    apt,
    boot_options,
    environment,
    graphics,
    hardware,
    kernel,
    miopen,
    override,
    packages,
    session,
    system,
    variables,
    visible_devices,
)
from rdna1.preflight.model import Check

CHECKS: tuple[Check, ...] = (
    system.architecture,
    system.os_release,
    system.glibc,
    hardware.wsl,
    graphics.card,
    boot_options.boot_options,
    kernel.kernel_version,
    kernel.installed_kernels,
    kernel.firmware,
    amd_driver.amdgpu_dkms,
    amd_driver.dkms_build,
    amd_driver.secure_boot,
    graphics.kernel_driver,
    graphics.kfd,
    hardware.pcie_atomics,
    hardware.render_nodes,
    visible_devices.visible_devices,
    hardware.several_cards,
    hardware.integrated_gpu,
    hardware.other_card,
    hardware.cyan_skillfish,
    hardware.virtual_machine,
    hardware.container_devices,
    graphics.groups,
    session.session_groups,
    system.python,
    system.disk_space,
    hardware.memory,
    packages.apt_state,
    apt.signed_by,
    apt.candidates,
    apt.held_packages,
    apt.apt_proxy,
    apt.pep668,
    amd_repository.amd_source,
    amd_repository.amd_suite,
    amd_repository.amd_signature,
    amd_repository.amd_key,
    amd_repository.amd_pin,
    apt.amd_dependencies,
    variables.find_enforce,
    override.gfx_override_form,
    override.gfx_override,
    override.gfx_override_reach,
    miopen.miopen_filters,
    miopen.miopen_databases,
    environment.other_profile,
    allocator.expandable_segments,
    environment.library_path,
    environment.foreign_modules,
    environment.variable_conflicts,
    environment.dead_variables,
    packages.rocm_mixture,
)


class CheckIdError(InputError):
    """An id that no check has, or that of a check that cannot be ignored; one line."""


def find_check(check_id: str) -> Check:
    """The check of this id.

    Raises:
        CheckIdError: there is none; the message suggests the nearest.
    """
    checks = {check.id: check for check in CHECKS}
    if check_id not in checks:
        near = difflib.get_close_matches(check_id.lower(), checks, n=1)
        hint = f"did you mean {near[0]}?" if near else "rdna1-preflight list names all"
        raise CheckIdError(f"unknown check {check_id!r}: {hint}")
    return checks[check_id]
