"""What a check is, what it finds, and the report of all."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Literal

import msgspec

from rdna1.catalog.cards import CardList
from rdna1.catalog.repositories import AmdRepository, amd_repository
from rdna1.catalog.stacks import PytorchSource, RocmSource, Stack
from rdna1.preflight.facts import Facts

Status = Literal["pass", "warn", "fail", "skip", "ignored"]
Verdict = Literal["pass", "warn", "refuse"]
# The whole machine, or the home of one user without root.
Scope = Literal["system", "user"]


class Finding(msgspec.Struct, frozen=True):
    """What one check found.

    Attributes:
        id: of the check.
        title: of the check.
        status: ``ignored`` is a warning or failure that the user asked to ignore.
        summary: one sentence.
        evidence: lines that prove it: files with lines, packages, devices.
        remedy: what to do about it; empty when there is nothing to do.
        references: upstream documents, files and issues behind the check.
    """

    id: str
    title: str
    status: Status
    summary: str
    evidence: list[str]
    remedy: str
    references: list[str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All findings in the order of the checks. Ignored ones do not count in ``verdict``."""

    schema_version: Literal[1] = 1
    stack: str
    verdict: Verdict
    checks: list[Finding]


class Case(msgspec.Struct, frozen=True):
    """What is assessed: a machine against a stack and the sources chosen for it.

    Attributes:
        scope: what would be provisioned.
        rocm_replace: whether provisioning may remove ROCm packages of another source.
        mirror_fingerprint: of the key that the mirror of AMD's repository signs with, from which
            provisioning takes ROCm; empty for AMD's own.
    """

    facts: Facts
    stack: Stack
    cards: CardList
    pytorch_source: PytorchSource
    rocm_source: RocmSource
    scope: Scope = "system"
    rocm_replace: bool = False
    mirror_fingerprint: str = ""
    amd: AmdRepository = msgspec.field(default_factory=amd_repository)


class CheckOutcome(msgspec.Struct, frozen=True):
    """What a check function returns; `Finding` explains the attributes."""

    status: Literal["pass", "warn", "fail", "skip"]
    summary: str
    evidence: list[str] = []
    remedy: str = ""


class Check(msgspec.Struct, frozen=True):
    """A rule.

    Attributes:
        id: name on the command line.
        title: what it is about.
        assess: the rule itself, a pure function.
        strict: it protects the machine: it cannot be ignored, and it fails when a fact
            that it needs could not be read, where other checks are skipped.
        needs: ids of earlier checks without whose success it has nothing to assess.
        references: upstream documents, files and issues behind it.
        explanation: why it exists, for ``rdna1-preflight explain``.
    """

    id: str
    title: str
    assess: Callable[[Case], CheckOutcome]
    strict: bool
    needs: tuple[str, ...]
    references: tuple[str, ...]
    explanation: str


def check(
    id: str,  # noqa: A002 - it is the field's name in the reports
    title: str,
    *,
    strict: bool = False,
    needs: tuple[str, ...] = (),
    references: tuple[str, ...] = (),
) -> Callable[[Callable[[Case], CheckOutcome]], Check]:
    """Turn a function into a `Check`; its docstring is the explanation."""

    def make(assess: Callable[[Case], CheckOutcome]) -> Check:
        explanation = inspect.cleandoc(assess.__doc__ or "")
        return Check(id, title, assess, strict, needs, references, explanation)

    return make
