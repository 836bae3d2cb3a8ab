"""Envelopes: what a boundary supports, and that they are refused where they do not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from rdna1.catalog.stacks import load_stack
from rdna1.conv.case import ConvCase
from rdna1.conv.result import CaseResult
from rdna1.measure import envelope
from rdna1.measure.boundary.report import BoundaryReport
from rdna1.measure.conditions import Conditions
from rdna1.measure.envelope import Envelope, EnvelopeError, documented_envelope, measured_envelope
from support.convolutions import investigate, pretend

HERE = Conditions(
    device="AMD Radeon RX 5600 XT",
    gfx_target="gfx1030",
    pci_id="1002:731f",
    driver="amdgpu of kernel 6.8.0-45-generic",
    stack="rocm-5.7",
    torch="2.2.2+rocm5.7",
    hip="5.7.31921",
    environment={"HSA_OVERRIDE_GFX_VERSION": "10.3.0"},
    date="2025-11-09T12:00:00+00:00",
)


def report_on(fails: Callable[[ConvCase], bool], max_hangs: int = 12) -> BoundaryReport:
    """The report about a device that is a double."""
    result, cases = investigate(pretend(fails), max_hangs=max_hangs)
    return BoundaryReport(
        device=None,
        result=result,
        complete=True,
        stopped="",
        max_side=512,
        max_hangs=max_hangs,
        workers_lost=0,
        wall_seconds=0.0,
        measured=HERE,
        cases=cases,
    )


def limits(report: BoundaryReport) -> tuple[int | None, int | None]:
    made = measured_envelope(report)
    assert (made.source, made.measured) == ("measured", HERE)
    return made.max_side, made.max_workspace_bytes


def test_a_rule_gives_its_one_limit() -> None:
    assert limits(report_on(lambda case: max(case.h, case.w) > 42)) == (42, None)
    assert limits(report_on(lambda case: case.workspace_bytes > 2**20)) == (None, 1048572)
    # What was not tried is not allowed: the keys are the largest that passed.
    assert limits(report_on(lambda _: False)) == (512, 16 * 9 * 512 * 512 * 4)


@pytest.mark.parametrize(
    "fails",
    [
        lambda case: case.h * case.w > 42 * 42,
        lambda case: max(case.h, case.w) > 42 or case.c_in > 60,
    ],
)
def test_without_a_rule_no_failed_case_is_allowed(fails: Callable[[ConvCase], bool]) -> None:
    report = report_on(fails)
    made = measured_envelope(report)
    keys = msgspec.structs.replace(made, limits=[], forms=[])
    failed = [each.case for each in report.cases if each.outcome != "pass"]
    assert failed
    assert not [case for case in failed if envelope.allows(made, case)]
    assert not [case for case in failed if envelope.allows(keys, case)]
    passed = [each.case for each in report.cases if each.outcome == "pass"]
    assert all(envelope.allows(made, case) for case in passed)


def test_a_class_that_was_not_tried_is_not_allowed() -> None:
    made = measured_envelope(report_on(lambda case: max(case.h, case.w) > 42))
    assert envelope.allows(made, ConvCase(16, 32, 42, 42, 3, 3, padding=1))
    for other in (
        ConvCase(16, 32, 8, 8, 7, 7, padding=3),
        ConvCase(16, 32, 8, 8, 3, 3, padding=1, dilation=2),
        ConvCase(512, 32, 8, 8, 3, 3, padding=1),
        ConvCase(16, 32, 8, 8, 3, 3, padding=1, n=2),
        ConvCase(16, 32, 8, 8, 3, 3, padding=1, direction="backward"),
        ConvCase(16, 32, 8, 8, 3, 3, padding=1, transposed=True),
        ConvCase(16, 32, 8, 8, 3, 3, padding=1, memory_format="channels_last"),
    ):
        assert not envelope.allows(made, other)


def test_less_padding_is_smaller_and_more_is_larger() -> None:
    made = measured_envelope(report_on(lambda case: max(case.h, case.w) > 42))
    assert envelope.allows(made, ConvCase(16, 32, 42, 42, 3, 3, padding=0))
    assert not envelope.allows(made, ConvCase(16, 32, 42, 42, 3, 3, padding=2))


def test_an_envelope_without_limits_is_read_by_its_keys(tmp_path: Path) -> None:
    """A file of an older version."""
    old = envelope.load(measured_here(tmp_path), HERE)
    assert envelope.allows(old, ConvCase(512, 512, 42, 42, 7, 7, padding=3))
    assert not envelope.allows(old, ConvCase(3, 3, 43, 1, 1, 1))


def test_of_outcomes_that_contradict_each_other_the_worse_counts() -> None:
    case = ConvCase(16, 32, 20, 20, 3, 3, padding=1)
    small = ConvCase(16, 32, 10, 10, 3, 3, padding=1)
    results = [
        CaseResult(small, "pass", 0.0),
        CaseResult(case, "pass", 0.0),
        CaseResult(case, "hang", 0.0),
    ]
    made = envelope.envelope_of(results, HERE)
    assert envelope.allows(made, small)
    assert not envelope.allows(made, case)


@pytest.mark.parametrize(
    ("fails", "below"),
    [
        (lambda case: max(case.h, case.w) > 42, False),
        (lambda case: max(case.h, case.w) > 41, True),
        (lambda case: case.workspace_bytes > 1016063, True),
        (lambda case: max(case.h, case.w) > 60, False),
        # No key tells that these fail.
        (lambda case: case.transposed and case.h > 20, True),
        (lambda case: case.dims == 3 and case.h > 50, False),
        (lambda _: False, False),
    ],
)
def test_below_is_what_forbids_layers_that_the_documented_limit_allows(
    fails: Callable[[ConvCase], bool], below: bool
) -> None:
    documented = documented_envelope(load_stack("rocm-5.7"))
    assert documented is not None
    shapes = [
        ConvCase(16, 32, 1, 1, 3, 3, padding=1),
        ConvCase(16, 32, 1, 1, 2, 2, stride=2, transposed=True),
        ConvCase(4, 4, 1, 1, 3, 3, padding=1, dims=3, depth=4, kd=3),
    ]
    cases = [
        msgspec.structs.replace(shape, h=side, w=side)
        for shape in shapes
        for side in (10, 20, 30, 42, 43, 64)
    ]
    made = envelope.envelope_of(list(map(pretend(fails), cases)), HERE)
    assert bool(envelope.classes_below(made, documented, cases)) == below


def test_a_search_that_was_cut_short_gives_what_passed() -> None:
    report = report_on(lambda case: max(case.h, case.w) > 42, max_hangs=1)
    assert limits(report) == (32, 16 * 9 * 32 * 32 * 4)


def test_nothing_passes_and_so_there_is_no_envelope() -> None:
    with pytest.raises(EnvelopeError, match="no envelope: nothing passes"):
        measured_envelope(report_on(lambda _: True))


def write(folder: Path, made: Envelope) -> Path:
    path = folder / "envelope.json"
    path.write_bytes(msgspec.json.encode(made))
    return path


def measured_here(folder: Path) -> Path:
    return write(
        folder,
        Envelope(max_side=42, max_workspace_bytes=None, source="measured", measured=HERE),
    )


def test_an_envelope_is_read_where_it_was_measured_whatever_the_date(tmp_path: Path) -> None:
    later = msgspec.structs.replace(HERE, date="2026-01-01T00:00:00+00:00")
    assert envelope.load(measured_here(tmp_path), later).max_side == 42


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("device", "AMD Radeon RX 5700", "device was AMD Radeon RX 5600 XT and is AMD Radeon RX"),
        ("gfx_target", "gfx1010", "gfx target was gfx1030 and is gfx1010"),
        ("pci_id", "1002:7340", "pci id was 1002:731f and is 1002:7340"),
        ("driver", "amdgpu 6.3.6", "driver was amdgpu of kernel 6.8.0-45-generic and is amdgpu 6"),
        ("stack", None, "stack was rocm-5.7 and is not set"),
        ("torch", "2.3.0", "torch was 2.2.2+rocm5.7 and is 2.3.0"),
        ("hip", None, "hip was 5.7.31921 and is not set"),
        ("environment", {}, "HSA_OVERRIDE_GFX_VERSION was 10.3.0 and is not set"),
        (
            "environment",
            {"HSA_OVERRIDE_GFX_VERSION": "10.3.0", "MIOPEN_DEBUG_CONV_GEMM": "0"},
            "MIOPEN_DEBUG_CONV_GEMM was not set and is 0",
        ),
    ],
)
def test_an_envelope_of_other_conditions_is_refused(
    tmp_path: Path, name: str, value: object, message: str
) -> None:
    path = measured_here(tmp_path)
    with pytest.raises(EnvelopeError) as caught:
        envelope.load(path, msgspec.structs.replace(HERE, **{name: value}))
    assert str(caught.value).startswith(f"{path} does not hold here: {message}")
    assert str(caught.value).endswith("measure again: rdna1-validate boundary --envelope FILE")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no envelope of version 1: "),
        ('{"schema_version":2}', "Invalid enum value 2 - at `$.schema_version`"),
        ('{"schema_version":1,"kind":"boundary","cases":[]}', "missing required field `max_side`"),
        ("\udcff", "no envelope of version 1: "),
    ],
)
def test_what_is_no_envelope_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "envelope.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(EnvelopeError) as caught:
        envelope.load(path, HERE)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_envelope_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvelopeError, match=r"none\.json: No such file"):
        envelope.load(tmp_path / "none.json", HERE)


def test_the_documented_limit_holds_wherever_the_stack_is(tmp_path: Path) -> None:
    made = documented_envelope(load_stack("rocm-5.7"))
    assert made is not None
    assert (made.max_side, made.max_workspace_bytes) == (42, 16 * 9 * 42 * 42 * 4)
    path = write(tmp_path, made)
    other_card = msgspec.structs.replace(HERE, device="AMD Radeon RX 5500", environment={})
    assert envelope.load(path, other_card) == made
    with pytest.raises(EnvelopeError, match=r"stack was rocm-5\.7 and is rocm-5\.2"):
        envelope.load(path, msgspec.structs.replace(HERE, stack="rocm-5.2"))


def test_a_stack_without_a_documented_limit_has_no_envelope() -> None:
    assert documented_envelope(load_stack("rocm-5.2")) is None
