"""Keys that the module rdna1_apt_key does not accept, with real keys and a real server."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from support.ansible_module import run_module
from support.apt_repository import SigningKey, signing_key
from support.wheels import serve


def refused(folder: Path, pinned: SigningKey, **given: object) -> str:
    """The message of a run that has to write nothing."""
    keyring = folder / "keyring.gpg"
    asked = {"path": str(keyring), "fingerprint": pinned.fingerprint, **given}
    result: dict[str, Any] = run_module("rdna1_apt_key", asked, folder)
    assert result["failed"]
    assert "rocm_amd_key_file" in result["msg"]
    assert not keyring.exists()
    return str(result["msg"])


def test_another_key_is_not_accepted(tmp_path: Path) -> None:
    with signing_key() as pinned, signing_key() as other, serve(tmp_path) as address:
        (tmp_path / "other.key").write_bytes(other.public)
        said = refused(tmp_path, pinned, url=f"{address}other.key")
        assert f"holds another key: {other.fingerprint} instead of {pinned.fingerprint}" in said


def test_an_expired_key_is_not_accepted(tmp_path: Path) -> None:
    with signing_key(made="20200101T000000", life="1d") as old, serve(tmp_path) as address:
        (tmp_path / "old.key").write_bytes(old.public)
        said = refused(tmp_path, old, url=f"{address}old.key")
        assert f"holds {old.fingerprint}, which expired on 2020-01-02" in said


def test_a_key_file_with_a_second_key_is_not_accepted(tmp_path: Path) -> None:
    with signing_key() as pinned, signing_key() as other:
        content = base64.b64encode(pinned.public + other.public).decode()
        said = refused(tmp_path, pinned, content=content, origin="/mine/keys.asc")
        assert "/mine/keys.asc holds 2 keys" in said
