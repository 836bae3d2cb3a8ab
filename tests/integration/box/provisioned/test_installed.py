"""Check mode, the installation and a second run: what they print, and the machine from inside."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rdna1.measure.smoke import smoke_cases
from support.box_state import difference
from support.boxes import Box
from support.provisioned import ENVELOPE, PROFILE, SNAPSHOTS, USERS, Provisioned

ENVIRONMENT = "/opt/rdna1/rocm-5.7"
STACK = "/etc/rdna1/stack.json"
ALL = len(smoke_cases())


def told(printed: str) -> str:
    """What a play printed, without its line breaks."""
    return " ".join(printed.split())


def test_check_mode_leaves_an_untouched_machine_untouched(provisioned: Provisioned) -> None:
    found = difference(provisioned.before, provisioned.checked)
    print(f"difference of packages, files, contents and groups: {found}")
    assert found == {}


def test_the_report_is_copied_to_the_controller(box: Box) -> None:
    report = json.loads((box.reports / "report.json").read_text())
    assert report["stack"] == "rocm-5.7"
    assert report["validation"]["verdict"] == "pass"
    assert report["packages"]["libamdhip64-5"].startswith("5.7.1")
    ignored = [c["id"] for c in report["preflight"]["checks"] if c["status"] == "ignored"]
    assert ignored == ["card", "find-enforce"]


def test_a_run_without_options_provokes_no_hang(box: Box) -> None:
    assert not (box.reports / "boundary.json").exists()
    assert json.loads((box.reports / "report.json").read_text())["boundary"] is None
    smoke = json.loads((box.reports / "smoke.json").read_text())
    sides = [max(each["case"]["h"], each["case"]["w"]) for each in smoke["cases"]]
    assert max(sides) <= 42


def test_unmeasured_the_documented_limit_is_written(box: Box, provisioned: Provisioned) -> None:
    printed = told(provisioned.printed)
    assert "limit documented for rocm-5.7: 42 pixels" in printed
    assert "not measured, as nobody asked for it (validate_boundary=true)" in printed
    written = json.loads(box.run("cat", ENVELOPE))
    assert (written["source"], written["max_side"]) == ("stack", 42)
    assert written["max_workspace_bytes"] == 1016064
    assert box.run("stat", "-c", "%U %G %a", ENVELOPE) == "root root 644\n"


def test_the_second_run_changes_nothing_and_tells_the_measurement_again(box: Box) -> None:
    again = box.play(USERS)
    assert again.returncode == 0, again.stdout
    assert "changed=0" in again.stdout
    printed = told(again.stdout)
    assert "nothing was changed since (validate_again=true measures again)" in printed
    assert f"pass ({ALL} of {ALL} convolutions passed" in printed


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


@pytest.mark.parametrize("path", [PROFILE, STACK, ENVELOPE])
def test_files_are_owned_and_moded(host: Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)


def test_stack_is_written_down(host: Any) -> None:
    stack = json.loads(host.file(STACK).content_string)
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
    folders = host.file(SNAPSHOTS).listdir()
    assert len(folders) == 1, "the second run changed nothing"
    folder = host.file(f"{SNAPSHOTS}/{folders[0]}")
    assert folder.mode == 0o700
    snapshot = json.loads(host.file(f"{folder.path}/before.json").content_string)
    assert "python3-torch" not in snapshot["packages"]
    assert STACK not in snapshot["files"]
    after = json.loads(host.file(f"{folder.path}/after.json").content_string)
    assert "python3-torch" in after["packages"]
    assert STACK in after["files"]
    # The owner's, and what the run wrote in its place.
    assert snapshot["files"][PROFILE]["sha256"] != after["files"][PROFILE]["sha256"]


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
