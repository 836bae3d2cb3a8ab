"""Checks of the options that the kernel was started with."""

from __future__ import annotations

import re

from rdna1.preflight.facts import Facts
from rdna1.preflight.machine import cards_if_known
from rdna1.preflight.model import Case, CheckOutcome, check

_CWSR = "amdgpu.cwsr_enable=0"
_STOPPING = frozenset(["nomodeset", "amdgpu.modeset=0"])
_INSISTING = "amdgpu.modeset=1"
_KEPT_OUT = re.compile(r"(?:modprobe\.blacklist|module_blacklist)=(?:\S*,)?amdgpu(?:,\S*)?")
# What owners of the iMac of 2020 start it with instead (T2-Ubuntu#208).
_APPLE = "amdgpu.ppfeaturemask=0xfff7bffd"


@check(
    "boot-options",
    "Options on the kernel's command line",
    needs=("card",),
    references=(
        "torvalds/linux drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c",
        "Efenstor/PyTorch-ROCm-gfx1010-Debian13 README.md",
        "ROCm/ROCm#5590",
    ),
)
def boot_options(case: Case) -> CheckOutcome:
    """With nomodeset amdgpu refuses to start, and there is no card to compute with.

    The same goes for a list of modules that shall not be loaded with amdgpu in it. Installers
    add nomodeset to get past a black screen, and some machines, the iMac of 2020 among them, hang
    at boot without it or another option in its place. Users of gfx1010 set amdgpu.cwsr_enable=0
    against hangs; whether it helps is not proven, so it is only shown.
    """
    line = case.facts.known(lambda f: f.kernel.cmdline)
    words = line.split()
    stopping = stopping_options(case)
    if stopping:
        settings = [
            f"{entry.where}: {entry.text}"
            for entry in case.facts.kernel.boot_settings
            if any(word in entry.text for word in stopping)
        ]
        return CheckOutcome(
            "fail",
            f"{stopping[0]} keeps amdgpu from starting",
            [f"/proc/cmdline: {line}", *settings],
            _without_option(case.facts, stopping[0]),
        )
    own = [word for word in words if word.startswith(("amdgpu.", "iommu=", "amd_iommu="))]
    evidence = [f"set: {word}" for word in own]
    if _CWSR not in words:
        evidence.append(f"not set: {_CWSR}, which some users set against hangs")
    return CheckOutcome("pass", "no option keeps amdgpu from starting", evidence)


def stopping_options(case: Case) -> list[str]:
    """Return the options on the kernel's command line that keep amdgpu from starting."""
    words = (case.facts.kernel.cmdline or "").split()
    stopping = [word for word in words if word in _STOPPING and _INSISTING not in words]
    # A user can load by hand what a list keeps out.
    if any(card.driver == "amdgpu" for card in cards_if_known(case)):
        return stopping
    return stopping + [word for word in words if _KEPT_OUT.fullmatch(word)]


def _without_option(facts: Facts, option: str) -> str:
    """Return how to do without an option, and what that may break."""
    apple = facts.model is not None and facts.model.vendor.startswith("Apple")
    instead = f" and writing {_APPLE} in its place" if apple else ""
    once = (
        f"Try it once first, for a machine that needs {option} hangs at boot without it: in GRUB's "
        f"menu press e, edit the line that begins with linux by taking {option} out{instead}, and "
        "press Ctrl-X; a power cycle brings the old options back."
    )
    files = dict.fromkeys(e.file for e in facts.kernel.boot_settings if option in e.text)
    lasting = [_where_option_is(file, option) for file in files]
    kept = f" If it came up with the card, make it last: {'; '.join(lasting)}." if lasting else ""
    unknown = (
        " It is in no file that was read: it was typed at the boot, or in a file of another boot "
        "loader; for GRUB it belongs into /etc/default/grub, followed by update-grub as root."
    )
    return once + (kept or unknown)


def _where_option_is(file: str, option: str) -> str:
    if file.startswith("/etc/default/grub"):
        return f"change it in {file} and run update-grub as root"
    if file == "/etc/kernelstub/configuration":
        return f"run as root: kernelstub --delete-options {option}"
    if file == "/etc/kernel/cmdline":
        return f"change it in {file} and run as root what writes the loader's entries from it"
    return f"change it in {file}"
