"""Where and when a measurement was made, and so where it holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone

import msgspec

from rdna1.conv.result import DeviceInfo
from rdna1.layout import SYSTEM
from rdna1.target.facts.gpu import displays
from rdna1.target.facts.system import kernel_release
from rdna1.target.facts.unknown import Unknown
from rdna1.target.rootfs import RootFs, UnreadableError
from rdna1.worker.variables import BYPASS_VARIABLE, IMMEDIATE_VARIABLE, MATMUL_VARIABLE

STACK_FILE = SYSTEM.stack_file

_PREFIXES = (
    *("HSA_", "MIOPEN_", "PYTORCH_MIOPEN_"),
    *(BYPASS_VARIABLE, IMMEDIATE_VARIABLE, MATMUL_VARIABLE),
)

# A worker gets its own instead (rdna1.worker.variables), or they only make logs longer.
_WITHOUT_EFFECT = frozenset(
    ["MIOPEN_FIND_ENFORCE", "MIOPEN_USER_DB_PATH", "MIOPEN_CUSTOM_CACHE_DIR", "MIOPEN_LOG_LEVEL"]
)


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What a measurement depends on; None is what is not known or does not apply.

    Attributes:
        device: what the hardware calls itself.
        gfx_target: LLVM's processor name as the runtime sees it, overrides included.
        pci_id: vendor and device of the card, as in ``1002:731f``, if there is only one of its
            vendor's.
        driver: kernel module and its version; for one that came with the kernel the kernel's
            release.
        stack: name of the stack on the machine.
        torch: version of torch.
        hip: version of HIP that torch was built for.
        environment: the ROCm variables that change what a convolution does.
        date: when, in UTC, as ISO 8601 writes it; None for a documented limit.
    """

    device: str | None = None
    gfx_target: str | None = None
    pci_id: str | None = None
    driver: str | None = None
    stack: str | None = None
    torch: str | None = None
    hip: str | None = None
    environment: dict[str, str] = {}
    date: str | None = None


def observe(
    device: DeviceInfo | None, environment: Mapping[str, str], root: str = "/"
) -> Conditions:
    """Look at the conditions of now.

    Args:
        device: what the worker said about it.
        environment: variables of the process.
        root: root folder of the machine.
    """
    rootfs = RootFs(root)
    is_gpu = device is not None and device.type == "cuda"
    module, vendor = ("amdgpu", "1002") if device and device.hip else ("nvidia", "10de")
    return Conditions(
        device=device.name if device else None,
        gfx_target=device.gfx_target if device else None,
        pci_id=_pci_id(rootfs, vendor) if is_gpu else None,
        driver=_driver(rootfs, module) if is_gpu else None,
        stack=_stack(rootfs),
        torch=device.torch if device else None,
        hip=device.hip if device else None,
        environment=_effective(environment),
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def _effective(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: environment[name]
        for name in sorted(environment)
        if name.startswith(_PREFIXES) and name not in _WITHOUT_EFFECT
    }


def _pci_id(rootfs: RootFs, vendor: str) -> str | None:
    try:
        found = [each for each in displays(rootfs, Unknown()) if each["vendor"] == vendor]
    except UnreadableError:
        return None
    return f"{vendor}:{found[0]['device']}" if len(found) == 1 else None


def _driver(rootfs: RootFs, module: str) -> str | None:
    """Return a module that was built apart from the kernel has a version, amdgpu in it has none."""
    try:
        return f"{module} {rootfs.text(f'/sys/module/{module}/version').strip()}"
    except UnreadableError:
        pass
    try:
        return f"{module} of kernel {kernel_release(rootfs)}"
    except UnreadableError:
        return None


def _stack(rootfs: RootFs) -> str | None:
    try:
        written = msgspec.json.decode(rootfs.text(STACK_FILE), type=_WrittenStack)
    except (UnreadableError, msgspec.MsgspecError):
        return None
    return written.stack


class _WrittenStack(msgspec.Struct):
    stack: str
