"""Where the package tells or keeps addresses: nowhere with a password."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from rdna1.catalog.failures import explain
from rdna1.mirror import MirrorError, download_wheels
from rdna1.target import dpkg_locks, exclusive_lock
from rdna1.target.apt_subset import RepoSubset, RepoSubsetError, folder_of
from rdna1.target.credentials import credentials_of, without_credentials
from rdna1.target.facts import apt_policy, lock_holder
from rdna1.target.facts.collect import collect
from rdna1.target.facts.system import kernel_command_line
from rdna1.target.rootfs import RootFs
from rdna1.target.venvs.build import BuildError, Uv
from rdna1.target.venvs.spec import Spec
from rdna1.wheels import LockError, Wanted, make_lock, refuse_insecure
from rdna1.wheels.lock import LockedFile
from support.ansible_module import run_module
from support.modules import load_by_path

ACTION = load_by_path(Path(__file__).parents[2] / "installer/ansible_plugins/action/rdna1_apt.py")
SECRET, ADDRESS, PROXY = "hunter2", "http://me:p@hunter2@host.example", "me:p@hunter2@proxy:3128"
FETCHED = re.escape("cannot fetch http://host.example/x")


def test_facts(tmp_path: Path) -> None:
    files = {
        "/etc/apt/sources.list": f"deb {ADDRESS}/debian bookworm main\n",
        "/etc/apt/sources.list.d/a.sources": f"Types: deb\nURIs: {ADDRESS}/x\nSuites: y\n",
        "/etc/apt/apt.conf": f'Acquire::http::Proxy "{PROXY}"; Acquire::a::Proxy "{ADDRESS}";',
        "/proc/cmdline": f"quiet mirror/http/proxy={ADDRESS}/ url={PROXY}/preseed\n",
    }
    for path, text in files.items():
        place = tmp_path / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    facts: Any = collect(str(tmp_path))
    assert SECRET not in repr(facts)
    assert "host.example" in repr(facts["apt"]["sources"])
    assert [proxy["value"] for proxy in facts["apt"]["proxies"]] == [
        "proxy:3128",
        "http://host.example",
    ]
    assert kernel_command_line(RootFs(str(tmp_path))) == (
        "quiet mirror/http/proxy=http://host.example/ url=proxy:3128/preseed"
    )


def test_what_apt_answers() -> None:
    policy = f"a:\n  Candidate: 1\n  Version table:\n     1 500\n        500 {ADDRESS}/x y/main\n"
    assert apt_policy.parse(policy)["a"]["origins"] == ["http://host.example/x y/main"]


def program(folder: Path, name: str, code: int = 1) -> Path:
    """A fake for a program that quotes an address and fails."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho 'E: cannot fetch {ADDRESS}/x' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_why_apt_gave_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_policy, "_LISTS", str(tmp_path))
    (tmp_path / "x_Packages").touch()
    question = apt_policy.PolicyQuery(RootFs(), ["a"], str(program(tmp_path, "apt-cache")))
    with pytest.raises(Exception, match=FETCHED):
        question.candidates()


def test_what_uv_said_of_a_build(tmp_path: Path) -> None:
    spec = Spec("x", tmp_path, program(tmp_path, "uv"), tmp_path / "wheel", "", "3.12")
    with pytest.raises(BuildError, match=FETCHED):
        Uv(spec)("pip", "check")


@pytest.mark.parametrize("url", [ADDRESS, "http://u:hunter2/x@host/", f"x{PROXY}", f"//{PROXY}"])
def test_an_index_that_is_refused(url: str) -> None:
    with pytest.raises(LockError) as refused:
        refuse_insecure(url, http=False)
    assert SECRET not in str(refused.value)


def test_the_remedy_of_a_failed_installation() -> None:
    told = explain(f"E: Failed to fetch {ADDRESS}/dists/x/InRelease  401  Unauthorized")
    assert SECRET not in told
    assert "host.example" in told


def test_the_folder_of_a_collected_archive() -> None:
    assert folder_of("http://u:pa/ss@host:80/debian") == "archives/host-80-debian"
    assert folder_of(f"{ADDRESS}/debian/") == "archives/host.example-debian"


def test_what_apt_said_of_an_excerpt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "apt-get")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RepoSubsetError, match=FETCHED):
        RepoSubset(tmp_path / "work", complete=True).collect(["a"])


def test_what_uv_said_of_a_lock(tmp_path: Path) -> None:
    wanted = Wanted(["torch==2.2.2"], [], "3.12", f"{ADDRESS}/simple", "")
    with pytest.raises(LockError, match=FETCHED):
        make_lock(wanted, program(tmp_path, "uv"))


@pytest.mark.parametrize("content", [None, b"another"], ids=["missing", "another"])
def test_a_wheel_of_a_mirror(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(url: str, **_: object) -> BytesIO:
        if content is None:
            raise URLError(f"no route to {url}")
        return BytesIO(content)

    # A fake index: what it answers does not matter, what is told of it does.
    monkeypatch.setattr("urllib.request.urlopen", opened)
    file = LockedFile(f"{ADDRESS}/x-1-py3-none-any.whl", "0" * 64)
    with pytest.raises(MirrorError) as failed:
        download_wheels([file], tmp_path)
    assert SECRET not in str(failed.value)
    assert "http://host.example/x-1-py3-none-any.whl" in str(failed.value)


@pytest.fixture
def process() -> Iterator[int]:
    """A process in whose command the address and a proxy are."""
    command = [ADDRESS, f"-oAcquire::http::Proxy={ADDRESS}", PROXY]
    code = "import time; print(flush=True); time.sleep(600)"
    with subprocess.Popen(
        [ADDRESS, "-c", code, *command], executable=sys.executable, stdout=subprocess.PIPE
    ) as started:
        assert started.stdout
        started.stdout.readline()
        yield started.pid
        started.kill()


def test_the_holder_of_a_lock(process: int) -> None:
    told = [
        dpkg_locks._command(process),
        lock_holder._command(RootFs(), process),
        exclusive_lock._described(process),
    ]
    assert all(SECRET not in text and "host.example" in text for text in told), told


def test_what_the_action_for_apt_gives() -> None:
    said = f"E: cannot fetch {ADDRESS}/x"
    told = ACTION._without_credentials({"failed": True, "msg": said, "stderr": said, "rc": 100})
    assert told == {
        "failed": True,
        "msg": "E: cannot fetch http://host.example/x",
        "stderr": "E: cannot fetch http://host.example/x",
        "rc": 100,
    }


def test_the_arguments_that_ansible_shows_of_a_build(tmp_path: Path) -> None:
    addresses = ("index_url", "project_index_url", "python_mirror")
    files = {"uv": str(tmp_path / "uv"), "wheel": str(tmp_path / "wheel")}
    result = run_module(
        "rdna1_venv",
        {
            "stack": "rocm-5.7",
            "prefix": str(tmp_path / "opt"),
            "python": "3.12",
            **files,
            **dict.fromkeys((f"{name}_digest" for name in files), "0" * 64),
            **dict.fromkeys(addresses, f"{ADDRESS}/simple"),
            "compare": True,
        },
        tmp_path,
    )
    shown = result["invocation"]["module_args"]
    assert [shown[name] for name in addresses] == ["http://********@host.example/simple"] * 3
    assert SECRET not in repr(result)


def test_the_address_of_a_key_that_cannot_be_fetched(tmp_path: Path) -> None:
    result = run_module(
        "rdna1_apt_key",
        {
            "path": str(tmp_path / "key.gpg"),
            "fingerprint": "0" * 40,
            "url": "http://me:hunter2@127.0.0.1:9/rocm.gpg",
        },
        tmp_path,
    )
    assert "could not be fetched: http://********@127.0.0.1:9/rocm.gpg: " in result["msg"]
    assert SECRET not in repr(result)


@pytest.mark.parametrize("address", [ADDRESS, PROXY, "http://u:pa/ss@host:80/x", "https://host/a"])
def test_what_is_taken_out_is_what_is_missing(address: str) -> None:
    secret = credentials_of(address)
    assert address.replace(f"{secret}@" if secret else "", "") == without_credentials(address)
    assert bool(secret) == ("@" in address)
