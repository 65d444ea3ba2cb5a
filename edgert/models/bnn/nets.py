"""Networks of 32x32 images with binary weights and activations.

cnv         BNN-PYNQ's CNV-W1A1: no borders, two pools, binary from the first layer to the last
vgg_small   six 3x3 convolutions in three stages, a pool behind each, real first and last layer
resnet20    Bi-Real's block, a real shortcut around every binary convolution, real first and last layer
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgert.models.bnn.binary import BinaryConv2d, Gradient, Sign, Weights

_MOMENTUM = 0.1
STAGE_TWO = 0.5  # of the epochs, from where BiPer's weights are binary


class BinaryNet(nn.Module):
    """What the networks share: `progress` is the share of the epochs that is over."""

    progress = 0.0

    def set_progress(self, progress: float) -> None:
        self.progress = progress
        for layer in self.layers():
            layer.binary = layer.weights == "ste" or progress >= STAGE_TWO

    def layers(self) -> Iterator[BinaryConv2d]:
        return (m for m in self.modules() if isinstance(m, BinaryConv2d))


class Cnv(BinaryNet):
    """width: channels of the first two layers; 64 is the published network.

    The scores are sums of +1 and -1 (the last layer has no batch norm), scaled so that a softmax of them
    trains.
    """

    def __init__(
        self, classes: int = 10, width: int = 64, gradient: Gradient = "ste", weights: Weights = "ste"
    ) -> None:
        super().__init__()
        self.classes, self.sign = classes, Sign(gradient)
        channels = [3, width, width, 2 * width, 2 * width, 4 * width, 4 * width, 8 * width, 8 * width]
        kernels = [3] * 6 + [1] * 2
        self.convs = nn.ModuleList(
            BinaryConv2d(channels[i], channels[i + 1], kernels[i], weights=weights) for i in range(8)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(c, momentum=_MOMENTUM) for c in channels[1:])
        self.last = BinaryConv2d(channels[-1], classes, 1, weights=weights)

    POOLS = (1, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.scores(x) / self.last.weight.shape[1] ** 0.5

    def scores(self, x: Tensor) -> Tensor:
        """Whole numbers: products with the last layer's weights."""
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(x))
            x = self.sign(F.max_pool2d(x, 2) if i in self.POOLS else x)  # the sign of a maximum: OR of signs
        return self.last(x).flatten(1)


class VggSmall(BinaryNet):
    """width: channels of the first stage; 128 is the published network (https://arxiv.org/abs/1603.05279)."""

    def __init__(
        self, classes: int = 10, width: int = 128, gradient: Gradient = "ste", weights: Weights = "ste"
    ) -> None:
        super().__init__()
        self.sign = Sign(gradient)
        self.first = nn.Conv2d(3, width, 3, padding=1, bias=False)
        channels = [width, width, 2 * width, 2 * width, 4 * width, 4 * width]
        self.convs = nn.ModuleList(BinaryConv2d(a, b, pad=1, weights=weights) for a, b in pairwise(channels))
        self.norms = nn.ModuleList(nn.BatchNorm2d(c, momentum=_MOMENTUM) for c in channels)
        self.last = nn.Linear(channels[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norms[0](self.first(x))
        for i, (conv, norm) in enumerate(zip(self.convs, list(self.norms)[1:], strict=True)):
            x = conv(self.sign(x))
            x = norm(F.max_pool2d(x, 2) if i in (0, 2, 4) else x)
        return self.last(F.hardtanh(x).mean((2, 3)))


class _RealBlock(nn.Module):
    """x + BN(binary conv(sign(x))); to half the map, the shortcut is pooled and its channels doubled."""

    def __init__(self, inputs: int, outputs: int, stride: int, gradient: Gradient, weights: Weights) -> None:
        super().__init__()
        self.sign = Sign(gradient)
        self.conv = BinaryConv2d(inputs, outputs, pad=1, stride=stride, weights=weights)
        self.norm = nn.BatchNorm2d(outputs, momentum=_MOMENTUM)
        self.stride, self.double = stride, outputs == 2 * inputs

    def forward(self, x: Tensor) -> Tensor:
        short = F.avg_pool2d(x, 2) if self.stride == 2 else x
        short = torch.cat([short, short], 1) if self.double else short
        return self.norm(self.conv(self.sign(x))) + short


class ResNet20(BinaryNet):
    """width: channels of the first stage; 16 is the published network. Bi-Real: https://arxiv.org/abs/1808.00278."""

    def __init__(
        self, classes: int = 10, width: int = 16, gradient: Gradient = "bireal", weights: Weights = "ste"
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width, momentum=_MOMENTUM)
        blocks: list[nn.Module] = []
        for stage in range(3):
            for k in range(6):
                halved = stage > 0 and k == 0
                inputs = width * 2 ** (stage - halved)
                blocks.append(_RealBlock(inputs, width * 2**stage, 1 + halved, gradient, weights))
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.norm(self.first(x)))
        return self.last(x.mean((2, 3)))


NETS: dict[str, type[BinaryNet]] = {"cnv": Cnv, "vgg_small": VggSmall, "resnet20": ResNet20}
