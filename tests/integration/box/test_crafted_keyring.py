"""A keyring with a second key, and the program with which apt of Debian 13 verifies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from rdna1.target.facts.openpgp import OpenPgpError, binary, certificates
from support.ansible_module import run_module
from support.apt_repository import signing_key
from support.boxes import Box


def test_the_second_key_of_a_crafted_keyring(make_box: Callable[..., Box], tmp_path: Path) -> None:
    """apt's verifier takes the signature of a key that was appended as a secret one.

    Up to 8b1e64c such a file passed as the pinned key alone and was written as it was.
    """
    shared = tmp_path / "shared"
    shared.mkdir()
    index = shared / "Release"
    index.write_text("Origin: somebody\n")
    with signing_key() as pinned, signing_key() as attacker:
        crafted = pinned.binary + attacker.secret
        (shared / "crafted.gpg").write_bytes(crafted)
        (shared / "pinned.gpg").write_bytes(binary(certificates(pinned.binary)[0]))
        (shared / "attacker.sig").write_bytes(attacker.signature(index))
        (shared / "pinned.sig").write_bytes(pinned.signature(index))
        arguments = {
            "path": str(tmp_path / "keyring.gpg"),
            "fingerprint": pinned.fingerprint,
            "content": base64.b64encode(crafted).decode(),
        }
    box = make_box(f"--volume={shared}:/shared:ro")

    def verified(keyring: str, signature: str) -> bool:
        """What sqv says, which apt's method of the same name asks."""
        command = f"sqv --keyring /shared/{keyring} /shared/{signature} /shared/Release"
        return box.run("sh", "-c", f"{command} >/dev/null 2>&1; echo $?") == "0\n"

    box.run("test", "-x", "/usr/lib/apt/methods/sqv")
    assert verified("crafted.gpg", "attacker.sig"), "the danger is real"
    assert verified("pinned.gpg", "pinned.sig"), "what is written now is a keyring"
    assert not verified("pinned.gpg", "attacker.sig")
    result = run_module("rdna1_apt_key", arguments, tmp_path)
    assert "it holds a secret key" in result["msg"]
    assert not (tmp_path / "keyring.gpg").exists()
    # Such a file on a machine is not taken for one with the pinned key.
    with pytest.raises(OpenPgpError, match="it holds a secret key"):
        certificates(crafted)
