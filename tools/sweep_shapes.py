"""Layer shapes of published network families, as data: what the sweep (tools/sweep.py) runs.

The tables are the architectures' own, row by row; `layers()` expands them into single layers, shrinks those
that are too large to emulate in seconds, and drops duplicates. A shape is a fact: the weights are made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

MAX_MACS = 800_000  # larger layers lose rows and columns, which leaves the work per output as it is
MIN_SIDE = 4  # ... but not below this many output rows or columns: a border would be most of the layer
MAX_WEIGHTS = 1_000_000  # bytes; larger ones do not fit in flash beside the code, or hardly


@dataclass(frozen=True)
class Layer:
    """One layer, batch 1, "same" padding. kind: "conv", "depthwise" or "dense" (in_h = in_w = 1).

    network: where it was seen first. shrunk_from: (in_h, in_w) in that network where the sweep uses less.
    """

    kind: str
    in_h: int
    in_w: int
    in_c: int
    out_c: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    network: str = ""
    shrunk_from: tuple[int, int] | None = None

    @property
    def out_h(self) -> int:
        return ceil(self.in_h / self.stride[0])

    @property
    def out_w(self) -> int:
        return ceil(self.in_w / self.stride[1])

    @property
    def taps(self) -> int:
        """Multiply-accumulates of one output."""
        return self.kernel[0] * self.kernel[1] * (1 if self.kind == "depthwise" else self.in_c)

    @property
    def weights(self) -> int:
        """Bytes."""
        return self.taps * self.out_c

    @property
    def macs(self) -> int:
        """Nominal: taps on the border count."""
        return self.out_h * self.out_w * self.weights

    @property
    def name(self) -> str:
        """Unique: "conv 3x3/2 14x14x64 -> 128"."""
        if self.kind == "dense":
            return f"dense {self.in_c} -> {self.out_c}"
        (kh, kw), (sh, sw) = self.kernel, self.stride
        stride = f"/{sh}" if sh == sw else f"/{sh}x{sw}"
        out = "" if self.kind == "depthwise" else f" -> {self.out_c}"
        return f"{self.kind} {kh}x{kw}{stride} {self.in_h}x{self.in_w}x{self.in_c}{out}"


# expansion, out channels, repeats, stride of the first (MobileNetV2, arXiv:1801.04381, table 2)
_MOBILENET_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                 (6, 320, 1, 1))  # fmt: skip
# out channels, stride (MobileNet, arXiv:1704.04861, table 1)
_MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2),
                 (1024, 1))  # fmt: skip
# in, middle, out channels, kernel, stride, side: inverted residuals as FBNet-A, B and C have them (without
# the grouped ones) (arXiv:1812.03443; facebookresearch/mobile-vision, fbnet_modeldef_cls_fbnet.py)
_FBNET = {
    "FBNet-A": (
        (16, 48, 24, 3, 2, 112), (24, 24, 24, 3, 1, 56), (24, 144, 32, 5, 2, 56), (32, 96, 32, 3, 1, 28),
        (32, 32, 32, 5, 1, 28), (32, 192, 64, 5, 2, 28), (64, 192, 64, 5, 1, 14), (64, 384, 64, 5, 1, 14),
        (64, 384, 112, 3, 1, 14), (112, 336, 112, 5, 1, 14), (112, 672, 184, 5, 2, 14),
        (184, 1104, 184, 5, 1, 7), (184, 552, 184, 5, 1, 7), (184, 1104, 352, 5, 1, 7),
    ),
    "FBNet-B": (
        (16, 16, 16, 3, 1, 112), (16, 96, 24, 3, 2, 112), (24, 24, 24, 5, 1, 56), (24, 144, 32, 5, 2, 56),
        (32, 96, 32, 5, 1, 28), (32, 192, 32, 3, 1, 28), (32, 192, 32, 5, 1, 28), (64, 384, 112, 5, 1, 14),
        (112, 112, 112, 3, 1, 14), (112, 112, 112, 5, 1, 14), (184, 184, 184, 5, 1, 7),
        (184, 1104, 352, 3, 1, 7),
    ),
    "FBNet-C": (
        (24, 24, 24, 3, 1, 56), (32, 192, 64, 5, 2, 28), (112, 672, 112, 5, 1, 14), (112, 672, 184, 5, 2, 14),
        (184, 1104, 184, 5, 1, 7),
    ),
}  # fmt: skip
# The same columns, rows of our own in MCUNet's search space (arXiv:2007.10319: kernels 3, 5, 7, expansion
# 3 to 6, any width): not the published networks, and with widths that no unroll divides.
_MCUNET_LIKE = (
    (16, 48, 16, 3, 2, 80), (8, 24, 16, 7, 2, 80), (16, 80, 16, 7, 1, 40), (16, 64, 24, 5, 2, 40),
    (24, 120, 24, 5, 1, 20), (24, 144, 40, 7, 2, 20), (40, 240, 40, 7, 1, 10), (40, 160, 48, 5, 1, 10),
    (48, 240, 48, 3, 1, 10), (48, 288, 96, 5, 2, 10), (96, 480, 96, 7, 1, 5), (96, 384, 160, 3, 1, 5),
    (9, 27, 11, 3, 2, 48), (11, 33, 13, 5, 1, 24), (13, 65, 13, 7, 1, 24), (13, 39, 19, 3, 2, 24),
    (19, 95, 22, 5, 1, 12), (22, 66, 25, 7, 2, 12), (25, 150, 37, 3, 1, 6), (37, 111, 50, 5, 1, 6),
)  # fmt: skip
# conv 10x4 channels and its stride, stride of the first separable block, blocks (arXiv:1711.07128, table 10)
_DS_CNN = {
    "DS-CNN-S": (64, (2, 2), (1, 1), 4),
    "DS-CNN-M": (172, (2, 1), (2, 2), 4),
    "DS-CNN-L": (276, (2, 1), (2, 2), 5),
}
# in, out channels, repeats, stride (arXiv:1512.03385, table 1)
_RESNET_50 = ((64, 64, 256, 1, 56), (256, 128, 512, 2, 56), (512, 256, 1024, 2, 28), (1024, 512, 2048, 2, 14))
_DENSE = (
    ("MobileNet-0.25", 256, 1000), ("MobileNet-0.25", 256, 2), ("ResNet-8", 64, 10), ("ResNet-18", 512, 1000),
    ("DS-CNN-S", 64, 12), ("DS-CNN-M", 172, 12), ("DS-CNN-L", 276, 12), ("autoencoder", 640, 128),
    ("autoencoder", 128, 128), ("autoencoder", 128, 8), ("autoencoder", 8, 128), ("autoencoder", 128, 640),
    ("MCUNet-like", 160, 1000), ("MCUNet-like", 50, 2), ("MCUNet-like", 37, 7), ("LeNet-5", 400, 120),
    ("LeNet-5", 120, 84), ("LeNet-5", 84, 10), ("MobileNet-0.5", 512, 1000), ("squeeze-excite", 96, 25),
    ("squeeze-excite", 25, 96),
)  # fmt: skip


def layers() -> tuple[list[Layer], list[Layer]]:
    """(what the sweep runs: distinct, shrunk to MAX_MACS; what it leaves out for its weights)."""
    wanted: dict[str, Layer] = {}
    dropped: dict[str, Layer] = {}
    for layer in _all():
        if layer.weights > MAX_WEIGHTS:
            dropped.setdefault(layer.name, layer)
            continue
        shrunk = _shrink(layer)
        wanted.setdefault(shrunk.name, shrunk)
    return list(wanted.values()), list(dropped.values())


def _shrink(layer: Layer) -> Layer:
    """Halve the image until the work is at most MAX_MACS."""
    small = layer
    while small.macs > MAX_MACS and ceil(min(small.out_h, small.out_w) / 2) >= MIN_SIDE:
        small = replace(small, in_h=ceil(small.in_h / 2), in_w=ceil(small.in_w / 2))
    return small if small == layer else replace(small, shrunk_from=(layer.in_h, layer.in_w))


def _all() -> Iterator[Layer]:
    for width, side in ((0.25, 96), (0.5, 128), (1.0, 224)):
        yield from _mobilenet_v1(width, side)
    for width, side in ((0.35, 96), (1.0, 224)):
        yield from _mobilenet_v2(width, side)
    yield from _basic_resnet("ResNet-8", 32, 16, 3, 3)
    yield from _conv("ResNet-18", 224, 3, 64, 7, 2)
    yield from _basic_resnet("ResNet-18", 56, 64, 64, 4)
    for row in _RESNET_50:
        yield from _bottleneck(*row)
    for name, row in _DS_CNN.items():
        yield from _ds_cnn(name, *row)
    for name, rows in _FBNET.items():
        yield from _conv(name, 224, 3, 16, 3, 2)
        for row in rows:
            yield from _inverted_residual(name, *row)
    yield from _conv("FBNet-A", 7, 352, 1504, 1)
    yield from _conv("FBNet-C", 7, 352, 1984, 1)
    yield from _conv("MCUNet-like", 160, 3, 16, 3, 2)
    yield from _conv("MCUNet-like", 96, 1, 9, 3, 2)
    for row in _MCUNET_LIKE:
        yield from _inverted_residual("MCUNet-like", *row)
    yield from _conv("LeNet-5", 28, 1, 6, 5)
    yield from _conv("LeNet-5", 14, 6, 16, 5)
    for name, in_c, out_c in _DENSE:
        yield Layer("dense", 1, 1, in_c, out_c, network=name)


def _conv(name: str, side: int, in_c: int, out_c: int, kernel: int, stride: int = 1) -> Iterator[Layer]:
    yield Layer("conv", side, side, in_c, out_c, (kernel, kernel), (stride, stride), name)


def _depthwise(name: str, side: int, channels: int, kernel: int, stride: int) -> Iterator[Layer]:
    yield Layer("depthwise", side, side, channels, channels, (kernel, kernel), (stride, stride), name)


def _divisible(channels: float) -> int:
    """The nearest multiple of 8 that takes away at most a tenth, as MobileNetV2 rounds widths."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _mobilenet_v1(width: float, side: int) -> Iterator[Layer]:
    name, in_c = f"MobileNet-{width:g}", int(32 * width)
    yield from _conv(name, side, 3, in_c, 3, 2)
    side //= 2
    for channels, stride in _MOBILENET_V1:
        out_c = int(channels * width)
        yield from _depthwise(name, side, in_c, 3, stride)
        side = ceil(side / stride)
        yield from _conv(name, side, in_c, out_c, 1)
        in_c = out_c


def _mobilenet_v2(width: float, side: int) -> Iterator[Layer]:
    name, in_c = f"MobileNetV2-{width:g}", _divisible(32 * width)
    yield from _conv(name, side, 3, in_c, 3, 2)
    side //= 2
    for expansion, channels, repeats, first in _MOBILENET_V2:
        out_c = _divisible(channels * width)
        for stride in (first, *(1,) * (repeats - 1)):
            yield from _inverted_residual(name, in_c, in_c * expansion, out_c, 3, stride, side)
            in_c, side = out_c, ceil(side / stride)
    yield from _conv(name, side, in_c, 1280, 1)


def _inverted_residual(
    name: str, in_c: int, middle: int, out_c: int, kernel: int, stride: int, side: int
) -> Iterator[Layer]:
    if middle != in_c:
        yield from _conv(name, side, in_c, middle, 1)
    yield from _depthwise(name, side, middle, kernel, stride)
    yield from _conv(name, ceil(side / stride), middle, out_c, 1)


def _basic_resnet(name: str, side: int, width: int, in_c: int, stages: int) -> Iterator[Layer]:
    """Two 3x3 convolutions a block; every stage but the first halves the image, with a 1x1 shortcut."""
    yield from _conv(name, side, in_c, width, 3)
    yield from _conv(name, side, width, width, 3)
    for stage in range(1, stages):
        wide = width * 2**stage
        yield from _conv(name, side, wide // 2, wide, 3, 2)
        yield from _conv(name, side, wide // 2, wide, 1, 2)
        side = ceil(side / 2)
        yield from _conv(name, side, wide, wide, 3)


def _bottleneck(in_c: int, middle: int, out_c: int, stride: int, side: int) -> Iterator[Layer]:
    name, inner = "ResNet-50", ceil(side / stride)
    yield from _conv(name, side, in_c, middle, 1)
    yield from _conv(name, side, middle, middle, 3, stride)
    yield from _conv(name, inner, middle, out_c, 1)
    yield from _conv(name, side, in_c, out_c, 1, stride)
    yield from _conv(name, inner, out_c, middle, 1)
    yield from _conv(name, inner, middle, middle, 3)


def _ds_cnn(
    name: str, channels: int, stride: tuple[int, int], first: tuple[int, int], blocks: int
) -> Iterator[Layer]:
    """On 49 x 10 MFCC features."""
    conv = Layer("conv", 49, 10, 1, channels, (10, 4), stride, name)
    yield conv
    height, width = conv.out_h, conv.out_w
    for block in (first, *((1, 1),) * (blocks - 1)):
        depthwise = Layer("depthwise", height, width, channels, channels, (3, 3), block, name)
        yield depthwise
        height, width = depthwise.out_h, depthwise.out_w
        yield Layer("conv", height, width, channels, channels, network=name)
