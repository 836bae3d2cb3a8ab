"""All checks, in the order in which they are assessed and shown.

What may be the cause of other findings comes before them: the kernel before its driver, the driver
before the devices that it makes.
"""

from __future__ import annotations

import difflib

from rdna1.errors import InputError
from rdna1.preflight.checks import (
    access,
    allocator,
    amd_driver,
    amd_key,
    amd_repository,
    apt,
    boot_options,
    gfx_override,
    gpu,
    kernel,
    miopen,
    other_gpus,
    pcie,
    platform,
    rocm_packages,
    variables,
    virtualization,
    visible_devices,
)
from rdna1.preflight.model import Check

CHECKS: tuple[Check, ...] = (
    platform.architecture,
    platform.os_release,
    platform.glibc,
    virtualization.wsl,
    gpu.card,
    boot_options.boot_options,
    kernel.kernel_version,
    kernel.installed_kernels,
    kernel.firmware,
    amd_driver.amdgpu_dkms,
    amd_driver.dkms_build,
    amd_driver.secure_boot,
    gpu.kernel_driver,
    gpu.kfd,
    pcie.pcie_atomics,
    gpu.render_nodes,
    visible_devices.visible_devices,
    other_gpus.several_cards,
    other_gpus.integrated_gpu,
    other_gpus.other_card,
    other_gpus.cyan_skillfish,
    virtualization.virtual_machine,
    virtualization.container_devices,
    access.groups,
    access.session_groups,
    platform.python,
    platform.disk_space,
    platform.memory,
    rocm_packages.apt_state,
    apt.signed_by,
    apt.candidates,
    apt.held_packages,
    apt.apt_proxy,
    apt.pep668,
    amd_repository.amd_source,
    amd_repository.amd_suite,
    amd_repository.amd_signature,
    amd_key.amd_key,
    amd_repository.amd_pin,
    apt.amd_dependencies,
    variables.find_enforce,
    gfx_override.gfx_override_form,
    gfx_override.gfx_override,
    gfx_override.gfx_override_reach,
    miopen.miopen_filters,
    miopen.miopen_databases,
    variables.other_profile,
    allocator.expandable_segments,
    variables.library_path,
    variables.foreign_modules,
    variables.variable_conflicts,
    variables.dead_variables,
    rocm_packages.rocm_mixture,
)


class CheckIdError(InputError):
    """An id that no check has, or that of a check that cannot be ignored; one line."""


def find_check(check_id: str) -> Check:
    """Return the check of this id.

    Raises:
        CheckIdError: there is none; the message suggests the nearest.
    """
    checks = {check.id: check for check in CHECKS}
    if check_id not in checks:
        near = difflib.get_close_matches(check_id.lower(), checks, n=1)
        hint = f"did you mean {near[0]}?" if near else "rdna1-preflight list names all"
        raise CheckIdError(f"unknown check {check_id!r}: {hint}")
    return checks[check_id]
