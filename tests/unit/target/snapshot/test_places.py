"""What a run writes down: what roles change, and nothing that a file merely names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rdna1.target.rootfs import RootFs
from rdna1.target.snapshot import watch
from rdna1.target.snapshot.watch import Place, home_places, places

ACCOUNTS = (
    "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n"
    "mallory:x:1001:1001::/home/mallory:/bin/sh\n"
)
SETTING = "A=1\nMIOPEN_FIND_ENFORCE=3\n"
UNIT = "/home/mallory/.config/systemd/user/x.service"


def recorded(
    root: Path, monkeypatch: pytest.MonkeyPatch, files: Mapping[str, str], *users: str
) -> set[str]:
    """Paths that a run writes down on a machine with these files, without the usual ones."""
    for path, text in {"/etc/passwd": ACCOUNTS, **files}.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    monkeypatch.setattr(watch, "RootFs", lambda: RootFs(str(root)))
    usual = {path for path, _ in watch._FOLDERS} | {"/opt", "/etc/modules"}
    found = {place.path for place in places(users)} - usual
    return {path for path in found if not path.startswith("/usr/local/bin/")}


def test_files_that_the_remedy_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/home/ada/.bashrc": f"export {SETTING.splitlines()[1]}\n",
        "/home/ada/.profile": "A=1\n",
        "/home/mallory/.profile": "MIOPEN_FIND_MODE=1\n",
        "/etc/environment": SETTING,
        "/etc/profile.d/a.sh": "A=1\n",
    }
    assert recorded(tmp_path, monkeypatch, files) == {"/home/ada/.bashrc", "/etc/environment"}


def test_databases_of_the_named_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded(tmp_path, monkeypatch, {}, "ada") == {
        "/home/ada/.config/miopen",
        "/home/ada/.cache/miopen",
    }


@pytest.mark.parametrize(
    "named",
    [
        "/etc/shadow",
        "/etc/ld.so.preload",
        "/home/ada/thesis",
        "/home/mallory/../ada/thesis",
        "/home/mallory/conf/ld.so.preload",
        "/proc/kmsg",
        "/srv/mallory/*",
    ],
)
def test_what_a_users_service_names_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    files = {
        UNIT: f"[Service]\nEnvironmentFile=-{named}\n",
        "/home/ada/thesis": SETTING,
        "/etc/shadow": "root:secret\n",
        "/home/mallory/conf/ld.so.preload": "/home/mallory/evil.so\n",
    }
    assert recorded(tmp_path, monkeypatch, files) == set()


def test_what_a_users_service_names_in_the_home_is_recorded_where_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        UNIT: "[Service]\nEnvironmentFile=/home/mallory/app/env\n",
        "/home/mallory/app/env": SETTING,
    }
    assert recorded(tmp_path, monkeypatch, files) == {"/home/mallory/app/env"}


def test_a_home_without_root(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert Place(f"{home}/.config/rdna1", 3) in list(home_places(home))
