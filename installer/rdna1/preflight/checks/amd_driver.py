"""Checks of AMD's own kernel driver, which DKMS builds."""

from __future__ import annotations

import shlex

from rdna1.preflight.checks.kernel import install_own_driver
from rdna1.preflight.dpkg_repair import repair_of
from rdna1.preflight.facts import Facts
from rdna1.preflight.machine import cards_if_known, dkms_packages
from rdna1.preflight.missing_card import kernel_too_old
from rdna1.preflight.model import Case, CheckOutcome, check

_DKMS_REFERENCES = (
    "ROCm/legacy-rocm-build#2451",
    "ROCm/legacy-rocm-build#3701",
    "ROCm/amdgpu#192",
)
# Where the key lies that DKMS signs with.
_KEYS = {"ubuntu": "/var/lib/shim-signed/mok/MOK.der"}
_DKMS_KEY = "/var/lib/dkms/mok.pub"


@check("amdgpu-dkms", "No driver of AMD's own", references=_DKMS_REFERENCES)
def amdgpu_dkms(case: Case) -> CheckOutcome:
    """The kernel's own amdgpu is used; AMD's amdgpu-dkms of these ages breaks on new kernels.

    The driver of 5.7 does not build on Linux 6.6, that of 6.2 broke between two updates of
    6.8, and a failed build leaves dpkg half done with the kernel itself.
    """
    packages = case.facts.known(lambda f: f.apt.packages)
    ours = dkms_packages(case.facts)
    if not ours:
        return CheckOutcome("pass", "no driver of AMD's own is installed")
    return CheckOutcome(
        "warn",
        f"{', '.join(ours)} is installed; the stacks use the kernel's own driver",
        [f"{name} {packages[name]}" for name in ours],
        _remove_driver(case),
    )


@check("dkms-build", "Builds of AMD's own driver", references=(*_DKMS_REFERENCES, "dkms(8)"))
def dkms_build(case: Case) -> CheckOutcome:
    """A driver of AMD's that is not built for the running kernel is not the one that runs.

    After an update of the kernel the build may have failed unseen: the kernel's own driver
    is loaded in its place, and programs of AMD's version meet another one than they expect.
    """
    facts = case.facts
    versions = facts.known(lambda f: f.modules.dkms)
    if not versions:
        return CheckOutcome("pass", "DKMS has no driver of AMD's")
    running = facts.known(lambda f: f.kernel.release)
    lines = [f"{v.version}: built for {', '.join(v.kernels) or 'no kernel'}" for v in versions]
    if any(running in version.kernels for version in versions):
        return CheckOutcome("pass", f"AMD's driver is built for {running}", lines)
    if not dkms_packages(facts):
        return CheckOutcome(
            "warn",
            "DKMS keeps a driver of AMD's whose package is gone",
            lines,
            _remove_leftovers(facts),
        )
    return CheckOutcome(
        "warn",
        f"AMD's driver is not built for the running kernel {running}",
        lines,
        _remove_driver(case),
    )


@check(
    "secure-boot",
    "Secure Boot and AMD's own driver",
    references=("ROCm/legacy-rocm-build#276", "dkms-project/dkms#347", "mokutil(1)"),
)
def secure_boot(case: Case) -> CheckOutcome:
    """With Secure Boot the kernel loads only modules signed with a key that it knows.

    Its own amdgpu is signed. One that DKMS built is signed with a key of this machine,
    which somebody has to enroll at a boot; without that there is no driver.
    """
    facts = case.facts
    versions = facts.known(lambda f: f.modules.dkms)
    if not any(version.kernels for version in versions):
        return CheckOutcome("pass", "the kernel's own driver needs no key of this machine")
    if not facts.known(lambda f: f.secure_boot):
        return CheckOutcome("pass", "Secure Boot is off")
    return CheckOutcome(
        "warn",
        "Secure Boot is on, and DKMS built a driver that needs an enrolled key",
        [f"{version.version} for {', '.join(version.kernels)}" for version in versions],
        f"{_remove_driver(case)} Or enroll the key as root: mokutil --import "
        f"{_machine_key(facts)}, then reboot and confirm it at the blue screen.",
    )


def _remove_driver(case: Case) -> str:
    """Return how the kernel's own driver comes back.

    Another kernel where it does not know the card.
    """
    facts = case.facts
    packages = dkms_packages(facts)
    if not packages:
        return _remove_leftovers(facts)
    old = [card for card in cards_if_known(case) if kernel_too_old(facts, card)]
    if old:
        running = facts.kernel.release
        return (
            f"Boot a newer kernel, whose own driver serves {old[0].chip.name}; until then, as "
            f"root: dkms autoinstall -k {running}"
        )
    own = facts.modules.own_amdgpu
    if own is not None and facts.kernel.release not in own and cards_if_known(case):
        return (
            "Keep it until the running kernel, which has no amdgpu of its own, has one: "
            f"{install_own_driver(facts)} After that, as root: apt purge {' '.join(packages)}"
        )
    broken = repair_of(facts).broken
    purge = (
        [f"apt purge {' '.join(left)}"]
        if (left := [p for p in packages if p not in broken])
        else []
    )
    first = "First what apt-state says. Then as root" if broken else "As root"
    commands = "; ".join([*purge, "update-initramfs -u"])
    return f"{first}: {commands}. Then reboot into the kernel's own driver."


def _remove_leftovers(facts: Facts) -> str:
    """Say how builds whose package is gone are removed: DKMS itself needs their source for that."""
    builds = facts.modules.dkms or []
    usable = [b for b in builds if b.source and "dkms" in (facts.apt.packages or {})]
    by_dkms = [f"dkms remove amdgpu/{build.version} --all" for build in usable]
    folders = [f"/var/lib/dkms/amdgpu/{build.version}" for build in builds if build not in usable]
    by_hand = [f"rm -r {shlex.join(folders)}"] if folders else []
    return f"As root: {'; '.join(by_dkms + by_hand)}"


def _machine_key(facts: Facts) -> str:
    """Return the key that DKMS signs with: Ubuntu's and Debian's lie in different places."""
    return _KEYS.get(facts.os.id if facts.os else "", _DKMS_KEY)
