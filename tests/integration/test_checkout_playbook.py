"""ansible-playbook started directly, by root and by users who become root, in others' checkouts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A user of every machine, who owns nothing.
NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes files of another user: needs root")


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A copy of what the playbooks need, where every user can read it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("installer", "playbooks", "roles", "inventory", "sandbox"):
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        for part in ("ansible.cfg", "site.yml", "run"):
            shutil.copy2(ROOT / part, folder)
        yield folder


def play(
    folder: Path, playbook: str = "site.yml", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Start a playbook that does nothing, as there is no such tag."""
    program = Path(sys.executable).with_name("ansible-playbook")
    own = {name: value for name, value in os.environ.items() if name != "SUDO_UID"}
    return subprocess.run(
        [program, playbook, "--tags=none", "--skip-tags=always"],
        cwd=folder,
        env={**own, "ANSIBLE_NOCOLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def give(folder: Path, user: int) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user, follow_symlinks=False)


def test_root_is_refused_where_another_user_can_write(checkout: Path) -> None:
    role = checkout / "roles" / "rocm" / "tasks" / "main.yml"
    os.chown(role, NOBODY, -1)
    done = play(checkout)
    assert done.returncode == 1
    assert f"root does not run what others can change: {role} belongs to nobody." in done.stderr
    assert "Remedy: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "PLAY" not in done.stdout


def test_the_caller_of_sudo_may_write(checkout: Path) -> None:
    give(checkout, NOBODY)
    assert play(checkout).returncode == 1
    done = play(checkout, SUDO_UID=str(NOBODY))
    assert "PLAY RECAP" in done.stdout, done.stderr
    assert done.returncode == 0


def test_roots_own_checkout_is_not_refused(checkout: Path) -> None:
    done = play(checkout)
    assert "PLAY RECAP" in done.stdout, done.stderr
    assert done.returncode == 0
