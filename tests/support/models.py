"""Models with random weights."""

from __future__ import annotations

from torch import Tensor, nn


class Bottleneck(nn.Module):
    """Three convolutions and a way around them (He et al., Deep Residual Learning, 2015)."""

    def __init__(self, c_in: int, width: int, stride: int) -> None:
        super().__init__()
        c_out = 4 * width
        self.body = nn.Sequential(
            *(nn.Conv2d(c_in, width, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()),
            nn.Conv2d(width, width, 3, stride, 1, bias=False),
            *(nn.BatchNorm2d(width), nn.ReLU()),
            *(nn.Conv2d(width, c_out, 1, bias=False), nn.BatchNorm2d(c_out)),
        )
        is_same = c_in == c_out and stride == 1
        self.around = (
            nn.Identity()
            if is_same
            else nn.Sequential(nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block."""
        result: Tensor = nn.functional.relu(self.body(x) + self.around(x))
        return result


class Basic(nn.Module):
    """Two convolutions and a way around them, of the same paper."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU()),
            *(nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False), nn.BatchNorm2d(c_out)),
        )
        self.around: nn.Module = nn.Identity()
        if stride > 1:
            self.around = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Compute the block."""
        result: Tensor = nn.functional.relu(self.body(x) + self.around(x))
        return result


def resnet18() -> nn.Module:
    """ResNet-18: 20 convolutions, a thousand classes."""
    widths = ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2))
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        *(nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        *(
            block
            for c_in, c_out, stride in widths
            for block in (Basic(c_in, c_out, stride), Basic(c_out, c_out, 1))
        ),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)),
    )


def resnet50() -> nn.Module:
    """ResNet-50: 53 convolutions, a thousand classes."""
    blocks: list[nn.Module] = []
    c_in = 64
    for width, number, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(number):
            blocks.append(Bottleneck(c_in, width, stride if block == 0 else 1))
            c_in = 4 * width
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        *(nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
        *blocks,
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000)),
    )


def vgg16() -> nn.Module:
    """VGG-16 without dropout (Simonyan and Zisserman, 2014), with torch's own initial weights."""
    widths = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
    layers: list[nn.Module] = []
    c_in = 3
    for width in widths:
        if not width:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(c_in, width, 3, padding=1), nn.ReLU()]
        c_in = width
    return nn.Sequential(
        *layers,
        *(nn.AdaptiveAvgPool2d(7), nn.Flatten()),
        *(nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()),
        nn.Linear(4096, 1000),
    )
