"""Public keys in OpenPGP's format (RFC 4880), as far as fingerprint and expiry go.

No library does it: gpg and sqv are not on every machine that is looked at, and the standard
library has nothing for it. Programs that verify packages take whatever a file holds, a secret key
for its public part, a marker for nothing. So this module knows the few packets that a public key
consists of and refuses all others, and what is to be trusted is written from what was read here.

Signatures are read, not verified: whoever can write the file can write anything into it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Iterator, NamedTuple, Tuple

Packet = Tuple[int, bytes]

_BEGIN, _END = b"-----BEGIN PGP PUBLIC KEY BLOCK-----", b"-----END PGP PUBLIC KEY BLOCK-----"
_ANY_BEGIN = b"-----BEGIN"
_ARMOUR_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:( .*)?")
_SIGNATURE, _PUBLIC_KEY, _USER_ID, _PUBLIC_SUBKEY = 2, 6, 13, 14
_TRUST, _USER_ATTRIBUTE = 12, 17
# What a key consists of that is written, and what a keyring of a machine may hold besides: notes
# of older GnuPG on trust, and pictures. Neither can hold a key.
_WRITTEN = frozenset([_SIGNATURE, _PUBLIC_KEY, _USER_ID, _PUBLIC_SUBKEY])
_READ = _WRITTEN | {_TRUST, _USER_ATTRIBUTE}
_SECRET = frozenset([5, 7])
_KEY_VERSION = 4
# Version, time and algorithm; its fingerprint counts the bytes with two.
_SHORTEST_KEY, _LONGEST_KEY = 7, 0xFFFF
_SIGNATURE_VERSIONS = (3, 4)
_CERTIFICATIONS = frozenset([0x10, 0x11, 0x12, 0x13])  # of a user id
_DIRECT = frozenset([0x1F])  # of the key itself
_REVOCATION = 0x20
_SHA1 = 2
_SIGNED_AT, _KEY_LIFE, _ISSUER, _ISSUER_FINGERPRINT = 2, 9, 16, 33


class OpenPgpError(Exception):
    """Data that is not a readable public key, or not that alone; the message is one line."""


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


class Certificate(NamedTuple):
    """A primary key with all that belongs to it: packets, the primary key's first."""

    key: Key
    packets: list[Packet]


class _Signature(NamedTuple):
    kind: int
    digest: int
    issuer: str
    made: int
    key_life: int


_NO_SIGNATURE = _Signature(kind=0, digest=0, issuer="", made=0, key_life=0)


def keys(data: bytes) -> list[Key]:
    """Return the primary keys in binary or armoured data.

    Raises:
        OpenPgpError: as from `certificates`.
    """
    return [certificate.key for certificate in certificates(data)]


def certificates(data: bytes) -> list[Certificate]:
    """Return the keys in binary or armoured data, each with what belongs to it.

    Raises:
        OpenPgpError: no OpenPGP data, or damaged; or it holds anything but public keys of
            version 4, so that another program could find keys in it which are not named here.
    """
    blocks = [data] if data[:1] >= b"\x80" else _unarmoured(data)
    return [found for block in blocks for found in _certificates(block)]


def binary(certificate: Certificate) -> bytes:
    """Return a key in the form that every apt reads, written again from its packets.

    Raises:
        OpenPgpError: there is more to it than subkeys, user ids and signatures.
    """
    for tag, _ in certificate.packets:
        if tag not in _WRITTEN:
            raise OpenPgpError(f"more than a key with user ids and signatures: packet {tag}")
    return b"".join(_packed(tag, body) for tag, body in certificate.packets)


def _packed(tag: int, body: bytes) -> bytes:
    """Return a packet with the shortest header of the old form, as GnuPG writes keys."""
    kind = next(kind for kind in (0, 1, 2) if len(body) < 1 << (8 << kind))
    return bytes([0x80 | tag << 2 | kind]) + len(body).to_bytes(1 << kind, "big") + body


def _certificates(block: bytes) -> list[Certificate]:
    packets = list(_packets(block))
    if packets and packets[0][0] in _READ - {_PUBLIC_KEY}:
        raise OpenPgpError(f"it begins with packet {packets[0][0]} and not with a public key")
    grouped: list[list[Packet]] = []
    for tag, body in packets:
        _refuse_others(tag, body)
        if tag == _PUBLIC_KEY:
            grouped.append([])
        grouped[-1].append((tag, body))
    return [Certificate(_key(own), own) for own in grouped]


def _refuse_others(tag: int, body: bytes) -> None:
    """Refuse what is not part of a public key of version 4."""
    if tag in _SECRET:
        raise OpenPgpError(f"it holds a secret key (packet {tag})")
    if tag not in _READ:
        raise OpenPgpError(f"it holds a packet that is not part of a public key: {tag}")
    version = body[0] if body else 0
    if tag in (_PUBLIC_KEY, _PUBLIC_SUBKEY) and version != _KEY_VERSION:
        raise OpenPgpError(f"it holds a key of version {version}, which is not supported")
    if tag in (_PUBLIC_KEY, _PUBLIC_SUBKEY) and not _SHORTEST_KEY <= len(body) <= _LONGEST_KEY:
        raise OpenPgpError(f"it holds a key of {len(body)} bytes")
    if tag == _SIGNATURE and version not in _SIGNATURE_VERSIONS:
        raise OpenPgpError(f"it holds a signature of version {version}, which is not supported")


def _key(packets: list[Packet]) -> Key:
    import hashlib  # loads OpenSSL: not while apt is still to be asked

    body = packets[0][1]
    # RFC 4880, section 12.2, defines the fingerprint with SHA-1.
    hashed = b"\x99" + len(body).to_bytes(2, "big") + body
    fingerprint = hashlib.sha1(hashed).hexdigest().upper()  # noqa: S324
    created = int.from_bytes(body[1:5], "big")
    own = [s for s in _of_primary(packets) if fingerprint.endswith(s.issuer)]
    # In GnuPG's order: what the owner says of the key itself counts before user ids.
    life = _newest(own, _DIRECT).key_life or _newest(own, _CERTIFICATIONS).key_life
    return Key(
        fingerprint=fingerprint,
        created=created,
        expires=created + life if life else None,
        revoked=any(s.kind == _REVOCATION for s in own),
        sha1=_newest(own, _DIRECT | _CERTIFICATIONS).digest == _SHA1,
    )


def _of_primary(packets: list[Packet]) -> Iterator[_Signature]:
    """Yield the signatures of version 4 before the first subkey."""
    for tag, body in packets:
        if tag == _PUBLIC_SUBKEY:
            return
        if tag == _SIGNATURE and body[0] == _KEY_VERSION:
            yield _signature(body)


def _newest(signatures: list[_Signature], kinds: frozenset[int]) -> _Signature:
    """Return the newest signature of some kinds; one that says nothing where there is none."""
    of_kind = [s for s in signatures if s.kind in kinds]
    return max(of_kind, key=lambda s: s.made, default=_NO_SIGNATURE)


def _signature(body: bytes) -> _Signature:
    end = 6 + int.from_bytes(body[4:6], "big")
    loose_end = end + 2 + int.from_bytes(body[end : end + 2], "big")
    if loose_end > len(body):
        raise OpenPgpError("a signature is cut off")
    hashed = dict(_subpackets(body[6:end]))
    loose = dict(_subpackets(body[end + 2 : loose_end]))
    area = {**loose, **hashed}
    return _Signature(
        kind=body[1],
        digest=body[3],
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
    """Return the length as new packets and subpackets have it, and where the content begins."""
    first = data[position] if position < len(data) else 0
    if first < 192:
        return first, position + 1
    if first < 255:
        second = data[position + 1] if position + 1 < len(data) else 0
        return (first - 192 << 8) + second + 192, position + 2
    return int.from_bytes(data[position + 1 : position + 5], "big"), position + 5


def _unarmoured(data: bytes) -> list[bytes]:
    """Return the content of each armoured block; text around them is left out."""
    if data[8:12] == b"KBXf":
        raise OpenPgpError("a keybox of GnuPG, which apt does not read")
    blocks: list[list[bytes]] = []
    inside = False
    for line in map(bytes.strip, data.splitlines()):
        if line == _BEGIN and not inside:
            inside = True
            blocks.append([])
        elif _ANY_BEGIN in line:
            raise OpenPgpError("it holds another block than that of a public key")
        elif line == _END:
            inside = False
        elif inside:
            blocks[-1].append(line)
    if not blocks:
        raise OpenPgpError("no public key of OpenPGP")
    if inside:
        raise OpenPgpError("damaged armour: it has no end")
    return [_decoded(lines) for lines in blocks]


def _decoded(lines: list[bytes]) -> bytes:
    """Return what a block holds: headers such as Version, an empty line, base64, checksum."""
    start = lines.index(b"") if b"" in lines else len(lines)
    if not all(map(_ARMOUR_HEADER.fullmatch, lines[:start])):
        raise OpenPgpError("damaged armour: no empty line before its content")
    body = [line for line in lines[start + 1 :] if line]
    if body and body[-1].startswith(b"="):  # the checksum, which every reader may leave out
        del body[-1]
    try:
        return base64.b64decode(b"".join(body), validate=True)
    except binascii.Error as error:
        raise OpenPgpError(f"damaged armour: {error}") from error
