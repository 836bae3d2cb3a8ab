"""What a lock file may hold: versions with hashes, and no other way to a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdna1.mirror import check_mirror_lock
from rdna1.target.venvs.spec import LOCK_MARK
from rdna1.wheels import LockError, Wanted, locked, read_lock

HASH = "0" * 64
ENTRY = f"torch==2.2.2+rocm5.7 \\\n    --hash=sha256:{HASH}\n"
WANTED = Wanted(["torch"], [], "3.12", "", "")


def test_entries_as_uv_writes_them() -> None:
    hashes = "".join(f" \\\n    --hash=sha256:{value}" for value in (HASH, "1" * 64))
    more = f"amd-x[device-gfx1010, libraries]==1!2.0rc1{hashes}\n"
    found = locked(f"# Made by uv.\n{ENTRY}{LOCK_MARK}{more}").environment
    assert [(package.name, package.version) for package in found] == [
        ("torch", "2.2.2+rocm5.7"),
        ("amd-x", "1!2.0rc1"),
    ]
    assert found[1].sha256 == {HASH, "1" * 64}


@pytest.mark.parametrize(
    "line",
    [
        "evil @ https://evil.example/evil-1.0.tar.gz",
        f"evil @ file:///tmp/evil-1.0-py3-none-any.whl \\\n    --hash=sha256:{HASH}",
        "https://evil.example/evil-1.0-py3-none-any.whl",
        "./evil-1.0-py3-none-any.whl",
        "-e /tmp/evil",
        "-r /etc/shadow",
        "--requirement=/etc/shadow",
        "-c other.txt",
        "--index-url https://evil.example/",
        "--extra-index-url=https://evil.example/",
        "--find-links /tmp",
        "--trusted-host evil.example",
        "--no-binary :all:",
        "--pre",
        "evil==1.0",
        f"evil>=1.0 \\\n    --hash=sha256:{HASH}",
        f"evil==1.* \\\n    --hash=sha256:{HASH}",
        "evil==1.0 \\\n    --hash=md5:0123456789abcdef0123456789abcdef",
        f"evil==1.0 --hash=sha256:{HASH} --config-settings x",
        f"evil==1.0 --global-option x \\\n    --hash=sha256:{HASH}",
        f"${{EVIL}}==1.0 \\\n    --hash=sha256:{HASH}",
        "# a comment that goes on \\\n-r /etc/shadow",
        "\x1b]0;evil\x07",
        ENTRY.strip(),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(f"{ENTRY}{line}\n{LOCK_MARK}", newline="")
    with pytest.raises(LockError, match=r"is damaged: .*Remedy: ") as caught:
        read_lock(path, WANTED)
    assert str(caught.value).isprintable()


def test_a_mirror_has_the_files_of_its_lock(tmp_path: Path) -> None:
    files = [{"path": "wheels/torch.whl", "sha256": HASH, "size": 1}]
    check_mirror_lock(ENTRY, files, tmp_path / "none")
    with pytest.raises(LockError, match=r"no file of torch 2\.2\.2\+rocm5\.7 with a hash.*Remedy"):
        check_mirror_lock(ENTRY, [{**files[0], "path": "python/torch.whl"}], tmp_path / "none")


def test_a_mirror_has_no_other_lock_than_the_owner(tmp_path: Path) -> None:
    files = [{"path": "wheels/torch.whl", "sha256": HASH, "size": 1}]
    own = tmp_path / "lock.txt"
    own.write_text(ENTRY)
    check_mirror_lock(ENTRY, files, own)
    own.write_text(ENTRY.replace("2.2.2", "2.2.1"))
    with pytest.raises(LockError, match=r"another lock file than .*lock\.txt\. Remedy"):
        check_mirror_lock(ENTRY, files, own)
