"""The kernels on bits: every variant against PyTorch's convolution and pooling of +1 and -1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from caller import Array, call, call_overlapping, step, variants
from oracle import run_step

from edgert import api
from edgert.codegen.kernels.bits import pack_bits
from edgert.codegen.program import Program, Step, Tensor, bit_words
from edgert.codegen.select import choices
from edgert.target import load_target

RNG = np.random.default_rng(7)
F = torch.nn.functional


@dataclass(frozen=True)
class Case:
    """x: [batch, h, w, c]; pad: top and left, bottom and right."""

    x: tuple[int, int, int, int]
    out_c: int
    kernel: tuple[int, int] = (3, 3)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pad: tuple[int, int] = (0, 0)
    pad_value: int = -1

    @property
    def out(self) -> tuple[int, int]:
        return tuple(
            (self.x[1 + k] + sum(self.pad) - (self.kernel[k] - 1) * self.dilation[k] - 1) // self.stride[k]
            + 1
            for k in range(2)
        )  # type: ignore[return-value]

    def step(self, op: str, **more: float) -> Step:
        batch, in_h, in_w, in_c = self.x
        return step(
            op, batch=batch, in_h=in_h, in_w=in_w, in_c=in_c, out_h=self.out[0], out_w=self.out[1],
            out_c=self.out_c, kernel_h=self.kernel[0], kernel_w=self.kernel[1], stride_h=self.stride[0],
            stride_w=self.stride[1], dilation_h=self.dilation[0], dilation_w=self.dilation[1],
            pad_top=self.pad[0], pad_left=self.pad[0], **more,
        )  # fmt: skip


CASES = [
    *(Case((1, 5, 6, c), n) for c, n in ((1, 1), (31, 33), (32, 32), (33, 64), (64, 31), (70, 300))),
    *(Case((2, 5, 4, 20), 40, pad=(1, 1), pad_value=value) for value in (-1, 0, 1)),
    *(Case((1, 7, 6, 32), 64, pad=(0, 1), stride=(2, 2), pad_value=value) for value in (-1, 0, 1)),
    *(Case((1, 8, 7, 9), 5, dilation=(2, 2), pad=(2, 2), pad_value=value) for value in (-1, 0, 1)),
    Case((1, 1, 1, 256), 512, (1, 1)),
    Case((1, 1, 1, 600), 10, (1, 1)),
    Case((1, 4, 4, 8), 3, (4, 1)),
    Case((1, 2, 2, 40), 40, (5, 5), pad=(2, 2), pad_value=0),
]


def signs(*shape: int, ones: float = 0.5) -> Array:
    return np.where(RNG.random(shape) < ones, 1, -1).astype(np.int8)


def alike(*shape: int) -> Array:
    """Weights of channels that have most of their words in common."""
    one = signs(1, *shape[1:])
    other = signs(*shape)
    words = RNG.random((*shape[:-1], -(-shape[-1] // 32))).repeat(32, -1)[..., : shape[-1]]
    return np.where(words < 0.15, other, one).astype(np.int8)


def dots(case: Case, x: Array, weights: Array, outside: float) -> Array:
    """As PyTorch computes them: [batch, out_h, out_w, out_c]"""
    image = torch.from_numpy(x.astype(np.float64)).permute(0, 3, 1, 2)
    before, after = case.pad
    image = F.pad(image, (before, after, before, after), value=outside)
    kernel = torch.from_numpy(weights.astype(np.float64)).permute(0, 3, 1, 2)
    y = F.conv2d(image, kernel, stride=case.stride, dilation=case.dilation)
    return y.permute(0, 2, 3, 1).numpy().astype(np.int64)


def check(
    s: Step, x: Array, expected: Array, shape: tuple[int, ...], dtype: str, constants: dict[str, Array]
) -> None:
    labels = variants(s, constants)
    for label in labels:
        y = call(s, [x], shape, dtype, constants, variant=label)
        np.testing.assert_array_equal(y, expected, err_msg=label)
        over = call_overlapping(s, [x], shape, dtype, constants, variant=label)
        np.testing.assert_array_equal(over, expected, err_msg=f"{label} over its input")


def by_oracle(s: Step, x: Array, x_dtype: str, y: Tensor, constants: dict[str, Array]) -> Array:
    """What tests/oracle.py makes of the same Step."""
    tensors = {"x0": Tensor("x0", x.shape, x_dtype), "y": y}
    program = Program("p", tensors, constants, (s,), ("x0",), ("y",))
    memory = {"x0": x, "y": np.zeros(y.shape, y.dtype)}
    run_step(program, s, memory)
    return memory["y"]


@pytest.mark.parametrize("ones", [0.5, 0.1, 0.9, 1.0])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution(case: Case, ones: float) -> None:
    x, weights = signs(*case.x, ones=ones), signs(case.out_c, *case.kernel, case.x[3])
    dot = dots(case, x, weights, case.pad_value)
    n = weights[0].size
    threshold = RNG.integers(-n // 3, n // 3 + 2, case.out_c).astype(np.int32)
    threshold[:3] = (-(2**31), 2**31 - 1, dot.reshape(-1, case.out_c)[0, -1])[: len(threshold[:3])]
    constants = {"weights": weights, "threshold": threshold}
    s = case.step("conv2d_b1", pad_value=case.pad_value)
    bits = dot >= threshold
    check(s, pack_bits(x > 0), pack_bits(bits), pack_bits(bits).shape, "uint32", constants)
    np.testing.assert_array_equal(by_oracle(s, x > 0, "b1", Tensor("y", bits.shape, "b1"), constants), bits)


@pytest.mark.parametrize("pad_value", [-1, 0, 1])
def test_by_a_tree_where_channels_are_alike(pad_value: int) -> None:
    case = Case((1, 6, 5, 70), 40, pad=(1, 1), pad_value=pad_value)
    x, weights = signs(*case.x), alike(case.out_c, *case.kernel, case.x[3])
    dot = dots(case, x, weights, pad_value)
    constants = {"weights": weights, "threshold": RNG.integers(-20, 20, case.out_c).astype(np.int32)}
    s = case.step("conv2d_b1", pad_value=pad_value)
    assert "tree" in variants(s, constants)
    bits = pack_bits(dot >= constants["threshold"])
    check(s, pack_bits(x > 0), bits, bits.shape, "uint32", constants)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_to_float(case: Case) -> None:
    x, weights = signs(*case.x), signs(case.out_c, *case.kernel, case.x[3])
    scale, bias = (RNG.normal(size=case.out_c).astype(np.float32) for _ in range(2))
    constants = {"weights": weights, "scale": scale, "bias": bias}
    expected = dots(case, x, weights, case.pad_value).astype(np.float32) * scale + bias
    s = case.step("conv2d_b1_f32", pad_value=case.pad_value)
    check(s, pack_bits(x > 0), expected, expected.shape, "float32", constants)
    y = Tensor("y", expected.shape, "float32")
    np.testing.assert_array_equal(by_oracle(s, x > 0, "b1", y, constants), expected)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_convolution_to_int16(case: Case) -> None:
    """As the one to float and the rounding behind it; some of it saturates."""
    x, weights = signs(*case.x), signs(case.out_c, *case.kernel, case.x[3])
    scale, bias = (RNG.normal(size=case.out_c).astype(np.float32) for _ in range(2))
    constants = {"weights": weights, "scale": scale, "bias": bias}
    real = dots(case, x, weights, case.pad_value).astype(np.float32) * scale + bias
    y_scale = float(np.float32(np.abs(real).max() / 30000))
    for step_size in (y_scale, y_scale / 4):
        steps = (real / np.float32(step_size)).astype(np.float64)
        rounded = np.clip(np.sign(steps) * np.floor(np.abs(steps) + 0.5), -(2**15), 2**15 - 1)
        expected = rounded.astype(np.int16)
        s = case.step("conv2d_b1_s16", pad_value=case.pad_value, y_scale=step_size)
        check(s, pack_bits(x > 0), expected, expected.shape, "int16", constants)
        y = Tensor("y", expected.shape, "int16")
        np.testing.assert_array_equal(by_oracle(s, x > 0, "b1", y, constants), expected)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_first_layer(case: Case) -> None:
    """int8 inputs; weights that are signs, and others."""
    x = RNG.integers(-128, 128, case.x).astype(np.int8)
    for weights in (
        signs(case.out_c, *case.kernel, case.x[3]),
        RNG.integers(-127, 128, (case.out_c, *case.kernel, case.x[3])).astype(np.int8),
    ):
        sums = dots(case, x.astype(np.int64) - 3, weights, 0)
        threshold = RNG.integers(sums.min(), sums.max() + 1, case.out_c).astype(np.int32)
        constants = {"weights": weights, "threshold": threshold}
        s, bits = case.step("conv2d_s8_b1", x_zero=3), sums >= threshold
        check(s, x, pack_bits(bits), pack_bits(bits).shape, "uint32", constants)
        y = Tensor("y", bits.shape, "b1")
        np.testing.assert_array_equal(by_oracle(s, x, "int8", y, constants), bits)


@pytest.mark.parametrize("seed", range(40))
def test_any_convolution(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    case = Case(
        tuple(int(n) for n in (rng.integers(1, 3), *rng.integers(5, 8, 2), rng.integers(1, 100))),
        int(rng.integers(1, 100)),
        kernel,
        stride=tuple(int(k) for k in rng.integers(1, 3, 2)),
        dilation=tuple(int(k) for k in rng.integers(1, 3, 2)),
        pad=tuple(int(k) for k in rng.integers(0, 2, 2)),
        pad_value=int(rng.integers(-1, 2)),
    )  # type: ignore[arg-type]
    test_convolution(case, float(rng.random()))
    test_first_layer(replace(case, x=(*case.x[:3], 1 + case.x[3] // 8)))


@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize("x", [(1, 6, 6, 32), (2, 5, 7, 70), (1, 4, 4, 1)])
def test_max_pool(x: tuple[int, int, int, int], pad: int) -> None:
    values, minimum = signs(*x), RNG.random(x[3]) < 0.5
    flipped = torch.from_numpy(np.where(minimum, -values, values).astype(np.float32)).permute(0, 3, 1, 2)
    pooled = F.max_pool2d(flipped, (2, 3), 2, pad).permute(0, 2, 3, 1).numpy()
    expected = (pooled > 0) ^ minimum
    s = step(
        "max_pool2d_b1", batch=x[0], in_h=x[1], in_w=x[2], channels=x[3], out_h=pooled.shape[1],
        out_w=pooled.shape[2], kernel_h=2, kernel_w=3, stride_h=2, stride_w=2, pad_top=pad, pad_left=pad,
    )  # fmt: skip
    words = pack_bits(expected)
    check(s, pack_bits(values > 0), words, words.shape, "uint32", {"minimum": minimum})
    y = Tensor("y", expected.shape, "b1")
    np.testing.assert_array_equal(by_oracle(s, values > 0, "b1", y, {"minimum": minimum}), expected)


@pytest.mark.parametrize("channels", [1, 3, 32, 45])
def test_signs(channels: int) -> None:
    x = RNG.integers(-128, 128, (9, channels)).astype(np.int8)
    threshold = RNG.integers(-130, 130, channels).astype(np.int32)
    flip = RNG.random(channels) < 0.5
    bits = (x >= threshold) ^ flip
    s = step("sign_s8_b1", outer=9, channels=channels)
    constants: dict[str, Any] = {"threshold": threshold, "flip": flip}
    check(s, x, pack_bits(bits), pack_bits(bits).shape, "uint32", constants)
    np.testing.assert_array_equal(by_oracle(s, x, "int8", Tensor("y", bits.shape, "b1"), constants), bits)
    wide, threshold = x.astype(np.int16) * 200, threshold * 200
    bits, constants = (wide >= threshold) ^ flip, constants | {"threshold": threshold}
    s = step("sign_s16_b1", outer=9, channels=channels)
    check(s, wide, pack_bits(bits), pack_bits(bits).shape, "uint32", constants)
    real = RNG.normal(size=(9, channels)).astype(np.float32)
    real[:2, 0] = (np.nan, 0)
    gain, shift = (RNG.normal(size=channels).astype(np.float32) for _ in range(2))
    shift[0] = -0.0
    constants = {"gain": gain, "shift": shift}
    for strict in (0, 1):
        line = real * gain + shift
        bits = line > 0 if strict else line >= 0
        s = step("sign_f32_b1", outer=9, channels=channels, strict=strict)
        check(s, real, pack_bits(bits), pack_bits(bits).shape, "uint32", constants)
        y = Tensor("y", bits.shape, "b1")
        np.testing.assert_array_equal(by_oracle(s, real, "float32", y, constants), bits)


BOARDS = {
    "cortex-m4-emulated": "cortex-m4",
    "cortex-m0plus-emulated": "cortex-m0plus",
    "rv32imc-emulated": "rv32imc",
    "virt-rv32-zbb": "rv32imc-zbb",
    "aarch64-user": "aarch64-linux",
}
ON_BOARDS = [
    Case((1, 5, 6, 70), 40),
    Case((1, 5, 5, 64), 33, pad=(1, 1), pad_value=0),
    Case((2, 4, 4, 9), 130, pad=(1, 0), pad_value=1, stride=(2, 1)),
]


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("case", ON_BOARDS, ids=str)
def test_same_words_on_the_board(case: Case, board: str, tmp_path: Path) -> None:
    """Every kernel that the core has, assembler and all: the signs of int8, and their convolution."""
    x = RNG.integers(-128, 128, case.x).astype(np.int8)
    weights = signs(case.out_c, *case.kernel, case.x[3])
    threshold = RNG.integers(-9, 9, case.out_c).astype(np.int32)
    dot = dots(case, np.where(x >= 0, 1, -1), weights, case.pad_value)
    conv = case.step("conv2d_b1", pad_value=case.pad_value)
    channels = case.x[3]
    sign = step("sign_s8_b1", outer=x.size // channels, channels=channels)
    program = Program(
        "one",
        {
            "x": Tensor("x", x.shape, "int8"),
            "bits": Tensor("bits", x.shape, "b1"),
            "y": Tensor("y", (*dot.shape[:3], bit_words(case.out_c)), "uint32"),
        },
        {"weights": weights, "threshold": threshold, "zero": np.zeros(channels, np.int32),
         "flip": np.zeros(channels, bool)},
        (
            replace(sign, inputs=("x",), outputs=("bits",), constants={"threshold": "zero", "flip": "flip"}),
            replace(conv, inputs=("bits",)),
        ),
        ("x",),
        ("y",),
    )  # fmt: skip
    for n, label in enumerate(choices(program, program.steps[1], load_target(BOARDS[board]).features)):
        artifact = api.compile_program(program, tmp_path / str(n), board=board, labels={conv.name: label})
        with api.connect(artifact) as session:
            np.testing.assert_array_equal(session.run(x)[0], pack_bits(dot >= threshold), err_msg=label)
