"""The stack rocm-5.7 again, now with ROCm of AMD's repository."""

from __future__ import annotations

from typing import Any

from support.switched import KEYRING, PIN, SOURCE, active_stack, files_of_amd, torch_version


def test_the_stack_is_the_one_that_is_active(host: Any) -> None:
    command = "/opt/rdna1/rocm-5.7/bin/rdna1-preflight"
    assert active_stack(host) == ("rocm-5.7", ["/etc/profile.d/rocm-rdna1-57.sh"], command)
    assert torch_version(host, "rocm-5.7") == "2.2.2+rocm5.7"


def test_rocm_is_amds_and_nothing_is_mixed(host: Any) -> None:
    assert host.package("rocminfo").version == "1.0.0.50701-98~22.04"
    assert not host.package("libamdhip64-5").is_installed
    assert files_of_amd(host) == {SOURCE, PIN, KEYRING}
