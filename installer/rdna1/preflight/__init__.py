"""Assesses a machine against a stack: facts in, findings out.

The rules are pure functions in `rdna1.preflight.checks`; `rdna1.preflight.registry` lists
them in order. Facts come from `rdna1.target.facts`, of this machine or of a saved file.
"""

from __future__ import annotations

from rdna1.preflight.assessment import assess
from rdna1.preflight.facts import Facts, FactsError, load_facts
from rdna1.preflight.model import Check, Finding, Report, Scope
from rdna1.preflight.registry import CHECKS, CheckIdError, find_check

__all__ = [
    "CHECKS",
    "Check",
    "CheckIdError",
    "Facts",
    "FactsError",
    "Finding",
    "Report",
    "Scope",
    "assess",
    "find_check",
    "load_facts",
]
