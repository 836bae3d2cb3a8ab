"""Mirrors that somebody made for us: what is in them is only what their manifest may name."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rdna1.mirror import MANIFEST, Expected, MirrorError, check, prepare, sign, write_manifest
from rdna1.mirror.keyrings import signed_by
from rdna1.mirror.manifest import MirrorArchive, decode
from support.apt_repository import signing_key
from support.mirrors import SUBJECT

ARCHIVE = {"folder": "archives/a", "suite": "trixie", "components": ["main"], "key": ""}
EVIL = b"Types: deb\nURIs: http://evil.example/\nSuites: ./\nTrusted: yes\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mirror of one wheel."""
    folder = tmp_path / "mirror"
    wheel = folder / "wheels/torch.whl"
    wheel.parent.mkdir(parents=True)
    wheel.write_bytes(b"a wheel")
    write_manifest(folder, SUBJECT, [])
    return folder


def packed(folder: Path, *further: tuple[tarfile.TarInfo, bytes], kind: str = "w") -> Path:
    """A tar of a mirror, with further members before its manifest."""
    path = folder.with_suffix(".tar")
    with tarfile.open(path, kind) as tar:  # type: ignore[call-overload]
        tar.add(folder / "wheels/torch.whl", "wheels/torch.whl")
        for entry, content in further:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        tar.add(folder / MANIFEST, MANIFEST)
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def changed(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    """Change what the manifest says."""
    data = json.loads((folder / MANIFEST).read_text())
    change(data)
    (folder / MANIFEST).write_text(json.dumps(data))


@pytest.mark.parametrize(
    "name",
    ["sources/evil.sources", "apt.conf", "wheels/sitecustomize.py", "/etc/ld.so.preload",
     "../evil", "./wheels/torch.whl", "wheels/../../evil", "wheels/\x1b]0;evil\x07"],
)  # fmt: skip
def test_a_member_that_is_not_in_the_manifest_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(MirrorError, match=r"is not in the manifest\. Remedy") as caught:
        check(packed(folder, (entry(name), EVIL)))
    assert str(caught.value).isprintable()


def test_a_file_that_is_not_in_the_manifest_is_refused(folder: Path) -> None:
    (folder / "sources").mkdir()
    (folder / "sources/evil.sources").write_bytes(EVIL)
    with pytest.raises(MirrorError, match=r"'sources/evil\.sources' is not in the manifest"):
        check(folder)


def test_no_manifest_names_what_apt_reads(folder: Path) -> None:
    (folder / "sources").mkdir()
    (folder / "sources/evil.sources").write_bytes(EVIL)
    with pytest.raises(MirrorError, match="not a path inside of a mirror"):
        write_manifest(folder, SUBJECT, [])
    file = {"path": "sources/evil.sources", "sha256": hashlib.sha256(EVIL).hexdigest()}
    changed(folder, lambda data: data["files"].append(file | {"size": len(EVIL)}))  # type: ignore[attr-defined]
    with pytest.raises(MirrorError, match="not a path inside of a mirror"):
        check(folder)


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc"),
        (tarfile.LNKTYPE, "wheels/torch.whl"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
        (tarfile.DIRTYPE, ""),
        (tarfile.CONTTYPE, ""),
    ],
)
def test_a_member_that_is_not_a_regular_file_is_refused(
    folder: Path, kind: bytes, target: str
) -> None:
    with pytest.raises(MirrorError, match=r"'wheels/x' is not a regular file\. Remedy"):
        check(packed(folder, (entry("wheels/x", kind, target), b"")))


def test_a_sparse_member_is_refused(folder: Path) -> None:
    sparse = entry("wheels/x")
    sparse.pax_headers = {
        "GNU.sparse.size": str(1 << 50),
        "GNU.sparse.numblocks": "1",
        "GNU.sparse.map": "0,1",
    }
    with pytest.raises(MirrorError, match=r"not a regular file|cannot be read"):
        check(packed(folder, (sparse, b"x")))


def test_a_member_that_is_there_twice_is_refused(folder: Path) -> None:
    with pytest.raises(MirrorError, match="is there twice"):
        check(packed(folder, (entry("wheels/torch.whl"), b"another wheel")))


def test_a_packed_tar_is_refused(folder: Path) -> None:
    with pytest.raises(MirrorError, match="cannot be read as a mirror"):
        check(packed(folder, kind="w:gz"))


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_file_of_a_folder_that_is_something_else_is_refused(
    folder: Path, tmp_path: Path, kind: str
) -> None:
    wheel = folder / "wheels/torch.whl"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "torch.whl").write_bytes(wheel.read_bytes())
    if kind == "folder":
        (folder / "wheels").rename(tmp_path / "away")
        (folder / "wheels").symlink_to(outside)
    else:
        wheel.unlink()
        if kind == "link":
            wheel.symlink_to(outside / "torch.whl")
        else:
            os.mkfifo(wheel)
    with pytest.raises(MirrorError, match="is not a regular file"):
        check(folder)


def test_a_larger_member_is_not_read(folder: Path) -> None:
    wheel = folder / "wheels/torch.whl"
    with wheel.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(MirrorError, match=r"1099511627776 bytes instead of 7"):
        check(folder)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("suite", "trixie\nTrusted: yes"),
        ("suite", "trixie\n"),
        ("suite", "../../etc"),
        ("suite", "trixie main"),
        ("suite", ""),
        ("components", ["main\n\nTypes: deb"]),
        ("components", ["main contrib"]),
        ("components", ["../x"]),
        ("folder", "archives/../../etc"),
        ("folder", "/etc"),
        ("folder", "archives/a b"),
        ("folder", "archives/a\n"),
        ("key", "/etc/shadow"),
        ("key", "keys/../x"),
        ("key", "keys/a\nTrusted: yes"),
        ("key", "keys/a /usr/share/keyrings/b"),
    ],
)
def test_nothing_of_an_archive_ends_a_line_of_a_source(
    folder: Path, place: str, value: object
) -> None:
    changed(folder, lambda data: data.update(archives=[{**ARCHIVE, place: value}]))
    with pytest.raises(MirrorError, match="manifest"):
        check(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stack", "../x"),
        ("os", "debian\n"),
        ("version", "13 "),
        ("architecture", "amd64\nTrusted: yes"),
        ("made_at", "\x1b[31m"),
        ("rocm_source", "evil"),
        ("pytorch_source", "evil"),
        ("pytorch_channel", "../x"),
        ("packages", ["--option=DPkg::Pre-Invoke::=touch /x"]),
        ("packages", ["a b"]),
    ],
)
def test_nothing_of_a_manifest_reaches_a_command_or_terminal_unchecked(
    folder: Path, field: str, value: object
) -> None:
    changed(folder, lambda data: data.update({field: value}))
    with pytest.raises(MirrorError, match="manifest") as caught:
        check(folder)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "paths",
    [("wheels/a", "wheels/A"), ("wheels/a", "wheels/a"), ("wheels/a", "wheels/a/b")],
)
def test_files_that_would_be_one_are_refused(paths: tuple[str, str]) -> None:
    files = [{"path": path, "sha256": "0" * 64, "size": 1} for path in paths]
    text = json.dumps(
        {**SUBJECT, "schema_version": 1, "made_at": "2026-11-29T00:00:00Z", "archives": [],
         "files": files}
    )  # fmt: skip
    with pytest.raises(MirrorError, match="a file is named"):
        decode(text.encode(), "m")


def test_real_suites_are_accepted() -> None:
    for suite in ("trixie", "trixie-security/updates", "./", "noble-updates", "stable/"):
        MirrorArchive(**{**ARCHIVE, "suite": suite})  # type: ignore[arg-type]


def test_the_digest_that_the_owner_noted_is_required(folder: Path, tmp_path: Path) -> None:
    right = check(folder)[1]
    assert prepare(folder, tmp_path / "cache", Expected(sha256=right.upper())).sha256 == right
    with pytest.raises(MirrorError, match=r"has the SHA-256 .* asks for '0000.*Remedy"):
        check(folder, Expected(sha256="0" * 64))


def test_a_signature_by_the_owners_key_is_required(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring, other = tmp_path / "owner.asc", tmp_path / "other.gpg"
    with signing_key() as owner, signing_key() as stranger:
        keyring.write_bytes(owner.public)
        other.write_bytes(stranger.binary)
        with pytest.raises(MirrorError, match=r"is not signed, and offline_keyring.*Remedy"):
            check(folder, Expected(keyring=str(keyring)))
        monkeypatch.setenv("GNUPGHOME", str(owner.home))
        sign(folder, owner.fingerprint)
        with pytest.raises(MirrorError, match=r"could not be signed with .*Remedy"):
            sign(folder, stranger.fingerprint)
    mirror = prepare(folder, tmp_path / "cache", Expected(keyring=str(keyring)))
    assert check(mirror.archive, Expected(keyring=str(keyring)))[1] == mirror.sha256
    with pytest.raises(MirrorError, match=r"no key in .*other\.gpg has signed.*Remedy"):
        check(folder, Expected(keyring=str(other)))
    changed(folder, lambda data: data.update(version="12"))
    with pytest.raises(MirrorError, match=r"no key in .*owner\.asc has signed.*Remedy"):
        check(folder, Expected(keyring=str(keyring)))
    with pytest.raises(MirrorError, match=r"no\.gpg cannot be used.*Remedy"):
        check(folder, Expected(keyring=str(tmp_path / "no.gpg")))


def source(uri: str, *signed: str, enabled: bool = True) -> dict[str, object]:
    return {"uris": [uri], "signed_by": list(signed), "enabled": enabled}


def archive(key: str = "", folder: str = "archives/archive.example-debian") -> MirrorArchive:
    return MirrorArchive(folder, "trixie", ["main"], key)


def test_the_keys_are_those_of_the_machine() -> None:
    own = "/usr/share/keyrings/debian-archive-keyring.gpg"
    debian = "http://archive.example/debian"
    assert signed_by(archive(), [], "debian", "") == [own]
    assert signed_by(archive("keys/attacker.gpg"), [], "debian", "") == [own]
    assert signed_by(archive(), [source(debian, "/k/d.gpg")], "debian", "") == ["/k/d.gpg"]
    assert signed_by(archive(), [source(debian)], "debian", "") == [], "what apt trusts for all"
    off = source(debian, "/k/d.gpg", enabled=False)
    other = source("http://evil.example/debian", "/k/evil.gpg")
    assert signed_by(archive(), [off, other], "debian", "") == [own]
    embedded = source(debian, "/etc/apt/sources.list.d/own.sources:1")
    assert signed_by(archive(), [embedded], "debian", "") == [own]
    assert signed_by(archive("keys/rocm.gpg"), [], "debian", "/k/rocm.gpg") == ["/k/rocm.gpg"]
    with pytest.raises(MirrorError, match="takes ROCm from elsewhere"):
        signed_by(archive("keys/rocm.gpg"), [], "debian", "")
    with pytest.raises(MirrorError, match=r"'arch' is not known.*Remedy"):
        signed_by(archive(), [], "arch", "")
