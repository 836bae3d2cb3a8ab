"""Keys read with the standard library, compared with GnuPG."""

from __future__ import annotations

import base64
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdna1.target.facts.collect import collect
from rdna1.target.facts.openpgp import Key, OpenPgpError, keys

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

DAY = 24 * 3600
CREATED = 1_470_000_000  # in 2016, as AMD's key
Gpg = Callable[..., bytes]

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg on this machine")


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)

    def run(*arguments: str, at: int = CREATED) -> bytes:
        quiet = ("--batch", "--quiet", "--no-tty", "--pinentry-mode", "loopback")
        command = ["gpg", "--homedir", str(home), *quiet, "--passphrase", "", *arguments]
        clock = ("--faked-system-time", f"{at}!", "--ignore-time-conflict")
        command[3:3] = clock
        return subprocess.run(
            command, check=True, capture_output=True, stdin=subprocess.DEVNULL
        ).stdout

    yield run
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)


@pytest.fixture(scope="module")
def make_key(gpg: Gpg) -> Callable[..., str]:
    def make(name: str, expires: str, algorithm: str = "ed25519", *options: str) -> str:
        gpg(
            *options,
            "--quick-generate-key",
            f"{name} <{name}@example.org>",
            algorithm,
            "default",
            expires,
        )
        return fingerprint(gpg, name)

    return make


def fingerprint(gpg: Gpg, name: str) -> str:
    listing = gpg("--with-colons", "--list-keys", f"{name}@example.org").decode()
    return next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))


def exported(gpg: Gpg, *names: str, armour: bool = False) -> bytes:
    return gpg(
        *(["--armor"] if armour else []), "--export", *(f"{name}@example.org" for name in names)
    )


def test_a_key_that_expires_and_one_that_does_not(gpg: Gpg, make_key: Callable[..., str]) -> None:
    ending = make_key("ending", "30d")
    lasting = make_key("lasting", "never", "rsa2048")
    for armour in (False, True):
        found = keys(exported(gpg, "ending", "lasting", armour=armour))
        assert found == [
            Key(ending, CREATED, CREATED + 30 * DAY, False, False),
            Key(lasting, CREATED, None, False, False),
        ]


def test_a_key_whose_expiry_was_extended(gpg: Gpg, make_key: Callable[..., str]) -> None:
    """As AMD's was in 2018, 2019 and 2021: the newest word counts."""
    name = make_key("prolonged", "10d")
    old = exported(gpg, "prolonged")
    gpg("--quick-set-expire", name, "100d", at=CREATED + 5 * DAY)
    new = exported(gpg, "prolonged")
    assert keys(old)[0].expires == CREATED + 10 * DAY
    assert keys(new)[0].expires == CREATED + 105 * DAY
    gpg("--quick-set-expire", name, "never", at=CREATED + 6 * DAY)
    assert keys(exported(gpg, "prolonged"))[0].expires is None


def test_others_do_not_extend_a_key(gpg: Gpg, make_key: Callable[..., str]) -> None:
    name = make_key("signed", "10d")
    make_key("friend", "900d")
    gpg("--yes", "--local-user", "friend@example.org", "--quick-sign-key", name, at=CREATED + DAY)
    assert keys(exported(gpg, "signed"))[0].expires == CREATED + 10 * DAY


def test_a_revoked_key(gpg: Gpg, make_key: Callable[..., str], tmp_path: Path) -> None:
    name = make_key("revoked", "never")
    folder = next(Path(part) for part in _homes(gpg) if (Path(part) / "openpgp-revocs.d").is_dir())
    text = (folder / "openpgp-revocs.d" / f"{name}.rev").read_text().replace(":-----", "-----")
    revocation = tmp_path / "revocation"
    revocation.write_text(text)
    assert not keys(exported(gpg, "revoked"))[0].revoked
    gpg("--import", str(revocation))
    assert keys(exported(gpg, "revoked"))[0].revoked


def _homes(gpg: Gpg) -> list[str]:
    return [line.split()[-1] for line in gpg("--version").decode().splitlines() if "Home:" in line]


def test_a_key_self_signed_with_sha1(gpg: Gpg, make_key: Callable[..., str]) -> None:
    make_key("sha1", "never", "rsa2048", "--cert-digest-algo", "SHA1", "--allow-weak-digest-algos")
    assert keys(exported(gpg, "sha1"))[0].sha1


def test_the_keyrings_of_a_machine(tree: Tree, gpg: Gpg, make_key: Callable[..., str]) -> None:
    expired = make_key("machine-expired", "2d")
    lasting = make_key("machine-lasting", "never")
    armoured = exported(gpg, "machine-lasting", armour=True).decode()
    embedded = "".join(f" {line or '.'}\n" for line in armoured.splitlines())
    root = tree(
        {
            "/etc/apt/sources.list": (
                "deb [signed-by=/k/expired.gpg] http://a b c\n"
                "deb [signed-by=/k/none.gpg] http://b b c\n"
                "deb [signed-by=/k/junk.asc] http://c b c\n"
            ),
            "/etc/apt/sources.list.d/own.sources": (
                f"Types: deb\nURIs: http://d\nSuites: b\nSigned-By:\n{embedded}"
            ),
            "/etc/apt/trusted.gpg.d/all.asc": armoured,
            "/etc/apt/trusted.gpg.d/all.asc~": armoured,
            "/k/expired.gpg": exported(gpg, "machine-expired"),
            "/k/junk.asc": "junk",
        }
    )
    facts: Any = collect(str(root))
    rings = {ring["path"]: ring for ring in facts["apt"]["keyrings"]}
    own = "/etc/apt/sources.list.d/own.sources:1"
    assert list(rings) == ["/etc/apt/trusted.gpg.d/all.asc", "/k/expired.gpg", "/k/none.gpg", own]
    assert rings["/k/expired.gpg"]["keys"] == [
        {
            "fingerprint": expired,
            "expires": time.strftime("%Y-%m-%d", time.gmtime(CREATED + 2 * DAY)),
            "expired": True,
            "revoked": False,
            "sha1": False,
        }
    ]
    assert rings["/k/none.gpg"]["exists"] is False
    assert [ring["for_all"] for ring in rings.values()] == [True, False, False, False]
    for path in (own, "/etc/apt/trusted.gpg.d/all.asc"):
        (key,) = rings[path]["keys"]
        assert (key["fingerprint"], key["expires"], key["expired"]) == (lasting, None, False)
    assert facts["apt"]["sources"][-1]["signed_by"] == [own]
    assert facts["unknown"]["apt.keyrings./k/junk.asc"] == "/k/junk.asc: no public key of OpenPGP"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no public key"),
        (b"<html>404</html>", "no public key"),
        (b"\0\0\0\x20\x01\x01\0\x02KBXf" + bytes(20), "keybox"),
        (b"\x99\x01\x00\x04", "cut off"),
        (b"\x9b\x04", "without a length"),
        (b"\xc6\xe1\x04\x00", "in parts"),
        (b"\xc6\xff\xff", "cut off"),
        (b"\xc6\x01\x04\x00", "no OpenPGP packet at byte 3"),
        (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nA\n", "damaged armour"),
    ],
)
def test_data_that_holds_no_key(data: bytes, message: str) -> None:
    with pytest.raises(OpenPgpError, match=message):
        keys(data)


def test_keys_of_other_versions_are_refused(gpg: Gpg, make_key: Callable[..., str]) -> None:
    """Left out, a keyring with one more key than named would seem to hold one alone."""
    make_key("newer", "never")
    data = bytearray(exported(gpg, "newer"))
    assert data[2:3] == b"\x04"
    data[2] = 6
    with pytest.raises(OpenPgpError, match="a key of version 6, which is not supported"):
        keys(bytes(data))


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_keys_or_a_reason(data: bytes, armour: bool) -> None:
    if armour:
        data = b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + base64.b64encode(b"\x99" + data)
    try:
        keys(data)
    except OpenPgpError as error:
        assert "\n" not in str(error)
