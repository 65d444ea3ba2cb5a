"""Channel removal changes no byte: the smaller program against the untouched one, noise and extremes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from oracle import run_program

from edgert.codegen.intervals import analyse
from edgert.codegen.program import Array, Attr, Program, Quant, Step, Tensor
from edgert.codegen.prune import prune

SIDE = 6


class _Builder:
    """A chain of int8 layers on a SIDE x SIDE map, with biases that kill a share of the channels."""

    def __init__(self, seed: int, channels: int) -> None:
        self.rng = np.random.default_rng(seed)
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

    def _window(self, out_c: int, kernel: int, pad: int, y_zero: int) -> dict[str, Attr]:
        side = SIDE + 2 * pad - kernel + 1
        assert side == SIDE, "the map keeps its size"
        return {
            "batch": 1, "in_h": SIDE, "in_w": SIDE, "in_c": self._channels(self.x),
            "out_h": SIDE, "out_w": SIDE, "out_c": out_c, "kernel_h": kernel, "kernel_w": kernel,
            "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1, "pad_top": pad, "pad_left": pad,
            "x_zero": self._zero(self.x), "y_zero": y_zero, "y_min": y_zero, "y_max": 127,
        }  # fmt: skip

    def _parameters(self, name: str, out_c: int, weights: Array) -> Mapping[str, str]:
        """A third of the channels get a bias that no input overcomes, up or down; some weights are zero."""
        fate = self.rng.integers(0, 6, out_c)
        bias = self.rng.integers(-2000, 2000, out_c) + np.select([fate == 0, fate == 1], [-(10**7), 10**7])
        arrays = {
            "weights": weights,
            "bias": bias.astype(np.int32),
            "multiplier": self.rng.integers(2**30, 2**31 - 1, out_c).astype(np.int32),
            "shift": self.rng.integers(-9, -6, out_c).astype(np.int32),
        }
        for role, data in arrays.items():
            self.constants[f"{name}/{role}"] = data
        return {role: f"{name}/{role}" for role in arrays}

    def conv(self, out_c: int, kernel: int = 1, y_zero: int = -128) -> _Builder:
        name, in_c = f"conv{len(self.steps)}", self._channels(self.x)
        weights = self.rng.integers(-127, 128, (out_c, kernel, kernel, in_c)).astype(np.int8)
        weights[..., self.rng.random(in_c) < 0.1] = 0
        attrs = {**self._window(out_c, kernel, kernel // 2, y_zero), "groups": 1}
        constants = self._parameters(name, out_c, weights)
        self._append(name, "conv2d_s8", (self.x,), out_c, y_zero, attrs, constants)
        return self

    def depthwise(self, y_zero: int = -128) -> _Builder:
        name, channels = f"dw{len(self.steps)}", self._channels(self.x)
        weights = self.rng.integers(-127, 128, (3, 3, channels)).astype(np.int8)
        attrs = {**self._window(channels, 3, 1, y_zero), "depth_multiplier": 1}
        constants = self._parameters(name, channels, weights)
        self._append(name, "depthwise_conv2d_s8", (self.x,), channels, y_zero, attrs, constants)
        return self

    def add(self, other: str) -> _Builder:
        channels = self._channels(self.x)
        size = SIDE * SIDE * channels
        attrs: dict[str, Attr] = {"d0": 1, "d1": SIDE, "d2": SIDE, "d3": channels}
        for x in ("x0", "x1"):
            attrs |= {f"{x}_s0": size, f"{x}_s1": SIDE * channels, f"{x}_s2": channels, f"{x}_s3": 1}
        attrs |= {
            "left_shift": 20, "x0_zero": self._zero(other), "x0_multiplier": 2**30, "x0_shift": 0,
            "x1_zero": self._zero(self.x), "x1_multiplier": 2**30 + 12345, "x1_shift": -1,
            "y_multiplier": 2**30, "y_shift": -18, "y_zero": 3, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        self._append(f"add{len(self.steps)}", "add_s8", (other, self.x), channels, 3, attrs, {})
        return self

    def pool(self) -> _Builder:
        channels = self._channels(self.x)
        attrs: dict[str, Attr] = {
            "batch": 1, "in_h": SIDE, "in_w": SIDE, "channels": channels, "out_h": 1, "out_w": 1,
            "kernel_h": SIDE, "kernel_w": SIDE, "stride_h": 1, "stride_w": 1, "pad_top": 0, "pad_left": 0,
            "count_include_pad": 0, "x_zero": self._zero(self.x), "y_min": -128, "y_max": 127,
        }  # fmt: skip
        name = f"pool{len(self.steps)}"
        self._append(name, "avg_pool2d_s8", (self.x,), channels, self._zero(self.x), attrs, {}, side=1)
        return self

    def dense(self, out_c: int) -> _Builder:
        name, in_c = f"fc{len(self.steps)}", self._channels(self.x)
        weights = self.rng.integers(-127, 128, (out_c, in_c)).astype(np.int8)
        attrs: dict[str, Attr] = {
            "batch": 1, "in_c": in_c, "out_c": out_c, "x_zero": self._zero(self.x),
            "y_zero": 0, "y_min": -128, "y_max": 127,
        }  # fmt: skip
        constants = self._parameters(name, out_c, weights)
        self._append(name, "fully_connected_s8", (self.x,), out_c, 0, attrs, constants, side=1)
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
        side: int = SIDE,
    ) -> None:
        self.x = self.tensor(name, channels, zero, side)
        self.steps.append(Step(name, op, inputs, (name,), attrs, constants, macs=channels))

    def program(self) -> Program:
        return Program("net", self.tensors, self.constants, tuple(self.steps), ("input",), (self.x,))


def _mobile(seed: int) -> Program:
    b = _Builder(seed, 3).conv(8, 3).depthwise().conv(16).depthwise().conv(12)
    return b.depthwise().conv(10).pool().dense(5).program()


def _residual(seed: int) -> Program:
    b = _Builder(seed, 3).conv(8, 3, y_zero=-20)
    skip = b.x
    return b.conv(8, 3).conv(8, 1, y_zero=7).add(skip).conv(6, 3).depthwise(4).conv(4).program()


def _inputs(program: Program, seed: int) -> list[Array]:
    shape = program.tensors["input"].shape
    rng = np.random.default_rng(seed)
    extremes: list[Array] = [np.full(shape, v, np.int8) for v in (-128, -5, 127)]
    noise: list[Array] = [rng.integers(-128, 128, shape).astype(np.int8) for _ in range(4)]
    two_valued = np.where(rng.random(shape) < 0.5, -128, 127).astype(np.int8)
    return [*extremes, *noise, two_valued]


@pytest.mark.parametrize("make", [_mobile, _residual])
@pytest.mark.parametrize("seed", range(12))
def test_same_bytes(make: object, seed: int) -> None:
    assert callable(make)
    program = make(seed)
    smaller, removals = prune(program)
    assert smaller.macs <= program.macs
    for x in _inputs(program, seed):
        expected, got = run_program(program, [x]), run_program(smaller, [x])
        for one, other in zip(expected, got, strict=True):
            np.testing.assert_array_equal(one, other)
    if make is _mobile:
        assert removals, "a third of the channels are dead by construction"


@pytest.mark.parametrize("seed", range(4))
def test_intervals_contain_what_happens(seed: int) -> None:
    program = _residual(seed)
    intervals = analyse(program).intervals
    for x in _inputs(program, seed):
        for name in (step.outputs[0] for step in program.steps):
            cut = Program("cut", program.tensors, program.constants, program.steps, ("input",), (name,))
            value = run_program(cut, [x])[0].reshape(-1, program.tensors[name].shape[-1])
            assert (value >= intervals[name].lo).all()
            assert (value <= intervals[name].hi).all()


def test_nothing_to_remove_is_the_same_object() -> None:
    program = _Builder(0, 1).pool().program()
    assert prune(program)[0] is program
