"""Homes whose owners mean harm, or whose disk is damaged: a reason, and the facts of all others."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rdna1.preflight import load_facts
from support.homes import ADA, BOB, give, give_all, linked, machine_with_homes, written

SECRET = "root:$y$j9T$only.root.may.read.this"  # noqa: S105 - of the test
SITE = "lib/python3.12/site-packages"
BUILT = ".local/share/rdna1/environments/rocm-5.7-0123456789ab"
RECORD = f"{BUILT}/{SITE}/torch-2.2.2.dist-info/RECORD"
MARKER = f"{BUILT}/rdna1-environment.json"
SERVICE = ".config/systemd/user/a.service"
ENVELOPE = ".config/rdna1/envelope.json"
FILES = {
    ".profile": "export HSA_ADA=1\n",
    ".config/environment.d/a.conf": "HSA_ADA=2\n",
    SERVICE: "[Service]\nEnvironment=HSA_ADA=3\nEnvironmentFile=/home/ada/env\n",
    "env": "HSA_ADA=4\n",
    ENVELOPE: '{"max_side": 42}',
    ".cache/miopen/2.20/kernel": "x",
    MARKER: '{"identity": "0123456789ab", "packages": {"torch": "2.2.2"}}',
    f"{BUILT}/pyvenv.cfg": "version_info = 3.12.3\n",
    f"{BUILT}/{SITE}/torch/__init__.py": "four",
    RECORD: "torch/__init__.py,sha256=x,4\n",
}


def rewritten(name: str, text: str) -> Callable[[Path], None]:
    return lambda home: void((home / name).write_text(text))


def void(_: object) -> None:
    return None


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(home: Path) -> None:
        (home / name).unlink()
        make(home / name)

    return damage


def link_to(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def zeros(path: Path) -> None:
    """What /dev/zero is: it never ends."""
    try:
        os.mknod(path, 0o020600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this root must not make devices")


def huge(path: Path) -> None:
    with path.open("w") as file:
        file.truncate(2**40)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket has at most 107 bytes.
        before = Path.cwd()
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(before)


def many(folder: str) -> Callable[[Path], None]:
    def damage(home: Path) -> None:
        for number in range(2500):
            (home / folder / f"{number}.conf").write_text("HSA_MANY=1\n")

    return damage


def odd_names(home: Path) -> None:
    for name in (b"\x1b[31m\n.conf", b"\xff\xfe.conf"):
        os.mkfifo(os.fsencode(home / ".config/environment.d") + b"/" + name, 0o600)


def many_pipes(home: Path) -> None:
    for number in range(1500):
        os.mkfifo(home / f".config/environment.d/{number}.conf", 0o600)


def of_bob(name: str) -> Callable[[Path], None]:
    return lambda home: void(give(home / name, BOB))


def open_to_all(home: Path) -> None:
    (home / ".config").chmod(0o777)


def circle(home: Path) -> None:
    (home / ".profile").unlink()
    (home / ".profile").symlink_to(".profile")


class Bad(NamedTuple):
    """What is wrong with a home, what the facts say of it, and of which fact."""

    damage: Callable[[Path], None]
    reason: str
    fact: str


BAD = {
    "profile-pipe": Bad(replaced(".profile", pipe), "not a regular file", "variables"),
    "profile-device": Bad(replaced(".profile", zeros), "not a regular file", "variables"),
    "profile-socket": Bad(replaced(".profile", listening), "not a regular file", "variables"),
    "profile-huge": Bad(replaced(".profile", huge), "larger than", "variables"),
    "profile-circle": Bad(circle, "too many levels", "variables"),
    "profile-to-shadow": Bad(
        replaced(".profile", link_to("/etc/shadow")), "leads out of the home", "variables"
    ),
    "profile-out": Bad(
        replaced(".profile", link_to("/etc/passwd")), "leads out of the home", "variables"
    ),
    "profile-of-bob": Bad(of_bob(".profile"), f"belongs to user {BOB}", "variables"),
    "open-to-all": Bad(open_to_all, "everybody may write to", "variables"),
    "odd-names": Bad(odd_names, r"\x1b[31m\n.conf: not a regular file", "variables"),
    "many-names": Bad(many(".config/environment.d"), "more than 2000 names", "variables"),
    "many-pipes": Bad(many_pipes, "more files cannot be read", "variables"),
    "unit-pipe": Bad(replaced(SERVICE, pipe), "not a regular file", "variables"),
    "environment-file-pipe": Bad(replaced("env", pipe), "not a regular file", "variables"),
    "environment-file-out": Bad(
        replaced("env", link_to("../../etc/shadow")), "leads out of the home", "variables"
    ),
    "many-stars": Bad(
        rewritten(SERVICE, f"EnvironmentFile=/home/ada/{'*a' * 50}b\n"), "wildcards", "variables"
    ),
    "many-settings": Bad(
        rewritten(".profile", "export HSA_A=1\n" * 9000), "more than any", "variables"
    ),
    "envelope-to-shadow": Bad(
        replaced(ENVELOPE, link_to("/etc/shadow")), "leads out of the home", "envelopes"
    ),
    "envelope-pipe": Bad(replaced(ENVELOPE, pipe), "not a regular file", "envelopes"),
    "envelope-of-bob": Bad(of_bob(ENVELOPE), f"belongs to user {BOB}", "envelopes"),
    "databases-many": Bad(many(".cache/miopen/2.20"), "more than 2000", "miopen_databases"),
    "marker-pipe": Bad(replaced(MARKER, pipe), "not a regular file", "environments"),
    "marker-device": Bad(replaced(MARKER, zeros), "not a regular file", "environments"),
    "marker-list": Bad(rewritten(MARKER, "[1]"), "not the mark", "environments"),
    "marker-deep": Bad(rewritten(MARKER, "[" * 100_000), "not the mark", "environments"),
    "marker-packages-list": Bad(
        rewritten(MARKER, '{"identity": "x", "packages": ["torch"]}'),
        "not the mark",
        "environments",
    ),
    "marker-version-list": Bad(
        rewritten(MARKER, '{"identity": "x", "packages": {"torch": [1]}}'),
        "not the mark",
        "environments",
    ),
    "marker-identity-list": Bad(
        rewritten(MARKER, '{"identity": [], "packages": {}}'), "not the mark", "environments"
    ),
    "marker-huge": Bad(replaced(MARKER, huge), "larger than", "environments"),
    "marker-to-shadow": Bad(
        replaced(MARKER, link_to("/etc/shadow")), "leads out of the home", "environments"
    ),
    "version-pipe": Bad(replaced(f"{BUILT}/pyvenv.cfg", pipe), "not a regular", "environments"),
    "version-out-of-root": Bad(
        replaced(f"{BUILT}/pyvenv.cfg", link_to("/outside/pyvenv.cfg")), "", "environments"
    ),
}
# Of these the facts tell in the list of what was altered.
ALTERED = {
    "pipe": (replaced(RECORD, pipe), "RECORD: not a regular file"),
    "device": (replaced(RECORD, zeros), "RECORD: not a regular file"),
    "huge": (replaced(RECORD, huge), "RECORD: larger than"),
    "no-number": (rewritten(RECORD, "torch/__init__.py,,four\n"), "is not a number"),
    "negative": (rewritten(RECORD, "torch/__init__.py,,-4\n"), "is not a number"),
    "other-digits": (rewritten(RECORD, "torch/__init__.py,,\N{SUPERSCRIPT TWO}\n"), "not a number"),
    "long-number": (rewritten(RECORD, f"torch/__init__.py,,{'9' * 5000}\n"), "is not a number"),
    "nul": (rewritten(RECORD, "torch/\0,,4\n"), "is missing or was altered"),
    "long-field": (rewritten(RECORD, f"{'x' * 200_000},,4\n"), "field larger than"),
    "out": (rewritten(RECORD, f"{'../' * 9}etc/passwd,,4\n"), "is missing or was altered"),
    "escape": (rewritten(RECORD, "\x1b[31m,,4\n"), r"\x1b[31m is missing or was altered"),
    "to-shadow": (replaced(RECORD, link_to("/etc/shadow")), "RECORD: a link leads out of the home"),
    "module-pipe": (
        replaced(f"{BUILT}/{SITE}/torch/__init__.py", pipe),
        "torch/__init__.py is missing or was altered",
    ),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine on which Ada's home has all that facts are read from, and Bob's has a setting."""
    root = machine_with_homes(tmp_path / "root")
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text(
        f"root:x:0:0:root:/root:/bin/sh\nada:x:{ADA}:{ADA}::/home/ada:/bin/sh\n"
        f"bob:x:{BOB}:{BOB}::/home/bob:/bin/sh\n"
    )
    written(root / "etc/shadow", 0, f"{SECRET}\nexport HSA_SECRET={SECRET}\n")
    (root / "etc/os-release").write_text("ID=debian\nVERSION_ID=13\n")
    home = root / "home/ada"
    for name, text in FILES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    (home / ".local/share/rdna1/rocm-5.7").symlink_to(f"/home/ada/{BUILT}")
    give_all(home, ADA)
    written(root / "home/bob/.bashrc", BOB, "export HSA_BOB=1\n")
    return root


def collected(root: Path) -> Any:
    """Facts, from a process that is ended should it read for ever."""
    code = (
        "import json, sys; from rdna1.target.facts.collect import collect\n"
        "print(json.dumps(collect(sys.argv[1])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(root)], capture_output=True, text=True, timeout=100
    )
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    load_facts(facts)
    assert facts["os"]["id"] == "debian"
    assert "HSA_BOB" in {variable["name"] for variable in facts["variables"]}
    assert SECRET not in done.stdout
    # Nobody can fill the facts of a machine, either.
    assert len(done.stdout) < 500_000
    return facts


def test_facts_of_homes_of_other_users(root: Path) -> None:
    facts = collected(root)
    of_homes = ("variables", "envelopes", "environments", "miopen_databases")
    assert not any(name.startswith(of_homes) for name in facts["unknown"])
    values = [v["value"] for v in facts["variables"] if v["name"] == "HSA_ADA"]
    assert values == ["1", "2", "3", "4"]
    assert [envelope["path"] for envelope in facts["envelopes"]] == [f"/home/ada/{ENVELOPE}"]
    assert [found["path"] for found in facts["miopen_databases"]] == ["/home/ada/.cache/miopen"]
    assert facts["environments"] == [
        {
            "path": "/home/ada/.local/share/rdna1/rocm-5.7",
            "identity": "0123456789ab",
            "python": "3.12.3",
            "packages": {"torch": "2.2.2"},
            "altered": [],
        }
    ]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_home_becomes_a_reason(root: Path, name: str, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/pyvenv.cfg").write_text("version = 6.6.6\n")
    bad, home = BAD[name], root / "home/ada"
    bad.damage(home)
    for path in home.rglob("*"):
        if path.lstat().st_uid == 0:
            give(path, ADA)
    facts = collected(root)
    reasons = [reason for fact, reason in facts["unknown"].items() if fact.startswith(bad.fact)]
    assert any(bad.reason in reason for reason in reasons) or not bad.reason, reasons
    assert all(reason.isprintable() for reason in facts["unknown"].values())
    assert len(reasons) < 100


@pytest.mark.parametrize("name", ALTERED)
def test_a_bad_list_of_files_is_a_difference(root: Path, name: str) -> None:
    damage, difference = ALTERED[name]
    damage(root / "home/ada")
    give_all(root / "home/ada", ADA)
    (environment,) = collected(root)["environments"]
    assert len(environment["altered"]) == 1
    assert difference in environment["altered"][0]
    assert environment["altered"][0].isprintable()
    assert len(environment["altered"][0]) < 500


def test_nothing_outside_of_the_root_is_read(root: Path, tmp_path: Path) -> None:
    """Links of an environment lead to places below the root, whatever they hold."""
    (tmp_path / "pyvenv.cfg").write_text("version = 6.6.6\n")
    config = root / "home/ada" / BUILT / "pyvenv.cfg"
    config.unlink()
    linked(config, ADA, str(tmp_path / "pyvenv.cfg"))
    (environment,) = collected(root)["environments"]
    assert environment["python"] == ""


def test_a_link_of_dotfiles_within_the_home_is_followed(root: Path) -> None:
    home = root / "home/ada"
    (home / "dotfiles").mkdir()
    (home / ".profile").rename(home / "dotfiles/profile")
    (home / ".config").rename(home / "dotfiles/config")
    (home / ".profile").symlink_to("dotfiles/profile")
    (home / ".config").symlink_to("/home/ada/dotfiles/config")
    give_all(home, ADA)
    values = [v["value"] for v in collected(root)["variables"] if v["name"] == "HSA_ADA"]
    assert values == ["1", "2", "3", "4"]
