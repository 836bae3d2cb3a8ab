"""Mirrors of a few files: what is refused, and with which words."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from rdna1.mirror import (
    MANIFEST,
    MirrorError,
    check,
    download_wheels,
    prepare,
    write_archive,
    write_manifest,
)
from rdna1.mirror.manifest import decode
from rdna1.wheels import LockedFile
from support.mirrors import SUBJECT
from support.wheels import serve

FILES = {
    "archives/a/pool/p_1.0~2_all.deb": b"a package",
    "keys/rocm.gpg": b"a key",
    "locks/l.txt": b"a lock",
    "wheels/torch.whl": b"a wheel",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mirror whose files hold a word."""
    folder = tmp_path / "mirror"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_manifest(folder, SUBJECT, [])
    return folder


@pytest.fixture(params=["folder", "tar"])
def form(request: pytest.FixtureRequest) -> str:
    """Both forms of a mirror."""
    return str(request.param)


def in_form(folder: Path, form: str) -> Path:
    if form == "folder":
        return folder
    path = folder.with_suffix(".tar")
    with tarfile.open(path, "w") as tar:
        for name in sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()):
            tar.add(folder / name, name)
    return path


def test_an_intact_mirror_is_prepared(folder: Path, form: str, tmp_path: Path) -> None:
    mirror = prepare(in_form(folder, form), tmp_path / "cache")
    assert mirror.manifest.stack == "rocm-5.7"
    assert [file.path for file in mirror.manifest.files] == sorted(FILES)
    assert (mirror.folder / "keys/rocm.gpg").read_bytes() == b"a key"
    assert not (mirror.folder / "wheels").exists(), "what is large stays in the tar"
    with tarfile.open(mirror.archive) as tar:
        assert set(tar.getnames()) == {*FILES, MANIFEST}
    assert prepare(in_form(folder, form), tmp_path / "cache").sha256 == mirror.sha256


def test_mirrors_at_other_paths_stay_prepared_and_older_ones_do_not(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    second = shutil.copytree(folder, tmp_path / "second")
    (second / "wheels/torch.whl").write_bytes(b"another wheel")
    write_manifest(second, SUBJECT, [])
    first = prepare(folder, cache)
    other = prepare(second, cache)
    assert first.archive.exists(), "another run may be copying it"
    (folder / "keys/rocm.gpg").write_bytes(b"a new key")
    write_manifest(folder, SUBJECT, [])
    renewed = prepare(folder, cache)
    assert not first.archive.exists()
    shutil.rmtree(second)
    assert prepare(folder, cache).archive == renewed.archive
    assert not other.archive.exists()


def test_the_manifest_is_the_last_of_the_tar(folder: Path, tmp_path: Path) -> None:
    manifest = check(folder)[0]
    write_archive(folder, manifest, tmp_path / "m.tar")
    with tarfile.open(tmp_path / "m.tar") as tar:
        assert tar.getnames()[-1] == MANIFEST
        assert {(entry.uid, entry.mode) for entry in tar} == {(0, 0o644)}


def test_a_changed_file_is_named(folder: Path, form: str) -> None:
    (folder / "wheels/torch.whl").write_bytes(b"b wheel")
    with pytest.raises(MirrorError, match=r"wheels/torch\.whl is not what was collected.*Remedy"):
        check(in_form(folder, form))


def test_a_missing_file_is_named(folder: Path, form: str) -> None:
    (folder / "locks/l.txt").unlink()
    with pytest.raises(MirrorError, match=r"locks/l\.txt is missing\. Remedy"):
        check(in_form(folder, form))


def test_a_folder_without_a_manifest_is_no_mirror(folder: Path, form: str) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(MirrorError, match="is not a mirror"):
        check(in_form(folder, form))


def test_a_cut_tar_is_refused(folder: Path) -> None:
    path = in_form(folder, "tar")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(MirrorError, match="cannot be read as a mirror"):
        check(path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match="No such file"):
        check(tmp_path / "nothing")


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/passwd", "a\nb", ""])
def test_a_manifest_names_nothing_outside(folder: Path, path: str) -> None:
    data = json.loads((folder / MANIFEST).read_text())
    data["files"][0]["path"] = path
    (folder / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(MirrorError, match="not a path inside of a mirror"):
        check(folder)


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"surprise": 1}])
def test_another_manifest_is_refused(folder: Path, change: dict[str, object]) -> None:
    data = json.loads((folder / MANIFEST).read_text()) | change
    (folder / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(MirrorError, match=r"manifest\.json.*Remedy"):
        check(folder)


def test_a_tampered_wheel_is_refused_and_removed(tmp_path: Path) -> None:
    served = tmp_path / "served"
    served.mkdir()
    (served / "torch.whl").write_bytes(b"another")
    with serve(served) as address, pytest.raises(MirrorError, match="not the file that the lock"):
        download_wheels([LockedFile(f"{address}torch.whl", "0" * 64)], tmp_path / "wheels")
    assert list((tmp_path / "wheels").iterdir()) == []


def test_a_wheel_that_cannot_be_fetched_is_named(tmp_path: Path) -> None:
    file = LockedFile("http://127.0.0.1:9/torch.whl", "0" * 64)
    with pytest.raises(MirrorError, match=r"torch\.whl cannot be fetched.*Remedy"):
        download_wheels([file], tmp_path)


def test_a_manifest_says_of_which_channel_the_wheels_are() -> None:
    before = {**SUBJECT, "made_at": "2026-11-30T04:00:00Z", "archives": [], "files": []}
    assert decode(json.dumps(before).encode(), "mirror").pytorch_channel == ""
    nightly = {**before, "pytorch_channel": "nightly"}
    assert decode(json.dumps(nightly).encode(), "mirror").pytorch_channel == "nightly"
