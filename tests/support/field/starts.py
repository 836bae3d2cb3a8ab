"""Variables that a login or a service sets, and what MIOpen keeps in a home."""

from __future__ import annotations

from pathlib import Path

from support.field.case import Build, Case
from support.machine_tree import USER, MachineTree


def start_files(**files: str | bytes) -> Build:
    def build(root: Path) -> MachineTree:
        machine = MachineTree(root).card()
        for path, content in files.items():
            machine.write(f"home/{USER}/{path.replace('__', '/')}", content)
        return machine

    return build


FISH = (
    "SETUVAR --export MIOPEN_FIND_ENFORCE:3\n"
    "SETUVAR --export HSA_OVERRIDE_GFX_VERSION:11\\x2e0\\x2e0\n"
)
SQLITE = b"SQLite format 3\0\x10\0\x01\x01\0\x40\x20\x20"

CASES = [
    Case(
        "fish's universal variables",
        start_files(**{".config__fish__fish_variables": FISH}),
        "find-enforce",
        "fail",
        ("fish_variables:1", "set --erase MIOPEN_FIND_ENFORCE"),
        ("run: unset",),
        {"gfx-override": "fail"},
    ),
    Case(
        "fish's conf.d",
        start_files(**{".config__fish__conf.d__gpu.fish": "set -Ux MIOPEN_FIND_ENFORCE 4\n"}),
        "find-enforce",
        "fail",
        ("conf.d/gpu.fish:1",),
    ),
    Case(
        "not exported by fish",
        start_files(**{".config__fish__config.fish": "set -g MIOPEN_FIND_ENFORCE 3\n"}),
        "find-enforce",
        "pass",
    ),
    Case(
        "not exported by bash",
        start_files(**{".bashrc": "MIOPEN_FIND_ENFORCE=3\n"}),
        "find-enforce",
        "pass",
    ),
    Case(
        "exported by bash later",
        start_files(**{".bashrc": "MIOPEN_FIND_ENFORCE=3\nexport MIOPEN_FIND_ENFORCE\n"}),
        "find-enforce",
        "fail",
        (".bashrc:1",),
    ),
    Case(
        "set by tcsh",
        start_files(**{".tcshrc": "setenv MIOPEN_FIND_ENFORCE 3\n"}),
        "find-enforce",
        "fail",
        (".tcshrc:1", "unsetenv MIOPEN_FIND_ENFORCE"),
    ),
    Case(
        "set by zsh for every shell",
        start_files(**{".zshenv": "typeset -gx MIOPEN_FIND_ENFORCE=3\n"}),
        "find-enforce",
        "fail",
        (".zshenv:1",),
    ),
    Case(
        "a damaged database of MIOpen",
        start_files(
            **{
                ".cache__miopen__2.17.0.a__gfx1030_18.ukdb": SQLITE + b"\xff" * 4000,
                ".config__miopen__gfx1030_18.HIP.2_17_0_a.ufdb.txt": b"x\n",
            }
        ),
        "miopen-databases",
        "warn",
        ("gfx1030_18.ukdb: ends in the middle", "ufdb.txt: line 1 is not KEY=VALUE", "rm /home"),
    ),
    Case(
        "a home on a network file system",
        lambda root: (
            MachineTree(root).card().write("proc/mounts", f"s:/h /home/{USER} nfs4 rw 0 0\n")
        ),
        "miopen-databases",
        "warn",
        (f"/home/{USER}: nfs4", "MIOPEN_USER_DB_PATH"),
    ),
    Case(
        "PYTHONPATH and LD_PRELOAD",
        start_files(
            **{
                ".bashrc": "export PYTHONPATH=/opt/sdk/lib/python3.11/site-packages\n"
                "export LD_PRELOAD=/opt/sdk/lib/libhsa-runtime64.so.1\n"
            }
        ),
        "foreign-modules",
        "fail",
        ("LD_PRELOAD, PYTHONPATH replaces", ".bashrc:2"),
    ),
    Case(
        "aliases of bash",
        start_files(**{".bash_aliases": "export MIOPEN_FIND_ENFORCE=3\n"}),
        "find-enforce",
        "fail",
        (".bash_aliases:1",),
    ),
    Case(
        "settings of the user's services",
        start_files(**{".config__environment.d__gpu.conf": "HSA_OVERRIDE_GFX_VERSION=11.0.0\n"}),
        "gfx-override",
        "fail",
        ("environment.d/gpu.conf:1", "another major version"),
    ),
    Case(
        "an override that is not a version",
        lambda root: (
            MachineTree(root).card().write("etc/environment", "HSA_OVERRIDE_GFX_VERSION=gfx1030\n")
        ),
        "gfx-override-form",
        "fail",
        ("/etc/environment:1", "no ROCm program starts"),
    ),
    Case(
        "an override of RDNA1 itself",
        start_files(**{".bashrc": "export HSA_OVERRIDE_GFX_VERSION=10.1.0\n"}),
        "gfx-override",
        "warn",
        ("the stack rocm-5.7 sets 10.3.0",),
    ),
    Case(
        "an override where the wheels are native",
        start_files(**{".bashrc": "export HSA_OVERRIDE_GFX_VERSION=10.3.0\n"}),
        "gfx-override",
        "fail",
        ("hold no code for", "sets none"),
        stack="therock",
    ),
    Case(
        "a library that every program loads",
        lambda root: (
            MachineTree(root)
            .card()
            .write("etc/ld.so.preload", "/opt/rocm/lib/libhsa-runtime64.so\n")
        ),
        "foreign-modules",
        "fail",
        ("/etc/ld.so.preload:1",),
    ),
    Case(
        "PYTHONHOME",
        start_files(**{".profile": "PYTHONHOME=/opt/python3.11; export PYTHONHOME\n"}),
        "foreign-modules",
        "fail",
        ("PYTHONHOME replaces", ".profile:1"),
    ),
    Case(
        "PYTHONPATH of a service",
        lambda root: (
            MachineTree(root)
            .card()
            .write(
                "etc/systemd/system/comfyui.service",
                "[Service]\nEnvironment=PYTHONPATH=/srv/comfyui/site-packages\n",
            )
        ),
        "foreign-modules",
        "fail",
        ("comfyui.service:2",),
    ),
    *[
        Case(
            f"segments that grow, by {name}",
            start_files(**{".bashrc": f"export {name}=expandable_segments:True\n"}),
            "expandable-segments",
            "fail",
            (f"{name}=expandable_segments:True", "older than 3.64"),
            stack="therock",
        )
        for name in ("PYTORCH_HIP_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
    ],
    Case(
        "MIOpen's folder alone on a network file system",
        lambda root: (
            MachineTree(root).card().write("proc/mounts", f"n:/c /home/{USER}/.cache nfs rw 0 0\n")
        ),
        "miopen-databases",
        "warn",
        (f"/home/{USER}/.cache/miopen: nfs",),
    ),
    Case(
        "a home of sshfs with MIOpen's folders on a local disk",
        lambda root: (
            MachineTree(root)
            .card()
            .write(
                "proc/mounts",
                f"s:/h /home/{USER} fuse.sshfs rw 0 0\n/dev/sda1 /home/{USER}/.cache ext4 rw 0 0\n"
                f"/dev/sda1 /home/{USER}/.config ext4 rw 0 0\n",
            )
        ),
        "miopen-databases",
        "pass",
    ),
]
