"""What the guard costs: layers and a model, on the CPU or a CUDA device.

    python tests/bench/guard.py --device cuda --output docs/guard-bench-cuda.json
    python tests/bench/guard.py --device cuda --no-search \\
        --output docs/guard-bench-cuda-no-search.json
    python tests/bench/guard.py --device cpu --repeats 7 --output docs/guard-bench-cpu.json

docs/generate.py makes the tables of docs/guard.md from these files. Times are medians in
milliseconds, memory is the peak of the device's allocator in MiB (CUDA alone). It needs torch and
nothing else, so that it can be run anywhere. A search of cudnn.benchmark holds for its process,
whatever is set later, so --no-search is a run of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "installer"), str(ROOT / "tests")]

from rdna1 import guard  # noqa: E402 - found by the path above
from rdna1.guard.activate import entered  # noqa: E402 - as above
from rdna1.guard.flight import Recorder, create  # noqa: E402 - as above
from rdna1.guard.setting import Guard  # noqa: E402 - as above
from support.models import resnet50  # noqa: E402 - as above

SIDE = 42
# Images, channels, channels, side of the map, kernel, stride: those of the issue.
LAYERS = (
    (8, 3, 64, 224, 7, 2),
    (8, 64, 64, 56, 3, 1),
    (8, 64, 128, 112, 3, 1),
    (8, 128, 128, 224, 3, 1),
    (1, 128, 128, 512, 3, 1),
    (8, 256, 256, 56, 3, 1),
    (1, 64, 64, 224, 3, 1),
    (8, 128, 256, 112, 3, 2),
    (4, 64, 64, 256, 5, 1),
    (2, 256, 256, 128, 3, 1),
)
# Kernel, side: 64->64 in float16, four strips.
STRIPS = ((3, 512), (5, 512), (7, 512), (3, 1024), (5, 1024), (7, 1024))
_MIB = 1024 * 1024
Run = Callable[[], object]


class Clock:
    """Times functions on a device."""

    def __init__(self, device: torch.device, repeats: int) -> None:
        self.device, self.repeats = device, repeats

    def milliseconds(self, run: Run, *, repeats: int | None = None) -> float:
        """Median of several runs after a few that are not counted."""
        number = repeats or self.repeats
        for _ in range(min(5, number)):
            run()
        times = []
        for _ in range(number):
            self._wait()
            start = time.perf_counter()
            run()
            self._wait()
            times.append((time.perf_counter() - start) * 1000)
        return round(statistics.median(times), 4)

    def peak(self, run: Run) -> float | None:
        """Peak of the device's memory in MiB; None on a CPU."""
        if self.device.type != "cuda":
            return None
        run()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run()
        return round(torch.cuda.max_memory_allocated() / _MIB, 1)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def layer_row(clock: Clock, layer: tuple[int, ...]) -> dict[str, Any]:
    """Time a layer natively, with the guard, without cuDNN, and on the CPU and back."""
    n, c_in, c_out, side, kernel, stride = layer
    x = torch.randn(n, c_in, side, side, device=clock.device)
    weight = torch.randn(c_out, c_in, kernel, kernel, device=clock.device)
    options: Any = (None, stride, kernel // 2)
    native = nn.functional.conv2d
    envelope = guard.Envelope(SIDE)

    def guarded(x: Tensor, weight: Tensor) -> Tensor:
        return guard.conv2d(x, weight, *options, envelope=envelope)

    def hybrid() -> Tensor:
        return native(x.cpu(), weight.cpu(), *options).to(clock.device)

    def train(convolve: Callable[[Tensor, Tensor], Tensor]) -> Run:
        leaf, parameter = x.clone().requires_grad_(), weight.clone().requires_grad_()

        def step() -> None:
            leaf.grad = parameter.grad = None
            result = convolve(leaf, parameter)
            result.backward(torch.ones_like(result))  # type: ignore[no-untyped-call]

        return step

    row: dict[str, Any] = {
        "layer": f"{n}x{c_in}->{c_out} at {side}x{side}, {kernel}x{kernel}, stride {stride}"
    }
    with torch.no_grad():
        row["native"] = clock.milliseconds(lambda: native(x, weight, *options))
        row["guard"] = clock.milliseconds(lambda: guarded(x, weight))
        if clock.device.type == "cuda":
            with torch.backends.cudnn.flags(enabled=False):
                row["without_cudnn"] = clock.milliseconds(lambda: native(x, weight, *options))
            row["hybrid"] = clock.milliseconds(hybrid, repeats=3)
            row["native_mib"] = clock.peak(lambda: native(x, weight, *options))
            row["guard_mib"] = clock.peak(lambda: guarded(x, weight))
    row["native_training"] = clock.milliseconds(train(lambda x, w: native(x, w, *options)))
    row["guard_training"] = clock.milliseconds(train(guarded))
    return row


def strip_row(clock: Clock, kernel: int, side: int) -> dict[str, Any]:
    """Time a layer in float16 whose height is limited to a fourth and its halo."""
    x = torch.randn(1, 64, side, side, device=clock.device, dtype=torch.float16)
    weight = torch.randn(64, 64, kernel, kernel, device=clock.device, dtype=torch.float16)
    height = guard.Limit("height", side // 4 + kernel - 1)
    envelope = guard.Envelope(limits=(height,))
    with torch.no_grad():
        return {
            "layer": f"1x64->64 at {side}x{side}, {kernel}x{kernel}, float16",
            "native": clock.milliseconds(
                lambda: nn.functional.conv2d(x, weight, padding=kernel // 2)
            ),
            "guard": clock.milliseconds(
                lambda: guard.conv2d(x, weight, padding=kernel // 2, envelope=envelope)
            ),
        }


def model_row(clock: Clock, images: int) -> dict[str, Any]:
    """Time ResNet-50 at 224x224, inference and training."""
    torch.manual_seed(0)
    model = resnet50().to(clock.device)
    x = torch.randn(images, 3, 224, 224, device=clock.device)

    def infer() -> None:
        with torch.no_grad():
            model(x)

    def train() -> None:
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(model(x).square().mean())

    row: dict[str, Any] = {"layer": f"ResNet-50 at {images}x3x224x224"}
    row["native"], row["native_mib"] = clock.milliseconds(infer), clock.peak(infer)
    row["native_training"] = clock.milliseconds(train)
    with guard.active(guard.Envelope(SIDE)):
        row["guard"], row["guard_mib"] = clock.milliseconds(infer), clock.peak(infer)
        row["guard_training"] = clock.milliseconds(train)
    if clock.device.type == "cuda":
        with torch.backends.cudnn.flags(enabled=False):
            row["without_cudnn"] = clock.milliseconds(infer)
        row["hybrid"] = _hybrid(clock, infer)
    return row


def recorder_microseconds(layers: int = 10, repeats: int = 150) -> float:
    """Return what the flight recorder adds to a layer of a training step, in processor time."""
    model = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(layers)))
    x = torch.rand(1, 4, 8, 8)
    # Threads that wait take processor time, too.
    torch.set_num_threads(1)
    times: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "flight")
        recorder = Recorder(Path(folder) / "flight")
        for step in range(2 * repeats):
            is_recorded = step % 2 == 1
            with entered(Guard(guard.Envelope(), flight=recorder if is_recorded else None)):
                start = time.process_time()
                torch.autograd.backward(model(x).sum())
                times[is_recorded].append(time.process_time() - start)
    more = statistics.median(times[True]) - statistics.median(times[False])
    return round(more / layers * 1e6, 1)


def _hybrid(clock: Clock, infer: Run) -> float:
    """Time a model whose layers above the side run on the CPU."""
    native = nn.functional.conv2d

    def moved(x: Tensor, weight: Tensor, bias: Tensor | None, *sizes: Any) -> Tensor:
        if max(x.shape[2:]) <= SIDE:
            return native(x, weight, bias, *sizes)
        there = None if bias is None else bias.cpu()
        return native(x.cpu(), weight.cpu(), there, *sizes).to(x.device)

    nn.functional.conv2d = moved  # type: ignore[assignment]
    try:
        return clock.milliseconds(infer, repeats=3)
    finally:
        nn.functional.conv2d = native


def _commit() -> str:
    """Commit of the sources, with a word if they were changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def geometric_mean(rows: list[dict[str, Any]], name: str, of: str) -> float:
    """Geometric mean of a ratio over rows."""
    logs = [math.log(row[name] / row[of]) for row in rows]
    return round(math.exp(sum(logs) / len(logs)), 3)


def measured(device: torch.device, repeats: int, *, search: bool) -> dict[str, Any]:
    """Measure everything on a device, with or without a search for the fastest algorithms."""
    torch.backends.cudnn.benchmark = search
    torch.backends.cudnn.allow_tf32 = False
    clock = Clock(device, repeats)
    is_cuda, threads = device.type == "cuda", torch.get_num_threads()
    layers = [layer_row(clock, layer) for layer in (LAYERS if is_cuda else LAYERS[:3])]
    strips = [strip_row(clock, *strip) for strip in STRIPS] if is_cuda else []
    models = [model_row(clock, 8 if is_cuda else 1)]
    means = {
        "inference": geometric_mean(layers, "guard", "native"),
        "training": geometric_mean(layers, "guard_training", "native_training"),
    }
    if strips:
        means["strips"] = geometric_mean(strips, "guard", "native")
    return {
        "device": torch.cuda.get_device_name() if is_cuda else f"CPU, {threads} threads",
        "torch": torch.__version__,
        "side": SIDE,
        "geometric_means": means,
        "layers": layers,
        "strips": strips,
        "models": models,
        "recorder_microseconds": recorder_microseconds(),
    }


def main() -> None:
    """Measure and print, or write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=30, help="default: %(default)s")
    parser.add_argument("--no-search", action="store_true", help="without cudnn.benchmark")
    parser.add_argument("--output", type=Path, metavar="FILE")
    parser.add_argument("--commit", help="of the sources; default: asked of git")
    parser.add_argument("--recorder", action="store_true", help="the flight recorder alone")
    options = parser.parse_args()
    if options.recorder:
        more = recorder_microseconds()
        print(f"{more} microseconds more for each layer of a training step")
        return
    found = {
        "command": f"tests/bench/guard.py --device {options.device} --repeats {options.repeats}"
        + (" --no-search" if options.no_search else ""),
        "commit": options.commit or _commit(),
        **measured(torch.device(options.device), options.repeats, search=not options.no_search),
    }
    text = json.dumps(found, indent=2) + "\n"
    if options.output:
        options.output.write_text(text)
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
