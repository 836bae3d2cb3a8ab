"""Turns what lspci printed into the files that the kernel shows of the same devices."""

from __future__ import annotations

import re
from pathlib import Path

# Slot, class and ids of ``lspci -nn``; the interface is told by -v and 00 without it.
_DEVICE = re.compile(
    r"\s*(?P<slot>[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) [^\[]*\[(?P<kind>[0-9a-f]{4})\]: .*"
    r"\[(?P<vendor>[0-9a-f]{4}):(?P<device>[0-9a-f]{4})\](?: \(rev \w\w\))?"
    r"(?: \(prog-if (?P<interface>\w\w).*\))?"
)
_SUBSYSTEM = re.compile(r"\s+Subsystem: .*\[([0-9a-f]{4}):([0-9a-f]{4})\]")
_DRIVER = re.compile(r"\s+Kernel driver in use: (\S+)\s*")
_BYTES = re.compile(r"[0-9a-f]{2}:((?: [0-9a-f]{2}){16})")


def write_devices(text: str, root: Path) -> list[str]:
    """Write the devices below ``root`` as they are below /sys/bus/pci/devices.

    Args:
        text: output of ``lspci -nn``, with -k, -v or -x for subsystem, driver and
            configuration space.
        root: of the tree; it holds no devices yet.

    Returns:
        The slots, domain included.
    """
    folder = root / "sys/bus/pci/devices"
    slots = []
    for line in text.splitlines():
        found = _DEVICE.fullmatch(line)
        if found:
            slots.append(f"0000:{found['slot']}")
            device = folder / slots[-1]
            device.mkdir(parents=True)
            (device / "class").write_text(f"0x{found['kind']}{found['interface'] or '00'}\n")
            for name in ("vendor", "device"):
                (device / name).write_text(f"0x{found[name]}\n")
                (device / f"subsystem_{name}").write_text("0x0000\n")
        elif subsystem := _SUBSYSTEM.fullmatch(line):
            (device / "subsystem_vendor").write_text(f"0x{subsystem[1]}\n")
            (device / "subsystem_device").write_text(f"0x{subsystem[2]}\n")
        elif driver := _DRIVER.fullmatch(line):
            (device / "driver").symlink_to(f"../../../../bus/pci/drivers/{driver[1]}")
        elif row := _BYTES.fullmatch(line):
            with (device / "config").open("ab") as config:
                config.write(bytes.fromhex(row[1]))
    return slots
