from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from rdna1.catalog.cards import card_list
from rdna1.catalog.stacks import load_stack
from rdna1.preflight import CHECKS, CheckIdError, assess, find_check, load_facts
from rdna1.preflight.assessment import run_checks
from rdna1.preflight.model import Case, CheckOutcome, check

if TYPE_CHECKING:
    from unit.preflight.conftest import MakeFacts

NO_CARD = {"displays": [], "users": [{"name": "ann", "exists": True, "groups": []}]}


def test_a_failure_refuses_and_a_warning_warns(make_facts: MakeFacts) -> None:
    stack = load_stack("rocm-5.7")
    assert assess(load_facts(make_facts({})), stack).verdict == "pass"
    assert assess(load_facts(make_facts({"pythons": []})), stack).verdict == "warn"
    assert assess(load_facts(make_facts(NO_CARD)), stack).verdict == "refuse"


def test_ignoring_shows_the_finding_and_does_not_count(make_facts: MakeFacts) -> None:
    facts = load_facts(make_facts(NO_CARD))
    before = {f.id: f for f in assess(facts, load_stack("rocm-5.7")).checks}
    report = assess(facts, load_stack("rocm-5.7"), ignore=["card", "groups", "glibc"])
    after = {f.id: f for f in report.checks}
    assert report.verdict == "pass"
    for check_id in ("card", "groups"):
        assert after[check_id].status == "ignored"
        assert after[check_id].summary == before[check_id].summary
        assert after[check_id].evidence == before[check_id].evidence
        assert after[check_id].remedy == before[check_id].remedy
    assert after["glibc"].status == "pass"
    assert after["kernel-driver"].summary == "not run: blocked by card"


@pytest.mark.parametrize("strict", [c.id for c in CHECKS if c.strict])
def test_strict_checks_cannot_be_ignored(make_facts: MakeFacts, strict: str) -> None:
    with pytest.raises(CheckIdError, match=f"{strict} protects the machine"):
        assess(load_facts(make_facts({})), load_stack("rocm-5.7"), ignore=[strict])


def test_the_strict_checks_are_those_that_protect_the_machine() -> None:
    assert {c.id for c in CHECKS if c.strict} == {"architecture", "os-release", "rocm-mixture"}


def test_an_unknown_id_suggests_the_near_one(make_facts: MakeFacts) -> None:
    with pytest.raises(CheckIdError, match="did you mean disk-space"):
        assess(load_facts(make_facts({})), load_stack("rocm-5.7"), ignore=["diskspace"])
    with pytest.raises(CheckIdError, match="did you mean os-release"):
        find_check("OS-RELEASE")
    with pytest.raises(CheckIdError, match="'zzz': rdna1-preflight list names all"):
        find_check("zzz")


def test_a_check_that_breaks_is_a_finding(make_facts: MakeFacts) -> None:
    @check("broken", "Broken")
    def broken(case: Case) -> CheckOutcome:
        """Break."""
        raise ZeroDivisionError(case.stack.name)

    stack = load_stack("rocm-5.7")
    case = Case(load_facts(make_facts({})), stack, card_list(), "index", "distro")
    first, second = run_checks([broken, find_check("card")], case, set())
    assert (first.status, second.status) == ("fail", "pass")
    assert first.summary == "the check broken broke: ZeroDivisionError: rocm-5.7"
    assert first.remedy


def test_each_check_comes_after_those_that_it_needs() -> None:
    ids = [c.id for c in CHECKS]
    assert len(set(ids)) == len(ids)
    for position, c in enumerate(CHECKS):
        assert set(c.needs) <= set(ids[:position])


def test_the_report_is_the_contract(make_facts: MakeFacts) -> None:
    report = assess(load_facts(make_facts({})), load_stack("rocm-5.7"))
    data = msgspec.to_builtins(report)
    assert list(data) == ["schema_version", "stack", "verdict", "checks"]
    assert (data["schema_version"], data["stack"], data["verdict"]) == (1, "rocm-5.7", "pass")
    assert [finding["id"] for finding in data["checks"]] == [c.id for c in CHECKS]
    keys = ["id", "title", "status", "summary", "evidence", "remedy", "references"]
    for finding in data["checks"]:
        assert list(finding) == keys


def test_the_usual_rocm_source_is_that_of_the_release(make_facts: MakeFacts) -> None:
    amd = {"rocm": [{"source": "amd", "name": "rocm-core", "version": "5.7.1.50701-98~22.04"}]}
    jammy = {
        "os": {
            "id": "ubuntu",
            "version_id": "22.04",
            "codename": "jammy",
            "pretty_name": "Ubuntu 22.04.5 LTS",
            "id_like": [],
        }
    }
    noble_report = assess(load_facts(make_facts(amd)), load_stack("rocm-5.7"))
    jammy_report = assess(load_facts(make_facts({**amd, **jammy})), load_stack("rocm-5.7"))
    assert noble_report.checks[-1].status == "fail"
    assert jammy_report.checks[-1].status == "pass"
