"""Which remedies a machine needs, from its facts alone."""

from __future__ import annotations

import msgspec

from rdna1.preflight.checks.access import needed_groups
from rdna1.preflight.dpkg_repair import repair_of
from rdna1.preflight.facts import Facts, User, Variable
from rdna1.target.facts.variables import FORBIDDEN

# No remedy puts anybody into other groups, whatever a device file asks for.
_CARD_GROUPS = frozenset(["render", "video"])


class RemoveSettings(msgspec.Struct, frozen=True):
    """Take the lines that set the forbidden variable out of a file.

    Attributes:
        path: of the file, on the machine.
        values: number of each line, from 1, to the value it sets.
    """

    path: str
    values: dict[int, str]

    @property
    def title(self) -> str:
        """The action in one line."""
        lines = ", ".join(map(str, sorted(self.values)))
        word = "lines" if len(self.values) > 1 else "line"
        return f"remove {FORBIDDEN} from {self.path}, {word} {lines}"


class AddToGroups(msgspec.Struct, frozen=True):
    """Add a user to groups of the card."""

    user: str
    groups: list[str]

    @property
    def title(self) -> str:
        """The action in one line."""
        return f"add {self.user} to {', '.join(self.groups)}"

    @property
    def command(self) -> list[str]:
        """The program that does it, and its arguments."""
        return ["usermod", "-aG", ",".join(self.groups), "--", self.user]


class ConfigurePackages(msgspec.Struct, frozen=True):
    """Let dpkg finish what it began."""

    packages: list[str]

    @property
    def title(self) -> str:
        """The action in one line."""
        if not self.packages:
            return "finish what an interrupted dpkg left with dpkg --configure -a"
        count = len(self.packages)
        return f"finish {count} package{'s' if count > 1 else ''} with dpkg --configure -a"

    @property
    def command(self) -> list[str]:
        """The program that does it, and its arguments: the machine's own files stay."""
        return ["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"]


Action = RemoveSettings | AddToGroups | ConfigurePackages


class FixPlan(msgspec.Struct, frozen=True):
    """Actions in their order, and what is left to the user with the reasons."""

    actions: list[Action]
    by_hand: list[str]


def plan(facts: Facts, *, only_settings: bool = False) -> FixPlan:
    """Plan the remedies.

    Groups and packages belong to the running machine: under another root they are left to
    the user.

    Args:
        facts: of the machine.
        only_settings: leave groups and packages out.
    """
    places = [v for v in facts.variables if v.name == FORBIDDEN]
    by_hand = [
        f"{v.where}: {FORBIDDEN}={v.value}: run unset {FORBIDDEN} in this shell"
        for v in places
        if v.line is None
    ]
    if only_settings:
        return FixPlan(_removals(places), by_hand)
    system, left = _of_system(facts)
    if facts.root != "/":
        left += [f"on the machine itself: {action.title}" for action in system]
        system = []
    return FixPlan([*_removals(places), *system], by_hand + left)


def _removals(places: list[Variable]) -> list[Action]:
    values: dict[str, dict[int, str]] = {}
    for place in places:
        if place.line is not None:
            values.setdefault(place.place, {})[place.line] = place.value
    return [RemoveSettings(path, found) for path, found in values.items()]


def _of_system(facts: Facts) -> tuple[list[Action], list[str]]:
    actions: list[Action] = []
    left = []
    for user in facts.users or []:
        action = _joining(facts, user)
        if action is not None and user.exists:
            actions.append(action)
        elif action is not None and user.groups:
            left.append(
                f"{user.name} is not a user of /etc/passwd: {action.title} where it is managed"
            )
    unfinished = facts.apt.half_configured or []
    repair = repair_of(facts)
    if repair.only_configures and (unfinished or repair.journal):
        actions.append(ConfigurePackages(unfinished))
    elif unfinished:
        # These remove packages, which only their owner may decide.
        left.append(f"dpkg did not finish with {', '.join(unfinished)}: {'; '.join(repair.steps)}")
    return actions, left


def _joining(facts: Facts, user: User) -> AddToGroups | None:
    groups = sorted(needed_groups(facts) & _CARD_GROUPS - set(user.groups))
    return AddToGroups(user.name, groups) if groups and user.name != "root" else None
