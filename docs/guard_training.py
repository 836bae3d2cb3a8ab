"""Train a small network on maps larger than a card bears, on a simulated card.

With the guard it trains to the end, without it hangs, and the flight recorder says where:

    python -m rdna1.guard --envelope docs/guard-envelope.json --watch docs/guard_training.py
    python -m rdna1.guard --envelope docs/guard-envelope.json --watch --timeout 10 --kill \
        --record-only docs/guard_training.py
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from rdna1.sim.backend import SimulatedBackend

_RULES = Path(__file__).with_name("hang-above-42.yml")


class Net(nn.Module):
    """Three convolutions over maps of 64x64 and 32x32; tells bright squares from dark ones."""

    def __init__(self) -> None:
        """Draw the weights."""
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(16, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores of both classes."""
        result: Tensor = self.head(self.body(images).mean((2, 3)))
        return result


def batch(images: int) -> tuple[Tensor, Tensor]:
    """Draw images of noise with a square, and what each square is."""
    kinds = torch.randint(0, 2, (images,))
    result = torch.randn(images, 1, 64, 64) * 0.3
    result[:, :, 16:48, 16:48] += (2.0 * kinds - 1)[:, None, None, None]
    return result, kinds


def main() -> None:
    """Train, and print the loss."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30, help="default: %(default)s")
    parser.add_argument("--rules", type=Path, default=_RULES, help="default: %(default)s")
    options = parser.parse_args()
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    with SimulatedBackend(options.rules):
        for step in range(options.steps):
            images, kinds = batch(16)
            loss = nn.functional.cross_entropy(net(images), kinds)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            if step in (0, options.steps - 1):
                print(f"step {step + 1}: loss {loss.item():.3f}", flush=True)


if __name__ == "__main__":
    main()
