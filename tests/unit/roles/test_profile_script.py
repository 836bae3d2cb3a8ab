"""The profile script, rendered from its template and sourced by real shells."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.plan.profile_files import settings_file
from support.examples import examples

ROLE = Path(__file__).parents[3] / "roles" / "environment"
SHELLS = ["dash", "bash"]
RX_5700_XT = ("0x1002", "0x731f")
# The second function of the same board: its HDMI audio.
AUDIO = ("0x1002", "0xab38")


def render(
    tmp_path: Path,
    variables: dict[str, str],
    device: tuple[str, str] | None,
    template: str = "profile.sh.j2",
    **more: object,
) -> Path:
    """Render a template as the role does, over a tree of files that stands in for sysfs."""
    devices = tmp_path / "pci"
    devices.mkdir(exist_ok=True)
    if device:
        folder = devices / "0000:03:00.0"
        folder.mkdir(exist_ok=True)
        (folder / "vendor").write_text(f"{device[0]}\n")
        (folder / "device").write_text(f"{device[1]}\n")
    text = settings_file(
        ROLE / "templates" / template,
        {
            "stack": "rocm-5.7",
            "pci_devices": str(devices),
            "pci_ids": ["0x1002:0x731f"],
            "variables": variables,
            "prefix": str(tmp_path / "an environment"),
            "caches": {},
            "unset": {},
            "cache_folder": "",
            **more,
        },
    )
    script = tmp_path / "profile.sh"
    script.write_text(text, encoding="utf-8")
    return script


def source(
    shell: str, script: Path, then: str, environment: dict[str, str] | None = None, before: str = ""
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [shell, "-euc", f'{before}\n. "$1"\n{then}', shell, str(script)],
        env={"PATH": os.environ["PATH"], **(environment or {})},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_variables_are_set_where_a_card_is_present(shell: str, tmp_path: Path) -> None:
    script = render(tmp_path, {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, RX_5700_XT)
    done = source(shell, script, 'sh -c "echo $HSA_OVERRIDE_GFX_VERSION"')
    assert (done.returncode, done.stdout, done.stderr) == (0, b"10.3.0\n", b"")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("device", [None, AUDIO], ids=["nothing", "audio function"])
def test_nothing_is_set_without_a_card(
    shell: str, device: tuple[str, str] | None, tmp_path: Path
) -> None:
    script = render(tmp_path, {"HSA_OVERRIDE_GFX_VERSION": "10.3.0"}, device)
    done = source(shell, script, 'echo "${HSA_OVERRIDE_GFX_VERSION-unset}"')
    assert (done.returncode, done.stdout, done.stderr) == (0, b"unset\n", b"")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("device", [None, RX_5700_XT], ids=["no card", "card"])
@pytest.mark.parametrize("value", ["3", ""])
def test_an_inherited_find_enforce_is_unset(
    shell: str, device: tuple[str, str] | None, value: str, tmp_path: Path
) -> None:
    script = render(tmp_path, {}, device)
    done = source(shell, script, "env", {"MIOPEN_FIND_ENFORCE": value})
    assert done.returncode == 0
    assert b"MIOPEN_FIND_ENFORCE" not in done.stdout
    assert done.stderr == b"", "it must stay silent where nobody reads"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_read_only_find_enforce_does_not_end_the_shell(shell: str, tmp_path: Path) -> None:
    script = render(tmp_path, {"A_VARIABLE": "set"}, RX_5700_XT)
    done = source(shell, script, 'echo "$A_VARIABLE"', before="readonly MIOPEN_FIND_ENFORCE=3")
    assert (done.returncode, done.stdout) == (0, b"set\n")


def test_a_terminal_is_told_once(tmp_path: Path) -> None:
    script = render(tmp_path, {}, None)
    leader, follower = pty.openpty()
    try:
        subprocess.run(
            ["sh", "-euc", '. "$1"; . "$1"', "sh", str(script)],
            env={"PATH": os.environ["PATH"], "MIOPEN_FIND_ENFORCE": "3"},
            stderr=follower,
            check=True,
        )
        assert os.read(leader, 4096).count(b"unset MIOPEN_FIND_ENFORCE") == 1
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_else_stays_in_the_shell(shell: str, tmp_path: Path) -> None:
    script = render(tmp_path, {"A_VARIABLE": "1"}, RX_5700_XT)
    before = source(shell, Path("/dev/null"), "set")
    after = source(shell, script, "set")

    def names(output: bytes) -> set[bytes]:
        return {line.partition(b"=")[0] for line in output.splitlines()}

    assert names(after.stdout) - names(before.stdout) == {b"A_VARIABLE"}
    assert source(shell, script, "! type __rdna1_card_present").returncode == 0


@settings(max_examples=examples(40), deadline=None)
@given(
    value=st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1)
)
def test_any_value_arrives_unchanged(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    script = render(tmp_path_factory.mktemp("profile"), {"A_VARIABLE": value}, RX_5700_XT)
    done = source("dash", script, 'printf %s "$A_VARIABLE"')
    assert done.stdout.decode() == value


@settings(max_examples=examples(40), deadline=None)
@given(
    value=st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\n\"\\`$#'"))
)
def test_any_value_arrives_in_a_service(
    value: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("env")
    file = render(folder, {"A_VARIABLE": value}, None, "environment.env.j2")
    # In double quotes systemd undoes the same escapes as a shell (systemd.exec(5)).
    done = source("dash", file, 'printf %s "$A_VARIABLE"')
    assert done.stdout.decode() == value


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_gets_variables_and_environment(shell: str, tmp_path: Path) -> None:
    script = render(tmp_path, {"A_VARIABLE": "1"}, RX_5700_XT, "activate.sh.j2")
    environment = tmp_path / "an environment"
    done = source(shell, script, 'echo "$A_VARIABLE $VIRTUAL_ENV ${PATH%%:*}"')
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"1 {environment} {environment}/bin\n"


CACHES = {"TRITON_CACHE_DIR": "triton", "TORCHINDUCTOR_CACHE_DIR": "inductor"}
UNSET = {"HSA_OVERRIDE_GFX_VERSION": "the stack's code is made for the card"}


@pytest.mark.parametrize("shell", SHELLS)
def test_each_user_has_caches_of_this_stack_alone(shell: str, tmp_path: Path) -> None:
    script = render(tmp_path, {}, RX_5700_XT, caches=CACHES)
    then = 'echo "$TRITON_CACHE_DIR ${TORCHINDUCTOR_CACHE_DIR}"'
    done = source(shell, script, then, {"HOME": "/home/a b"})
    folder = "/home/a b/.cache/rdna1/rocm-5.7"
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == f"{folder}/triton {folder}/inductor\n"
    without = source(shell, script, 'echo "${TRITON_CACHE_DIR-unset}"', before="unset HOME")
    assert (without.returncode, without.stdout) == (0, b"unset\n")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("device", "before", "value"),
    [
        (RX_5700_XT, "export HSA_OVERRIDE_GFX_VERSION=10.3.0", b"unset"),
        (RX_5700_XT, "readonly HSA_OVERRIDE_GFX_VERSION=10.3.0", b"10.3.0"),
        (RX_5700_XT, "", b"unset"),
        # It may be for another card.
        (None, "export HSA_OVERRIDE_GFX_VERSION=10.3.0", b"10.3.0"),
    ],
    ids=["card", "read-only", "not set", "no card"],
)
def test_an_inherited_override_is_unset_for_native_code(
    shell: str, device: tuple[str, str] | None, before: str, value: bytes, tmp_path: Path
) -> None:
    script = render(tmp_path, {}, device, unset=UNSET)
    done = source(shell, script, 'echo "${HSA_OVERRIDE_GFX_VERSION-unset}"', before=before)
    assert (done.returncode, done.stdout, done.stderr) == (0, value + b"\n", b"")


@pytest.mark.parametrize("home", ["", '/home/a "b" $c'])
def test_a_service_of_a_user_has_the_caches(home: str, tmp_path: Path) -> None:
    more = {"caches": CACHES, "unset": UNSET, "cache_folder": home}
    file = render(tmp_path, {}, None, "environment.env.j2", **more)
    assert "UnsetEnvironment=MIOPEN_FIND_ENFORCE HSA_OVERRIDE_GFX_VERSION\n" in file.read_text()
    done = source("dash", file, 'printf %s "${TRITON_CACHE_DIR-unset}"')
    assert done.stdout.decode() == (f"{home}/rocm-5.7/triton" if home else "unset")
