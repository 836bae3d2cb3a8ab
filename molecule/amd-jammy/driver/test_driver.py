"""AMD's own driver, on a machine where the kernel's is not loaded."""

from __future__ import annotations

from typing import Any

import pytest

from support.scenario import log_of_plays


@pytest.mark.parametrize("package", ["amdgpu-dkms", "linux-headers-6.2.0-39-generic"])
def test_the_driver_is_installed_with_the_headers_of_the_kernel(host: Any, package: str) -> None:
    assert host.package(package).is_installed


def test_a_driver_that_is_not_loaded_is_at_the_next_boot(host: Any) -> None:
    assert host.file("/etc/modules-load.d/rdna1-amdgpu.conf").content == b"amdgpu\n"
    assert "rocm_reboot_required: true" in log_of_plays()
