"""A slow, obvious integer oracle: every contract in numpy int64, one small function each.

Written from docs/numerics.md and not from the C, so that the two can disagree. "tir" steps have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgert.codegen.program import Program, Step

Array = np.ndarray[Any, Any]
Roles = Mapping[str, Array]


def run_program(program: Program, inputs: Sequence[Array]) -> list[Array]:
    """The program's outputs."""
    memory = {t.name: np.zeros(t.shape, t.dtype) for t in program.tensors.values()}
    for name, value in zip(program.inputs, inputs, strict=True):
        memory[name][...] = value
    for step in program.steps:
        run_step(program, step, memory)
    return [memory[name] for name in program.outputs]


def run_step(program: Program, step: Step, memory: dict[str, Array]) -> None:
    """Write the step's output into memory."""
    sources = [memory[n] if n in memory else program.constants[n] for n in step.inputs]
    constants = {role: _exact(program.constants[n]) for role, n in step.constants.items()}
    y = memory[step.outputs[0]]
    g = {name: value if name in ("scale", "y_scale") else int(value) for name, value in step.attrs.items()}
    if step.op == "copy_rows":
        _copy_rows(g, sources[0], y)
        return
    result = _RULES[step.op](g, sources, constants)
    y[...] = np.asarray(result).reshape(y.shape).astype(y.dtype)


def _exact(constant: Array) -> Array:
    return constant if constant.dtype in (np.float32, bool) else constant.astype(np.int64)


def _half_away(numerator: Array, shift: Array) -> Array:
    """round(numerator / 2^shift), halves away from zero"""
    half = np.where(shift > 0, np.int64(1) << np.maximum(shift - 1, 0), 0)
    return np.sign(numerator) * ((np.abs(numerator) + half) >> shift)


def twice(acc: Array, multiplier: Any, shift: Any) -> Array:
    """gemmlowp: round(acc * multiplier / 2^31), halves up; round that / 2^-shift, halves away from zero"""
    acc, multiplier, shift = (np.asarray(v, np.int64) for v in (acc, multiplier, shift))
    high = ((acc << np.maximum(shift, 0)) * multiplier + 2**30) >> 31
    return _half_away(high, np.maximum(-shift, 0))


def once(acc: Array, multiplier: Array, shift: Array) -> Array:
    """round(acc * multiplier / 2^(31 - shift)), halves away from zero"""
    return _half_away(acc * multiplier, 31 - shift)


def _clamped(y: Array, g: Mapping[str, int]) -> Array:
    return np.clip(y + g["y_zero"], g["y_min"], g["y_max"])


def _windows(x: Array, g: Mapping[str, int]) -> Array:
    """x [b, h, w, c] -> [b, out_h, out_w, kernel_h, kernel_w, c], zeros outside"""
    batch, in_h, in_w, channels = x.shape
    taps = np.zeros((batch, g["out_h"], g["out_w"], g["kernel_h"], g["kernel_w"], channels), np.int64)
    for i, j, u, v in np.ndindex(*taps.shape[1:5]):
        row = i * g["stride_h"] - g["pad_top"] + u * g.get("dilation_h", 1)
        column = j * g["stride_w"] - g["pad_left"] + v * g.get("dilation_w", 1)
        if 0 <= row < in_h and 0 <= column < in_w:
            taps[:, i, j, u, v] = x[:, row, column]
    return taps


def _image(x: Array, g: Mapping[str, int], channels: str) -> Array:
    return x.astype(np.int64).reshape(g["batch"], g["in_h"], g["in_w"], g[channels])


def _conv2d(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    taps = _windows(_image(x[0], g, "in_c") - g["x_zero"], g)
    depth, each = g["in_c"] // g["groups"], g["out_c"] // g["groups"]
    weights = c["weights"].reshape(g["groups"], each, g["kernel_h"], g["kernel_w"], depth)
    grouped = taps.reshape(*taps.shape[:-1], g["groups"], depth)
    sums = np.einsum("bijuvgc,gnuvc->bijgn", grouped, weights).reshape(*taps.shape[:3], g["out_c"])
    return _clamped(twice(sums + c["bias"], c["multiplier"], c["shift"]), g)


def _depthwise(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    taps = _windows(_image(x[0], g, "in_c") - g["x_zero"], g).repeat(g["depth_multiplier"], axis=-1)
    weights = c["weights"].reshape(g["kernel_h"], g["kernel_w"], g["out_c"])
    acc = (taps * weights).sum((3, 4)) + c["bias"]
    return _clamped(twice(acc, c["multiplier"], c["shift"]), g)


def _fully_connected(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    centred = x[0].astype(np.int64).reshape(g["batch"], g["in_c"]) - g["x_zero"]
    acc = centred @ c["weights"].reshape(g["out_c"], g["in_c"]).T + c["bias"]
    return _clamped(once(acc, c["multiplier"], c["shift"]), g)


def _matmul(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    x0 = x[0].astype(np.int64).reshape(g["batch"], g["rows"], g["depth"])
    order = ("batch", "columns", "depth") if g["x1_transposed"] else ("batch", "depth", "columns")
    x1 = x[1].astype(np.int64).reshape([g[side] for side in order])
    x1 = x1.swapaxes(1, 2) if g["x1_transposed"] else x1
    return _clamped(twice((x0 - g["x0_zero"]) @ (x1 - g["x1_zero"]), g["y_multiplier"], g["y_shift"]), g)


def _operand(x: Array, g: Mapping[str, int], name: str) -> Array:
    """The operand broadcast to [d0, d1, d2, d3], centred"""
    dims = [np.arange(g[f"d{i}"]) for i in range(4)]
    index = sum(
        (d * g[f"{name}_s{i}"]).reshape([-1 if i == k else 1 for k in range(4)]) for i, d in enumerate(dims)
    )
    return x.ravel().astype(np.int64)[np.asarray(index)] - g[f"{name}_zero"]


def _add(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    terms = []
    for name, value in zip(("x0", "x1"), x, strict=True):
        raised = _operand(value, g, name) << g["left_shift"]
        scaled = twice(raised, abs(g[f"{name}_multiplier"]), g[f"{name}_shift"])
        terms.append(scaled if g[f"{name}_multiplier"] >= 0 else -scaled)
    return _clamped(twice(terms[0] + terms[1], g["y_multiplier"], g["y_shift"]), g)


def _mul(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    product = _operand(x[0], g, "x0") * _operand(x[1], g, "x1")
    return _clamped(twice(product, g["y_multiplier"], g["y_shift"]), g)


def _max_pool(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    lifted = _windows(_image(x[0], g, "channels") + 1000, g)  # outside stays 0, below everything
    return np.clip(lifted.max((3, 4)) - 1000, g["y_min"], g["y_max"])


def _avg_pool(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    image = _image(x[0], g, "channels")
    total, count = _windows(image, g).sum((3, 4)), _windows(np.ones_like(image), g).sum((3, 4))
    if g["count_include_pad"]:
        window = g["kernel_h"] * g["kernel_w"]
        total, count = total + (window - count) * g["x_zero"], np.full_like(count, window)
    rounded = np.sign(total) * ((np.abs(total) + count // 2) // count)
    return np.clip(rounded, g["y_min"], g["y_max"])


def _mean(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    total = (x[0].astype(np.int64).reshape(g["outer"], g["reduce"], g["inner"]) - g["x_zero"]).sum(1)
    return np.clip(twice(total, g["multiplier"], g["shift"]) + g["y_zero"], -128, 127)


def _lut(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    return c["table"][x[0].view(np.uint8)]


def _prelu(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    v = x[0].astype(np.int64).reshape(g["outer"], g["channels"]) - g["x_zero"]
    positive = twice(v, g["positive_multiplier"], g["positive_shift"])
    slope = v * (c["alpha"] - g["alpha_zero"])
    negative = twice(slope, g["negative_multiplier"], g["negative_shift"])
    return np.clip(np.where(v >= 0, positive, negative) + g["y_zero"], -128, 127)


def _reciprocal(total: int) -> tuple[int, int]:
    """(1 / m in Q0.31, headroom) for total = m * 2^(31 - headroom), m in [1, 2): Newton, as gemmlowp does."""
    headroom = 32 - total.bit_length()
    half = ((total << headroom) - 2**31 + 2**31) // 2

    def product(a: int, b: int) -> int:
        return (a * b + 2**30) >> 31

    guess = 1515870810 + product(half, -1010580540)
    for _ in range(3):
        step = product(guess, 2**29 - product(half, guess))
        guess += min(max(step * 4, -(2**31)), 2**31 - 1)
    return min(guess * 2, 2**31 - 1), headroom


def _softmax(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    rows = x[0].astype(np.int64).reshape(g["rows"], g["depth"])
    result = np.empty_like(rows)
    for row, out in zip(rows, result, strict=True):
        exps = c["exp_table"][row.max() - row]
        reciprocal, headroom = _reciprocal(int(_half_away(exps, np.int64(12)).sum()))
        scaled = (exps * reciprocal + 2**30) >> 31
        out[:] = np.minimum(_half_away(scaled, np.int64(12 - headroom + 31 - 8)) - 128, 127)
    return result


def _quantize(g: Mapping[str, Any], x: Sequence[Array], c: Roles) -> Array:
    steps = x[0].astype(np.float32) / np.float32(g["scale"])
    whole = np.sign(steps) * np.floor(np.abs(steps).astype(np.float64) + 0.5)
    return np.clip(whole + g["zero"], -128, 127)


def _dequantize(g: Mapping[str, Any], x: Sequence[Array], c: Roles) -> Array:
    return (x[0].astype(np.int32) - g["zero"]).astype(np.float32) * np.float32(g["scale"])


def _bilinear_taps(ins: int, outs: int, corners: int, half_pixel: int) -> list[tuple[int, int, int]]:
    """(low, high, weight of high in 1024ths) for each output position"""
    corners = corners and outs > 1
    over, under = (ins - 1, outs - 1) if corners else (ins, outs)
    step = (1024 * over + under // 2) // under
    found = []
    for n in range(outs):
        position = n * step + (step // 2 - 512 if half_pixel else 0)
        low = min(max(int(position / 1024), 0), ins - 1)
        high = min(max(int((position + 1023) / 1024), 0), ins - 1)
        found.append((low, high, position - 1024 * low))
    return found


def _resize_bilinear(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    image, flags = _image(x[0], g, "channels"), (g["align_corners"], g["half_pixel_centers"])
    rows = _bilinear_taps(g["in_h"], g["out_h"], *flags)
    columns = _bilinear_taps(g["in_w"], g["out_w"], *flags)
    y = np.empty((g["batch"], g["out_h"], g["out_w"], g["channels"]), np.int64)
    for (i, (top, bottom, v)), (j, (left, right, h)) in (
        (r, q) for r in enumerate(rows) for q in enumerate(columns)
    ):
        upper = image[:, top, left] * (1024 - h) + image[:, top, right] * h
        lower = image[:, bottom, left] * (1024 - h) + image[:, bottom, right] * h
        y[:, i, j] = _half_away(upper * (1024 - v) + lower * v, np.int64(20))
    return y


def _elements(x: Array, g: Mapping[str, int]) -> Array:
    return np.ascontiguousarray(x).view(f"u{g['element_bytes']}")


def _nearest_index(ins: int, outs: int, corners: int, half_pixel: int) -> Array:
    exact = corners and outs > 1
    ratio = np.float32(ins - 1) / np.float32(outs - 1) if exact else np.float32(ins) / np.float32(outs)
    position = (np.arange(outs, dtype=np.float32) + np.float32(0.5 if half_pixel else 0)) * ratio
    return np.clip(np.floor(position + 0.5 if corners else position).astype(int), 0, ins - 1)


def _resize_nearest(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    image = _elements(x[0], g).reshape(g["batch"], g["in_h"], g["in_w"], g["channels"])
    flags = (g["align_corners"], g["half_pixel_centers"])
    rows, columns = (_nearest_index(g[f"in_{a}"], g[f"out_{a}"], *flags) for a in "hw")
    return image[:, rows][:, :, columns].view(x[0].dtype)


def _pad(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    image = _elements(x[0], g).reshape([g[f"d{i}"] for i in range(4)])
    value = g["value"] & ((1 << (8 * g["element_bytes"])) - 1)
    widths = [(g[f"before{i}"], g[f"after{i}"]) for i in range(4)]
    return np.pad(image, widths, constant_values=value).view(x[0].dtype)


def _strided_copy(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    index = np.full((), g["begin"])
    for i in range(4):
        index = index[..., None] + np.arange(g[f"d{i}"]) * g[f"s{i}"]
    return x[0].ravel()[index]


def _copy_rows(g: Mapping[str, int], x: Array, y: Array) -> None:
    rows = y.view(np.uint8).reshape(g["rows"], g["y_row_bytes"])
    part = np.ascontiguousarray(x).view(np.uint8).reshape(g["rows"], -1)
    rows[:, g["y_offset"] : g["y_offset"] + g["row_bytes"]] = part


def _conv2d_pool(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    z = np.asarray(_conv2d(g, x, c)).reshape(g["batch"], g["out_h"], g["out_w"], g["out_c"])
    rows, columns = g["out_h"] // g["pool_h"], g["out_w"] // g["pool_w"]
    z = z[:, : rows * g["pool_h"], : columns * g["pool_w"]]
    split = z.reshape(g["batch"], rows, g["pool_h"], columns, g["pool_w"], g["out_c"])
    pooled: Array = split.max((2, 4))
    return pooled


def _binary_dots(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    """x: truths; outside of the map pad_value."""
    signs = np.where(_image(x[0], g, "in_c") > 0, 1, -1)
    inside = _windows(np.ones_like(signs), g)
    taps = np.where(inside > 0, _windows(signs, g), g["pad_value"])
    weights = c["weights"].reshape(g["out_c"], g["kernel_h"], g["kernel_w"], g["in_c"])
    return np.asarray(np.einsum("bijuvc,nuvc->bijn", taps, weights))


def _binary_conv2d(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    return np.asarray(_binary_dots(g, x, c) >= c["threshold"])


def _binary_conv2d_f32(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    return np.asarray(_binary_dots(g, x, c).astype(np.float32) * c["scale"] + c["bias"])


def _binary_conv2d_s16(g: Mapping[str, Any], x: Sequence[Array], c: Roles) -> Array:
    steps = _binary_conv2d_f32(g, x, c) / np.float32(g["y_scale"])
    return np.clip(np.sign(steps) * np.floor(np.abs(steps).astype(np.float64) + 0.5), -(2**15), 2**15 - 1)


def _first_binary_conv2d(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    taps = _windows(_image(x[0], g, "in_c") - g["x_zero"], g)
    weights = c["weights"].reshape(g["out_c"], g["kernel_h"], g["kernel_w"], g["in_c"])
    return np.asarray(np.einsum("bijuvc,nuvc->bijn", taps, weights) >= c["threshold"])


def _binary_max_pool(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    raised = np.where(_image(x[0], g, "channels").astype(bool) ^ c["minimum"], 2, 1)  # outside: 0
    return np.asarray((_windows(raised, g).max((3, 4)) == 2) ^ c["minimum"])


def _sign_s8(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    return np.asarray((x[0].reshape(g["outer"], g["channels"]) >= c["threshold"]) ^ c["flip"])


def _sign_f32(g: Mapping[str, int], x: Sequence[Array], c: Roles) -> Array:
    v = x[0].reshape(g["outer"], g["channels"]) * c["gain"] + c["shift"]
    return np.asarray(v > 0 if g["strict"] else v >= 0)


_RULES: dict[str, Callable[[Mapping[str, Any], Sequence[Array], Roles], Array]] = {
    "conv2d_s8": _conv2d,
    "conv2d_pool_s8": _conv2d_pool,
    "conv2d_b1": _binary_conv2d,
    "conv2d_b1_f32": _binary_conv2d_f32,
    "conv2d_b1_s16": _binary_conv2d_s16,
    "conv2d_s8_b1": _first_binary_conv2d,
    "max_pool2d_b1": _binary_max_pool,
    "sign_s8_b1": _sign_s8,
    "sign_s16_b1": _sign_s8,
    "sign_f32_b1": _sign_f32,
    "depthwise_conv2d_s8": _depthwise,
    "fully_connected_s8": _fully_connected,
    "matmul_s8": _matmul,
    "add_s8": _add,
    "mul_s8": _mul,
    "max_pool2d_s8": _max_pool,
    "avg_pool2d_s8": _avg_pool,
    "mean_s8": _mean,
    "lut_s8": _lut,
    "prelu_s8": _prelu,
    "softmax_s8": _softmax,
    "quantize_f32_s8": _quantize,
    "dequantize_s8_f32": _dequantize,
    "resize_bilinear_s8": _resize_bilinear,
    "resize_nearest": _resize_nearest,
    "pad": _pad,
    "strided_copy": _strided_copy,
}
