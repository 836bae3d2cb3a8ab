"""Where the records of runs are."""

from __future__ import annotations

from rdna1.layout import of_scope
from rdna1.plan.options import Part
from rdna1.preflight.model import Scope

# The modules expand it, with the rights of the user who it stands for.
_HOME = "~"


class StatePlan(Part, frozen=True):
    """Where the records of runs are.

    Attributes:
        snapshots: their folder.
        home: that they are about; empty for the whole machine.
    """

    snapshots: str
    home: str


def state_plan(scope: Scope) -> StatePlan:
    """Return where the records of runs are."""
    return StatePlan(of_scope(scope, _HOME).snapshots, "" if scope == "system" else _HOME)
