"""Assess a machine: run every check and put the findings together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rdna1.catalog.cards import card_list
from rdna1.catalog.harm import with_harm
from rdna1.catalog.stacks import PytorchSource, RocmSource, Stack
from rdna1.preflight.facts import Facts, UnknownFactError
from rdna1.preflight.model import Case, Check, CheckOutcome, Finding, Report, Scope, Verdict
from rdna1.preflight.registry import CHECKS, CheckIdError, find_check


def assess(
    facts: Facts,
    stack: Stack,
    *,
    ignore: Iterable[str] = (),
    pytorch_source: PytorchSource | None = None,
    rocm_source: RocmSource | None = None,
    rocm_replace: bool = False,
    scope: Scope = "system",
    mirror_fingerprint: str = "",
) -> Report:
    """Assess a machine against a stack.

    Args:
        facts: of the machine.
        stack: what would be installed.
        ignore: ids of checks whose warnings and failures shall not count.
        pytorch_source: where PyTorch comes from; the stack's own choice if None.
        rocm_source: where ROCm comes from; the stack's choice for the release if None.
        rocm_replace: whether provisioning may remove ROCm packages of another source.
        scope: whether the whole machine or the home of one user is provisioned.
        mirror_fingerprint: of the key, in any form, of a mirror of AMD's repository that signs
            with one of its own; empty for AMD's.

    Raises:
        CheckIdError: an id to ignore that does not exist, or is of a strict check.
        rdna1.catalog.yaml_data.DataFileError: the list of cards is damaged.
    """
    ignored = {_ignorable(check_id) for check_id in ignore}
    case = Case(
        facts=facts,
        stack=stack,
        cards=card_list(),
        pytorch_source=pytorch_source or stack.pytorch.source,
        rocm_source=rocm_source or _usual_rocm_source(facts, stack),
        scope=scope,
        rocm_replace=rocm_replace,
        mirror_fingerprint=mirror_fingerprint.replace(" ", "").upper(),
    )
    findings = run_checks(CHECKS, case, ignored)
    return Report(stack=stack.name, verdict=_verdict(findings), checks=findings)


def run_checks(checks: Sequence[Check], case: Case, ignored: set[str]) -> list[Finding]:
    """Run checks in their order; see `assess` for all of them.

    Args:
        checks: each after those that it needs.
        case: what they assess.
        ignored: ids of checks whose warnings and failures shall not count.
    """
    outcomes: dict[str, CheckOutcome] = {}
    for check in checks:
        blocker = next((i for i in check.needs if outcomes[i].status in ("fail", "skip")), None)
        if blocker is None:
            outcomes[check.id] = _outcome(check, case)
        else:
            outcomes[check.id] = CheckOutcome("skip", f"not run: blocked by {blocker}")
    return [_finding(check, outcomes[check.id], ignored) for check in checks]


def _outcome(check: Check, case: Case) -> CheckOutcome:
    try:
        return check.assess(case)
    except UnknownFactError as error:
        if not check.strict:
            return CheckOutcome("skip", f"could not be read: {error}")
        return CheckOutcome(
            "fail",
            f"could not be read: {error}",
            remedy="This check must be certain: make the fact readable, or assess the "
            "running machine itself.",
        )
    except Exception as error:  # noqa: BLE001 - one broken check must not hide the others
        return CheckOutcome(
            "fail",
            f"the check {check.id} broke: {type(error).__name__}: {error}",
            remedy="Report this with the output of: rdna1-preflight facts",
        )


def _finding(check: Check, outcome: CheckOutcome, ignored: set[str]) -> Finding:
    is_ignored = check.id in ignored and outcome.status in ("warn", "fail")
    return Finding(
        id=check.id,
        title=check.title,
        status="ignored" if is_ignored else outcome.status,
        summary=outcome.summary,
        evidence=outcome.evidence,
        remedy=with_harm(outcome.remedy),
        references=list(check.references),
    )


def _verdict(findings: list[Finding]) -> Verdict:
    statuses = {finding.status for finding in findings}
    if "fail" in statuses:
        return "refuse"
    return "warn" if "warn" in statuses else "pass"


def _ignorable(check_id: str) -> str:
    if find_check(check_id).strict:
        raise CheckIdError(f"the check {check_id} protects the machine: it cannot be ignored")
    return check_id


def _usual_rocm_source(facts: Facts, stack: Stack) -> RocmSource:
    found = facts.os
    release = stack.release(found.id, found.version_id or "") if found else None
    return release.rocm_source if release else "none"
