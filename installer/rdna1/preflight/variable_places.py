"""What the rules about variables share: which places set one, and how to show them."""

from __future__ import annotations

import re

from rdna1.preflight.facts import Facts, Variable

_UNITS = "/etc/systemd/system/"
_SERVICES = "/etc/systemd/system"
_PROFILE = re.compile(r"/etc/profile\.d/rocm-rdna1-[^/]*\.sh")


def settings_of(facts: Facts, names: re.Pattern[str]) -> list[Variable]:
    """Return the places that set a variable whose whole name matches."""
    return [variable for variable in facts.variables if names.fullmatch(variable.name)]


def is_profile(place: str) -> bool:
    """Return whether a place is a profile script of this project, of any stack."""
    return _PROFILE.fullmatch(place) is not None


def shown(variable: Variable) -> str:
    """Return a setting as a line of evidence."""
    return f"{variable.where}: {variable.name}={variable.value}"


def unread_places(facts: Facts) -> list[str]:
    """Return evidence of the files that may set variables and could not be read."""
    return [f"not read: {reason}" for reason in facts.unread("variables")]


def scope_of(place: str) -> str:
    """Return who reads a place: a home's user, a unit, all services, or every login (empty)."""
    if place.startswith(_UNITS):
        return _UNITS + place.removeprefix(_UNITS).split("/")[0].removesuffix(".d")
    if place.startswith("/etc/systemd/"):
        return _SERVICES
    return place.partition("/.")[0] if "/." in place else ""


def parent_of(scope: str) -> str:
    """Return the wider scope whose places are read as well; that of a widest is itself."""
    return _SERVICES if scope.startswith(_UNITS) else "" if scope != _SERVICES else _SERVICES
