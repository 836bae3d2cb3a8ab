"""Public keys in OpenPGP's format (RFC 4880), as far as fingerprint and expiry go.

Signatures are read, not verified: whoever can write the file can write anything into it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Iterator, NamedTuple, Tuple

Packet = Tuple[int, bytes]

_BEGIN, _END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
_SIGNATURE, _PUBLIC_KEY, _PUBLIC_SUBKEY = 2, 6, 14
_CERTIFICATIONS = frozenset([0x10, 0x11, 0x12, 0x13])  # of a user id
_DIRECT = frozenset([0x1F])  # of the key itself
_REVOCATION = 0x20
_SHA1 = 2
_SIGNED_AT, _KEY_LIFE, _ISSUER, _ISSUER_FINGERPRINT = 2, 9, 16, 33


class OpenPgpError(Exception):
    """Data that holds no readable public key; the message is one line."""


class Key(NamedTuple):
    """A primary key.

    Attributes:
        fingerprint: 40 upper-case hex digits.
        created: seconds since 1970.
        expires: seconds since 1970, or None for never.
        revoked: whether its owner took it back.
        sha1: whether the newest word of its owner on it is signed with SHA-1 alone.
    """

    fingerprint: str
    created: int
    expires: int | None
    revoked: bool
    sha1: bool


class _Signature(NamedTuple):
    kind: int
    digest: int
    issuer: str
    made: int
    key_life: int


_NO_SIGNATURE = _Signature(kind=0, digest=0, issuer="", made=0, key_life=0)


def keys(data: bytes) -> list[Key]:
    """Primary keys of version 4 in binary or armoured data; other versions are left out.

    Raises:
        OpenPgpError: no OpenPGP data, or damaged.
    """
    found: list[tuple[bytes, list[_Signature]]] = []
    of_primary = False
    for tag, body in _packets(dearmored(data)):
        if tag == _PUBLIC_KEY:
            of_primary = body[:1] == b"\x04" and len(body) > 5
            if of_primary:
                found.append((body, []))
        elif tag == _PUBLIC_SUBKEY:
            of_primary = False
        elif tag == _SIGNATURE and of_primary and body[:1] == b"\x04":
            found[-1][1].append(_signature(body))
    return [_key(body, signatures) for body, signatures in found]


def dearmored(data: bytes) -> bytes:
    """The binary form of keys, which every apt reads.

    Raises:
        OpenPgpError: no OpenPGP data, or damaged armour.
    """
    if data[8:12] == b"KBXf":
        raise OpenPgpError("a keybox of GnuPG, which apt does not read")
    return data if data and data[0] & 0x80 else _unarmoured(data)


def primary_keys(data: bytes) -> int:
    """How many primary keys there are, those of versions that `keys` leaves out included.

    Raises:
        OpenPgpError: no OpenPGP data, or damaged.
    """
    return sum(tag == _PUBLIC_KEY for tag, _ in _packets(dearmored(data)))


def _key(body: bytes, signatures: list[_Signature]) -> Key:
    import hashlib  # loads OpenSSL: not while apt is still to be asked

    # RFC 4880, section 12.2, defines the fingerprint with SHA-1.
    hashed = b"\x99" + len(body).to_bytes(2, "big") + body
    fingerprint = hashlib.sha1(hashed).hexdigest().upper()  # noqa: S324
    created = int.from_bytes(body[1:5], "big")
    own = [s for s in signatures if fingerprint.endswith(s.issuer)]
    # In GnuPG's order: what the owner says of the key itself counts before user ids.
    life = _newest(own, _DIRECT).key_life or _newest(own, _CERTIFICATIONS).key_life
    return Key(
        fingerprint=fingerprint,
        created=created,
        expires=created + life if life else None,
        revoked=any(s.kind == _REVOCATION for s in own),
        sha1=_newest(own, _DIRECT | _CERTIFICATIONS).digest == _SHA1,
    )


def _newest(signatures: list[_Signature], kinds: frozenset[int]) -> _Signature:
    """The newest signature of some kinds; one that says nothing where there is none."""
    of_kind = [s for s in signatures if s.kind in kinds]
    return max(of_kind, key=lambda s: s.made, default=_NO_SIGNATURE)


def _signature(body: bytes) -> _Signature:
    end = 6 + int.from_bytes(body[4:6], "big")
    hashed = dict(_subpackets(body[6:end]))
    loose = dict(_subpackets(body[end + 2 : end + 2 + int.from_bytes(body[end : end + 2], "big")]))
    area = {**loose, **hashed}
    return _Signature(
        kind=int.from_bytes(body[1:2], "big"),
        digest=int.from_bytes(body[3:4], "big"),
        # The fingerprint has the key's version in front; a key id is the end of one.
        issuer=(area.get(_ISSUER_FINGERPRINT, b"")[1:] or area.get(_ISSUER, b"\0")).hex().upper(),
        made=int.from_bytes(hashed.get(_SIGNED_AT, b""), "big"),
        key_life=int.from_bytes(hashed.get(_KEY_LIFE, b"")[:4], "big"),
    )


def _subpackets(area: bytes) -> Iterator[Packet]:
    position = 0
    while position < len(area):
        length, position = _length(area, position)
        if length == 0 or position + length > len(area):
            raise OpenPgpError("a signature is cut off")
        yield area[position] & 0x7F, area[position + 1 : position + length]
        position += length


def _packets(data: bytes) -> Iterator[Packet]:
    position = 0
    while position < len(data):
        head = data[position]
        if not head & 0x80:
            raise OpenPgpError(f"no OpenPGP packet at byte {position}")
        if head & 0x40:
            tag = head & 0x3F
            if data[position + 1 : position + 2] >= b"\xe0" and data[position + 1] != 0xFF:
                raise OpenPgpError("a packet in parts, which keys never are")
            length, position = _length(data, position + 1)
        else:
            tag, size = head >> 2 & 0x0F, 1 << (head & 3)
            if size == 8:
                raise OpenPgpError("a packet without a length")
            length = int.from_bytes(data[position + 1 : position + 1 + size], "big")
            position += 1 + size
        if position + length > len(data):
            raise OpenPgpError("the last packet is cut off")
        yield tag, data[position : position + length]
        position += length


def _length(data: bytes, position: int) -> tuple[int, int]:
    """Length in the form of new packets and of subpackets, and where the content begins."""
    first = data[position] if position < len(data) else 0
    if first < 192:
        return first, position + 1
    if first < 255:
        second = data[position + 1] if position + 1 < len(data) else 0
        return (first - 192 << 8) + second + 192, position + 2
    return int.from_bytes(data[position + 1 : position + 5], "big"), position + 5


def _unarmoured(data: bytes) -> bytes:
    blocks = [rest.partition(_END)[0] for rest in data.split(_BEGIN)[1:]]
    if not blocks:
        raise OpenPgpError("no public key of OpenPGP")
    try:
        return b"".join(map(_decoded, blocks))
    except binascii.Error as error:
        raise OpenPgpError(f"damaged armour: {error}") from error


def _decoded(block: bytes) -> bytes:
    """Content of an armoured block: headers such as Version, an empty line, base64, checksum."""
    lines = [line.strip() for line in block.split(b"\n")][1:]
    body = lines[lines.index(b"") + 1 :] if b"" in lines else lines
    text = b"".join(line for line in body if not line.startswith(b"="))
    return base64.b64decode(text, validate=True)
