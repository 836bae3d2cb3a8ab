"""The provisioned box, looked at from inside."""

from __future__ import annotations

import json
from typing import Any

import pytest

ENVIRONMENT = "/opt/rdna1/rocm-5.7"
PROFILE = "/etc/profile.d/rocm-rdna1-57.sh"


@pytest.mark.parametrize("package", ["libamdhip64-5", "rocminfo", "rocm-smi", "python3-torch"])
def test_package_is_installed(host: Any, package: str) -> None:
    assert host.package(package).is_installed


def test_each_role_installs_its_packages_in_one_transaction(host: Any) -> None:
    history = host.file("/var/log/apt/history.log").content_string
    installed = [line for line in history.splitlines() if line.startswith("Install: ")]
    assert len(installed) == 2
    assert all(f"{name}:" in installed[0] for name in ("rocminfo", "rocm-smi", "libamdhip64-5"))
    assert "python3-torch:" in installed[1]


def test_hip_runtime_is_that_of_rocm_5_7(host: Any) -> None:
    assert host.package("libamdhip64-5").version.startswith("5.7.1")


def test_rocminfo_starts_and_finds_no_kernel_driver_in_a_container(host: Any) -> None:
    assert "ROCk module is NOT loaded" in host.run("rocminfo").stdout


def test_environment_sees_torch(host: Any) -> None:
    program = "import torch; print(torch.__version__)"
    printed = host.check_output("%s/bin/python -c %s", ENVIRONMENT, program)
    assert printed.startswith("2.6")


@pytest.mark.parametrize("umask", ["022", "077"])
def test_an_ordinary_user_can_use_it(host: Any, umask: str) -> None:
    script = f"umask {umask}; . {PROFILE}; python -c 'import torch; print(torch.__version__)'"
    enter = f"PATH={ENVIRONMENT}/bin:$PATH; {script}; rdna1-preflight list"
    printed = host.check_output("runuser -u nobody -- sh -euc %s", enter)
    assert printed.startswith("2.6")
    assert "rocm-mixture" in printed


def test_environment_belongs_to_root_and_is_compiled(host: Any) -> None:
    # uv lets every user take its lock.
    strange = r"! -name .lock ! -type l \( ! -user root -o -perm /022 \)"
    assert host.check_output(f"find {ENVIRONMENT}/ {strange}") == ""
    assert host.check_output(f"find {ENVIRONMENT}/ -path '*rdna1/__pycache__/*.pyc'") != ""


@pytest.mark.parametrize("inherited", ["3", ""])
def test_profile_drops_an_inherited_find_enforce(host: Any, inherited: str) -> None:
    printed = host.run(f"MIOPEN_FIND_ENFORCE={inherited} sh -euc '. {PROFILE}; env'")
    assert printed.rc == 0
    assert "MIOPEN_FIND_ENFORCE" not in printed.stdout


def test_profile_sets_nothing_without_a_card(host: Any) -> None:
    printed = host.check_output(f"sh -euc '. {PROFILE}; env'")
    assert "HSA_" not in printed
    assert "MIOPEN_" not in printed


def test_login_shell_reads_the_profile(host: Any) -> None:
    program = "echo ${MIOPEN_FIND_ENFORCE-unset}"
    printed = host.check_output("MIOPEN_FIND_ENFORCE=3 bash -lc %s", program)
    assert printed == "unset"


def test_scripts_enter_the_environment(host: Any) -> None:
    program = ". /etc/rdna1/rocm-5.7/activate.sh; env; command -v python"
    printed = host.run("MIOPEN_FIND_ENFORCE=3 sh -euc %s", program)
    assert (printed.rc, printed.stderr) == (0, "")
    assert printed.stdout.endswith(f"\n{ENVIRONMENT}/bin/python\n")
    assert "MIOPEN_FIND_ENFORCE" not in printed.stdout


def test_users_get_access_to_the_card(host: Any) -> None:
    assert {"render", "video"} <= set(host.user("ada").groups)


def test_services_get_the_variables(host: Any) -> None:
    lines = host.file("/etc/rdna1/rocm-5.7.env").content_string.splitlines()
    assert 'HSA_OVERRIDE_GFX_VERSION="10.3.0"' in lines


@pytest.mark.parametrize("path", [PROFILE, "/etc/rdna1/stack.json", "/etc/rdna1/envelope.json"])
def test_files_are_owned_and_moded(host: Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)


def test_stack_is_written_down(host: Any) -> None:
    stack = json.loads(host.file("/etc/rdna1/stack.json").content_string)
    assert stack == {
        "schema_version": 1,
        "stack": "rocm-5.7",
        "rocm_version": "5.7.1",
        "environment": ENVIRONMENT,
        "miopen_profile": "default",
        "miopen_filters": {
            f"MIOPEN_DEBUG_CONV_{family}": "0"
            for family in ("DIRECT", "FFT", "IMPLICIT_GEMM", "WINOGRAD")
        },
    }


def test_snapshot_of_the_state_before_is_for_root_only(host: Any) -> None:
    folders = host.file("/var/lib/rdna1/snapshots").listdir()
    assert len(folders) == 1, "the second run changed nothing"
    folder = host.file(f"/var/lib/rdna1/snapshots/{folders[0]}")
    assert folder.mode == 0o700
    snapshot = json.loads(host.file(f"{folder.path}/before.json").content_string)
    assert "python3-torch" not in snapshot["packages"]
    assert PROFILE not in snapshot["files"]
    after = json.loads(host.file(f"{folder.path}/after.json").content_string)
    assert "python3-torch" in after["packages"]
    assert PROFILE in after["files"]


def test_report_of_the_validation_stays_on_the_box(host: Any) -> None:
    report = json.loads(host.file("/var/lib/rdna1/reports/smoke.json").content_string)
    assert report["verdict"] == "pass"
    sides = {case["case"]["h"] for case in report["cases"]}
    assert sides >= {32, 36, 40, 42}
    assert {case["case"]["direction"] for case in report["cases"]} == {"forward", "backward"}


def test_commands_are_on_the_path(host: Any) -> None:
    assert host.run("rdna1-validate --help").rc == 0
    assessed = host.run("rdna1-preflight --format json")
    assert assessed.rc == 1, "there is no card in a container"
    checks = json.loads(assessed.stdout)["checks"]
    assert [check["id"] for check in checks if check["status"] == "fail"] == ["card"]
