from __future__ import annotations

import cProfile
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts import lock_holder
from rdna1.target.facts.collect import collect
from rdna1.target.facts.dpkg import is_relevant
from rdna1.target.rootfs import RootFs

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

STATUS = "/var/lib/dpkg/status"


def entry(name: str, version: str, status: str = "install ok installed") -> str:
    return f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\n"


@pytest.mark.parametrize(
    "name",
    [
        *["rocm-core", "rocm-core5.2.0", "hsa-rocr", "hsakmt-roct-dev", "hip-runtime-amd", "hipcc"],
        *[
            "comgr",
            "rocminfo",
            "rocblas",
            "miopen-hip",
            "rccl",
            "rocprofiler",
            "openmp-extras-runtime",
        ],
        *["libamdhip64-5", "libhsa-runtime64-1", "libhsakmt1", "libamd-comgr2", "librocblas0"],
        *["rocm-smi", "librocm-smi64-1", "rocm-device-libs-17", "libhipblas0", "libmiopen1"],
        *["amdgpu-dkms", "amdgpu-install", "libdrm-amdgpu-amdgpu1", "python3-torch", "libtorch2.6"],
    ],
)
def test_names_of_rocm_and_pytorch(name: str) -> None:
    assert is_relevant(name)


@pytest.mark.parametrize(
    "name",
    ["rocs", "librocksdb8.9", "libhippocanvas-perl", "libdrm-amdgpu1", "python3-rocker", "hsail"],
)
def test_names_of_others(name: str) -> None:
    assert not is_relevant(name)


def test_packages_and_what_dpkg_did_not_finish(tree: Tree) -> None:
    status = "\n".join(
        [
            entry("rocminfo", "5.7.1-3build1", "hold ok installed"),
            entry("bash", "5.2"),
            entry("rocm-smi", "5.7", "deinstall ok config-files"),
            entry("amdgpu-dkms", "1:6.2.4", "install ok half-configured"),
            entry("broken", "1", "install reinstreq installed"),
            entry("menu", "1", "install ok triggers-pending"),
        ]
    )
    facts: Any = collect(str(tree({STATUS: status})))
    # Half configured is there, too.
    assert facts["apt"]["packages"] == {"rocminfo": "5.7.1-3build1", "amdgpu-dkms": "1:6.2.4"}
    assert facts["apt"]["half_configured"] == ["amdgpu-dkms", "broken", "menu"]


def test_packages_that_were_asked_for(tree: Tree) -> None:
    removed = entry("curl", "8.5", "deinstall ok config-files")
    root = str(tree({STATUS: "\n".join([entry("bash", "5.2"), entry("dash", "0.5"), removed])}))
    facts: Any = collect(root, packages=["bash", "curl", "zsh"])
    assert facts["apt"]["packages"] == {"bash": "5.2"}


def test_rocm_of_each_source(tree: Tree) -> None:
    status = "\n".join(
        [
            entry("rocm-core", "5.7.1.50701-98~22.04"),
            entry("comgr", "2.5.0.50701-98~22.04"),
            entry("rocm-core5.2.0", "5.2.0.50200-65"),
            entry("libamdhip64-5", "5.7.1-3"),
            entry("amdgpu-dkms", "1:6.2.4.50701-1664922.22.04"),
            entry("python3-torch", "2.6.0+dfsg-7"),
        ]
    )
    root = tree(
        {
            STATUS: status,
            "/opt/rocm-5.7.1/.info/version": "5.7.1-98\n",
            "/var/lib/dpkg/info/rocm-core.list": "/opt/rocm-5.7.1/.info/version\n",
            "/opt/rocm-6.0/.info/version": "6.0.0-91\nmore\n",
            "/opt/rocm-empty/bin/x": "",
        }
    )
    (root / "opt/rocm").symlink_to("/opt/rocm-6.0")
    facts: Any = collect(str(root))
    assert [(part["source"], part["name"]) for part in facts["rocm"]] == [
        ("amd", "rocm-core"),
        ("amd", "comgr"),
        ("amd", "rocm-core5.2.0"),
        ("distro", "libamdhip64-5"),
        ("folder", "/opt/rocm-6.0"),
    ]


@pytest.mark.parametrize(
    "junk", [b"", b"\xff\x00" * 1000, b"Package: \n\n\nStatus: x\n", b"\n" * 99]
)
def test_a_damaged_status_file(tree: Tree, junk: bytes) -> None:
    facts: Any = collect(str(tree({STATUS: junk})))
    assert facts["apt"]["packages"] == {}
    assert facts["glibc"] is None
    assert "libc6 is not installed" in facts["unknown"]["glibc"]


def test_the_lines_of_a_description_cost_nothing(tree: Tree) -> None:
    def calls(lines: int) -> int:
        filler = "Description: words\n" + " more words of a description\n" * lines
        root = tree({STATUS: "\n".join(entry(f"package{i}", "1") + filler for i in range(500))})
        profile = cProfile.Profile()
        profile.runcall(collect, str(root))
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(100) - calls(1) < 500


def test_the_holder_of_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.touch()
    files = (str(tmp_path / "none"), str(lock))
    assert lock_holder.lock_holder(RootFs("/"), files) is None
    code = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.lockf(lock, fcntl.LOCK_EX)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        found = lock_holder.lock_holder(RootFs("/"), files)
    assert found is not None
    assert found["pid"] == holder.pid
    assert str(found["command"]).startswith(sys.executable)
    assert lock_holder.lock_holder(RootFs("/"), files) is None


def test_locks_of_a_tree_are_unknown(tree: Tree) -> None:
    facts: Any = collect(str(tree({})))
    assert facts["unknown"]["apt.lock_holder"] == "locks belong to a running machine"


def test_folders_of_the_dynamic_linker(tree: Tree) -> None:
    root = tree(
        {
            "/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
            "/etc/ld.so.conf.d/rocm.conf": "# AMD\n/opt/rocm/lib  # links\n\n /opt/rocm/lib64\n",
            "/etc/ld.so.conf.d/rocm.conf.old": "/opt/rocm-5.2.3/lib\n",
        }
    )
    path = "/etc/ld.so.conf.d/rocm.conf"
    assert collect(str(root))["library_folders"] == [
        {"file": path, "line": 2, "folder": "/opt/rocm/lib"},
        {"file": path, "line": 4, "folder": "/opt/rocm/lib64"},
    ]


def test_a_file_of_the_dynamic_linker_that_cannot_be_read(tree: Tree) -> None:
    root = tree({"/etc/ld.so.conf.d/a.conf": "/opt/rocm/lib\n"})
    (root / "etc/ld.so.conf.d/b.conf").mkdir()
    facts: Any = collect(str(root))
    assert [entry["folder"] for entry in facts["library_folders"]] == ["/opt/rocm/lib"]
    assert "b.conf" in facts["unknown"]["library_folders./etc/ld.so.conf.d/b.conf"]
