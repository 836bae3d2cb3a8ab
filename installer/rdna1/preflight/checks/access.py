"""Checks of who may use the card: the groups of its devices, of users and of their sessions."""

from __future__ import annotations

from rdna1.preflight.containers import pass_group
from rdna1.preflight.facts import DeviceFile, Facts
from rdna1.preflight.model import Case, CheckOutcome, check

_UDEV_RULES = "systemd/systemd rules.d/50-udev-default.rules.in"
_RENDER_GROUP = "render"  # udev's group of /dev/kfd and of the render nodes


@check(
    "groups",
    "Groups of the users",
    references=(_UDEV_RULES, "ROCm/ROCm docs/deploy/linux/prerequisites.md at docs/5.7.1"),
)
def groups(case: Case) -> CheckOutcome:
    """Users need the group of /dev/kfd and of the render nodes, normally render.

    Without it a program of theirs sees no card, with messages that name no group. A new
    membership counts from the next login on.
    """
    users = [u for u in case.facts.known(lambda f: f.users) if u.name != "root"]
    if not users:
        return CheckOutcome("skip", "no user but root was asked about; --user NAME asks about one")
    absent = [user.name for user in users if not user.exists and not user.groups]
    if absent:
        return CheckOutcome(
            "fail",
            f"no such user: {', '.join(absent)}",
            remedy="Name users of this machine, or create them first.",
        )
    if wrong := _wrong_in_container(case):
        return CheckOutcome(
            "skip", f"the group of {wrong[0].path} is to be changed outside: see kfd"
        )
    needed = needed_groups(case.facts)
    lacking = {user.name: sorted(needed - set(user.groups)) for user in users}
    lines = [f"{name} is not in {', '.join(names)}" for name, names in lacking.items() if names]
    if not lines:
        whose = f"in {', '.join(sorted(needed))}" if needed else "free to use the card"
        return CheckOutcome("pass", f"{', '.join(user.name for user in users)}: {whose}")
    commands = [f"usermod -aG {','.join(n)} {user}" for user, n in lacking.items() if n]
    return CheckOutcome(
        "warn",
        "; ".join(lines),
        remedy=f"As root: {'; '.join(commands)}. Then log in again.",
    )


@check(
    "session-groups",
    "Groups of the running session",
    references=("credentials(7)", "ROCm/ROCm docs/deploy/linux/prerequisites.md at docs/5.7.1"),
)
def session_groups(case: Case) -> CheckOutcome:
    """A new group counts from the next login on; until then the card stays out of reach.

    /etc/group names the user, but processes keep the groups that they got at login. Desktop
    sessions, tmux and ssh connections that are shared live longer than one thinks.
    """
    facts = case.facts
    session = facts.known(lambda f: f.session)
    user = next(
        (u for u in facts.known(lambda f: f.users) if u.name == session.user != "root"), None
    )
    if user is None:
        return CheckOutcome(
            "skip", f"the session is that of {session.user}, who was not asked about"
        )
    lacking = needed_groups(facts) - set(session.groups)
    late = sorted(lacking & set(user.groups))
    if late:
        return CheckOutcome(
            "warn",
            f"{user.name} did not log in again since joining {', '.join(late)}",
            [f"groups of the session: {', '.join(sorted(session.groups))}"],
            "Log out of every session and in again; a reboot is certain.",
        )
    if lacking:
        return CheckOutcome(
            "skip", f"{user.name} is not in {', '.join(sorted(lacking))}: see groups"
        )
    return CheckOutcome("pass", f"the session of {user.name} has the groups that the card needs")


def device_access(case: Case, device: DeviceFile) -> CheckOutcome:
    """Return who may use /dev/kfd."""
    facts = case.facts
    if device.group is None:
        return CheckOutcome("pass", f"{device.path} exists", facts.unread("kfd"))
    if outside := _wrong_in_container(case):
        return _closed(case, outside)
    access = _shown(device)
    if device.open_to_all or (device.group == _RENDER_GROUP and device.open_to_group):
        return CheckOutcome("pass", access)
    remedy = (
        "Where grep -l kfd /etc/udev/rules.d/* names a rule that changes it, remove that rule. "
        "Then as root: udevadm control --reload; udevadm trigger --subsystem-match=kfd"
    )
    if device.group == "root" or not device.open_to_group:
        return CheckOutcome("fail", f"only root can use {device.path}", [access], remedy)
    if device.nameless:
        summary = f"only root can use {device.path}: its group {device.group} is not one of users"
        return CheckOutcome("fail", summary, [access], remedy)
    summary = f"{device.path} has the group {device.group} instead of {_RENDER_GROUP}"
    return CheckOutcome("warn", summary, [access], remedy)


def needed_groups(facts: Facts) -> set[str]:
    """Return groups that users are to join for the devices; render where nothing tells.

    Never one without a name, root's, or that of everything which is not mapped.
    """
    devices = [*filter(None, [facts.kfd.device]), *(facts.render_nodes or [])]
    if not devices:
        return {_RENDER_GROUP}
    groups = {device.group or _RENDER_GROUP for device in devices if not device.open_to_all}
    nameless = {device.group or "" for device in devices if device.nameless}
    return groups - nameless - {"root"}


def _closed(case: Case, devices: list[DeviceFile]) -> CheckOutcome:
    """Return devices of a container whose group is not the one that users have there."""
    kind = case.facts.container or ""
    # A group without a name, or without members, lets nobody but root in.
    shut = [d for d in devices if d.nameless or not d.open_to_group or not d.members]
    lines = [_shown(device) for device in devices]
    remedy = pass_group(kind)
    if shut:
        summary = f"no user of this container ({kind}) can open {shut[0].path}: its group is wrong"
        return CheckOutcome("fail", summary, lines, remedy)
    first = devices[0]
    summary = f"{first.path} has the group {first.group} in this container ({kind})"
    return CheckOutcome("warn", f"{summary} instead of {_RENDER_GROUP}", lines, remedy)


def _wrong_in_container(case: Case) -> list[DeviceFile]:
    """Return the card's devices whose group is to be changed outside of the container."""
    facts = case.facts
    if facts.container in (None, "wsl"):
        return []
    own = set(facts.session.groups) if facts.session else set()
    devices = [*filter(None, [facts.kfd.device]), *(facts.render_nodes or [])]
    return [
        device
        for device in devices
        if device.group not in (None, _RENDER_GROUP)
        and not device.open_to_all
        and device.group not in own
    ]


def _shown(device: DeviceFile) -> str:
    return f"{device.path}: {device.owner}:{device.group} {device.mode}"
