"""Rules about the card and its driver."""

from __future__ import annotations

from rdna1.cards import Chip
from rdna1.preflight.facts import DeviceFile, Display, Facts
from rdna1.preflight.model import Case, Outcome, check

_RENDER_GROUP = "render"  # udev's group of /dev/kfd and of the render nodes
_UDEV_RULES = "systemd/systemd rules.d/50-udev-default.rules.in"
_KFD_DEVICE = "torvalds/linux drivers/gpu/drm/amd/amdkfd/kfd_device.c"


@check(
    "card",
    "An RDNA1 card",
    references=(
        "torvalds/linux drivers/gpu/drm/amd/amdgpu/amdgpu_drv.c",
        "pciutils/pciids pci.ids",
    ),
)
def card(case: Case) -> Outcome:
    """The stacks are for RDNA1: Radeon RX 5000 and the Pro cards with the same chips.

    The board is known by its PCI id among the devices of the display class. The sound,
    USB and bridge functions of the same chips carry similar ids and names and are no cards.
    Other AMD cards need other stacks, and newer ones need no special stack at all.
    """
    displays = case.facts.known("displays", case.facts.displays)
    cards = rdna1_cards(case)
    if not cards:
        return Outcome(
            "fail",
            "no RDNA1 card",
            (
                [_device_name(display) for display in displays]
                or ["no display device on the PCI bus"]
            )
            + case.facts.unread("displays"),
            "Use this stack with a card of the Radeon RX 5000 series. "
            "Newer AMD cards are served by a current ROCm instead.",
        )
    names = [f"{board} ({chip.name}, {chip.gfx_target})" for _, chip, board in cards]
    wrong = {chip.gfx_target for _, chip, _ in cards} - set(case.stack.gfx_targets)
    if wrong:
        summary = f"the stack {case.stack.name} has nothing for {', '.join(sorted(wrong))}"
        return Outcome("fail", summary, names, "Choose a stack that serves this card.")
    return Outcome("pass", "; ".join(names), [f"PCI device at {d.slot}" for d, _, _ in cards])


@check(
    "kernel-driver",
    "Kernel driver of the card",
    needs=("card",),
    references=("ROCm/ROCm#5555", "modprobe.d(5)"),
)
def kernel_driver(case: Case) -> Outcome:
    """The kernel's own driver amdgpu must be bound to the card.

    It is loaded by itself unless a file in modprobe.d or the kernel's command line keeps it
    out, or another driver, vfio-pci for a virtual machine for example, took the card.
    """
    amdgpu = case.facts.amdgpu
    displays = [display for display, _, _ in rdna1_cards(case)]
    drivers = [f"{d.slot}: {d.driver or 'no driver'}" for d in displays]
    kept_out = [f"{place} keeps amdgpu from loading" for place in amdgpu.blacklisted or []]
    if any(display.driver == "amdgpu" for display in displays):
        if not kept_out:
            return Outcome("pass", "amdgpu is bound to the card", drivers)
        return Outcome(
            "warn",
            "amdgpu is bound to the card now, but may not be after a reboot",
            kept_out,
            "Remove these settings, then run: update-initramfs -u",
        )
    others = sorted({display.driver for display in displays if display.driver})
    if others:
        return Outcome(
            "fail",
            f"the card is bound to {', '.join(others)}, not to amdgpu",
            drivers + kept_out,
            f"Remove what binds it to {', '.join(others)}, then reboot.",
        )
    if kept_out:
        remedy = "Remove these settings, run update-initramfs -u, then reboot."
    else:
        remedy = "Run modprobe amdgpu and read what it says in dmesg."
    loaded = ["the module amdgpu is not loaded"] if amdgpu.loaded is False else []
    return Outcome("fail", "no driver is bound to the card", drivers + loaded + kept_out, remedy)


@check(
    "kfd",
    "Compute interface of the driver",
    needs=("card", "kernel-driver"),
    references=(_KFD_DEVICE, _UDEV_RULES),
)
def kfd(case: Case) -> Outcome:
    """Every ROCm program opens /dev/kfd and looks for the card among KFD's nodes.

    The driver leaves a card out that has no PCIe atomics and old MEC firmware. The group
    of /dev/kfd is render by udev's own rules; another group shuts users out.
    """
    facts = case.facts
    device = facts.known_or_absent("kfd.device", facts.kfd.device)
    if device is None:
        return Outcome(
            "fail",
            "there is no /dev/kfd",
            remedy="Look for kfd in the kernel's messages: dmesg | grep -i kfd",
        )
    nodes = facts.kfd.nodes or []
    offered = any(case.cards.find(node.vendor_id, node.device_id) for node in nodes)
    if facts.kfd.nodes is not None and not offered and not facts.unread("kfd.nodes"):
        return Outcome(
            "fail",
            "the driver does not offer the card for computing",
            [f"node {node.node}: {node.gfx_target or 'processor'}" for node in nodes],
            "Look for the reason, PCIe atomics for example: dmesg | grep -i kfd",
        )
    return _access(facts, device)


@check(
    "groups",
    "Groups of the users",
    references=(_UDEV_RULES, "ROCm/ROCm docs/deploy/linux/prerequisites.md at docs/5.7.1"),
)
def groups(case: Case) -> Outcome:
    """Users need the group of /dev/kfd and of the render nodes, normally render.

    Without it a program of theirs sees no card, with messages that name no group. A new
    membership counts from the next login on.
    """
    users = [u for u in case.facts.known("users", case.facts.users) if u.name != "root"]
    if not users:
        return Outcome("skip", "no user but root was asked about")
    absent = [user.name for user in users if not user.exists and not user.groups]
    if absent:
        return Outcome(
            "fail",
            f"no such user: {', '.join(absent)}",
            remedy="Name users of this machine, or create them first.",
        )
    needed = needed_groups(case.facts)
    lacking = {user.name: sorted(needed - set(user.groups)) for user in users}
    lines = [f"{name} is not in {', '.join(names)}" for name, names in lacking.items() if names]
    if not lines:
        whose = f"in {', '.join(sorted(needed))}" if needed else "free to use the card"
        return Outcome("pass", f"{', '.join(user.name for user in users)}: {whose}")
    commands = [f"usermod -aG {','.join(n)} {user}" for user, n in lacking.items() if n]
    return Outcome(
        "warn",
        "; ".join(lines),
        remedy=f"As root: {'; '.join(commands)}. Then log in again.",
    )


def rdna1_cards(case: Case) -> list[tuple[Display, Chip, str]]:
    """The RDNA1 cards: PCI device, chip and board name."""
    displays = case.facts.known("displays", case.facts.displays)
    found = ((display, case.cards.find(display.vendor, display.device)) for display in displays)
    return [(display, *match) for display, match in found if match is not None]


def _device_name(display: Display) -> str:
    driver = f", driver {display.driver}" if display.driver else ""
    return f"{display.slot}: PCI device {display.vendor}:{display.device}{driver}"


def _access(facts: Facts, device: DeviceFile) -> Outcome:
    """Who may use /dev/kfd."""
    if device.group is None:
        return Outcome("pass", f"{device.path} exists", facts.unread("kfd"))
    access = f"{device.path}: {device.owner}:{device.group} {device.mode}"
    if device.open_to_all or (device.group == _RENDER_GROUP and device.open_to_group):
        return Outcome("pass", access)
    remedy = "Remove the udev rule that changes it, then run: udevadm trigger"
    if device.group == "root" or not device.open_to_group:
        return Outcome("fail", f"only root can use {device.path}", [access], remedy)
    summary = f"{device.path} has the group {device.group} instead of {_RENDER_GROUP}"
    return Outcome("warn", summary, [access], remedy)


def needed_groups(facts: Facts) -> set[str]:
    """Groups of the device files that are not open to all; render where nothing tells."""
    devices = [*filter(None, [facts.kfd.device]), *(facts.render_nodes or [])]
    if not devices:
        return {_RENDER_GROUP}
    return {device.group or _RENDER_GROUP for device in devices if not device.open_to_all}
