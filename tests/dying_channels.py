"""Small integer networks in which a share of the channels cannot change: what pruning has to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edgert.codegen.program import Array, Attr, Program, Quant, Step, Tensor

SIDE = 6


class Builder:
    """A chain of int8 layers on a SIDE x SIDE map, with biases that kill a share of the channels."""

    def __init__(self, seed: int, channels: int, *, tame: bool = False) -> None:
        """tame: outputs stay well inside int8, and no channel dies."""
        self.rng = np.random.default_rng(seed)
        self.tame = tame
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, Array] = {}
        self.steps: list[Step] = []
        self.x = self.tensor("input", channels, -5)

    def tensor(self, name: str, channels: int, zero: int, side: int = SIDE) -> str:
        self.tensors[name] = Tensor(name, (1, side, side, channels), "int8", Quant(0.1, zero))
        return name

    def _zero(self, name: str) -> int:
        quant = self.tensors[name].quant
        assert quant is not None
        return quant.zero_point

    def _channels(self, name: str) -> int:
        return self.tensors[name].shape[-1]

    def _side(self, name: str) -> int:
        return self.tensors[name].shape[1]

    def _window(self, out_c: int, kernel: int, pad: int, y_zero: int) -> dict[str, Attr]:
        side = self._side(self.x)
        out = side + 2 * pad - kernel + 1
        return {
            "batch": 1, "in_h": side, "in_w": side, "in_c": self._channels(self.x),
            "out_h": out, "out_w": out, "out_c": out_c, "kernel_h": kernel, "kernel_w": kernel,
            "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": pad, "pad_left": pad,
            "x_zero": self._zero(self.x), "y_zero": y_zero, "y_min": y_zero, "y_max": 127,
        }  # fmt: skip

    def _parameters(self, name: str, out_c: int, weights: Array) -> Mapping[str, str]:
        """A third of the channels get a bias that no input overcomes, up or down; some weights are zero."""
        fate = self.rng.integers(0, 6, out_c)
        bias = self.rng.integers(-2000, 2000, out_c) + np.select(
            [fate == 0, fate == 1], [-(10**7), 10**7]
        ) * (not self.tame)
        arrays = {
            "weights": weights,
            "bias": bias.astype(np.int32),
            "multiplier": self.rng.integers(2**30, 2**31 - 1, out_c).astype(np.int32),
            "shift": (self.rng.integers(-9, -6, out_c) - 6 * self.tame).astype(np.int32),
        }
        for role, data in arrays.items():
            self.constants[f"{name}/{role}"] = data
        return {role: f"{name}/{role}" for role in arrays}

    def conv(self, out_c: int, kernel: int = 1, y_zero: int = -128, *, valid: bool = False) -> Builder:
        name, in_c = f"conv{len(self.steps)}", self._channels(self.x)
        weights = self.rng.integers(-127, 128, (out_c, kernel, kernel, in_c)).astype(np.int8)
        weights[..., self.rng.random(in_c) < 0.1] = 0
        attrs = {**self._window(out_c, kernel, 0 if valid else kernel // 2, y_zero), "groups": 1}
        constants = self._parameters(name, out_c, weights)
        side = int(attrs["out_h"])
        self._append(name, "conv2d_s8", (self.x,), out_c, y_zero, attrs, constants, side)
        return self

    def depthwise(self, y_zero: int = -128) -> Builder:
        name, channels = f"dw{len(self.steps)}", self._channels(self.x)
        weights = self.rng.integers(-127, 128, (3, 3, channels)).astype(np.int8)
        attrs = {**self._window(channels, 3, 1, y_zero), "depth_multiplier": 1}
        constants = self._parameters(name, channels, weights)
        self._append(name, "depthwise_conv2d_s8", (self.x,), channels, y_zero, attrs, constants)
        return self

    def _elementwise(self, channels: int) -> dict[str, Attr]:
        side = self._side(self.x)
        attrs: dict[str, Attr] = {"d0": 1, "d1": side, "d2": side, "d3": channels}
        for x in ("x0", "x1"):
            strides = (side * side * channels, side * channels, channels, 1)
            attrs |= {f"{x}_s{i}": stride for i, stride in enumerate(strides)}
        return attrs

    def mul(self, other: str) -> Builder:
        channels = self._channels(self.x)
        attrs = self._elementwise(channels) | {
            "x0_zero": self._zero(other), "x1_zero": self._zero(self.x),
            "y_multiplier": 2**30 + 777, "y_shift": -6, "y_zero": -9, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        self._append(f"mul{len(self.steps)}", "mul_s8", (other, self.x), channels, -9, attrs, {})
        return self

    def matmul(self, other: str, *, transposed: bool = False) -> Builder:
        """x times `other`, or its transpose: matrices of a row for each pixel."""
        rows, depth = self._side(self.x) ** 2, self._channels(self.x)
        columns = self._side(other) ** 2 if transposed else self._channels(other)
        attrs: dict[str, Attr] = {
            "batch": 1, "rows": rows, "depth": depth, "columns": columns, "x1_transposed": int(transposed),
            "x0_zero": self._zero(self.x), "x1_zero": self._zero(other),
            "y_multiplier": 2**30 + 777, "y_shift": -9, "y_zero": 4, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        self._append(f"matmul{len(self.steps)}", "matmul_s8", (self.x, other), columns, 4, attrs, {})
        return self

    def add(self, other: str) -> Builder:
        channels = self._channels(self.x)
        attrs = self._elementwise(channels) | {
            "left_shift": 20, "x0_zero": self._zero(other), "x0_multiplier": 2**30, "x0_shift": 0,
            "x1_zero": self._zero(self.x), "x1_multiplier": 2**30 + 12345, "x1_shift": -1,
            "y_multiplier": 2**30, "y_shift": -18, "y_zero": 3, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        self._append(f"add{len(self.steps)}", "add_s8", (other, self.x), channels, 3, attrs, {})
        return self

    def pool(
        self, op: str = "avg_pool2d_s8", kernel: int = 0, pad: int = 0, *, counts: bool = False
    ) -> Builder:
        """kernel 0: the whole map. counts: an average over padding, too."""
        channels, side = self._channels(self.x), self._side(self.x)
        kernel = kernel or side
        out = side + 2 * pad - kernel + 1
        attrs: dict[str, Attr] = {
            "batch": 1, "in_h": side, "in_w": side, "channels": channels, "out_h": out, "out_w": out,
            "kernel_h": kernel, "kernel_w": kernel, "stride_h": 1, "stride_w": 1,
            "pad_top": pad, "pad_left": pad, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        if op == "avg_pool2d_s8":
            attrs |= {"count_include_pad": int(counts), "x_zero": self._zero(self.x)}
        self._append(f"pool{len(self.steps)}", op, (self.x,), channels, self._zero(self.x), attrs, {}, out)
        return self

    def mean(self) -> Builder:
        channels, shape = self._channels(self.x), self.tensors[self.x].shape
        attrs: dict[str, Attr] = {
            "outer": 1, "reduce": shape[1] * shape[2], "inner": channels,
            "x_zero": self._zero(self.x), "multiplier": 2**30 + 99, "shift": -4, "y_zero": 11,
        }  # fmt: skip
        self._append(f"mean{len(self.steps)}", "mean_s8", (self.x,), channels, 11, attrs, {}, 1)
        return self

    def pad(self, pixels: int, value: int, channels: tuple[int, int] = (0, 0)) -> Builder:
        """Around the map, and before and behind the channels."""
        count, side = self._channels(self.x), self._side(self.x)
        dims, before = (1, side, side, count), (0, pixels, pixels, channels[0])
        attrs: dict[str, Attr] = {f"d{i}": d for i, d in enumerate(dims)}
        attrs |= {f"before{i}": n for i, n in enumerate(before)}
        attrs |= {f"after{i}": n for i, n in enumerate((*before[:3], channels[1]))}
        attrs |= {"value": value & 255, "element_bytes": 1}
        name, zero = f"pad{len(self.steps)}", self._zero(self.x)
        self._append(name, "pad", (self.x,), count + sum(channels), zero, attrs, {}, side + 2 * pixels)
        return self

    def concat(self, parts: Sequence[str], axis: int = 3) -> Builder:
        """Along the channels (3) or the rows (1), as lowering does it: each part writes its slice."""
        shapes = [self.tensors[part].shape for part in parts]
        total = sum(shape[axis] for shape in shapes)
        shape = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        name, zero, offset = f"concat{len(self.steps)}", self._zero(parts[0]), 0
        self.tensors[name] = Tensor(name, shape, "int8", Quant(0.1, zero))
        for part, own in zip(parts, shapes, strict=True):
            row, rows = int(np.prod(own[axis:])), int(np.prod(own[:axis]))
            attrs = {
                "rows": rows,
                "row_bytes": row,
                "y_row_bytes": int(np.prod(shape[axis:])),
                "y_offset": offset,
            }
            self.steps.append(Step(name, "copy_rows", (part,), (name,), attrs))
            offset += row
        self.x = name
        return self

    def lut(self) -> Builder:
        name, channels = f"lut{len(self.steps)}", self._channels(self.x)
        self.constants[f"{name}/table"] = self.rng.integers(-128, 128, 256).astype(np.int8)
        attrs = {"size": int(np.prod(self.tensors[self.x].shape))}
        self._append(name, "lut_s8", (self.x,), channels, 4, attrs, {"table": f"{name}/table"})
        return self

    def prelu(self) -> Builder:
        name, channels = f"prelu{len(self.steps)}", self._channels(self.x)
        self.constants[f"{name}/alpha"] = self.rng.integers(-128, 128, channels).astype(np.int8)
        attrs: dict[str, Attr] = {
            "outer": self._side(self.x) ** 2, "channels": channels, "x_zero": self._zero(self.x),
            "alpha_zero": 0, "positive_multiplier": 2**30, "positive_shift": 0,
            "negative_multiplier": 2**30, "negative_shift": -7, "y_zero": -2,
        }  # fmt: skip
        self._append(name, "prelu_s8", (self.x,), channels, -2, attrs, {"alpha": f"{name}/alpha"})
        return self

    def resize(self, op: str, side: int) -> Builder:
        channels, now = self._channels(self.x), self._side(self.x)
        attrs: dict[str, Attr] = {
            "batch": 1, "in_h": now, "in_w": now, "channels": channels, "out_h": side, "out_w": side,
            "align_corners": 0, "half_pixel_centers": 0,
        }  # fmt: skip
        attrs |= {"element_bytes": 1} if op == "resize_nearest" else {}
        self._append(f"resize{len(self.steps)}", op, (self.x,), channels, self._zero(self.x), attrs, {}, side)
        return self

    def dense(self, out_c: int) -> Builder:
        name, in_c = f"fc{len(self.steps)}", self._channels(self.x) * self._side(self.x) ** 2
        weights = self.rng.integers(-127, 128, (out_c, in_c)).astype(np.int8)
        attrs: dict[str, Attr] = {
            "batch": 1, "in_c": in_c, "out_c": out_c, "x_zero": self._zero(self.x),
            "y_zero": 0, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        constants = self._parameters(name, out_c, weights)
        self._append(name, "fully_connected_s8", (self.x,), out_c, 0, attrs, constants, 1)
        return self

    def _append(
        self,
        name: str,
        op: str,
        inputs: tuple[str, ...],
        channels: int,
        zero: int,
        attrs: Mapping[str, Attr],
        constants: Mapping[str, str],
        side: int | None = None,
    ) -> None:
        self.x = self.tensor(name, channels, zero, side or self._side(self.x))
        self.steps.append(Step(name, op, inputs, (name,), attrs, constants, macs=channels))

    def program(self) -> Program:
        return Program("net", self.tensors, self.constants, tuple(self.steps), ("input",), (self.x,))


def inputs_of(program: Program, seed: int) -> list[Array]:
    shape = program.tensors["input"].shape
    rng = np.random.default_rng(seed)
    extremes: list[Array] = [np.full(shape, v, np.int8) for v in (-128, -5, 127)]
    noise: list[Array] = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(4)]
    two_valued = np.where(rng.random(shape) < 0.5, -128, 127).astype(np.int8)
    return [*extremes, *noise, two_valued]
