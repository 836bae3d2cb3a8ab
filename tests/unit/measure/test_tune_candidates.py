"""The environments that tune tries, and why some are left out."""

from __future__ import annotations

import pytest

from rdna1.catalog.stacks import load_stack
from rdna1.conv.result import DeviceInfo, DeviceType
from rdna1.measure.tune.candidate import (
    Candidate,
    candidates,
    environment_of,
    reason_against,
    worker_variables,
)

STACK = load_stack("rocm-5.7")
BY_NAME = {candidate.name: candidate for candidate in candidates()}
FAMILIES = ("DIRECT", "FFT", "GEMM", "IMPLICIT_GEMM", "WINOGRAD")


def device(torch: str, kind: DeviceType = "cuda", hip: str | None = "5.7") -> DeviceInfo:
    return DeviceInfo("auto", kind, "a card", torch, hip, None)


def families(candidate: Candidate) -> set[str]:
    """The families of MIOpen's algorithms that an environment leaves."""
    environment = environment_of(candidate, STACK)
    return {name for name in FAMILIES if environment.get(f"MIOPEN_DEBUG_CONV_{name}") != "0"}


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("stack", {"GEMM"}),
        ("implicit-gemm", {"IMPLICIT_GEMM"}),
        ("winograd-only", {"WINOGRAD"}),
        ("fast-find", set(FAMILIES)),
        ("no-gemm-bwd", set(FAMILIES)),
        ("naive-only", set(FAMILIES)),
    ],
)
def test_the_families_that_a_candidate_leaves(name: str, left: set[str]) -> None:
    assert families(BY_NAME[name]) == left


@pytest.mark.parametrize(("name", "mode"), [("implicit-gemm", "1"), ("fast-find", "2")])
def test_the_find_mode_of_a_candidate(name: str, mode: str) -> None:
    assert environment_of(BY_NAME[name], STACK)["MIOPEN_FIND_MODE"] == mode


@pytest.mark.parametrize("name", ["no-gemm-bwd", "naive-only"])
def test_a_list_of_solvers_serves_every_direction_and_has_none_that_faults(name: str) -> None:
    text = environment_of(BY_NAME[name], STACK)["MIOPEN_DEBUG_FIND_ONLY_SOLVER"]
    assert not any(map(str.isspace, text))
    solvers = text.split(";")
    assert {f"ConvDirectNaiveConv{each}" for each in ("Fwd", "Bwd", "Wrw")} <= set(solvers)
    assert not any(each.startswith(("GemmBwdRest", "ConvOclBwdWrW")) for each in solvers)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (device("2.2.2+rocm5.7"), "torch 2.2.2+rocm5.7 has no immediate mode of MIOpen"),
        (device("2.13.0+cu130", hip=None), "without effect on cuda, where torch has no MIOpen"),
        (device("2.13.0+cpu", "cpu", None), "without effect on a CPU, where torch has no MIOpen"),
        (device("2.12.0+rocm10.1.0", hip="10.1"), ""),
    ],
)
def test_the_immediate_mode_needs_a_torch_that_has_it(found: DeviceInfo, reason: str) -> None:
    assert reason_against(BY_NAME["immediate"], STACK, found, []).startswith(reason)
    assert bool(reason) == bool(reason_against(BY_NAME["immediate"], STACK, found, []))


def test_no_candidate_leaves_a_variable_to_the_next() -> None:
    for candidate in candidates():
        variables = worker_variables(environment_of(BY_NAME["stack"], STACK), STACK)
        assert environment_of(candidate, STACK).keys() <= variables.keys()
