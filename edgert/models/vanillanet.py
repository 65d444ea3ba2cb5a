"""VanillaNet in its training form.

Each block has two 1x1 convolutions with a leaky ReLU between, whose slope goes from 0 to 1 during training:
at the end there is nothing between them, and passes/fold_linear.py makes one convolution of the two. Its
activation is a sum of shifted ReLUs: ReLU, then a depthwise 7x7 convolution. Source:
https://arxiv.org/abs/2305.12972, sections 3 and 4, and the authors' model file (MIT licence; facts only).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from edgert.models.blocks import Counts

SERIES = 3  # ReLUs on each side of the middle: a 7x7 window
_EPS = 1e-6


class SeriesActivation(nn.Module):
    """BN(depthwise(relu(x))), window 2 * series + 1."""

    def __init__(self, channels: int, series: int = SERIES) -> None:
        super().__init__()
        window = 2 * series + 1
        self.conv = nn.Conv2d(channels, channels, window, padding=series, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels, eps=_EPS)
        nn.init.trunc_normal_(self.conv.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.conv(F.relu(x)))
        return y


class VanillaBlock(nn.Module):
    """1x1, leaky ReLU, 1x1, max pool, activation."""

    def __init__(self, in_c: int, out_c: int, pool: int, series: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(in_c, in_c, 1), nn.BatchNorm2d(in_c, eps=_EPS))
        self.second = nn.Sequential(nn.Conv2d(in_c, out_c, 1), nn.BatchNorm2d(out_c, eps=_EPS))
        self.pool = nn.MaxPool2d(pool) if pool > 1 else nn.Identity()
        self.activation = SeriesActivation(out_c, series)

    def forward(self, x: Tensor, slope: float) -> Tensor:
        inner = F.leaky_relu(self.first(x), slope)
        y: Tensor = self.activation(self.pool(self.second(inner)))
        return y


class VanillaNet(nn.Module):
    """x: [n, 3, side, side], side a multiple of patch and the pools; returns scores [n, classes].

    widths: of the stem and of each block; pools: of each block. patch: kernel and stride of the stem. slope:
    of the leaky ReLUs, 0 to 1; 1 is the deployed network.
    """

    def __init__(
        self, widths: Sequence[int], pools: Sequence[int], classes: int, *, patch: int = 4, series: int =
        SERIES, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.slope = 1.0
        first, last = widths[0], widths[-1]
        self.stem = nn.Sequential(nn.Conv2d(3, first, patch, patch), nn.BatchNorm2d(first, eps=_EPS))
        self.stem_second = nn.Sequential(nn.Conv2d(first, first, 1), nn.BatchNorm2d(first, eps=_EPS))
        self.stem_activation = SeriesActivation(first, series)
        pairs = zip(widths[:-1], widths[1:], pools, strict=True)
        self.blocks = nn.ModuleList(VanillaBlock(a, b, pool, series) for a, b, pool in pairs)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(nn.Conv2d(last, classes, 1), nn.BatchNorm2d(classes, eps=_EPS))
        self.head_second = nn.Conv2d(classes, classes, 1)

    def set_progress(self, done: float) -> None:
        """done: share of the training that is over. The slope is 1 after the first third."""
        self.slope = min(1.0, 3 * done)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = F.leaky_relu(self.stem(x), self.slope)
        y = self.stem_activation(self.stem_second(y))
        for block in self.blocks:
            y = block(y, self.slope)
        y = self.dropout(F.adaptive_avg_pool2d(y, 1))
        y = F.leaky_relu(self.head(y), self.slope)
        scores: Tensor = self.head_second(y).flatten(1)
        return scores


def count(
    widths: Sequence[int],
    pools: Sequence[int],
    side: int,
    classes: int,
    *,
    patch: int = 4,
    series: int = SERIES,
) -> Counts:
    """Of the deployed network; the depthwise windows of the activations count, ReLU and max pool do not."""
    window, map_side = (2 * series + 1) ** 2, side // patch
    macs = widths[0] * 3 * patch**2 * map_side**2
    weights = widths[0] * 3 * patch**2
    macs, weights = macs + widths[0] * window * map_side**2, weights + widths[0] * window
    for in_c, out_c, pool in zip(widths[:-1], widths[1:], pools, strict=True):
        macs, weights = macs + in_c * out_c * map_side**2, weights + in_c * out_c
        map_side //= pool
        macs, weights = macs + out_c * window * map_side**2, weights + out_c * window
    pooled = widths[-1] * map_side**2
    return Counts(macs + widths[-1] * classes, pooled, weights + widths[-1] * classes)
