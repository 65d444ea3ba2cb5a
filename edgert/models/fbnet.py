"""FBNet's blocks in PyTorch, from the rows of `blocks.py`.

Sources: https://arxiv.org/abs/1812.03443, figure 2; https://arxiv.org/abs/2006.02049; squeeze and excitation
as in https://arxiv.org/abs/1905.02244 (gate: hard sigmoid).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edgert.models.blocks import Block

# in place: what comes before is a batch norm, which does not need its output again
_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True), "hswish": nn.Hardswish,
}  # fmt: skip


class ConvBn(nn.Sequential):
    """Convolution, batch norm, and an activation unless it is ""."""

    def __init__(
        self, in_c: int, out_c: int, kernel: int = 1, stride: int = 1, *, groups: int = 1,
        padding: int | None = None, activation: str = "",
    ) -> None:  # fmt: skip
        pads = kernel // 2 if padding is None else padding
        conv = nn.Conv2d(in_c, out_c, kernel, stride, pads, groups=groups, bias=False)
        parts: list[nn.Module] = [conv, nn.BatchNorm2d(out_c)]
        super().__init__(*parts, *([_ACTIVATIONS[activation]()] if activation else []))


class Shuffle(nn.Module):
    """Channels of the groups interleaved, so that the next grouped convolution sees all of them."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.reshape(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)


class SqueezeExcite(nn.Module):
    """Each channel times a gate that all channels' means decide."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(gate)


class InvertedResidual(nn.Module):
    """1x1 up, depthwise (or a max pool), 1x1 down; plus the input where the shapes allow it."""

    def __init__(self, block: Block, activation: str) -> None:
        super().__init__()
        self.block = block
        middle = block.middle
        body: list[nn.Module] = []
        if block.expands:
            body.append(ConvBn(block.in_c, middle, groups=block.groups, activation=activation))
        if block.groups > 1:
            body.append(Shuffle(block.groups))
        if block.kind == "maxpool":
            body.append(nn.MaxPool2d(block.kernel, block.stride, block.pads))
        else:
            body.append(
                ConvBn(
                    middle, middle, block.kernel, block.stride, groups=middle, padding=block.padding,
                    activation=activation,
                )
            )  # fmt: skip
        if block.se:
            body.append(SqueezeExcite(middle, block.squeezed))
        body.append(ConvBn(middle, block.out_c, groups=block.groups))
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.block.residual else y


class PooledExpansion(nn.Module):
    """FBNetV3's last block: the wide 1x1 convolution comes after the average pool, where it costs little."""

    def __init__(self, block: Block, activation: str) -> None:
        super().__init__()
        self.expand = ConvBn(block.in_c, block.middle, activation=activation)
        self.project = nn.Conv2d(block.middle, block.out_c, 1, bias=False)
        self.activation = _ACTIVATIONS[activation]()

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(self.expand(x), 1)
        y: Tensor = self.activation(self.project(pooled))
        return y


def module(block: Block, activation: str = "relu") -> nn.Module:
    """One block. Raises ValueError for a kind that there is not."""
    if block.empty:
        return nn.Identity()
    if block.kind in ("conv", "skip"):
        return ConvBn(block.in_c, block.out_c, block.kernel, block.stride, activation=activation)
    if block.kind in ("ir", "maxpool"):
        return InvertedResidual(block, activation)
    if block.kind == "pool":
        return PooledExpansion(block, activation)
    raise ValueError(f"no block {block.kind!r}")


class FBNet(nn.Module):
    """Blocks, average pool, classifier. x: [n, 3, side, side]; returns scores [n, classes]."""

    def __init__(
        self, blocks: Sequence[Block], classes: int, activation: str = "relu", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(module(b, activation) for b in blocks))
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(blocks[-1].out_c, classes)
        _initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        features = self.blocks(x).mean((2, 3))
        scores: Tensor = self.classifier(self.dropout(features))
        return scores


def _initialize(net: nn.Module) -> None:
    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if m.bias is not None:
                nn.init.zeros_(m.bias)
        elif isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, 0, 0.01)
            nn.init.zeros_(m.bias)
    for block in (m for m in net.modules() if isinstance(m, InvertedResidual) and m.block.residual):
        last = block.body[-1]
        assert isinstance(last, ConvBn) and isinstance(last[1], nn.BatchNorm2d)
        torch.nn.init.zeros_(last[1].weight)  # starts as the identity: deep networks train at once
