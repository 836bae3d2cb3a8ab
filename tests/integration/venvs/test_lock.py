"""Lock files from real uv and indexes of fakes on loopback."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from integration.venvs.conftest import UV
from rdna1.catalog.failures import explain
from rdna1.target.venvs.spec import LOCK_MARK
from rdna1.wheels import LockError, Wanted, make_lock, read_lock, write_lock
from support.wheels import serve, write_fake_wheel


def test_a_lock_holds_every_wheel_with_its_hash_and_no_address(
    wanted: Wanted, index_folder: Path
) -> None:
    stack, project = make_lock(wanted, UV).split(LOCK_MARK)
    assert re.findall(r"^\w.*==\S+", stack, re.MULTILINE) == [
        "filelock==3.1",
        "numpy==1.26.4",
        "torch==2.2.2+rocm5.7",
    ]
    assert re.findall(r"^\w.*==\S+", project, re.MULTILINE) == ["msgspec==0.19.0"]
    wheel = next(index_folder.glob("torch/*rocm5.7*"))
    assert f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" in stack
    assert "127.0.0.1" not in stack + project


def test_a_rocm_wheel_cannot_be_outbid(wanted: Wanted, index_folder: Path, tmp_path: Path) -> None:
    # A CUDA build of the same version, a higher one, and an index like PyPI with the same and
    # with what torch needs in a higher version.
    second = tmp_path / "second"
    for folder in (index_folder, second):
        write_fake_wheel(folder, "torch", "2.2.2")
        write_fake_wheel(folder, "torch", "2.13.0")
    write_fake_wheel(second, "torch", "2.2.2+rocm5.7", payload=b"another")
    write_fake_wheel(second, "filelock", "3.1", payload=b"another")
    write_fake_wheel(second, "filelock", "99")
    write_fake_wheel(second, "msgspec", "0.20.0", ["filelock"])
    with serve(second) as address:
        stack, project = make_lock(wanted._replace(project_index_url=address), UV).split(LOCK_MARK)
    good = next(index_folder.glob("torch/*rocm5.7*"))
    assert "torch==2.2.2+rocm5.7 " in stack
    assert stack.count("sha256:") == 3
    assert hashlib.sha256(good.read_bytes()).hexdigest() in stack
    assert "filelock==3.1 " in stack
    assert re.findall(r"^\w.*==\S+", project, re.MULTILINE) == ["msgspec==0.20.0"]


def test_uvs_settings_of_the_user_bring_no_index_in(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_fake_wheel(tmp_path / "other", "numpy", "1.99")
    with serve(tmp_path / "other") as address:
        monkeypatch.setenv("UV_INDEX", address)
        monkeypatch.setenv("UV_INDEX_STRATEGY", "unsafe-best-match")
        assert "numpy==1.26.4 " in make_lock(wanted, UV)


def test_a_wheel_for_each_card(index_folder: Path, wanted: Wanted) -> None:
    extras = ["extra:device-gfx1010", 'amd-torch-device-gfx1010; extra == "device-gfx1010"']
    write_fake_wheel(index_folder, "torch", "2.14.0+rocm10", extras)
    write_fake_wheel(index_folder, "amd_torch_device_gfx1010", "2.14.0")
    lock = make_lock(wanted._replace(stack=["torch[device-gfx1010]"]), UV)
    assert "amd-torch-device-gfx1010==2.14.0 " in lock
    assert "torch[device-gfx1010]==2.14.0+rocm10 " in lock


def explained(wanted: Wanted, words: str) -> str:
    """What a user is told of a lock that cannot be made."""
    with pytest.raises(LockError, match=words) as refusal:
        make_lock(wanted, UV)
    told = explain(str(refusal.value))
    assert "Remedy: " in told
    return told


def test_no_wheel_for_the_card_is_an_error(wanted: Wanted) -> None:
    other = wanted._replace(stack=["torch[device-gfx1010]"])
    told = explained(other, "does not have an extra named `device-gfx1010`")
    assert "Cause: the index has no PyTorch with device-gfx1010" in told


def test_an_index_that_cannot_be_reached(wanted: Wanted) -> None:
    told = explained(wanted._replace(index_url="http://127.0.0.1:9/"), "Connection refused")
    assert "Cause: a package archive or index cannot be reached" in told


def test_an_index_without_the_wheel(wanted: Wanted) -> None:
    other = wanted._replace(stack=["torch==2.2.2+rocm5.6"])
    told = explained(other, r"no version of torch==2\.2\.2\+rocm5\.6")
    assert "Cause: the index does not have that version of torch==2.2.2+rocm5.6" in told


def test_a_lock_is_read_again_and_must_fit(wanted: Wanted, tmp_path: Path) -> None:
    path = tmp_path / "locks" / "lock.txt"
    text = make_lock(wanted, UV)
    write_lock(path, text)
    assert read_lock(path, wanted) == text
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("old", "new", "cause"),
    [
        ("torch==", "pytorch==", "no entry for torch"),
        ("msgspec==", "other==", "no entry for msgspec"),
        ("numpy==1", "numpy==2", "has numpy 2.26.4, and the stack asks for <2"),
        (LOCK_MARK, "", "was not made by this project"),
    ],
)
def test_a_lock_that_does_not_fit(
    wanted: Wanted, tmp_path: Path, old: str, new: str, cause: str
) -> None:
    path = tmp_path / "lock.txt"
    text = make_lock(wanted, UV)
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(LockError, match=rf"{cause}.*Remedy: -e pytorch_lock_renew=true") as caught:
        read_lock(path, wanted)
    assert str(path) in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("a file")
    with pytest.raises(LockError, match=r"cannot be written: .*Remedy: .* pytorch_lock_dir"):
        write_lock(tmp_path / "locks" / "lock.txt", "text")
