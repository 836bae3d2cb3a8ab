"""Whether whole models compute under the guard what they compute without it.

    python tests/bench/guard_models.py --device cuda --output docs/guard-models.json

Models have random weights and are those of torchvision, timm and diffusers, where these are
installed. Each runs forward and backward four times: with and without the guard, in float64 and in
float32. In float64 both must agree to rounding. In float32 each is compared with float64: what the
guard is off must not be more than what native is off, but for a small factor. Where it is more, the
largest values of a pooling and the signs before an activation are compared, too: a model whose
values lie closer together than float32 tells them apart has no gradient that two ways of rounding
agree about. docs/generate.py makes the table of docs/guard.md.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "installer"), str(ROOT / "tests")]

from rdna1 import guard  # noqa: E402 - found by the path above
from support.clock import commit_of, processor_name, report  # noqa: E402 - as above
from support.models import vgg16  # noqa: E402 - as above

SIDE = 42


class Model(NamedTuple):
    """A model and the shape of its input.

    Attributes:
        name: for the table.
        package: that it comes from, empty for tests/support/models.py.
        make: returns it with random weights, of the imported package.
        shape: of the input.
        call: runs it, where more than one input is needed.
    """

    name: str
    package: str
    make: Callable[[Any], nn.Module]
    shape: tuple[int, ...]
    call: Callable[[nn.Module, Tensor], Any] = lambda model, x: model(x)


def _vision(name: str) -> Model:
    return Model(name, "torchvision", lambda p: getattr(p.models, name)(), (2, 3, 224, 224))


class _Decoder(nn.Module):
    """The half of an autoencoder that makes images."""

    def __init__(self, whole: nn.Module) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, latent: Tensor) -> Tensor:
        result: Tensor = self.whole.decode(latent).sample  # type: ignore[operator]
        return result


MODELS = (
    *map(_vision, ("resnet18", "resnet50", "vgg16", "mobilenet_v3_large", "convnext_tiny")),
    Model("vgg16, torch's own initial weights", "", lambda _: vgg16(), (2, 3, 224, 224)),
    Model("darknet53", "timm", lambda p: p.create_model("darknet53"), (2, 3, 256, 256)),
    Model(
        "U-Net",
        "diffusers",
        lambda p: p.UNet2DModel(sample_size=128, block_out_channels=(64, 128, 256, 256)),
        (1, 3, 128, 128),
        lambda model, x: model(x, 10).sample,
    ),
    Model(
        "VAE decoder to 512x512",
        "diffusers",
        lambda p: _Decoder(
            p.AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
            )
        ),
        (1, 4, 64, 64),
    ),
)


class Run(NamedTuple):
    """What a model computed.

    Attributes:
        output: its output.
        gradients: of its input and its parameters.
        choices: where the largest values of each pooling lie, and the signs before each ReLU.
        split: convolutions and gradients that the guard computed from pieces.
    """

    output: Tensor
    gradients: list[Tensor]
    choices: list[Tensor]
    split: int


def run(model: nn.Module, x: Tensor, call: Callable[[nn.Module, Tensor], Any], *, by: bool) -> Run:
    """Run a model forward and backward, with the guard or without it."""
    choices: list[Tensor] = []
    x = x.clone().requires_grad_()
    model.zero_grad(set_to_none=True)
    before = guard.status().split
    with ExitStack() as stack:
        for hook in _hooks(model, choices):
            stack.callback(hook.remove)
        stack.enter_context(guard.active(guard.Envelope(SIDE)) if by else nullcontext())
        output = call(model, x)
        torch.autograd.backward(output.square().mean())
    gradients = [each.grad for each in (x, *model.parameters()) if each.grad is not None]
    return Run(output.detach(), gradients, choices, guard.status().split - before)


def _hooks(model: nn.Module, choices: list[Tensor]) -> Iterator[Any]:
    def pool(module: Any, inputs: tuple[Tensor, ...], _: Tensor) -> None:
        sizes = module.kernel_size, module.stride, module.padding
        choices.append(nn.functional.max_pool2d(inputs[0].detach(), *sizes, return_indices=True)[1])

    def before(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        choices.append(inputs[0].detach() > 0)

    for module in model.modules():
        if isinstance(module, nn.MaxPool2d):
            yield module.register_forward_hook(pool)
        elif isinstance(module, nn.ReLU):
            yield module.register_forward_pre_hook(before)


def off(found: Run, right: Run) -> dict[str, float | int]:
    """Return how far a run is from another one, in that one's largest values."""
    return {
        "output": _off([found.output], [right.output]),
        "gradients": _off(found.gradients, right.gradients),
        "choices": sum(
            int((one != other).sum())
            for one, other in zip(found.choices, right.choices, strict=True)
        ),
    }


def _off(found: list[Tensor], right: list[Tensor]) -> float:
    # Of a bias before a normalisation the gradient is zero but for rounding.
    floor = 1e-4 * max(each.abs().max().item() for each in right)
    errors = [
        (one.double() - other.double()).abs().max().item() / max(other.abs().max().item(), floor)
        for one, other in zip(found, right, strict=True)
    ]
    return float(f"{max(errors):.1e}")


def row(entry: Model, device: torch.device) -> dict[str, Any]:
    """Compare a model's runs."""
    torch.manual_seed(0)
    model = entry.make(importlib.import_module(entry.package) if entry.package else None)
    for module in model.modules():
        # Runs that are compared must not draw.
        for name in ("p", "drop_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    x = torch.randn(entry.shape)
    single, double = model.to(device), copy.deepcopy(model).to(device).double()
    x = x.to(device)
    runs = {
        (by, kind): run(net, data, entry.call, by=by)
        for kind, net, data in (("float64", double, x.double()), ("float32", single, x))
        for by in (False, True)
    }
    right = runs[False, "float64"]
    again = run(single, x, entry.call, by=False)
    return {
        "model": f"{entry.name} at {'x'.join(map(str, entry.shape))}",
        "split": runs[True, "float32"].split,
        "float64_guard_to_native": off(runs[True, "float64"], right),
        "float32_guard_to_native": off(runs[True, "float32"], runs[False, "float32"]),
        "float32_native_to_float64": off(runs[False, "float32"], right),
        "float32_guard_to_float64": off(runs[True, "float32"], right),
        "float32_native_twice": off(again, runs[False, "float32"]),
    }


def main() -> None:
    """Compare all models that are there, and print or write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", help="models whose names hold this")
    parser.add_argument("--output", type=Path, metavar="FILE")
    parser.add_argument("--commit", help="of the sources; default: asked of git")
    options = parser.parse_args()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    device = torch.device(options.device)
    rows = []
    for entry in MODELS:
        if options.only and options.only not in entry.name:
            continue
        if entry.package and importlib.util.find_spec(entry.package) is None:
            print(f"{entry.name}: {entry.package} is not installed", file=sys.stderr)
            continue
        rows.append(row(entry, device))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    name = torch.cuda.get_device_name() if device.type == "cuda" else processor_name()
    found = {
        "device": name,
        "torch": torch.__version__,
        "side": SIDE,
        "commit": options.commit or commit_of(ROOT),
        "models": rows,
    }
    report(found, options.output)


if __name__ == "__main__":
    main()
