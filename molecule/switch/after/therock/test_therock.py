"""The stack therock, whose wheels bring their own ROCm."""

from __future__ import annotations

from typing import Any

from support.switched import active_stack, files_of_amd, torch_version


def test_the_stack_is_the_one_that_is_active(host: Any) -> None:
    command = "/opt/rdna1/therock/bin/rdna1-preflight"
    assert active_stack(host) == ("therock", ["/etc/profile.d/rocm-rdna1-therock.sh"], command)
    assert torch_version(host, "therock") == "2.12.0+rocm10.1.0"


def test_the_environment_before_stays_for_a_rollback(host: Any) -> None:
    assert torch_version(host, "rocm-5.7") == "2.2.2+rocm5.7"


def test_the_packages_of_rocm_are_gone_and_nothing_of_amd_came(host: Any) -> None:
    assert not host.package("rocminfo").is_installed
    assert not host.package("libamdhip64-5").is_installed
    assert files_of_amd(host) == set()
