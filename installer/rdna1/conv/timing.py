"""How long convolutions take: the first time in a fresh process, and from then on."""

from __future__ import annotations

from typing import Literal

import msgspec

from rdna1.conv.circumstances import Circumstances
from rdna1.conv.result import CaseResult, DeviceInfo


class TimingCase(CaseResult, frozen=True, kw_only=True):
    """One case and its times; ``seconds`` is the median of the warm runs.

    Attributes:
        open_seconds: from the start of the worker until it had imported torch and opened the
            device; None when it did not.
        compile_seconds: by how much the first run was longer than the warm ones: compiling and
            choosing kernels. None unless the result is right.
        warm_seconds: of each warm run, in their order.
        gflops: 10^9 floating-point operations a second in ``seconds``, two for each
            multiply-accumulate of the plain sum; None unless the result is right.
    """

    open_seconds: float | None
    compile_seconds: float | None
    warm_seconds: list[float]
    gflops: float | None


class TimingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was timed; the attributes are the keys of its JSON form.

    Attributes:
        device: where the cases ran, None when no worker could start.
        verdict: ``pass`` when every case was run and gave the right result; some may be slow.
        stopped: why not every case was run, empty when all were.
        not_run: number of cases that were planned and not run.
        repeat: number of warm runs of each case.
        timeout: seconds that each run was given.
        max_hangs: lost workers that were allowed.
        workers_lost: number of worker processes that died or had to be killed.
        wall_seconds: from start to end, starting workers included.
        kernel_log_unavailable: why no reset would have been noticed, empty if one would.
        resets: what the kernel said about resets of a card.
        measured: where and when.
        cases: in the order in which they were run.
    """

    schema_version: Literal[1] = 1
    kind: Literal["timing"] = "timing"
    device: DeviceInfo | None
    verdict: Literal["pass", "fail"]
    stopped: str
    not_run: int
    repeat: int
    timeout: float
    max_hangs: int
    workers_lost: int
    wall_seconds: float
    kernel_log_unavailable: str
    resets: list[str]
    measured: Circumstances
    cases: list[TimingCase]
