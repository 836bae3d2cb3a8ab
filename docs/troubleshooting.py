"""Make the generated parts of docs/troubleshooting.md: symptoms, failures, messages and checks."""

from __future__ import annotations

from pathlib import Path

import msgspec
from generated_parts import cell, code, joined

from rdna1.catalog.failures import explain, explain_machine, known_failures
from rdna1.catalog.yaml_data import load
from rdna1.preflight import CHECKS, find_check
from rdna1.worker.kernel_log import load_patterns

SYMPTOMS = Path(__file__).with_name("troubleshooting.yml")


class Symptom(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user sees.

    Attributes:
        symptom: in the user's words, as Markdown.
        checks: ids of the checks that explain it, the likeliest first.
        text: what to do where no check can see the cause.
    """

    symptom: str
    checks: list[str]
    text: str = ""


def symptoms() -> list[Symptom]:
    """Load ``troubleshooting.yml``."""
    return load(SYMPTOMS, list[Symptom])


def parts() -> dict[str, str]:
    """Return the Markdown of each generated part of the page."""
    return {
        "symptoms": symptoms_list(),
        "failures": failures_table(),
        "machine-failures": machine_failures_table(),
        "kernel-messages": messages_table(),
        "checks": checks_list(),
    }


def symptoms_list() -> str:
    """Return each symptom with links to the checks that explain it."""
    return "\n".join(_symptom(symptom) for symptom in symptoms())


def failures_table() -> str:
    """Return what failed installations print, with cause and remedy."""
    return _table([(failure.example, explain(failure.example)) for failure in known_failures()])


def machine_failures_table() -> str:
    """Return what Ansible prints of a machine that fails, with cause and remedy."""
    failures = known_failures("machine_failures.yml")
    return _table([(failure.example, explain_machine(failure.example)) for failure in failures])


def messages_table() -> str:
    """Return the known messages of the kernel, with their kind and source."""
    rows = ["| message | kind | seen in |", "|---|---|---|"]
    rows += [
        f"| {code(pattern.example)} | {pattern.kind} | {pattern.source} |"
        for pattern in load_patterns()
    ]
    return "\n".join(rows)


def checks_list() -> str:
    """Return title, explanation and references of every check."""
    parts = []
    for check in CHECKS:
        strict = " This check is strict: it cannot be ignored." if check.strict else ""
        needs = f"\n\nRuns only if these pass: {', '.join(check.needs)}." if check.needs else ""
        parts.append(
            f"### {check.id}\n\n**{check.title}.** {joined(check.explanation)}{strict}{needs}"
            f"\n\nReferences: {'; '.join(check.references)}."
        )
    return "\n\n".join(parts)


def _symptom(symptom: Symptom) -> str:
    links = ", ".join(f"[{find_check(name).id}](#{name})" for name in symptom.checks)
    more = f" {joined(symptom.text)}" if symptom.text else ""
    return f"- **{joined(symptom.symptom)}**: {links}.{more}"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| it says | cause | remedy |", "|---|---|---|"]
    for example, explained in rows:
        cause, remedy = explained.splitlines()[:2]
        cells = (cause.removeprefix("Cause: "), remedy.removeprefix("Remedy: "))
        lines.append(f"| {code(example)} | {' | '.join(map(cell, cells))} |")
    return "\n".join(lines)
