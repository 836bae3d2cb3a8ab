"""./run as a user calls it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests" / "fixtures"


def run(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, "./run", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_verb_shows_the_usage() -> None:
    done = run()
    assert done.returncode == 2
    assert "usage: ./run VERB" in done.stderr


def test_help_names_every_verb() -> None:
    done = run("--help")
    assert done.returncode == 0
    for verb in (
        "demo", "preflight", "provision", "rollback", "test", "faults", "lint", "pin", "clean",
    ):  # fmt: skip
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("verb", ["demo", "provision", "test", "lint", "clean", "checkout"])
def test_help_for_a_verb_does_nothing_else(verb: str) -> None:
    done = run(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--stakc=therock", "ansible-playbook: error: unrecognized arguments: --stakc=therock"),
        ("-e{rdna1_stack: [", "YAML parsing failed"),
    ],
)
def test_a_wrong_option_is_refused_before_a_sandbox_is_made(option: str, said: str) -> None:
    done = run("demo", option)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Remedy: options of ansible-playbook, as in: ./run demo -e" in done.stderr
    assert "usage:" not in done.stderr
    assert "rdna1-sandbox" not in done.stderr


def test_rootless_provisioning_is_not_for_root() -> None:
    # As root, which these tests need, the play stops before it looks at the machine.
    done = run("provision", "--rootless", "--check")
    assert done.returncode != 0
    assert "playbooks/user.yml --check" in done.stderr
    assert "This is for users without root" in done.stdout


@pytest.mark.parametrize("name", ["C", "POSIX", "xx_XX.UTF-8", "de_DE"])
def test_a_locale_that_ansible_refuses_does_not_matter(name: str) -> None:
    # What ssh brings from the machine of the user.
    settings = [f"{variable}={name}" for variable in ("LC_ALL", "LANG", "LC_CTYPE", "LANGUAGE")]
    done = run("provision", "--rootless", "--check", before=("env", *settings))
    assert "This is for users without root" in done.stdout, done.stdout + done.stderr


def test_a_home_that_cannot_be_written_does_not_matter() -> None:
    done = run("provision", "--rootless", "--check", before=("env", "HOME=/proc"))
    assert "This is for users without root" in done.stdout, done.stdout + done.stderr
    assert "/proc/.ansible cannot be written" in done.stderr


def test_an_unknown_verb_is_named() -> None:
    done = run("dmeo")
    assert done.returncode == 2
    assert "unknown verb 'dmeo'" in done.stderr


def test_unknown_tests_are_named() -> None:
    done = run("test", "untit")
    assert done.returncode == 2
    assert "unknown tests 'untit': unit, integration or molecule" in done.stderr


@pytest.mark.parametrize(("stack", "code"), [("rocm-5.7", 0), ("rocm-5.2", 1), ("rocm-5.8", 2)])
def test_the_exit_code_is_that_of_the_verb(stack: str, code: int) -> None:
    tree = FIXTURES / "ubuntu-24.04-rx5700xt"
    assert run("preflight", "--stack", stack, "--root", str(tree)).returncode == code


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv (util-linux) is missing")
@pytest.mark.parametrize("verb", ["demo", "test", "clean"])
def test_what_needs_root_says_so(verb: str) -> None:
    done = run(verb, before=("setpriv", "--reuid=65534", "--clear-groups"))
    assert done.returncode == 1
    assert f"Remedy: sudo ./run {verb}" in done.stderr


def box(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = ROOT / "sandbox" / "box"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def test_a_machine_that_is_there_already_is_said_to_be() -> None:
    # Another checkout may have made it.
    name = f"rdna1-test-{os.getpid()}-again"
    try:
        assert f"==> Starting the box {name}\n" in box("create", name).stdout
        again = box("create", name)
    finally:
        box("remove", name)
    assert again.returncode == 0
    assert re.fullmatch(rf"==> Going on with the box {name} of [-0-9]+ [0-9:]+\n", again.stdout)


def test_the_sandbox_script_shows_its_usage() -> None:
    done = box("craete")
    assert done.returncode == 2
    assert "usage: sandbox/box image" in done.stderr


def test_drafts_that_come_and_go_are_nobodys(tmp_path: Path) -> None:
    # As Python's of compiled files do, while a second command starts.
    shutil.copy(ROOT / "run", tmp_path)
    script = """
        mkdir drafts
        (cd drafts; while [ ! -e ../end ]; do seq 500 | xargs touch; seq 500 | xargs rm; done) &
        for _ in $(seq 150); do ./run checkout || :; done
        touch end
        wait
    """
    done = subprocess.run(
        ["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == f"==> Only root can write {tmp_path}\n" * 150
