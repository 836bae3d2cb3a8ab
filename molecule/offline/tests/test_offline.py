"""A stack that was installed without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.scenario import scenario_folder

ENVIRONMENT = "/opt/rdna1/rocm-5.7"
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"


def test_there_is_no_network(host: Any) -> None:
    assert host.file("/sys/class/net").listdir() == ["lo"]


@pytest.mark.parametrize("package", ["libamdhip64-5", "rocminfo", "rocm-smi"])
def test_rocm_is_debians_own(host: Any, package: str) -> None:
    assert host.package(package).is_installed


def test_the_hip_runtime_is_that_of_rocm_5_7(host: Any) -> None:
    assert host.package("libamdhip64-5").version.startswith("5.7.1")
    assert host.check_output("dpkg --audit") == ""


def test_the_environment_has_the_wheels_of_the_mirrors_lock(host: Any) -> None:
    program = "import torch; print(torch.__version__)"
    assert host.check_output(f"{ENVIRONMENT}/bin/python -c %s", program) == "2.2.2+rocm5.7"
    locks = list((scenario_folder() / "mirror" / "locks").iterdir())
    assert ["torch==2.2.2+rocm5.7 \\\n    --hash=sha256:" in f.read_text() for f in locks] == [True]


@pytest.mark.parametrize("umask", ["022", "077"])
def test_an_ordinary_user_can_use_it(host: Any, umask: str) -> None:
    script = f"umask {umask}; . {PROFILE}; python -c 'import torch; print(torch.__version__)'"
    enter = f"PATH={ENVIRONMENT}/bin:$PATH; {script}; rdna1-preflight list"
    printed = host.check_output("runuser -u nobody -- sh -euc %s", enter)
    assert printed.startswith("2.2.2+rocm5.7")
    assert "rocm-mixture" in printed


def test_apt_does_not_know_the_mirror_afterwards(host: Any) -> None:
    assert host.run("grep -r rdna1/mirror /etc/apt").rc == 1


def test_one_copy_of_the_mirror_stays_for_repairs(host: Any) -> None:
    copies = host.file("/var/cache/rdna1").listdir()
    assert len([name for name in copies if name.startswith("mirror-")]) == 1, copies


def test_the_profile_and_the_stack_are_written_down(host: Any) -> None:
    assert host.file(PROFILE).mode == 0o644
    stack = json.loads(host.file("/etc/rdna1/stack.json").content_string)
    assert (stack["stack"], stack["environment"]) == ("rocm-5.7", ENVIRONMENT)


def test_users_get_access_to_the_card(host: Any) -> None:
    assert {"render", "video"} <= set(host.user("ada").groups)
