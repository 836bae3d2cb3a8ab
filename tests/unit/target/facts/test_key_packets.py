"""What a file may hold besides the pinned key: keys and packets put together byte by byte.

The keys are gpg's own. gpg also says what it finds in whatever passes: the pinned key alone.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdna1.target.facts.openpgp import OpenPgpError, binary, certificates, keys
from support.ansible_module import run_module
from support.apt_repository import signing_key

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg on this machine")

BEGIN, END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
SECRET_SUBKEY = 7
# Tags of packets (RFC 9580, section 5) that are not part of a public key.
OTHERS = sorted(set(range(64)) - {2, 6, 12, 13, 14, 17})


class Keys(NamedTuple):
    """The pinned key and one of an attacker."""

    fingerprint: str
    pinned: bytes
    attacker: bytes
    secret: bytes


@pytest.fixture(scope="module")
def real() -> Iterator[Keys]:
    with signing_key() as pinned, signing_key() as attacker:
        yield Keys(pinned.fingerprint, pinned.binary, attacker.binary, attacker.secret)


def packet(tag: int, body: bytes) -> bytes:
    """A packet of the new form with a length of five bytes."""
    return bytes([0xC0 | tag, 0xFF]) + len(body).to_bytes(4, "big") + body


def body_of(data: bytes) -> bytes:
    """The body of the first packet of a short key of gpg's."""
    return data[2 : 2 + data[1]]


def armoured(*contents: bytes) -> bytes:
    return b"".join(
        BEGIN + b"\n\n" + base64.encodebytes(content) + END + b"\n" for content in contents
    )


def installed(data: bytes, real: Keys, folder: Path) -> tuple[str, bytes | None]:
    """What the module says, and what it wrote."""
    keyring = folder / "keyring.gpg"
    arguments = {
        "path": str(keyring),
        "fingerprint": real.fingerprint,
        "content": base64.b64encode(data).decode(),
    }
    result = run_module("rdna1_apt_key", arguments, folder)
    written = keyring.read_bytes() if keyring.exists() else None
    return str(result.get("msg", "")), written


def crafted(real: Keys) -> dict[str, bytes]:
    """Files that hold the pinned key and another, or no longer the pinned one alone."""
    attacker = body_of(real.attacker)
    short = packet(6, attacker)
    return {
        "a secret key": real.pinned + real.secret,
        "a secret subkey": real.pinned + packet(SECRET_SUBKEY, attacker),
        "a second public key": real.pinned + real.attacker,
        "the second before": real.attacker + real.pinned,
        "another version": real.pinned + packet(6, b"\x06" + attacker[1:]),
        "an old version": real.pinned + packet(6, b"\x03" + attacker[1:]),
        "an old subkey": real.pinned + packet(14, b"\x03" + attacker[1:]),
        "a key in parts": real.pinned + b"\xc6\xe1" + attacker[:2] + b"\x01" + attacker[2:3],
        "a key without a length": real.pinned + b"\x9b" + attacker,
        "compressed": real.pinned + packet(8, b"\0" + short),
        "a marker": packet(10, b"PGP") + real.pinned,
        "a user id before": packet(13, b"somebody") + real.pinned,
        "trailing zeros": real.pinned + b"\0\0\0\0",
        "trailing text": real.pinned + armoured(real.attacker),
        "two blocks": armoured(real.pinned, real.attacker),
        "a block that goes on": armoured(real.pinned, packet(14, attacker)),
        "a secret block": armoured(real.pinned)
        + armoured(real.secret).replace(b"PUBLIC", b"PRIVATE"),
        "an indented block": armoured(real.pinned) + b"> " + armoured(real.attacker),
    }


@pytest.mark.parametrize("name", crafted(Keys("", b"", b"..", b"")))
def test_a_keyring_with_anything_else_is_not_written(real: Keys, name: str, tmp_path: Path) -> None:
    said, written = installed(crafted(real)[name], real, tmp_path)
    assert "was not accepted" in said
    assert "Remedy" in said
    assert "\n" not in said
    assert written is None


@pytest.mark.parametrize("tag", OTHERS)
def test_a_packet_that_is_no_part_of_a_public_key_is_refused(real: Keys, tag: int) -> None:
    """In both places, in keyrings that are assessed as well."""
    other = packet(tag, body_of(real.attacker))
    for data in (real.pinned + other, other + real.pinned):
        with pytest.raises(OpenPgpError, match=r"secret key|not part of a public key"):
            keys(data)


def test_notes_on_trust_are_read_and_not_written(real: Keys) -> None:
    """A keyring that older GnuPG kept has them; a repository's key has not."""
    (found,) = certificates(real.pinned + packet(12, b"\x06\0"))
    assert found.key.fingerprint == real.fingerprint
    with pytest.raises(OpenPgpError, match="packet 12"):
        binary(found)


def test_a_key_is_written_in_one_form(real: Keys, tmp_path: Path) -> None:
    """Armour, text around it and the form of a packet's length are not taken over."""
    own = body_of(real.pinned)
    forms = [
        real.pinned,
        armoured(real.pinned),
        b"AMD's key:\n" + armoured(real.pinned).replace(b"\n", b"\r\n") + b"bye\n",
        packet(6, own) + real.pinned[2 + len(own) :],
    ]
    for form in forms:
        assert installed(form, real, tmp_path) == ("", real.pinned)


@pytest.mark.skipif(shutil.which("gpgv") is None, reason="no gpgv on this machine")
def test_a_subkey_of_somebody_else_signs_nothing(real: Keys, tmp_path: Path) -> None:
    """It passes, as signatures are not verified here; the program that apt asks refuses it."""
    with signing_key() as attacker:
        subkey = packet(14, body_of(attacker.binary))
        (tmp_path / "index").write_text("Origin: somebody\n")
        (tmp_path / "index.sig").write_bytes(attacker.signature(tmp_path / "index"))
        # With a binding that names the pinned key and was made by nobody.
        bound = real.pinned + subkey + packet(2, b"\x04\x18" + signature_of(real.pinned)[2:])
        keyring = tmp_path / "ring.gpg"
        verify = [
            "gpgv",
            "--keyring",
            str(keyring),
            str(tmp_path / "index.sig"),
            str(tmp_path / "index"),
        ]
        keyring.write_bytes(binary(certificates(attacker.binary)[0]))
        assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
        for data in (real.pinned + subkey, bound):
            keyring.write_bytes(binary(certificates(data)[0]))
            assert subprocess.run(verify, capture_output=True, check=False).returncode != 0


def signature_of(data: bytes) -> bytes:
    """The body of the first signature of a key."""
    return next(body for tag, body in certificates(data)[0].packets if tag == 2)


def test_what_was_written_before_with_more_in_it_is_replaced(real: Keys, tmp_path: Path) -> None:
    (tmp_path / "keyring.gpg").write_bytes(real.pinned + real.secret)
    assert installed(real.pinned, real, tmp_path) == ("", real.pinned)


mutations = st.lists(
    st.tuples(
        st.sampled_from(["flip", "insert", "delete", "copy"]),
        st.integers(0, 1 << 16),
        st.binary(max_size=40),
    ),
    max_size=4,
)


def mutated(data: bytes, attacker: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    """A key with some bytes or whole packets changed."""
    for kind, number, given_bytes in changes:
        at = number % (len(data) + 1)
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << number % 8)]) + data[at + 1 :]
        elif kind == "insert":
            data = data[:at] + given_bytes + data[at:]
        elif kind == "delete":
            data = data[:at] + data[at + len(given_bytes) :]
        elif kind == "copy":
            whole = packet(number % 64, body_of(attacker) if number & 64 else given_bytes)
            data = data + whole if number & 128 else whole + data
    return data


def shown_by_gpg(data: bytes, home: Path) -> list[str]:
    """Fingerprints of the primary keys, public and secret, that gpg finds."""
    command = ["gpg", "--homedir", str(home), "--batch", "--with-colons", "--show-keys"]
    lines = subprocess.run(command, input=data, capture_output=True, check=False).stdout.decode()
    records = [line.split(":") for line in lines.splitlines()]
    return [
        following[9]
        for record, following in pairwise(records)
        if record[0] in ("pub", "sec") and following[0] == "fpr"
    ]


@settings(max_examples=300)
@given(changes=mutations, armour=st.booleans())
def test_whatever_passes_is_the_pinned_key_to_gpg(
    real: Keys,
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[str, int, bytes]],
    armour: bool,
) -> None:
    data = mutated(real.pinned, real.attacker, changes)
    try:
        found = certificates(armoured(data) if armour else data)
        written = [binary(each) for each in found]
    except OpenPgpError as error:
        assert "\n" not in str(error)
        return
    if [each.key.fingerprint for each in found] != [real.fingerprint]:
        return
    home = tmp_path_factory.getbasetemp() / "gnupg"
    home.mkdir(mode=0o700, exist_ok=True)
    # A key whose own signature was damaged is not a key to gpg: nothing is verified with it.
    intact = real.pinned in written[0]
    assert shown_by_gpg(written[0], home) in (
        [[real.fingerprint]] if intact else [[real.fingerprint], []]
    )
