"""Taking settings out of texts: what goes, what stays, and what is not touched."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdna1.fix.lines import LineError, without

NAME = "MIOPEN_FIND_ENFORCE"


@pytest.mark.parametrize(
    ("path", "line", "rest"),
    [
        ("/etc/environment", f"{NAME}=3\n", ""),
        ("/etc/environment", f'{NAME}="3"\n', ""),
        ("/etc/profile.d/a.sh", f"export {NAME}=3\n", ""),
        ("/etc/profile.d/a.sh", f"  export {NAME}='3';  # faster\r\n", ""),
        ("/etc/profile.d/a.sh", f"export A=1 {NAME}=3 B='x y'  # 2\n", "export A=1 B='x y'  # 2\n"),
        ("/etc/profile.d/a.sh", f"\texport {NAME}=3 B=2;\r\n", "\texport B=2;\r\n"),
        ("/home/ann/.bashrc", f"declare -x {NAME}=3\n", ""),
        ("/etc/security/pam_env.conf", f"{NAME} DEFAULT=3\n", ""),
        ("/etc/security/pam_env.conf", f'{NAME}  DEFAULT="3" OVERRIDE=@{{X}}\n', ""),
        ("/home/ann/.pam_environment", f"{NAME} OVERRIDE=3\n", ""),
        ("/home/ann/.config/fish/config.fish", f"set -g -x {NAME} 3\n", ""),
        ("/etc/systemd/system/a.service", f"Environment={NAME}=3\n", ""),
        ("/etc/systemd/system/a.service", f'Environment="{NAME}=3"\n', ""),
        ("/etc/systemd/system.conf", f"DefaultEnvironment='{NAME}=3'\n", ""),
        ("/etc/systemd/system/a.service", f"Environment=A=1#2 '{NAME}=3'\n", "Environment=A=1#2\n"),
    ],
)
def test_what_stays_of_a_line(path: str, line: str, rest: str) -> None:
    assert without(path, f"A=0\n{line}B=0\n", NAME, {2: "3"}) == f"A=0\n{rest}B=0\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "line 2 does not set MIOPEN_FIND_ENFORCE any more"),
        ("A=3", "line 2 does not set MIOPEN_FIND_ENFORCE any more"),
        (f"X{NAME}=3", "does not set MIOPEN_FIND_ENFORCE any more"),
        (f"export {NAME}=1", "line 2 does not set MIOPEN_FIND_ENFORCE to '3' any more"),
        (f"[ -d /opt ] && export {NAME}=3", "line 2 does more than setting variables"),
        (f"export {NAME}=3; rm x", "does more"),
        (f"export {NAME}=3 {NAME}=3", "does more"),
        (f"{NAME}=3 python", "does more"),
        (f"export {NAME}=$(cat x)", "does more"),
        (f"export {NAME}=3 \\", "does more"),
        (f"# {NAME}=3", "does more"),
        (f'Environment=A="b c" {NAME}=3', "does more"),
    ],
)
def test_lines_that_are_not_touched(line: str, message: str) -> None:
    with pytest.raises(LineError, match=message.replace("[", r"\[")):
        without("/etc/profile", f"A=0\n{line}\n", NAME, {2: "3"})


def test_a_continued_line_is_not_touched() -> None:
    with pytest.raises(LineError, match="line 2 continues the line before it"):
        without("/etc/profile", f"export A=1 \\\nexport {NAME}=3\n", NAME, {2: "3"})


def test_a_line_behind_the_end_is_gone() -> None:
    with pytest.raises(LineError, match="there is no line 7 any more"):
        without("/etc/profile", f"export {NAME}=3\n", NAME, {7: "3"})


@pytest.mark.parametrize(
    "text",
    [
        f"if true; then\n  export {NAME}=3\nfi\n",
        f"if false\nthen\n  # why\n\n  export {NAME}=3\nelse\n  :\nfi\n",
        f"if true; then :; else\n  export {NAME}=3\nfi\n",
        f"for x in 1; do  # each\n  export {NAME}=3\ndone\n",
        f"f() {{\n  export {NAME}=3\n}}\nf\n",
        f"f()\n{{\n  export {NAME}=3\n}}\n",
        f"(\nexport {NAME}=3\n)\n",
        f"true &&\n  export {NAME}=3\n",
        f"case x in\n  x)\n    export {NAME}=3\n    ;;\nesac\n",
        f"if true; then\n  A=1\n  export {NAME}=3\nfi\n",
    ],
)
def test_what_is_left_is_right_for_a_shell(tmp_path: Path, text: str) -> None:
    lines = text.splitlines()
    number = next(i for i, line in enumerate(lines, 1) if NAME in line)
    script = tmp_path / "script"
    script.write_text(without("/etc/profile.d/a.sh", text, NAME, {number: "3"}))
    assert NAME not in script.read_text()
    done = subprocess.run(["sh", "-eu", str(script)], capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_last_line_without_an_end() -> None:
    assert without("/etc/environment", f"A=1\n{NAME}=3", NAME, {2: "3"}) == "A=1\n"


def test_several_lines_go_at_once() -> None:
    text = f"export {NAME}=3\nA=1\n{NAME}=4\n"
    assert without("/etc/profile", text, NAME, {1: "3", 3: "4"}) == "A=1\n"


@given(before=st.text(), line=st.text(), after=st.text())
def test_any_text_is_edited_or_named(before: str, line: str, after: str) -> None:
    text = f"{before}\n{NAME}={line}\n{after}"
    number = len(f"{before}\n".splitlines()) + 1
    try:
        rest = without("/etc/environment", text, NAME, {number: line})
    except LineError as error:
        assert "\n" not in str(error).replace(repr(line), "")
    else:
        assert rest.startswith(f"{before}\n")
        assert rest.endswith(after)
        assert len(rest) < len(text)


@pytest.mark.parametrize(
    "junk",
    [" " * 100_000, "A=1 " * 25_000, "'" * 100_000, "a" * 100_000, "-x " * 30_000, '"a" ' * 25_000],
    ids=len,
)
@pytest.mark.parametrize("head", ["export ", "Environment=", "set ", ""])
def test_long_lines_take_no_time(head: str, junk: str) -> None:
    with pytest.raises(LineError):
        without("/etc/profile", f"{head}{junk}{NAME}=3 \\ ( \n", NAME, {1: "3"})
