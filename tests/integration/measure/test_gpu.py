"""Real errors of a real GPU; skipped where torch sees none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from itertools import product

import pytest
from msgspec.structs import replace

from rdna1.conv.case import DIRECTIONS, ConvCase, DType
from rdna1.conv.result import UnusableDeviceError
from rdna1.measure.boundary import run
from rdna1.measure.envelope import allows, measured_envelope
from rdna1.worker.supervisor import Supervisor

Pids = Callable[[], list[int]]

SMALL = ConvCase(16, 32, 32, 32, 3, 3, padding=1)
LARGE = ConvCase(64, 64, 1024, 1024, 1, 1)

KINDS = (
    SMALL,
    replace(SMALL, memory_format="channels_last", n=2),
    ConvCase(32, 32, 30, 30, 3, 3, padding=1, groups=32),
    ConvCase(64, 32, 21, 21, 2, 2, stride=2, transposed=True),
    ConvCase(8, 4, 9, 9, 3, 3, stride=2, padding=1, transposed=True, output_padding=1),
    ConvCase(64, 64, 1, 42, 1, 3, padding=1, dims=1),
    ConvCase(64, 32, 1, 21, 1, 4, stride=2, padding=1, dims=1, transposed=True),
    ConvCase(4, 8, 12, 12, 3, 3, padding=1, dims=3, depth=12, kd=3, memory_format="channels_last"),
    ConvCase(8, 4, 6, 6, 2, 2, stride=2, dims=3, depth=6, kd=2, transposed=True),
)
DTYPES: tuple[DType, ...] = ("float32", "float16", "bfloat16")

# A worker whose share of the GPU's memory is small, so that little is enough to exhaust it.
LITTLE_MEMORY = """
import torch
import rdna1.worker.device as device

class LittleDevice(device.TorchDevice):
    def check(self):
        torch.cuda.set_per_process_memory_fraction(0.002)
        super().check()

device.TorchDevice = LittleDevice
from rdna1.worker.worker import main
main()
"""

# A worker whose 5x5 convolutions read outside of a tensor on the GPU, which stops it for good.
ASSERTING = """
import torch
import rdna1.worker.device as device

def convolve(case, inputs, convolve=device.convolve):
    if case.kw == 5:
        inputs.x.view(-1)[torch.full((1,), 1 << 40, device=inputs.x.device)]
    return convolve(case, inputs)

device.convolve = convolve
from rdna1.worker.worker import main
main()
"""

# A worker of which some convolutions keep the GPU busy for ever: a kernel that spins comes first.
SPINNING = """
import torch
import rdna1.worker.device as device

def convolve(case, inputs, convolve=device.convolve):
    if CONDITION:
        torch.cuda._sleep(1 << 62)
    return convolve(case, inputs)

device.convolve = convolve
from rdna1.worker.worker import main
main()
"""


def spinning_where(condition: str) -> tuple[str, ...]:
    """The program of a worker whose cases of a condition never end on the GPU."""
    return (sys.executable, "-c", SPINNING.replace("CONDITION", condition))


@pytest.fixture(scope="module", autouse=True)
def gpu() -> None:
    """Skip what needs a GPU."""
    try:
        with Supervisor("cuda", timeout=60) as supervisor:
            supervisor.run(SMALL)
    except UnusableDeviceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("bypass", ["0", "1"])
def test_every_kind_of_case_is_right(
    started: Pids, monkeypatch: pytest.MonkeyPatch, bypass: str
) -> None:
    monkeypatch.setenv("RDNA1_BYPASS_MIOPEN", bypass)
    with Supervisor("cuda", timeout=60) as supervisor:
        results = [
            supervisor.run(replace(case, direction=direction, dtype=dtype))
            for case, direction, dtype in product(KINDS, DIRECTIONS, DTYPES)
        ]
    bad = [(r.case.label, r.outcome, r.detail) for r in results if r.outcome != "pass"]
    assert bad == []
    assert started() == []


def test_a_worker_outlives_a_case_that_exhausts_the_memory(started: Pids) -> None:
    program = (sys.executable, "-c", LITTLE_MEMORY)
    with Supervisor("cuda", timeout=60, program=program) as supervisor:
        results, workers = [], []
        for case in (SMALL, LARGE, SMALL):
            results.append(supervisor.run(case))
            workers.append(started())
    assert [result.outcome for result in results] == ["pass", "error", "pass"]
    assert results[1].detail.startswith("out of memory: the case needs 512.0 MiB for its tensors")
    assert "Tried to allocate" in results[1].detail
    assert supervisor.workers_lost == 0
    assert workers[0] == workers[1] == workers[2]


def test_a_lost_device_is_an_error_and_the_next_worker_has_a_new_one(started: Pids) -> None:
    program = (sys.executable, "-c", ASSERTING)
    five = replace(SMALL, kh=5, kw=5)
    with Supervisor("cuda", timeout=60, program=program) as supervisor:
        results = [supervisor.run(case) for case in (SMALL, five, SMALL)]
    assert [result.outcome for result in results] == ["pass", "error", "pass"]
    assert results[1].detail.startswith("the device was lost while it worked. ")
    assert started() == []


def test_a_kernel_that_never_ends_is_a_hang_and_the_next_case_runs(started: Pids) -> None:
    program = spinning_where("case.kw == 5")
    five = replace(SMALL, kh=5, kw=5)
    with Supervisor("cuda", timeout=10, program=program) as supervisor:
        results = [supervisor.run(case) for case in (SMALL, five, SMALL)]
    assert [result.outcome for result in results] == ["pass", "hang", "pass"]
    assert results[1].detail.startswith("no answer within 10 s, killed")
    assert supervisor.workers_lost == 1
    assert started() == []


def test_a_kernel_that_spins_in_one_class_gives_that_class_a_limit_of_its_own(
    started: Pids, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = spinning_where("case.direction == 'backward-data' and max(case.h, case.w) > 42")
    monkeypatch.setattr(run, "Supervisor", partial(Supervisor, program=program))
    report = run.run_boundary(run.BoundaryPlan("cuda", 10, 96, 12, "quick"), lambda _: None)
    found = measured_envelope(report)
    assert report.complete
    assert 1 <= report.workers_lost <= 12
    assert report.workers_lost == sum(each.outcome == "hang" for each in report.cases)
    assert found.max_side == 96
    assert found.backward is not None
    assert found.backward.max_side == 42
    assert not any(allows(found, each.case) for each in report.cases if each.outcome != "pass")
    assert started() == []
