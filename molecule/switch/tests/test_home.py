"""The stack rocm-5.7 with Ubuntu's own ROCm, before the first switch and after the last."""

from __future__ import annotations

from typing import Any

from support.switched import active_stack, files_of_amd, torch_version


def test_the_stack_is_the_one_that_is_active(host: Any) -> None:
    command = "/opt/rdna1/rocm-5.7/bin/rdna1-preflight"
    assert active_stack(host) == ("rocm-5.7", ["/etc/profile.d/rocm-rdna1-57.sh"], command)
    assert torch_version(host, "rocm-5.7") == "2.2.2+rocm5.7"


def test_rocm_is_ubuntus_own(host: Any) -> None:
    assert host.package("rocminfo").version == "5.7.1-3build1"
    assert host.package("libamdhip64-5").is_installed
    assert "50701" not in host.check_output("dpkg-query -W")
    assert host.check_output("dpkg --audit") == ""


def test_nothing_of_amds_repository_is_there(host: Any) -> None:
    assert files_of_amd(host) == set()
