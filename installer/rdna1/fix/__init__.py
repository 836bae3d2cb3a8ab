"""Applies the remedies that are safe to automate, for ``rdna1-preflight fix``.

`plan` turns facts into actions and is pure; `review` looks at the files that they are
about; `apply` does them one by one.
"""

from __future__ import annotations

from rdna1.fix.apply import Result, apply, review
from rdna1.fix.plan import Action, AddToGroups, ConfigurePackages, FixPlan, RemoveSettings, plan

__all__ = [
    "Action",
    "AddToGroups",
    "ConfigurePackages",
    "FixPlan",
    "RemoveSettings",
    "Result",
    "apply",
    "plan",
    "review",
]
