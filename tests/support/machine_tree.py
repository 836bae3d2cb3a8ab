"""Root folders that look like machines whose owners reported a fault, for ``--root``."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

ENGINES = ("ce", "me", "mec", "pfp", "rlc", "sdma", "sdma1")
PLATFORM = ("asd", "smc", "sos")
USER = "mia"


class Release(NamedTuple):
    """A release: what os-release says, and what it comes with."""

    id: str
    version: str
    codename: str
    glibc: str
    python: str
    kernel: str
    name: str


FOCAL = Release("ubuntu", "20.04", "focal", "2.31", "3.8", "5.15.0-113-generic", "Ubuntu 20.04.6")
JAMMY = Release("ubuntu", "22.04", "jammy", "2.35", "3.10", "6.8.0-45-generic", "Ubuntu 22.04.5")
NOBLE = Release("ubuntu", "24.04", "noble", "2.39", "3.12", "6.8.0-45-generic", "Ubuntu 24.04.2")
BOOKWORM = Release("debian", "12", "bookworm", "2.36", "3.11", "6.1.0-37-amd64", "Debian 12")
TRIXIE = Release("debian", "13", "trixie", "2.41", "3.13", "6.12.43+deb13-amd64", "Debian 13")


class MachineTree:
    """A machine without a card; each method adds something and returns the machine."""

    def __init__(self, root: Path, release: Release = NOBLE, kernel: str = "") -> None:
        """Begin below ``root``, which is made."""
        self.root = root
        self.release = release
        self.kernel = kernel or release.kernel
        self._nodes = 0
        self._packages: list[str] = []
        self._groups = {"root": (0, ""), "video": (44, ""), "render": (109, USER)}
        self.write(
            "etc/os-release",
            f'ID={release.id}\nVERSION_ID="{release.version}"\nVERSION_CODENAME={release.codename}\n'
            f'PRETTY_NAME="{release.name}"\n',
        )
        self.write("proc/sys/kernel/osrelease", f"{self.kernel}\n")
        self.write("proc/version", f"Linux version {self.kernel}\n")
        self.write("proc/cmdline", "root=/dev/sda1 ro quiet\n").write("proc/1/environ", "HOME=/\0")
        self.write("proc/meminfo", "MemTotal: 32768000 kB\n")
        self.write("proc/cpuinfo", "flags\t\t: fpu sse\n")
        self.write("sys/firmware/acpi/pm_profile", "1\n").write(
            "sys/module/amdgpu/initstate", "live\n"
        )
        self.write("usr/bin/python3", "").write(f"usr/bin/python{release.python}", "")
        self.write(f"usr/lib/python{release.python}/EXTERNALLY-MANAGED", "")
        self.write(f"home/{USER}/.bashrc", "")
        self.write("etc/passwd", _accounts("/bin/bash"))
        self.modules(self.kernel)
        for part in ENGINES + PLATFORM:
            self.write(f"lib/firmware/amdgpu/navi10_{part}.bin.zst", "")
            self.write(f"lib/firmware/amdgpu/navi14_{part}.bin", "")
        (root / "sys/bus/pci/devices").mkdir(parents=True)
        self.node(cores=16).package("libc6", release.glibc)

    def write(self, path: str, content: str | bytes) -> MachineTree:
        """Write a file."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self

    def link(self, path: str, target: str) -> MachineTree:
        """Make a symbolic link."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
        return self

    def modules(self, kernel: str, *, amdgpu: bool = True) -> MachineTree:
        """Install the modules of a kernel."""
        name = "amd/amdgpu/amdgpu" if amdgpu else "virtio/virtio-gpu"
        return self.write(f"lib/modules/{kernel}/kernel/drivers/gpu/drm/{name}.ko.zst", "")

    def package(self, name: str, version: str, state: str = "install ok installed") -> MachineTree:
        """Add an entry to dpkg's status file."""
        self._packages.append(
            f"Package: {name}\nStatus: {state}\nMaintainer: Nobody <nobody@example>\n"
            f"Architecture: amd64\nVersion: {version}\nDescription: {name}\n"
            + ("Triggers-Pending: /usr/share/man\n" if state.endswith("pending") else "")
        )
        self.write("var/lib/dpkg/status", "\n".join(self._packages))
        return self.write(f"var/lib/dpkg/info/{name}.list", "/.\n")

    def display(
        self, device: str, slot: str = "0000:03:00.0", driver: str = "amdgpu", **more: str
    ) -> MachineTree:
        """Put an AMD display device on the PCI bus, without atomic operations."""
        values = {"vendor": "1002", "device": device, "class": "030000", "revision": "00", **more}
        values = {"subsystem_vendor": "1002", "subsystem_device": "0b36", **values}
        for name, value in values.items():
            self.write(f"sys/bus/pci/devices/{slot}/{name}", f"0x{value}\n")
        if driver:
            self.link(f"sys/bus/pci/devices/{slot}/driver", f"../../../drivers/{driver}")
        space = bytearray(256)
        space[0x06], space[0x34], space[0x64], space[0x66] = 0x10, 0x64, 0x10, 0x02
        return self.write(f"sys/bus/pci/devices/{slot}/config", bytes(space))

    def node(
        self, device: str = "", *, cores: int = 0, target: int = 0, slot: int = 0, **more: int
    ) -> MachineTree:
        """Add a node to KFD's topology: a GPU with a device id, a processor without."""
        values: dict[str, int] = {
            "cpu_cores_count": cores,
            "simd_count": 40 if device else 0,
            "vendor_id": 4098 if device else 0,
            "device_id": int(device or "0", 16),
            "location_id": slot,
            "fw_version": 145 if device else 0,
            **more,
        }
        if target:
            values["gfx_target_version"] = target
        path = f"sys/class/kfd/kfd/topology/nodes/{self._nodes}/properties"
        self._nodes += 1
        return self.write(path, "".join(f"{name} {value}\n" for name, value in values.items()))

    def card(self) -> MachineTree:
        """Put in a Radeon RX 5700 XT that KFD offers, with its device files."""
        self.display("731f", revision="c1").node("731f", target=100100, slot=0x300)
        return self.device("kfd").device("dri/renderD128")

    def screen(
        self,
        slot: str = "0000:03:00.0",
        *,
        card: str = "card0",
        connector: str = "HDMI-A-1",
        status: str = "connected",
    ) -> MachineTree:
        """Give the display device at a place of the PCI bus a connector."""
        if not (self.root / f"sys/class/drm/{card}").exists():
            self.link(f"sys/class/drm/{card}/device", f"../../../bus/pci/devices/{slot}")
        return self.write(f"sys/class/drm/{card}-{connector}/status", f"{status}\n")

    def session(self, number: int = 2, **values: str) -> MachineTree:
        """Log a user in at a graphical session, as systemd-logind notes it."""
        known = {"USER": USER, "STATE": "active", "REMOTE": "0", "TYPE": "wayland", **values}
        lines = "".join(f"{name}={value}\n" for name, value in known.items())
        return self.write(f"run/systemd/sessions/{number}", lines)

    def device(self, path: str, gid: int = 109, mode: int = 0o660) -> MachineTree:
        """Make a device file; making one takes root."""
        place = self.root / "dev" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(place, stat.S_IFCHR | mode, os.makedev(511, 0))
        place.chmod(mode)
        os.chown(place, 0, gid)
        return self

    def shell(self, path: str) -> MachineTree:
        """Give the user another shell."""
        return self.write("etc/passwd", _accounts(path))

    def group(self, name: str, gid: int, *members: str) -> MachineTree:
        """Add a group, or give one other members."""
        self._groups[name] = (gid, ",".join(members))
        return self

    def done(self) -> Path:
        """Write what is left, and return the root folder."""
        rows = [f"{name}:x:{gid}:{users}\n" for name, (gid, users) in self._groups.items()]
        self.write("etc/group", "".join(rows) + f"{USER}:x:1000:\n")
        self.write("var/lib/dpkg/arch", "amd64\n")
        (self.root / "etc/apt/sources.list.d").mkdir(parents=True, exist_ok=True)
        return self.root


def _accounts(shell: str) -> str:
    return f"root:x:0:0:root:/root:/bin/bash\n{USER}:x:1000:1000::/home/{USER}:{shell}\n"
