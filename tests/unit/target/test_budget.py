"""How much is read for one user: not so much that the facts of all others wait for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdna1.target import budget
from rdna1.target.facts.collect import collect
from rdna1.target.facts.unknown import Unknown
from rdna1.target.rootfs import TEXT_LIMIT, ExhaustedError, RootFs
from support.homes import ADA, BOB, give_all, machine_with_homes, written


@pytest.fixture(scope="module")
def read_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine for tests that change nothing on it."""
    return machine(tmp_path_factory.mktemp("budget") / "root")


def machine(root: Path) -> Path:
    """A machine on which Ada has a large file and a folder of many names."""
    machine_with_homes(root)
    home = root / "home/ada"
    (home / "names").mkdir()
    (home / "large").write_bytes(b"#" * TEXT_LIMIT)
    for number in range(1500):
        (home / f"names/{number}").touch()
    give_all(home, ADA)
    written(root / "home/bob/.profile", BOB, "export HSA_BOB=1\n")
    return root


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda rootfs: rootfs.text("/home/ada/large"), f"more than {8 * TEXT_LIMIT} bytes"),
        (lambda rootfs: rootfs.names("/home/ada/names"), "more than 20000 files"),
        (lambda rootfs: rootfs.statuses("/home/ada", ["x"] * 9999), "more than 500000 files of"),
        (lambda rootfs: Unknown().collect("", rootfs.text, "/home/ada/names"), ""),
    ],
    ids=["bytes", "names", "sizes", "failures"],
)
def test_the_rest_is_not_looked_at(
    read_only: Path, read: Callable[[RootFs], object], reason: str
) -> None:
    rootfs = RootFs(str(read_only))
    with pytest.raises(ExhaustedError) as left:
        for _ in range(30_000):
            read(rootfs)
            if not reason:
                # What cannot be read is counted whoever asks.
                rootfs.exists("/home/ada/names")
    reason = reason or "more than 200 files cannot be read"
    assert str(left.value).startswith(f"user {ADA}: {reason}")
    assert str(left.value).endswith("; the rest is not looked at")
    assert rootfs.text("/home/bob/.profile") == "export HSA_BOB=1\n"


def test_there_is_one_reason_and_the_facts_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = machine(tmp_path / "root")
    # The real limit is that of the test above; here it takes a fraction of the files.
    monkeypatch.setattr(budget, "_MOST_LOOKS", 400)
    home = root / "home/ada"
    units = home / ".config/systemd/user"
    for number in range(5):
        (units / f"{number}.service.d").mkdir(parents=True)
        for name in range(100):
            (units / f"{number}.service.d/{name}.conf").touch()
    give_all(home, ADA)
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text(
        f"ada:x:{ADA}:{ADA}::/home/ada:/bin/sh\nbob:x:{BOB}:{BOB}::/home/bob:/bin/sh\n"
    )
    facts: Any = collect(str(root))
    assert "HSA_BOB" in {variable["name"] for variable in facts["variables"]}
    reasons = {name: text for name, text in facts["unknown"].items() if "not looked at" in text}
    # One for each fact that is read in homes.
    assert f"variables.user {ADA}" in reasons
    assert {name.partition(".")[2] for name in reasons} == {f"user {ADA}"}
    assert set(reasons.values()) == {f"user {ADA}: more than 400 files; the rest is not looked at"}
