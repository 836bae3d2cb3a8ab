"""``rdna1-preflight fix`` as a user runs it, on trees of files and on a terminal."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rdna1.cli import fix
from rdna1.cli.output import UsageError
from rdna1.cli.preflight import main

FIXTURES = Path(__file__).parents[2] / "fixtures"
COMMAND = [sys.executable, "-m", "rdna1.cli.preflight", "fix"]
NAME = "MIOPEN_FIND_ENFORCE"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A copy of the machine that sets the variable in three files."""
    root = tmp_path / "box"
    shutil.copytree(FIXTURES / "ubuntu-24.04-find-enforce", root, symlinks=True)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def changed(before: dict[str, bytes], root: Path) -> dict[str, bytes | None]:
    after = contents(root)
    names = before.keys() | after.keys()
    return {name: after.get(name) for name in names if before.get(name) != after.get(name)}


def test_a_dry_run_changes_nothing(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(box)
    assert main(["fix", "--dry-run", "--root", str(box)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "would be done:",
        f"  remove {NAME} from /etc/profile.d/miopen.sh, line 3",
        f"  remove {NAME} from /etc/systemd/system/notebook.service, line 3",
        "left to you:",
        f"  {NAME} in /home/ann/.bashrc: line 9 does more than setting",
        "    variables",
    ]
    assert changed(before, box) == {}


def test_two_runs(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(box)
    script = box / "etc/profile.d/miopen.sh"
    script.chmod(0o604)
    assert main(["fix", "--yes", "--root", str(box)]) == 0
    out = capsys.readouterr().out
    assert f"done    remove {NAME} from /etc/profile.d/miopen.sh, line 3 (backup: " in out
    assert "log in again" in out
    assert sorted(changed(before, box)) == [
        "etc/profile.d/miopen.sh",
        "etc/profile.d/miopen.sh.rdna1-backup",
        "etc/systemd/system/notebook.service",
        "etc/systemd/system/notebook.service.rdna1-backup",
    ]
    assert script.read_text().splitlines()[2] == "export MIOPEN_FIND_MODE=1"
    assert [p.stat().st_mode & 0o777 for p in script.parent.glob("miopen.sh*")] == [0o604, 0o604]
    # By hand, as the command said.
    start = box / "home/ann/.bashrc"
    start.write_text("\n".join(start.read_text().splitlines()[:8]))
    before = contents(box)
    assert main(["fix", "--yes", "--root", str(box)]) == 0
    assert capsys.readouterr().out == "nothing to fix\n"
    assert changed(before, box) == {}
    assert main(["check", "--root", str(box), "--stack", "rocm-5.7"]) == 0


def test_links_stay_and_lead_nowhere_outside(box: Path, tmp_path: Path) -> None:
    outside = tmp_path / "etc/miopen.sh"
    outside.parent.mkdir()
    outside.write_text(f"export {NAME}=3\n")
    inside = box / "srv/miopen.sh"
    inside.parent.mkdir(exist_ok=True)
    inside.write_text(f"export {NAME}=3\nA=1\n")
    link = box / "etc/profile.d/link.sh"
    link.symlink_to("/srv/miopen.sh")
    (box / "etc/profile.d/out.sh").symlink_to(outside)
    assert main(["fix", "--yes", "--root", str(box)]) == 0
    assert link.readlink() == Path("/srv/miopen.sh")
    assert inside.read_text() == "A=1\n"
    assert outside.read_text() == f"export {NAME}=3\n"
    assert [p.name for p in outside.parent.iterdir()] == ["miopen.sh"]


def test_a_failure_is_told_and_the_rest_is_done(
    box: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def meanwhile() -> bool:
        (box / "etc/profile.d/miopen.sh").write_text("A=1\n")
        return True

    monkeypatch.setattr(fix, "_confirmed", meanwhile)
    monkeypatch.setattr(fix, "_check_terminal", lambda _options: None)
    assert main(["fix", "--root", str(box)]) == 1
    out = capsys.readouterr().out
    assert f"FAILED  remove {NAME} from /etc/profile.d/miopen.sh, line 3: there is no line 3" in out
    assert f"done    remove {NAME} from /etc/systemd/system/notebook.service" in out
    assert (box / "etc/profile.d/miopen.sh").read_text() == "A=1\n"


def test_without_a_terminal_it_asks_for_yes(box: Path) -> None:
    before = contents(box)
    done = subprocess.run(
        [*COMMAND, "--root", str(box)], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "rdna1-preflight: there is no terminal to ask on: use --yes or --dry-run\n"
    )
    assert changed(before, box) == {}


def read_until(terminal: int, words: bytes | None) -> bytes:
    """What a terminal shows until words appear, or its program ends."""
    shown = b""
    while words is None or words not in shown:
        ready, _, _ = select.select([terminal], [], [], 30)
        assert ready, shown
        more = read_more(terminal)
        if not more:
            break
        shown += more
    return shown


def wait_until_asleep(pid: int) -> None:
    """Python misses a Ctrl-C between the question and the wait for its answer."""
    deadline = time.monotonic() + 30
    while "\nState:\tS" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_more(terminal: int) -> bytes:
    try:
        return os.read(terminal, 10_000)
    except OSError:
        return b""  # Linux says EIO after the last program ended


@pytest.mark.parametrize(
    ("answer", "code", "fixed", "words"),
    [
        (b"y\n", 0, True, b"done    remove"),
        (b"YES\n", 0, True, b"done    remove"),
        (b"\n", 1, False, b"nothing was changed"),
        (b"no\n", 1, False, b"nothing was changed"),
        (b"\x04", 1, False, b"nothing was changed"),
        (b"\x03", 130, False, b"nothing was changed"),
    ],
    ids=["y", "yes", "return", "no", "ctrl-d", "ctrl-c"],
)
def test_answers(box: Path, answer: bytes, code: int, fixed: bool, words: bytes) -> None:
    before = contents(box)
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # pytest-xdist ignores it
        os.execv(sys.executable, [*COMMAND, "--root", str(box)])  # noqa: S606 - on its terminal
    shown = read_until(terminal, b"[y/N]")
    wait_until_asleep(pid)
    os.write(terminal, answer)
    shown += read_until(terminal, None)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert words in shown
    assert b"Traceback" not in shown
    assert bool(changed(before, box)) == fixed


def test_only_root_changes_the_running_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UsageError, match="run it as root, or with --dry-run"):
        fix._check_right("/")
    fix._check_right("/mnt")


def test_a_dry_run_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "--dry-run"]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--root", "/no/such"], "--root /no/such: No such file or directory"),
        (["--facts", "x"], "unrecognized arguments: --facts x"),
        (["--dryrun"], "unrecognized arguments: --dryrun"),
    ],
)
def test_wrong_usage_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["fix", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_names_of_files_do_not_steer_the_terminal(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (box / "etc/profile.d/\x1b[2J.sh").write_text(f"export {NAME}=3\n")
    assert main(["fix", "--yes", "--root", str(box)]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2J.sh" in out


def test_a_service_gets_the_variable_from_an_environment_file(
    box: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (box / "etc/default").mkdir()
    settings = box / "etc/default/notebook"
    settings.write_text(f"# of the notebook\n{NAME}='3'\nPORT=8888\n")
    unit = box / "etc/systemd/system/notebook.service"
    unit.write_text("[Service]\nEnvironmentFile=-/etc/default/note*\n")
    assert main(["--root", str(box)]) == 1
    assert f"/etc/default/notebook:2: {NAME}=3" in capsys.readouterr().out
    assert main(["fix", "--yes", "--root", str(box)]) == 0
    assert settings.read_text() == "# of the notebook\nPORT=8888\n"


def test_settings_alone_of_everybody(box: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--only-settings", "--all-users", "--user", "nobody"]
    assert main(["fix", *options, "--dry-run", "--root", str(box)]) == 0
    out = capsys.readouterr().out
    # Of a user who is not named, and of the system.
    assert "/home/ann/.bashrc" in out
    assert "/etc/profile.d/miopen.sh" in out
    main(["fix", "--user", "nobody", "--dry-run", "--root", str(box)])
    assert "/home/ann/.bashrc" not in capsys.readouterr().out
