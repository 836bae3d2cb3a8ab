"""A rule of a card on which the downsampling of a ResNet hangs in backward (ROCm/MIOpen#13)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from support.field.case import Answer

NAME = "downsampling that hangs"
RULE = """\
- when: kh == 1 and stride == 2 and direction in ('backward', 'backward-weights')
  outcome: hang
"""


def answer_of_smoke(folder: Path) -> Answer:
    """Run the smoke suite on a simulated card with the rule, which takes some seconds."""
    rule, output = folder / "rule.yml", folder / "smoke.json"
    rule.write_text(RULE)
    command = ["rdna1.cli.validate", "smoke", "--device", f"sim:{rule}", "--timeout", "1"]
    done = subprocess.run(
        [sys.executable, "-m", *command, "--format", "json", "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
    )
    if not output.exists():
        return Answer("none", "smoke", done.stderr.strip(), "", ["smoke wrote no report"])
    cases = json.loads(output.read_text())["cases"]
    failed = [each for each in cases if each["outcome"] != "pass"]
    wrong = [] if done.returncode == 1 else [f"smoke ended with {done.returncode}"]
    wrong += [] if failed else ["nothing of the suite is such a layer"]
    wrong += [
        f"{each['outcome']} in {each['case']}"
        for each in failed
        if (each["case"]["kh"], each["case"]["stride"]) != (1, 2)
    ]
    outcomes = ", ".join(sorted({each["outcome"] for each in failed}))
    summary = f"{len(failed)} of {len(cases)} cases: {outcomes} in 1x1 stride 2, backward"
    return Answer("FAIL" if failed else "PASS", "smoke", summary, "", wrong)
