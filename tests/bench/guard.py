"""What the guard costs: layers and a model, on the CPU or a CUDA device.

    python tests/bench/guard.py --device cuda --output docs/guard-bench-cuda.json
    python tests/bench/guard.py --device cuda --no-search \\
        --output docs/guard-bench-cuda-no-search.json
    python tests/bench/guard.py --device cpu --repeats 7 --output docs/guard-bench-cpu.json

docs/generate.py makes the tables of docs/guard.md from these files. Times are medians in
milliseconds, of runs by turns where ways are compared; "row" is a tenth of ten calls in a row,
which do not wait for the device one by one; "gpu" is what the kernels of a call take; memory is the
peak of the device's allocator in MiB (CUDA alone). It needs torch alone and runs anywhere;
patch_conv (PyPI) is measured where it is installed. A search of cudnn.benchmark holds for its
process, so --no-search is a run of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import inspect
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "installer"), str(ROOT / "tests")]

from rdna1 import guard  # noqa: E402 - found by the path above
from rdna1.guard.activate import entered  # noqa: E402 - as above
from rdna1.guard.flight import Recorder, create  # noqa: E402 - as above
from rdna1.guard.layer import FORWARD, Layer  # noqa: E402 - as above
from rdna1.guard.setting import Guard  # noqa: E402 - as above
from rdna1.guard.steps import program_of  # noqa: E402 - as above
from support.clock import (  # noqa: E402 - as above
    Clock,
    Run,
    Way,
    commit_of,
    geometric_mean,
    processor_name,
    report,
)
from support.models import resnet18, resnet50  # noqa: E402 - as above

SIDE = 42
_MIB = 1024 * 1024
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
# Name, what makes it, images.
MODELS = (("ResNet-50", resnet50, 8), ("ResNet-50", resnet50, 32))
MODELS_OF_CPU = (
    ("ResNet-18", resnet18, 4),
    ("ResNet-18", resnet18, 32),
    ("ResNet-50", resnet50, 1),
)
# Calls of a layer that do not wait for the device one by one, and how often they are timed.
_IN_A_ROW: Any = {"in_a_row": 10, "repeats": 10}
# PyTorch's own im2col and BLAS.
_WITHIN: dict[str, Way] = {
    "without_cudnn": functools.partial(torch.backends.cudnn.flags, enabled=False)
}
_MODEL_WAYS: dict[str, Way] = {
    "native": contextlib.nullcontext,
    "guard": functools.partial(guard.active, guard.Envelope(SIDE)),
    **_WITHIN,
}
# Of a training that is timed as a whole, and how often that is compared at least.
_STEPS, _LEAST_PAIRS = 10, 30
# Kernel, side: 64->64 in float16, four strips.
STRIPS = ((3, 512), (5, 512), (7, 512), (3, 1024), (5, 1024), (7, 1024))


class LayerRuns(NamedTuple):
    """A layer on random values: its tensors, its settings, and what is timed of it by name."""

    x: Tensor
    weight: Tensor
    options: Any
    ways: dict[str, Run]


def layer_runs(clock: Clock, layer: tuple[int, ...]) -> LayerRuns:
    """Return the ways to compute a layer: native, with the guard and on CUDA without cuDNN."""
    n, c_in, c_out, side, kernel, stride = layer
    x = torch.randn(n, c_in, side, side, device=clock.device)
    weight = torch.randn(c_out, c_in, kernel, kernel, device=clock.device)
    options: Any = (None, stride, kernel // 2)
    envelope = guard.Envelope(SIDE)
    ways: dict[str, Run] = {
        "native": lambda: nn.functional.conv2d(x, weight, *options),
        "guard": lambda: guard.conv2d(x, weight, *options, envelope=envelope),
    }
    if clock.device.type == "cuda":
        ways["without_cudnn"] = ways["native"]
    return LayerRuns(x, weight, options, ways)


def layer_row(clock: Clock, layer: tuple[int, ...]) -> dict[str, Any]:
    """Time a layer natively, with the guard, without cuDNN, and on the CPU and back."""
    n, c_in, c_out, side, kernel, stride = layer
    x, weight, options, ways = layer_runs(clock, layer)
    native = nn.functional.conv2d

    def guarded(x: Tensor, weight: Tensor) -> Tensor:
        return guard.conv2d(x, weight, *options, envelope=guard.Envelope(SIDE))

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
        row |= clock.in_turn(ways, _WITHIN)
        if clock.device.type == "cuda":
            times = clock.in_turn(ways, _WITHIN, **_IN_A_ROW)
            row |= {f"{name}_row": milliseconds for name, milliseconds in times.items()}
            row["hybrid"] = clock.milliseconds(hybrid, repeats=3)
            row["native_mib"] = clock.peak(ways["native"])
            row["guard_mib"] = clock.peak(ways["guard"])
            row["tiles_workspace_mib"] = tiles_workspace(clock, x, weight, stride)
    trainings: dict[str, Run] = {
        "native_training": train(lambda x, w: native(x, w, *options)),
        "guard_training": train(guarded),
    }
    return row | clock.in_turn(trainings)


def layer_kernels(clock: Clock, layer: tuple[int, ...]) -> dict[str, float]:
    """Return what the kernels of each way to compute a layer take on a CUDA device."""
    with torch.no_grad():
        return _kernels(clock, layer_runs(clock, layer).ways, _WITHIN)


def model_kernels(
    clock: Clock, _: str, factory: Callable[[], nn.Module], images: int
) -> dict[str, float]:
    """Return what the kernels of each way to run a model take on a CUDA device."""
    infer = _inference(clock, factory, images)[2]
    return _kernels(clock, dict.fromkeys(_MODEL_WAYS, infer), _MODEL_WAYS)


def _kernels(clock: Clock, runs: Mapping[str, Run], within: Mapping[str, Way]) -> dict[str, float]:
    found = {}
    for name, run in runs.items():
        with within.get(name, contextlib.nullcontext)():
            found[f"{name}_gpu"] = clock.on_gpu(run)
    return found


def tiles_workspace(clock: Clock, x: Tensor, weight: Tensor, stride: int) -> float:
    """Return what the backend takes of itself, in MiB, for the batch of tiles of a call."""
    c_out, c_in, *kernel = weight.shape
    pads, ones = tuple(side // 2 for side in kernel), (1, 1)
    sizes = tuple(x.shape[2:]), tuple(kernel), (stride, stride), pads, ones
    layer = Layer(FORWARD, x.shape[0], c_in, c_out, *sizes, 1)
    program = program_of(layer, Guard(guard.Envelope(SIDE)).plan(layer, clock.device))
    batch = x.new_empty(program.steps[0].gather.batch)
    result = 0

    def run() -> None:
        nonlocal result
        values = nn.functional.conv2d(batch, weight, None, stride, program.padding)
        result = values.numel() * values.element_size()

    before = torch.cuda.memory_allocated()
    peak = clock.peak(run) or 0.0
    return round(peak - (before + result) / _MIB, 1)


def strip_row(clock: Clock, kernel: int, side: int) -> dict[str, Any]:
    """Time a layer in float16 whose height is limited to a fourth and its halo."""
    x = torch.randn(1, 64, side, side, device=clock.device, dtype=torch.float16)
    weight = torch.randn(64, 64, kernel, kernel, device=clock.device, dtype=torch.float16)
    options: Any = (None, 1, kernel // 2)
    envelope = guard.Envelope(limits=(guard.Limit("height", side // 4 + kernel - 1),))
    row: dict[str, Any] = {"layer": f"1x64->64 at {side}x{side}, {kernel}x{kernel}, float16"}
    with torch.no_grad():
        ways: dict[str, Run] = {
            "native": lambda: nn.functional.conv2d(x, weight, *options),
            "guard": lambda: guard.conv2d(x, weight, *options, envelope=envelope),
        }
        for name, in_turn in (("patch_conv", True), ("patch_conv_at_once", False)):
            strips = _patched(weight, in_turn=in_turn)
            if strips:
                ways[name] = functools.partial(strips, x)
        return row | clock.in_turn(ways)


def _patched(weight: Tensor, *, in_turn: bool) -> Callable[[Tensor], Tensor] | None:
    """Return patch_conv's layer of four strips without its check of the size, if it is there."""
    try:
        module = importlib.import_module("patch_conv.module")
    except ImportError:
        return None
    source, check = inspect.getsource(module), "c * h * w >= (1 << 30)"
    if source.count(check) != 1:
        raise ValueError(f"this version of patch_conv does not check {check}")
    names: dict[str, Any] = {"__name__": "patched"}
    exec(source.replace(check, "True"), names)  # noqa: S102 - of a package that is imported here
    layer = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2], padding=weight.shape[2] // 2)
    layer.weight, layer.bias = nn.Parameter(weight), None
    strips: Callable[[Tensor], Tensor] = names["PatchConv2d"](4, in_turn, layer)
    return strips


def model_row(clock: Clock, model_name: str, factory: Callable[[], nn.Module], images: int) -> Any:
    """Time a model at 224x224, inference and training, without and with the guard or a recorder."""
    model, x, infer = _inference(clock, factory, images)

    def train() -> None:
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(model(x).square().mean())

    row: dict[str, Any] = {"layer": f"{model_name} at {images}x3x224x224"}
    is_cuda = clock.device.type == "cuda"
    ways = _MODEL_WAYS if is_cuda else {name: _MODEL_WAYS[name] for name in ("native", "guard")}
    row |= clock.in_turn(dict.fromkeys(ways, infer), ways)
    for name in ("native", "guard") if is_cuda else ():
        with ways[name]():
            row[f"{name}_mib"] = clock.peak(infer)
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "flight")
        recorded = Guard(guard.Envelope(), flight=Recorder(Path(folder) / "flight"))
        alone = recorded._replace(flight=None)
        trainings: dict[str, Way] = {
            "native_training": contextlib.nullcontext,
            "guard_training": _MODEL_WAYS["guard"],
            "recorded_training": lambda: entered(recorded),
        }
        row |= clock.in_turn(dict.fromkeys(trainings, train), trainings)
        row["recorder_percent"] = added_percent(clock, train, lambda: entered(recorded))
        row["unrecorded_percent"] = added_percent(clock, train, lambda: entered(alone))
        row["hooks_percent"] = added_percent(clock, train, _two_hooks)
    if is_cuda:
        row["hybrid"] = _hybrid(clock, infer)
    return row


def _inference(
    clock: Clock, factory: Callable[[], nn.Module], images: int
) -> tuple[nn.Module, Tensor, Run]:
    """Return a model of random weights, images, and its inference of them."""
    torch.manual_seed(0)
    model = factory().to(clock.device)
    x = torch.randn(images, 3, 224, 224, device=clock.device)

    def infer() -> None:
        with torch.no_grad():
            model(x)

    return model, x, infer


def added_percent(clock: Clock, train: Run, way: Way) -> float:
    """Return what a way to train adds to a step, in percent: the median of pairs of trainings.

    Each is of several steps in a row, as a program that trains does not wait for the GPU after
    each, and the processor is ahead of it.
    """

    def steps() -> None:
        for _ in range(_STEPS if clock.device.type == "cuda" else 1):
            train()

    def alone() -> float:
        return clock.milliseconds(steps, repeats=1)

    def in_that_way() -> float:
        with way():
            return clock.milliseconds(steps, repeats=1)

    ratios = []
    for pair in range(max(clock.repeats, _LEAST_PAIRS)):
        # In turn, as a machine that gets slower would count for the second.
        if pair % 2:
            first, second = in_that_way(), alone()
            ratios.append(first / second)
        else:
            first, second = alone(), in_that_way()
            ratios.append(second / first)
    return round((statistics.median(ratios) - 1) * 100, 1)


def recorder_microseconds(layers: int = 10, repeats: int = 20) -> dict[str, float]:
    """Return what is added to a layer of a training step, in processor time.

    Returns:
        By what adds it: the flight recorder to the guard, and two of torch's hooks on the gradient
        that do nothing to no guard.
    """
    model = nn.Sequential(*(nn.Conv2d(4, 4, 3, padding=1) for _ in range(layers)))
    x = torch.rand(1, 4, 8, 8)
    # Threads that wait take processor time, too.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        create(Path(folder) / "flight")
        recorder = Recorder(Path(folder) / "flight")
        ways: dict[str, Way] = {
            "native": contextlib.nullcontext,
            "hooks": _two_hooks,
            "guard": lambda: entered(Guard(guard.Envelope())),
            "recorder": lambda: entered(Guard(guard.Envelope(), flight=recorder)),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                with way():
                    # Python is slower in the first ones, as functions were replaced.
                    for _ in range(_STEPS):
                        torch.autograd.backward(model(x).sum())
                    start = time.process_time()
                    for _ in range(_STEPS):
                        torch.autograd.backward(model(x).sum())
                    times[name].append((time.process_time() - start) / _STEPS)
    each = {name: statistics.median(values) / layers * 1e6 for name, values in times.items()}
    return {
        "recorder": round(each["recorder"] - each["guard"], 1),
        "two hooks": round(each["hooks"] - each["native"], 1),
    }


@contextlib.contextmanager
def _two_hooks() -> Iterator[None]:
    """Add to each convolution what no recorder of gradients can do without."""
    native = nn.functional.conv2d

    def nothing(*_: object) -> None:
        pass

    def hooked(*inputs: Any) -> Tensor:
        result = native(*inputs)
        node: Any = result.grad_fn
        node.register_prehook(nothing)
        node.register_hook(nothing)
        return result

    nn.functional.conv2d = hooked  # type: ignore[assignment]
    try:
        yield
    finally:
        nn.functional.conv2d = native


def planner_microseconds(repeats: int = 2000) -> float:
    """Return what the plan of a layer takes that was planned before."""
    layer = Layer(FORWARD, 8, 64, 64, (224, 224), (3, 3), (1, 1), (1, 1), (1, 1), 1)
    settings, device = Guard(guard.Envelope(SIDE)), torch.device("cpu")
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        settings.plan(layer, device)
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1e6, 2)


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


def measured(device: torch.device, repeats: int, *, search: bool) -> dict[str, Any]:
    """Measure everything on a device, with or without a search for the fastest algorithms."""
    torch.backends.cudnn.benchmark = search
    torch.backends.cudnn.allow_tf32 = False
    clock = Clock(device, repeats)
    is_cuda = device.type == "cuda"
    processor = f"{processor_name()}, {torch.get_num_threads()} threads"
    # Whatever is first is slower.
    layer_row(clock, LAYERS[0])
    layers = [layer_row(clock, layer) for layer in (LAYERS if is_cuda else LAYERS[:3])]
    strips = [strip_row(clock, *strip) for strip in STRIPS] if is_cuda else []
    models = [model_row(clock, *model) for model in (MODELS if is_cuda else MODELS_OF_CPU)]
    # After all that is timed: once torch's profiler was used, it slows each launch down.
    for row, layer in zip(layers, LAYERS, strict=True) if is_cuda else ():
        row |= layer_kernels(clock, layer)
    for row, model in zip(models, MODELS, strict=True) if is_cuda else ():
        row |= model_kernels(clock, *model)
    means = {
        "inference": geometric_mean(layers, "guard", "native"),
        "training": geometric_mean(layers, "guard_training", "native_training"),
    }
    if is_cuda:
        means["inference_row"] = geometric_mean(layers, "guard_row", "native_row")
        means["inference_gpu"] = geometric_mean(layers, "guard_gpu", "native_gpu")
    if strips:
        means["strips"] = geometric_mean(strips, "guard", "native")
        for name in strips[0].keys() & {"patch_conv", "patch_conv_at_once"}:
            means[name] = geometric_mean(strips, name, "native")
    return {
        "device": torch.cuda.get_device_name() if is_cuda else processor,
        "torch": torch.__version__,
        "side": SIDE,
        "geometric_means": means,
        "layers": layers,
        "strips": strips,
        "models": models,
        "planner_microseconds": planner_microseconds(),
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
        for what, more in recorder_microseconds().items():
            print(f"{what}: {more} microseconds more for each layer of a training step")
        return
    found = {
        "command": f"tests/bench/guard.py --device {options.device} --repeats {options.repeats}"
        + (" --no-search" if options.no_search else ""),
        "commit": options.commit or commit_of(ROOT),
        **measured(torch.device(options.device), options.repeats, search=not options.no_search),
    }
    report(found, options.output)


if __name__ == "__main__":
    main()
