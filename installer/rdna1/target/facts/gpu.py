"""Display devices: on the PCI bus, with the driver amdgpu, in /dev, offered by KFD."""

from __future__ import annotations

import re
import stat

from ..rootfs import MissingError, RootFs, UnreadableError
from . import accounts
from .unknown import Unknown

# In the order of modprobe.d(5): a name found in one folder hides it in the later ones.
_FOLDERS = (
    "/etc/modprobe.d",
    "/run/modprobe.d",
    "/usr/local/lib/modprobe.d",
    "/usr/lib/modprobe.d",
    "/lib/modprobe.d",
)
_KEPT_OUT = re.compile(
    r"\s*(blacklist\s+amdgpu|install\s+amdgpu\s+(/usr)?/bin/(false|true)"
    r"|options\s+amdgpu(\s+\S+)*\s+modeset=0(\s+\S+)*)\s*"
)
_KEPT_OUT_AT_BOOT = re.compile(r"(modprobe\.blacklist|module_blacklist)=(\S*,)?amdgpu(,\S*)?")
_DEVICES = "/sys/bus/pci/devices"
_DISPLAY_CLASS = "03"  # PCI base class of display controllers
_HEX = re.compile(r"0x([0-9a-f]+)", re.IGNORECASE)
_NODES = "/sys/class/kfd/kfd/topology/nodes"
_NUMBER = re.compile(r"[0-9]{1,20}")  # at most 64 bits


def loaded(rootfs: RootFs) -> bool:
    """Return whether the module is in the kernel.

    Raises:
        UnreadableError: there is no /sys to see it in.
    """
    try:
        return "amdgpu" in rootfs.names("/sys/module")
    except MissingError as error:
        raise UnreadableError(f"{error}; /sys belongs to a running machine") from error


def blacklisted(rootfs: RootFs) -> list[str]:
    """Return ``file:line`` of every setting that keeps the module from loading.

    Raises:
        UnreadableError: a file of modprobe's configuration cannot be read.
    """
    files: dict[str, str] = {}
    for folder in _FOLDERS:
        for name in rootfs.optional_names(folder):
            if name.endswith(".conf"):
                files.setdefault(name, f"{folder}/{name}")
    return [
        f"{path}:{number}"
        for path in (*files.values(), "/proc/cmdline")
        for number, line in enumerate((rootfs.optional_text(path) or "").splitlines(), 1)
        if _keeps_out(line)
    ]


def _keeps_out(line: str) -> bool:
    if _KEPT_OUT.fullmatch(line.partition("#")[0]):
        return True
    return any(_KEPT_OUT_AT_BOOT.fullmatch(word) for word in line.split())


def displays(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return devices of PCI class 03: ids as four hex digits, class as six, driver or None.

    ``revision`` is two hex digits, or None where the kernel does not show it.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each device that cannot be read.

    Raises:
        UnreadableError: the list of devices cannot be read.
    """
    slots = rootfs.names(_DEVICES)
    devices = (unknown.collect(f"displays.{slot}", _display, rootfs, slot) for slot in slots)
    return [device for device in devices if device is not None]


def _display(rootfs: RootFs, slot: str) -> dict[str, object] | None:
    folder = f"{_DEVICES}/{slot}"
    device_class = _number(rootfs, f"{folder}/class", 6)
    if not device_class.startswith(_DISPLAY_CLASS):
        return None
    return {
        "slot": slot,
        "vendor": _number(rootfs, f"{folder}/vendor", 4),
        "device": _number(rootfs, f"{folder}/device", 4),
        "subsystem_vendor": _number(rootfs, f"{folder}/subsystem_vendor", 4),
        "subsystem_device": _number(rootfs, f"{folder}/subsystem_device", 4),
        "class": device_class,
        "driver": rootfs.link_name(f"{folder}/driver"),
        "revision": _revision(rootfs, f"{folder}/revision"),
    }


def _revision(rootfs: RootFs, path: str) -> str | None:
    try:
        return _number(rootfs, path, 2)
    except UnreadableError:  # it names the board more exactly, and nothing else needs it
        return None


def _number(rootfs: RootFs, path: str, digits: int) -> str:
    text = rootfs.text(path).strip()
    match = _HEX.fullmatch(text)
    if match is None or len(match[1]) > digits:
        raise UnreadableError(f"{path}: no hexadecimal number of {digits} digits")
    return match[1].lower().rjust(digits, "0")


def nodes(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return processors and cards that the driver offers for computing.

    ``vendor_id`` and ``device_id`` are four hex digits as on the PCI bus; ``gfx_target`` is
    LLVM's name, or None for a processor; ``fw_version`` is that of the MEC firmware;
    ``slot`` is the place on the PCI bus, or None where the driver gives none. ``cpu_cores`` is
    above 0 for a processor, also where its graphics are in the same node; ``unique_id`` is the
    16 hex digits by which ROCr knows a card, or None for one without.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for each node that cannot be read.

    Raises:
        UnreadableError: the nodes cannot be listed.
    """
    try:
        names = rootfs.names(_NODES)
    except MissingError as error:
        if rootfs.live:
            return []
        raise UnreadableError(f"{error}; /sys belongs to a running machine") from error
    numbers = sorted(int(name) for name in names if _NUMBER.fullmatch(name))
    listed = (unknown.collect(f"kfd.nodes.{n}", _node, rootfs, n) for n in numbers)
    return [node for node in listed if node is not None]


def gfx_target(version: int) -> str | None:
    """Return LLVM's name of a ``gfx_target_version``.

    100100 is gfx1010, 90010 is gfx90a, 0 is none.
    """
    if version == 0:
        return None
    return f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"


def _node(rootfs: RootFs, number: int) -> dict[str, object]:
    path = f"{_NODES}/{number}/properties"
    values = {}
    for line in rootfs.text(path).splitlines():
        key, _, value = line.partition(" ")
        if _NUMBER.fullmatch(value):
            values[key] = int(value)
    if "simd_count" not in values:
        raise UnreadableError(f"{path}: no simd_count")
    return {
        "node": number,
        "gfx_target": gfx_target(values.get("gfx_target_version", 0)),
        "simd_count": values["simd_count"],
        "vendor_id": f"{values.get('vendor_id', 0):04x}",
        "device_id": f"{values.get('device_id', 0):04x}",
        "fw_version": values.get("fw_version"),
        "slot": _slot(values.get("domain", 0), values.get("location_id", 0)),
        "cpu_cores": values.get("cpu_cores_count", 0),
        "unique_id": f"{values['unique_id']:016x}" if values.get("unique_id") else None,
    }


def _slot(domain: int, location: int) -> str | None:
    """Return the name of a place on the PCI bus: 8 bits of bus, 5 of device, 3 of function."""
    if location == 0:  # a processor, or an old kernel
        return None
    return f"{domain:04x}:{location >> 8:02x}:{location >> 3 & 31:02x}.{location & 7}"


def kfd_device(rootfs: RootFs, unknown: Unknown) -> dict[str, object] | None:
    """Return /dev/kfd with owner, group and mode, or None when the driver did not make it.

    Args:
        rootfs: of the machine.
        unknown: gets the reason for owner, group and mode that say nothing.

    Raises:
        UnreadableError: device files cannot be read.
    """
    _need_device_files(rootfs)
    return device_file(rootfs, "/dev/kfd", "kfd.device", unknown)


def render_nodes(rootfs: RootFs, unknown: Unknown) -> list[dict[str, object]]:
    """Return all /dev/dri/renderD*, as `kfd_device` describes /dev/kfd.

    Raises:
        UnreadableError: device files cannot be read.
    """
    _need_device_files(rootfs)
    names = [name for name in rootfs.optional_names("/dev/dri") if name.startswith("renderD")]
    nodes = [
        device_file(rootfs, f"/dev/dri/{name}", f"render_nodes.{name}", unknown) for name in names
    ]
    return [node for node in nodes if node is not None]


def device_file(rootfs: RootFs, path: str, fact: str, unknown: Unknown) -> dict[str, object] | None:
    """Return ``path``, ``owner``, ``group`` and ``mode`` of a device file, or None without one.

    ``members`` are the users in that group but root, empty for a group without a name.

    In a tree a plain file stands for a device, for few copies can hold devices; its owner
    and mode say nothing. On the running machine a plain file is not a device.

    Args:
        rootfs: of the machine.
        path: of the device file.
        fact: name of the fact in ``unknown``.
        unknown: gets the reason for owner, group and mode that say nothing.

    Raises:
        UnreadableError: a folder on the way must not be entered.
    """
    try:
        status = rootfs.status(path)
    except MissingError:
        return None
    if stat.S_ISCHR(status.st_mode):
        return {
            "path": path,
            "owner": accounts.owner_name(rootfs, status.st_uid),
            "group": accounts.group_name(rootfs, status.st_gid),
            "mode": f"{stat.S_IMODE(status.st_mode):04o}",
            "members": accounts.members(rootfs, status.st_gid),
        }
    if rootfs.live:
        return None
    for field in ("owner", "group", "mode"):
        unknown[f"{fact}.{field}"] = f"{path}: a plain file stands for the device in this tree"
    return {"path": path, "owner": None, "group": None, "mode": None, "members": None}


def _need_device_files(rootfs: RootFs) -> None:
    if not rootfs.live and not rootfs.optional_names("/dev"):
        raise UnreadableError("/dev is empty: device files belong to a running machine")
