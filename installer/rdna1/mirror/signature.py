"""The signature of a mirror's owner on its manifest."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from rdna1.mirror.manifest import MANIFEST, SIGNATURE, MirrorError
from rdna1.target.facts.openpgp import OpenPgpError, binary, certificates


def sign(folder: Path, key: str) -> None:
    """Sign the manifest of a mirror with gpg, as the user who runs Ansible.

    Raises:
        MirrorError: gpg is not there or refuses; with what it said.
    """
    target = folder / SIGNATURE
    command = ["gpg", "--batch", "--yes", "--local-user", key, "--output", str(target)]
    done = _run([*command, "--detach-sign", str(folder / MANIFEST)])
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise MirrorError(
            f"the manifest could not be signed with {key!r}: {said}. Remedy: name a "
            "secret key of gpg on this machine in mirror_signing_key"
        )


def check_signature(path: Path, manifest: bytes, signature: bytes, keyring: Path) -> None:
    """Make sure that a key of the owner's choice has signed a manifest.

    Args:
        path: of the mirror, for messages.
        manifest: its content.
        signature: of it; empty where the mirror has none.
        keyring: public keys, binary or armoured.

    Raises:
        MirrorError: none has, or that cannot be told.
    """
    if not signature:
        raise MirrorError(
            f"{path}: its manifest is not signed, and offline_keyring asks for it. Remedy: collect "
            "it with mirror_signing_key, or leave offline_keyring out"
        )
    verifier = next(filter(shutil.which, ("gpgv", "sqv")), None)
    if verifier is None:
        raise MirrorError(
            "offline_keyring needs gpgv or sqv, and neither is there. Remedy: install the package "
            "gpgv on the machine that runs Ansible"
        )
    try:
        keys = b"".join(map(binary, certificates(keyring.read_bytes())))
    except (OSError, OpenPgpError) as error:
        raise MirrorError(
            f"the keyring {keyring} cannot be used: {error}. Remedy: write it with gpg --export, "
            "and name it in offline_keyring"
        ) from error
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = {"keyring.gpg": keys, SIGNATURE: signature, MANIFEST: manifest}
        for file, content in files.items():
            folder.joinpath(file).write_bytes(content)
        arguments = ["--keyring", str(folder / "keyring.gpg"), str(folder / SIGNATURE)]
        done = _run([verifier, *arguments, str(folder / MANIFEST)])
    if done.returncode != 0:
        raise MirrorError(
            f"{path}: no key in {keyring} has signed its manifest. Remedy: name the keyring of who "
            "collected the mirror in offline_keyring, or get the mirror again from them"
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 (an argument list, no shell)
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise MirrorError(
            f"{command[0]}: {error.strerror}. Remedy: install it on the machine that runs Ansible"
        ) from error
