from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdna1.target.facts.collect import collect
from rdna1.target.facts.gpu import device_file, gfx_target
from rdna1.target.facts.unknown import Unknown
from rdna1.target.rootfs import RootFs

if TYPE_CHECKING:
    from unit.target.facts.conftest import Tree

DEVICES = "/sys/bus/pci/devices"


def device(slot: str, device_class: str, device_id: str) -> dict[str, str | bytes]:
    folder = f"{DEVICES}/{slot}"
    return {
        f"{folder}/class": f"0x{device_class}\n",
        f"{folder}/vendor": "0x1002\n",
        f"{folder}/device": f"0x{device_id}\n",
        f"{folder}/subsystem_vendor": "0x1002\n",
        f"{folder}/subsystem_device": "0x0b36\n",
    }


def test_only_display_devices_are_listed(tree: Tree) -> None:
    root = tree(
        {
            **device("0000:03:00.0", "030000", "731F"),
            **device("0000:03:00.1", "040300", "ab38"),
            **device("0000:03:00.2", "0c0330", "7314"),
            **device("0000:01:00.0", "060400", "1478"),
            **device("0000:05:00.0", "038000", "7362"),
        }
    )
    (root / f"{DEVICES[1:]}/0000:03:00.0/driver").symlink_to("../../drivers/amdgpu")
    facts: Any = collect(str(root))
    first, second = facts["displays"]
    assert first == {
        "slot": "0000:03:00.0",
        "vendor": "1002",
        "device": "731f",
        "subsystem_vendor": "1002",
        "subsystem_device": "0b36",
        "class": "030000",
        "driver": "amdgpu",
        "revision": None,
    }
    assert (second["device"], second["driver"]) == ("7362", None)


@pytest.mark.parametrize("content", [b"", b"junk\xff", b"731f\n", b"0x1234567\n"])
def test_a_damaged_device_is_a_reason(tree: Tree, content: bytes) -> None:
    root = tree({**device("0000:03:00.0", "030000", "731f"), **device("a", "030000", "7340")})
    (root / f"{DEVICES[1:]}/a/device").write_bytes(content)
    facts: Any = collect(str(root))
    assert [display["slot"] for display in facts["displays"]] == ["0000:03:00.0"]
    assert "hexadecimal" in facts["unknown"]["displays.a"]


@pytest.mark.parametrize(
    ("version", "target"),
    [
        (100100, "gfx1010"),
        (100101, "gfx1011"),
        (100102, "gfx1012"),
        (90010, "gfx90a"),
        (110000, "gfx1100"),
        (0, None),
    ],
)
def test_gfx_target(version: int, target: str | None) -> None:
    assert gfx_target(version) == target


def test_kfd_nodes(tree: Tree) -> None:
    nodes = "/sys/class/kfd/kfd/topology/nodes"
    facts: Any = collect(
        str(
            tree(
                {
                    f"{nodes}/0/properties": "cpu_cores_count 12\nsimd_count 0\n",
                    f"{nodes}/10/properties": "simd_count 80\nfw_version 144\nvendor_id 4098\n"
                    "device_id 29471\ngfx_target_version 100100\nodd line here\n"
                    "location_id 3045\ndomain 0\n",
                    f"{nodes}/2/properties": b"\xff\x00",
                }
            )
        )
    )
    assert facts["kfd"]["nodes"] == [
        {
            "node": 0,
            "gfx_target": None,
            "simd_count": 0,
            "vendor_id": "0000",
            "device_id": "0000",
            "fw_version": None,
            "slot": None,
            "cpu_cores": 12,
            "unique_id": None,
        },
        {
            "node": 10,
            "gfx_target": "gfx1010",
            "simd_count": 80,
            "vendor_id": "1002",
            "device_id": "731f",
            "fw_version": 144,
            "slot": "0000:0b:1c.5",
            "cpu_cores": 0,
            "unique_id": None,
        },
    ]
    assert facts["unknown"]["kfd.nodes.2"] == f"{nodes}/2/properties: no simd_count"


def test_a_plain_file_stands_for_a_device_in_a_tree(tree: Tree) -> None:
    facts: Any = collect(
        str(tree({"/dev/kfd": "", "/dev/dri/renderD128": "", "/dev/dri/card0": ""}))
    )
    plain = {"owner": None, "group": None, "mode": None, "members": None}
    assert facts["kfd"]["device"] == {"path": "/dev/kfd", **plain}
    assert facts["render_nodes"] == [{"path": "/dev/dri/renderD128", **plain}]
    assert "plain file" in facts["unknown"]["kfd.device.group"]


def test_a_plain_file_is_no_device_on_the_running_machine(tmp_path: Path) -> None:
    (tmp_path / "kfd").touch()
    unknown = Unknown()
    assert device_file(RootFs("/"), str(tmp_path / "kfd"), "kfd.device", unknown) is None
    found = device_file(RootFs("/"), "/dev/null", "kfd.device", unknown)
    expected = {"path": "/dev/null", "owner": "root", "group": "root", "mode": "0666"}
    assert found == {**expected, "members": []}
    assert unknown == {}


def test_a_tree_with_devices_but_without_kfd(tree: Tree) -> None:
    facts: Any = collect(str(tree({"/dev/null": ""})))
    assert facts["kfd"]["device"] is None
    assert facts["render_nodes"] == []
    assert not {"kfd.device", "render_nodes"} & set(facts["unknown"])


def test_owner_group_and_mode_of_a_real_device(tree: Tree) -> None:
    root = tree(
        {"/etc/group": "render:x:993:ann,root\n", "/etc/passwd": "root:x:0:0::/root:/bin/sh\n"}
    )
    (root / "dev").mkdir()
    try:
        os.mknod(root / "dev/kfd", 0o020660, os.makedev(1, 3))
        os.chown(root / "dev/kfd", 0, 993)
    except PermissionError:
        pytest.skip("only root can make device files")
    (root / "dev/kfd").chmod(0o660)
    facts: Any = collect(str(root))
    expected = {"path": "/dev/kfd", "owner": "root", "group": "render", "mode": "0660"}
    assert facts["kfd"]["device"] == {**expected, "members": ["ann"]}
    (root / "etc/group").unlink()
    facts = collect(str(root))
    assert facts["kfd"]["device"]["group"] == "993"


def test_places_that_keep_amdgpu_out(tree: Tree) -> None:
    facts: Any = collect(
        str(
            tree(
                {
                    "/sys/module/amdgpu/initstate": "live\n",
                    "/etc/modprobe.d/a.conf": "# blacklist amdgpu\n\nblacklist amdgpu # x\n",
                    "/etc/modprobe.d/hidden.conf": "",
                    "/usr/lib/modprobe.d/hidden.conf": "blacklist amdgpu\n",
                    "/usr/lib/modprobe.d/b.conf": "install amdgpu /bin/false\nblacklist amdgpu_x\n",
                    "/etc/modprobe.d/notes.txt": "blacklist amdgpu\n",
                    "/proc/cmdline": "quiet modprobe.blacklist=nouveau,amdgpu\n",
                }
            )
        )
    )
    assert facts["amdgpu"] == {
        "loaded": True,
        "blacklisted": [
            "/etc/modprobe.d/a.conf:3",
            "/usr/lib/modprobe.d/b.conf:1",
            "/proc/cmdline:1",
        ],
    }
