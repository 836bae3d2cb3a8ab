"""Write results down for docs/reliability.md; nothing of them is written by hand."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from faults.summary import Summary, illegal
from support.boxes import ROOT

RESULTS = ROOT / "docs" / "reliability-results.json"


def record(summary: Summary, file: Path = RESULTS) -> None:
    """Add the results of a run to those of earlier ones, in place of the same cases and seed."""
    known: dict[str, Any] = json.loads(file.read_text())
    for verdict in summary.cases:
        known["cases"][verdict.name] = {
            "commit": verdict.commit,
            "legal": not verdict.problems,
            "preflight": verdict.preflight,
        }
    known["cases"] = dict(sorted(known["cases"].items()))
    if summary.steps:
        others = [run for run in known["kills"] if run["seed"] != summary.seed]
        known["kills"] = sorted([*others, _kills(summary)], key=lambda run: run["seed"])
    file.write_text(json.dumps(known, indent=1) + "\n")


def _kills(summary: Summary) -> dict[str, Any]:
    steps = [outcome.step for outcome in summary.steps]
    return {
        "seed": summary.seed,
        "commit": " and ".join(dict.fromkeys(outcome.commit for outcome in summary.steps)),
        "kills": len(steps),
        "hit": sum(outcome.hit > 0 for outcome in summary.steps),
        "reruns": sum(step.follow == "rerun" for step in steps),
        "rollbacks": sum(step.follow == "rollback" for step in steps),
        "targets": dict(sorted(Counter(step.target for step in steps).items())),
        "illegal": illegal(summary.steps, ()),
    }
