"""Locks with source distributions, which are not built to be locked; where files come from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from integration.venvs.conftest import UV
from rdna1.catalog.pytorch import SourceDistribution
from rdna1.target.venvs.spec import parts
from rdna1.wheels import LockError, Wanted, locked_files, make_lock, read_lock
from support.wheels import serve, write_fake_wheel, write_pages, write_source

ROCM = SourceDistribution(
    "rocm",
    ["rocm-sdk-core=={version}", 'rocm-sdk-libraries=={version}; extra == "libraries"'],
    ["libraries"],
    ["setuptools>=70.2"],
    {"ROCM_SDK_TARGET_FAMILY": "gfx1010"},
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address of the loopback is another index in another test."""
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """What the source distribution's code would leave."""
    return tmp_path / "ran"


@pytest.fixture
def archive(index_folder: Path, ran: Path) -> Path:
    """A source distribution ``rocm`` in the index, with what it and its build need."""
    write_fake_wheel(index_folder, "torch", "2.12.0+rocm10.1.0", ["rocm[libraries]==10.1.0"])
    for name in ("rocm_sdk_core", "rocm_sdk_libraries"):
        write_fake_wheel(index_folder, name, "10.1.0")
        # Of the night after, for which there is no torch yet.
        write_fake_wheel(index_folder, name, "10.2.0")
    write_fake_wheel(index_folder, "pip", "25.0")
    for version in ("65.0", "81.0.0"):
        write_fake_wheel(index_folder, "setuptools", version)
    text = f"open({str(ran)!r}, 'w').close()\nfrom setuptools import setup\nsetup()\n"
    return write_source(index_folder, "rocm", "10.1.0", text)


@pytest.fixture
def with_source(wanted: Wanted, archive: Path) -> Wanted:
    """A lock that needs the source distribution."""
    assert archive
    return wanted._replace(stack=["torch==2.12.0+rocm10.1.0"], sources=[ROCM])


def sha256(path: Path) -> str:
    return f"--hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


@pytest.mark.parametrize("pages", [False, True], ids=["no hashes", "hashes"])
def test_a_source_is_locked_by_hash_and_without_its_code(
    with_source: Wanted, index_folder: Path, archive: Path, ran: Path, pages: bool
) -> None:
    if pages:
        write_pages(index_folder)
    lock = make_lock(with_source, UV)
    stack, project, build = parts(lock)
    assert f"rocm[libraries]==10.1.0 \\\n    {sha256(archive)}\n" in stack
    assert "rocm-sdk-libraries==10.1.0 " in stack, "the version is that of the source"
    assert "rocm-sdk-core==10.1.0 " in stack
    assert "setuptools" not in stack + project
    setuptools = index_folder / "setuptools/setuptools-81.0.0-py3-none-any.whl"
    assert f"setuptools==81.0.0 \\\n    {sha256(setuptools)}\n" in build
    assert "pip==25.0 " in build
    files = {
        file.url.rpartition("/")[2]: file.sha256 for file in locked_files(lock, with_source, UV)
    }
    assert sha256(archive).endswith(files["rocm-10.1.0.tar.gz"])
    assert "setuptools-81.0.0-py3-none-any.whl" in files
    assert not ran.exists()


def test_a_source_that_the_stack_does_not_name_is_not_taken(with_source: Wanted) -> None:
    with pytest.raises(LockError, match="rocm"):
        make_lock(with_source._replace(sources=[]), UV)


def test_a_lock_of_before_is_read(with_source: Wanted, wanted: Wanted, tmp_path: Path) -> None:
    path = tmp_path / "lock.txt"
    path.write_text(make_lock(wanted, UV))
    read_lock(path, wanted._replace(sources=[ROCM]))
    text = make_lock(with_source, UV)
    path.write_text(text)
    assert read_lock(path, with_source) == text
    path.write_text(text[: text.index("# From the same index")])
    with pytest.raises(LockError, match=r"what source distributions are built with.*Remedy"):
        read_lock(path, with_source)


def test_an_index_that_forbids_what_it_lacks(wanted: Wanted, index_folder: Path) -> None:
    with serve(index_folder, lacking=403) as address, pytest.raises(LockError) as caught:
        make_lock(wanted._replace(stack=["amd-missing==1"], index_url=address), UV)
    assert "amd-missing was not found in the package registry" in str(caught.value)
    assert "403" not in str(caught.value)


def test_http_addresses_of_files_take_the_owners_word(
    wanted: Wanted, index_folder: Path, index: str
) -> None:
    # An index at https may lead to another host: here to this one, by an address that is not
    # that of the loopback.
    write_pages(index_folder)
    page = index_folder / "filelock" / "index.html"
    other = index.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - nothing listens there
    page.write_text(page.read_text().replace('href="', f'href="{other}filelock/'))
    named = wanted._replace(stack=["filelock==3.1"], index_url=index)
    with pytest.raises(LockError, match=r"'http://0\.0\.0\.0' .*filelock-3.*allow_http"):
        make_lock(named, UV)
    assert "filelock==3.1 " in make_lock(named._replace(http=True), UV)
