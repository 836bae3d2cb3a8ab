"""A machine or a log, what is to be said of it, and what is wrong with what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from rdna1.catalog.failures import explain
from rdna1.catalog.stacks import load_stack
from rdna1.preflight import Finding, Report, assess, load_facts
from rdna1.target.facts.collect import collect
from support.machine_tree import USER, MachineTree

Build = Callable[[Path], MachineTree]


class Case(NamedTuple):
    """A machine, and what is said of it.

    Attributes:
        name: of the case.
        build: makes the machine below a folder.
        check: id of the finding with the cause.
        status: of that finding.
        words: that the finding holds.
        never: what no finding may say.
        others: status of other findings by id.
        stack: that it is assessed for.
        first: id of the first failure, where that is not ``check``.
    """

    name: str
    build: Build
    check: str
    status: str
    words: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    others: dict[str, str] = {}  # noqa: RUF012 - the class is a tuple, and nobody changes it
    stack: str = "rocm-5.7"
    first: str = ""


class Log(NamedTuple):
    """What a tool printed when it failed, and what is said of it.

    Attributes:
        name: of the case.
        text: that the tool printed.
        words: that the explanation holds.
        never: what it may not say.
    """

    name: str
    text: str
    words: tuple[str, ...]
    never: tuple[str, ...] = ()


class Answer(NamedTuple):
    """What is said of a case.

    Attributes:
        verdict: of the whole machine; ``explained`` for a log.
        finding: id and status of the finding with the cause.
        summary: the cause.
        remedy: for it.
        wrong: what is wrong with the answer, a line each; nothing where it is right.
    """

    verdict: str
    finding: str
    summary: str
    remedy: str
    wrong: list[str]


_reports: dict[str, Report] = {}


def report_of(case: Case, folder: Path) -> Report:
    """Build the machine of a case below a folder and assess it, once a process for all who ask.

    Making device files takes root.
    """
    if case.name not in _reports:
        facts = load_facts(collect(str(case.build(folder).done()), [USER]))
        _reports[case.name] = assess(facts, load_stack(case.stack))
    return _reports[case.name]


def answer_of(case: Case, folder: Path) -> Answer:
    """Compare what is said of a case with what is to be said; see `report_of`."""
    report = report_of(case, folder)
    found = {finding.id: finding for finding in report.checks}
    told = found[case.check]
    wrong = [] if told.status == case.status else [f"{case.check} is {told.status}"]
    wrong += [f"not said: {words}" for words in case.words if words not in _text([told])]
    everything = _text(report.checks)
    wrong += [f"said: {words}" for words in case.never if words in everything]
    wrong += [
        f"{name} is {found[name].status}"
        for name, status in case.others.items()
        if found[name].status != status
    ]
    wrong += _order(case, report.checks) + _unhelpful(report.checks)
    return Answer(report.verdict, f"{told.id} {told.status}", told.summary, told.remedy, wrong)


def explanation_of(log: Log) -> Answer:
    """Explain a log, and compare with what is to be said."""
    text = explain(log.text)
    lines = dict(line.split(": ", 1) for line in text.splitlines()[:2] if ": " in line)
    wrong = [f"not said: {words}" for words in log.words if words not in text]
    wrong += [f"said: {words}" for words in log.never if words in text]
    cause, remedy = lines.get("Cause", ""), lines.get("Remedy", "")
    return Answer("explained" if cause else "unknown", "failure", cause, remedy, wrong)


def _order(case: Case, findings: Sequence[Finding]) -> list[str]:
    """The cause comes before what follows from it."""
    failed = [finding.id for finding in findings if finding.status == "fail"]
    expected = case.first or case.check
    if case.status != "fail" or failed[:1] == [expected]:
        return []
    return [f"the first failure is {failed[0]}" if failed else "nothing fails"]


def _unhelpful(findings: Sequence[Finding]) -> list[str]:
    """What is wrong, and nothing is said of what helps."""
    due = ("warn", "fail")
    return [f"{f.id} has no remedy" for f in findings if f.status in due and not f.remedy]


def _text(findings: Sequence[Finding]) -> str:
    return "\n".join(f"{f.summary} {' '.join(f.evidence)} {f.remedy}" for f in findings)
