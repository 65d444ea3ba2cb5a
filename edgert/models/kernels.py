"""Small int8 networks of one kind each, as TFLite files made in memory: what a circuit is measured with.

`KERNELS` lists them by name; sizes are parameters, and the same parameters give the same bytes. Weights are
random; scales come from a calibration with uniform random inputs, so that such inputs use the range of every
layer and hardly saturate. NumPy only, no torch.
Source: the kernels that InTAR (Inter-Task Auto-Reconfigurable accelerators) is evaluated with, and the blocks
of FBNet and ResNet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from edgert.codegen.tflite.writer import Operator, Tensor

Array = npt.NDArray[Any]
Quant = tuple[float, int]
_ROWS = 128  # of calibration, at least; a pixel is a row
_MARGIN = 1.2  # of the range, over what calibration has seen
_UNIT = (1 / 256, -128)  # of probabilities: what the reference's softmax and logistic insist on


def mlp(widths: Sequence[int] = (256, 1024, 2048, 256), *, rows: int = 16, seed: int = 1) -> bytes:
    """x [rows, widths[0]] through dense layers, a ReLU between them."""
    net = _Network("mlp", (rows, widths[0]), seed)
    y, last = net.input, len(widths) - 1
    for number, width in enumerate(widths[1:], 1):
        y = net.dense(f"dense_{number}", y, width, relu=number < last)
    return net.file(y)


def autoencoder(widths: Sequence[int] = (512, 256, 64, 256, 512), *, rows: int = 16, seed: int = 2) -> bytes:
    """x [rows, widths[0]] through a bottleneck and back."""
    return mlp(widths, rows=rows, seed=seed)


def cnn(channels: Sequence[int] = (8, 16, 32, 32, 16), *, side: int = 32, seed: int = 3) -> bytes:
    """x [1, side, side, channels[0]] through 3x3 convolutions with ReLU.

    A 2x2 max pool is behind every other convolution but the last: of four, behind the first and the third.
    """
    net = _Network("cnn", (1, side, side, channels[0]), seed)
    y, last = net.input, len(channels) - 1
    for number, width in enumerate(channels[1:], 1):
        y = net.conv(f"conv_{number}", y, width, 3, relu=True)
        if number % 2 and number < last:
            y = net.max_pool(f"pool_{number}", y)
    return net.file(y)


def gating(
    width: int = 256, hidden: int = 512, *, rows: int = 16, gate: str = "logistic", seed: int = 4
) -> bytes:
    """x [rows, width] -> W3 ((W1 x) * gate(W2 x)), a gated perceptron. gate: "logistic" or "relu"."""
    net = _Network("gating", (rows, width), seed)
    up = net.dense("up", net.input, hidden)
    gated = net.dense("gate", net.input, hidden, relu=gate == "relu", gain=1.5)
    if gate == "logistic":
        gated = net.logistic("gate_logistic", gated)
    return net.file(net.dense("down", net.multiply("gated", up, gated), width))


def attention(tokens: int = 64, width: int = 64, *, heads: int = 1, seed: int = 5) -> bytes:
    """x [tokens, width] + W (softmax(Q K^T) V), self-attention with `heads` heads; heads divides width."""
    net = _Network("attention", (tokens, width), seed)
    depth = width // heads
    gains = {"query": 2 / np.sqrt(depth), "key": 1.0, "value": 1.0}  # scores of deviation 2
    parts = [net.dense(name, net.input, width, gain=gain) for name, gain in gains.items()]
    if heads > 1:
        parts = [net.reshape(part, (tokens, heads, depth)) for part in parts]
        parts = [net.transpose(f"{part}_heads", part, (1, 0, 2)) for part in parts]
    query, key, value = parts
    chances = net.softmax("chances", net.matmul("scores", query, key, adjoint=True))
    mixed = net.matmul("mixed", chances, value)
    if heads > 1:
        mixed = net.reshape(net.transpose("joined", mixed, (1, 0, 2)), (tokens, width))
    return net.file(net.add("residual", net.input, net.dense("output", mixed, width)))


def inverted_residual(
    channels: Sequence[int] = (8, 16, 24, 24, 32), *, side: int = 32, expansion: int = 6, seed: int = 6
) -> bytes:
    """x [1, side, side, channels[0]]: a 3x3 stem, then FBNet's blocks: 1x1 up, 3x3 depthwise, 1x1 down.

    A block that keeps its channels has a residual sum; one that does not halves the side, the stem as well.
    """
    net = _Network("inverted_residual", (1, side, side, channels[0]), seed)
    y = net.conv("stem", net.input, channels[1], 3, stride=2, relu=True)
    for number, (before, after) in enumerate(pairwise(channels[1:]), 1):
        wide = net.conv(f"block_{number}_expand", y, before * expansion, 1, relu=True)
        stride = 1 if before == after else 2
        wide = net.depthwise(f"block_{number}_depthwise", wide, 3, stride=stride, relu=True)
        narrow = net.conv(f"block_{number}_project", wide, after, 1)
        y = net.add(f"block_{number}_add", y, narrow) if before == after else narrow
    return net.file(y)


def residual(channels: int = 16, *, side: int = 32, seed: int = 7) -> bytes:
    """x [1, side, side, channels]: ResNet's two kinds of block, one as it is, one of half the side."""
    net = _Network("residual", (1, side, side, channels), seed)
    y = net.conv("block_1_conv_1", net.input, channels, 3, relu=True)
    y = net.conv("block_1_conv_2", y, channels, 3)
    y = net.add("block_1_add", net.input, y, relu=True)
    short = net.conv("block_2_short", y, 2 * channels, 1, stride=2)
    y = net.conv("block_2_conv_1", y, 2 * channels, 3, stride=2, relu=True)
    y = net.conv("block_2_conv_2", y, 2 * channels, 3)
    return net.file(net.add("block_2_add", short, y, relu=True))


def separable(channels: Sequence[int] = (8, 32, 32, 64, 64), *, side: int = 32, seed: int = 8) -> bytes:
    """x [1, side, side, channels[0]]: a 3x3 stem, then 3x3 depthwise and 1x1 convolutions, as in DS-CNN.

    A block that changes its channels halves the side.
    """
    net = _Network("separable", (1, side, side, channels[0]), seed)
    y = net.conv("stem", net.input, channels[1], 3, relu=True)
    for number, (before, after) in enumerate(pairwise(channels[1:]), 1):
        stride = 1 if before == after else 2
        y = net.depthwise(f"block_{number}_depthwise", y, 3, stride=stride, relu=True)
        y = net.conv(f"block_{number}_pointwise", y, after, 1, relu=True)
    return net.file(y)


KERNELS: dict[str, Callable[..., bytes]] = {
    "mlp": mlp,
    "cnn": cnn,
    "autoencoder": autoencoder,
    "gating": gating,
    "attention": attention,
    "inverted_residual": inverted_residual,
    "residual": residual,
    "separable": separable,
}


class _Network:
    """A graph under construction. Each layer is computed in float64 on `samples` inputs, for its scale.

    values: tensor -> [samples, *shape], real numbers. Layers return the name of their output.
    """

    def __init__(self, name: str, shape: tuple[int, ...], seed: int) -> None:
        self.name, self.input = name, "input"
        self.rng = np.random.default_rng(seed)
        self.tensors: dict[str, Tensor] = {}
        self.operators: list[Operator] = []
        self.values: dict[str, Array] = {}
        self.samples = max(8, -(-_ROWS // prod(shape[:-1])))
        inputs = self.rng.integers(-128, 128, (self.samples, *shape)) / 128
        self._activation(self.input, inputs, (1 / 128, 0))

    def file(self, output: str) -> bytes:
        from edgert.codegen.tflite.writer import Graph, write

        tensors = list(self.tensors.values())
        return write(Graph(tensors, self.operators, [self.input], [output], f"edgert {self.name}"))

    # tensors

    def _activation(self, name: str, values: Array, quant: Quant) -> str:
        from edgert.codegen.tflite.writer import Tensor

        scales, zeros = np.array([quant[0]], np.float32), np.array([quant[1]])
        self.tensors[name] = Tensor(name, values.shape[1:], "int8", scales=scales, zeros=zeros)
        self.values[name] = values
        return name

    def _constant(self, name: str, data: Array, scales: Array | None = None, axis: int = 0) -> str:
        from edgert.codegen.tflite.writer import Tensor

        zeros = None if scales is None else np.zeros(scales.size, np.int64)
        self.tensors[name] = Tensor(name, data.shape, str(data.dtype), data, scales, zeros, axis)
        return name

    def _quant(self, name: str) -> Quant:
        tensor = self.tensors[name]
        assert tensor.scales is not None and tensor.zeros is not None
        return float(tensor.scales[0]), int(tensor.zeros[0])

    def _emit(
        self, kind: str, inputs: list[str], name: str, values: Array, quant: Quant, table: str, **options: Any
    ) -> str:
        from edgert.codegen.tflite.export import VERSIONS
        from edgert.codegen.tflite.writer import Operator

        self.operators.append(Operator(kind, inputs, [name], table, options, VERSIONS.get(kind, 1)))
        return self._activation(name, values, quant)

    # layers with weights

    def dense(self, name: str, x: str, width: int, *, relu: bool = False, gain: float = 1.0) -> str:
        """One scale for all weights. gain: the deviation of the output before its ReLU."""
        depth = self.values[x].shape[-1]
        real, weights, scales = self._weights(x, (width, depth), depth, gain, ())
        inputs, bias = self._weighted(name, x, weights, scales, 0, width, gain)
        values = _activated(self.values[x] @ real.T + bias, relu)
        kind, table = "FULLY_CONNECTED", "FullyConnectedOptions"
        return self._emit(kind, inputs, name, values, _range(values), table, **_fused(relu))

    def conv(self, name: str, x: str, width: int, kernel: int, *, stride: int = 1, relu: bool = False) -> str:
        """SAME padding; a scale for every output channel."""
        depth = self.values[x].shape[-1]
        shape = (width, kernel, kernel, depth)
        real, weights, scales = self._weights(x, shape, kernel**2 * depth, 1.0, (1, 2, 3))
        inputs, bias = self._weighted(name, x, weights, scales, 0, width)
        values = np.tensordot(self._windows(x, kernel, stride), real, ((4, 5, 3), (1, 2, 3))) + bias
        return self._convolved("CONV_2D", "Conv2DOptions", inputs, name, values, stride, relu)

    def depthwise(self, name: str, x: str, kernel: int, *, stride: int = 1, relu: bool = False) -> str:
        """SAME padding; a scale for every channel."""
        width = self.values[x].shape[-1]
        real, weights, scales = self._weights(x, (1, kernel, kernel, width), kernel**2, 1.0, (0, 1, 2))
        inputs, bias = self._weighted(name, x, weights, scales, 3, width)
        values = np.einsum("nijcuv,uvc->nijc", self._windows(x, kernel, stride), real[0]) + bias
        kind, table = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        return self._convolved(kind, table, inputs, name, values, stride, relu, DepthMultiplier=1)

    def _weights(
        self, x: str, shape: tuple[int, ...], taps: int, gain: float, axes: tuple[int, ...]
    ) -> tuple[Array, Array, Array]:
        """(real, int8, scales); axes: those that share a scale, none: all of them."""
        deviation = gain / np.sqrt(taps * np.mean(self.values[x] ** 2))
        wanted = self.rng.normal(0, deviation, shape)
        scale = _short(np.abs(wanted).max(axes or None, keepdims=True) / 127)
        weights = np.clip(np.rint(wanted / scale), -127, 127).astype(np.int8)
        return weights * scale.astype(np.float64), weights, scale.reshape(-1)

    def _weighted(
        self, name: str, x: str, weights: Array, scales: Array, axis: int, width: int, gain: float = 1.0
    ) -> tuple[list[str], Array]:
        """(input, weights and bias; the real bias)"""
        sums = np.float32(self._quant(x)[0]) * scales
        bias = np.rint(self.rng.normal(0, gain / 4, width) / sums).astype(np.int32)
        weights_name = self._constant(f"{name}/weights", weights, scales, axis)
        return [x, weights_name, self._constant(f"{name}/bias", bias, sums)], bias * sums.astype(np.float64)

    def _convolved(
        self,
        kind: str,
        table: str,
        inputs: list[str],
        name: str,
        y: Array,
        stride: int,
        relu: bool,
        **options: int,
    ) -> str:
        values = _activated(y, relu)[:, None]
        return self._emit(
            kind, inputs, name, values, _range(values), table, Padding="SAME", StrideH=stride, StrideW=stride,
            DilationHFactor=1, DilationWFactor=1, **options, **_fused(relu),
        )  # fmt: skip

    def _windows(self, x: str, kernel: int, stride: int) -> Array:
        """[samples, 1, h, w, c] -> [samples, out_h, out_w, c, kernel, kernel]"""
        image = self.values[x][:, 0]
        totals = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in image.shape[1:3]]
        pads = [(total // 2, total - total // 2) for total in totals]
        padded = np.pad(image, [(0, 0), *pads, (0, 0)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(1, 2))
        return windows[:, ::stride, ::stride]

    # layers without

    def add(self, name: str, x0: str, x1: str, *, relu: bool = False) -> str:
        values = _activated(self.values[x0] + self.values[x1], relu)
        return self._emit("ADD", [x0, x1], name, values, _range(values), "AddOptions", **_fused(relu))

    def multiply(self, name: str, x0: str, x1: str) -> str:
        values = self.values[x0] * self.values[x1]
        return self._emit("MUL", [x0, x1], name, values, _range(values), "MulOptions", **_fused(False))

    def matmul(self, name: str, x0: str, x1: str, *, adjoint: bool = False) -> str:
        """adjoint: x1 [..., columns, depth]"""
        right = self.values[x1].swapaxes(-1, -2) if adjoint else self.values[x1]
        values = self.values[x0] @ right
        kind, table = "BATCH_MATMUL", "BatchMatMulOptions"
        return self._emit(kind, [x0, x1], name, values, _range(values), table, AdjX=False, AdjY=adjoint)

    def softmax(self, name: str, x: str) -> str:
        powers = np.exp(self.values[x] - self.values[x].max(-1, keepdims=True))
        values = powers / powers.sum(-1, keepdims=True)
        return self._emit("SOFTMAX", [x], name, values, _UNIT, "SoftmaxOptions", Beta=1.0)

    def logistic(self, name: str, x: str) -> str:
        return self._emit("LOGISTIC", [x], name, 1 / (1 + np.exp(-self.values[x])), _UNIT, "")

    def max_pool(self, name: str, x: str, size: int = 2) -> str:
        n, one, height, width, c = self.values[x].shape
        tiles = self.values[x][:, :, : height // size * size, : width // size * size]
        values = tiles.reshape(n, one, height // size, size, width // size, size, c).max((3, 5))
        return self._emit(
            "MAX_POOL_2D", [x], name, values, self._quant(x), "Pool2DOptions", Padding="VALID",
            FilterHeight=size, FilterWidth=size, StrideH=size, StrideW=size, **_fused(False),
        )  # fmt: skip

    def reshape(self, x: str, shape: tuple[int, ...]) -> str:
        wanted = self._constant(f"{x}/shape", np.array(shape, np.int32))
        values = self.values[x].reshape(self.samples, *shape)
        return self._emit("RESHAPE", [x, wanted], f"{x}_reshaped", values, self._quant(x), "")

    def transpose(self, name: str, x: str, axes: tuple[int, ...]) -> str:
        wanted = self._constant(f"{name}/axes", np.array(axes, np.int32))
        values = self.values[x].transpose(0, *(a + 1 for a in axes))
        return self._emit("TRANSPOSE", [x, wanted], name, values, self._quant(x), "TransposeOptions")


def _activated(values: Array, relu: bool) -> Array:
    return np.maximum(values, 0) if relu else values


def _fused(relu: bool) -> dict[str, str]:
    return {"FusedActivationFunction": "RELU" if relu else "NONE"}


def _range(values: Array) -> Quant:
    """(scale, zero point) of what calibration saw, and zero."""
    low, high = (_MARGIN * float(end) for end in (min(values.min(), 0.0), max(values.max(), 0.0)))
    scale = float(_short(np.array((high - low) / 255)))
    return scale, int(np.clip(np.rint(-128 - low / scale), -128, 127))


def _short(scale: Array) -> Array:
    """Three digits, so that another order of sums, in another BLAS, makes the same file."""
    digits = 10.0 ** (2 - np.floor(np.log10(scale)))
    return (np.ceil(scale * digits) / digits).astype(np.float32)
