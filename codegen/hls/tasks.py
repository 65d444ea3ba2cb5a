"""Program -> Tasks: what each layer asks of the circuit, and how its tensors lie in memory.

A Task is a window over a map of rows x cols x channels; a dense layer over a batch is a map of one column.
What has no unit is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgert.codegen.hls.design import word_bytes
from edgert.codegen.hls.interpret import once, twice
from edgert.codegen.hls.isa import LANES, Mode, Op
from edgert.codegen.program import Array, Program, Step
from edgert.errors import UnsupportedOperatorError

CORE, BINARY, SOFTMAX = "core", "binary core", "softmax unit"
_WINDOW_SIDE, _WINDOW_STRIDE = 8, 3  # of a window that a core can hold (isa.Mac)


@dataclass(frozen=True)
class Map:
    """A tensor as the circuit holds it: row, pixel, channel; of bits, 8 channels a byte.

    lane_rows: transposed, channel (row_bytes apart) and row (a byte), for a product that reads it as weights.
    """

    name: str
    rows: int
    cols: int
    channels: int
    pixel_bytes: int
    row_bytes: int
    lane_rows: bool = False

    @property
    def nbytes(self) -> int:
        return (self.channels if self.lane_rows else self.rows) * self.row_bytes

    @property
    def row_words(self) -> int:
        return self.row_bytes // LANES


@dataclass(frozen=True, eq=False)
class Task:
    """One layer. kh, kw, sh, sw, dh, dw, top, left: its window; run: bytes (DOT) or words of a tap.

    out_rows, out_cols, groups: results, groups of 8 channels. weights: uint8 [groups, items, 8], of a binary
    layer [groups, items, 64]; None if there are none. params: (bias, multiplier, shift) of groups * 8
    entries, or of the 256 of a table. operand: the Map that is loaded as weights. pad: the byte outside.
    uniform: (multiplier, shift) of every result.
    """

    step: Step
    unit: str
    op: Op
    mode: Mode
    inputs: tuple[Map, ...]
    output: Map
    out_rows: int
    out_cols: int
    groups: int
    run: int = 1
    kh: int = 1
    kw: int = 1
    sh: int = 1
    sw: int = 1
    dh: int = 1
    dw: int = 1
    top: int = 0
    left: int = 0
    x_zero: int = 0
    w_zero: int = 0
    pad: int = 0
    y_zero: int = 0
    y_min: int = -128
    y_max: int = 127
    weights: Array | None = None
    params: tuple[Array, Array, Array] | None = None
    uniform: tuple[int, int] | None = None
    operand: Map | None = None

    @property
    def name(self) -> str:
        return self.step.name

    @property
    def items(self) -> int:
        """Of a pixel."""
        return self.kh * self.kw * self.run

    @property
    def windowed(self) -> bool:
        """Whether a core keeps the columns that neighbouring windows share."""
        fits = self.kh <= _WINDOW_SIDE and self.kw <= _WINDOW_SIDE - self.sw and self.sw <= _WINDOW_STRIDE
        shared = self.kw > self.sw and self.out_cols > 1 and self.dw == 1
        return self.op in (Op.LANE, Op.MAX, Op.SUM) and fits and shared

    @property
    def pair(self) -> bool:
        return self.op in (Op.ADD, Op.MUL)

    @property
    def flat(self) -> bool:
        """Whether it goes over words, whatever pixel they are of."""
        return self.op in (Op.ADD, Op.MUL, Op.TABLE)

    @property
    def weight_words(self) -> int:
        """Of one group, as the core counts them."""
        return self.items if self.weights is not None or self.operand is not None else 0

    @property
    def table(self) -> bool:
        return self.op in (Op.ADD, Op.TABLE)

    def rows_needed(self, out_rows: int) -> int:
        """How many rows of the input the first out_rows rows of the output are made of."""
        if out_rows <= 0:
            return 0
        last = (out_rows - 1) * self.sh - self.top + (self.kh - 1) * self.dh
        return max(0, min(self.inputs[0].rows, last + 1))

    def first_row(self, out_row: int) -> int:
        """The first row of the input that row out_row of the output reads."""
        return max(0, out_row * self.sh - self.top)


@dataclass(frozen=True, eq=False)
class Network:
    """tasks in order; maps by tensor name. inputs, outputs: names of tensors."""

    name: str
    tasks: tuple[Task, ...]
    maps: Mapping[str, Map]
    program: Program

    def readers(self, name: str) -> list[int]:
        return [i for i, t in enumerate(self.tasks) if name in reads(t)]

    def writer(self, name: str) -> int | None:
        return next((i for i, t in enumerate(self.tasks) if t.output.name == name), None)


def reads(task: Task) -> list[str]:
    """Names of the tensors that it reads."""
    return [m.name for m in task.inputs] + ([task.operand.name] if task.operand else [])


def network(program: Program) -> Network:
    """Every Step as a Task. Raises UnsupportedOperatorError, which names the layer."""
    maps = _maps(program)
    tasks = tuple(_task(program, step, maps) for step in program.steps)
    return Network(program.name, tasks, maps, program)


def supported(step: Step) -> bool:
    """Whether an operator has a unit at all."""
    return step.op in _MAKERS


# ---- how tensors lie -------------------------------------------------------------------------------------


Sides = tuple[int, int, int]  # rows, cols, channels


def _maps(program: Program) -> dict[str, Map]:
    transposed = {s.inputs[1]: s for s in program.steps if s.op == "matmul_s8" and s.attrs["x1_transposed"]}
    packed, sides = _packed(program), _sides(program)
    found = {}
    for name, tensor in program.tensors.items():
        rows, cols, channels = sides[name]
        if tensor.dtype == "b1":
            pixel = 8 * -(-channels // 64)
        else:
            pixel = channels if name in packed else word_bytes(channels)
        row = word_bytes(cols * pixel)
        if name in transposed:
            _check_transposed(program, transposed[name], name)
            found[name] = Map(name, rows, 1, channels, 1, word_bytes(rows), lane_rows=True)
        else:
            found[name] = Map(name, rows, cols, channels, pixel, row)
    return found


def _sides(program: Program) -> dict[str, Sides]:
    """Of every tensor, as the layer that makes it sees it: a reshape is no layer. Of an input, as its readers
    do."""
    found = {name: _sides_of(tensor.shape) for name, tensor in program.tensors.items()}
    for name in program.inputs:
        seen = {_seen(step) for step in program.steps if name in step.inputs}
        if len(seen) == 1 and (view := seen.pop()) is not None:
            found[name] = view
    for step in program.steps:
        found[step.outputs[0]] = _made(step, found)
    return found


def _sides_of(shape: Sequence[int]) -> Sides:
    """Of [1, h, w, c], or [..., c] with all other dimensions as rows."""
    if len(shape) == 4 and shape[0] == 1:
        return shape[1], shape[2], shape[3]
    return int(np.prod(shape[:-1], dtype=int)), 1, shape[-1]


def _seen(step: Step) -> Sides | None:
    """What a layer with a window reads; None: any other takes what it gets."""
    a = step.attrs
    if "in_h" not in a:
        return None
    return int(a["in_h"]), int(a["in_w"]), int(a["in_c"] if "in_c" in a else a["channels"])


def _made(step: Step, sides: Mapping[str, Sides]) -> Sides:
    a, made = step.attrs, sides[step.outputs[0]]
    if "out_h" in a:
        return int(a["out_h"]), int(a["out_w"]), int(a["out_c"] if "out_c" in a else a["channels"])
    rows, cols, channels = sides.get(step.inputs[0], made)
    if step.op in (*_FLAT, "softmax_s8"):
        return rows, cols, channels
    if step.op == "fully_connected_s8" and (rows * cols, channels) == (a["batch"], a["in_c"]):
        return rows, cols, int(a["out_c"])
    return made


def _check_transposed(program: Program, step: Step, name: str) -> None:
    """A core writes a map transposed, at no cost, if it is a layer's sums and nobody reads it otherwise."""
    makers = [s.op for s in program.steps if name in s.outputs]
    reads_ = [x for s in program.steps for x in s.inputs if x == name]
    if makers and makers[0] in (*_BYTEWISE, "matmul_s8") and len(reads_) == 1 and name not in program.outputs:
        return
    raise _refuse(
        step, f"{name} transposed",
        "a circuit transposes what a convolution, dense layer or product makes for this layer alone",
    )  # fmt: skip


def _read_as(step: Step, x: Map) -> Map:
    """The map as the layer sees it: rows are the tensor's own, in them pixels may be cut otherwise."""
    view = _seen(step)
    if view is None or view == (x.rows, x.cols, x.channels):
        return x
    rows, cols, channels = view
    dense = x.pixel_bytes == x.channels and (channels % LANES == 0 or step.op in _BYTEWISE)
    if rows != x.rows or cols * channels != x.cols * x.channels or not dense:
        raise _refuse(
            step, f"a map of {x.rows}x{x.cols}x{x.channels} reshaped to {rows}x{cols}x{channels}",
            "a circuit reads the rows that were made; a map of 8 n channels may have other pixels in a row",
        )  # fmt: skip
    return replace(x, cols=cols, channels=channels, pixel_bytes=channels)


_BYTEWISE = ("conv2d_s8", "conv2d_s8_b1", "fully_connected_s8")
_FLAT = ("lut_s8", "add_s8", "mul_s8")


def _packed(program: Program) -> set[str]:
    """Tensors without gaps between pixels: the loader or a flat task makes them, only bytewise ones read."""
    readers: dict[str, list[Step]] = {name: [] for name in program.tensors}
    writers = {name: step for step in program.steps for name in step.outputs}
    for step in program.steps:
        for name in step.inputs:
            if name in readers:
                readers[name].append(step)
    candidates = {
        name for name, t in program.tensors.items()
        if t.dtype == "int8" and t.shape[-1] % LANES and readers[name] and name not in program.outputs
        and (name in program.inputs or writers[name].op in _FLAT)
    }  # fmt: skip
    while True:
        bad = {
            name for name in candidates
            if any(s.op not in _BYTEWISE + _FLAT for s in readers[name])
            or any(s.op in _FLAT and not candidates >= {*s.inputs, *s.outputs} for s in readers[name])
            or (name in writers and not candidates >= set(writers[name].inputs))
        }  # fmt: skip
        if not bad:
            return candidates
        candidates -= bad


# ---- one maker for each operator -------------------------------------------------------------------------


def _task(program: Program, step: Step, maps: Mapping[str, Map]) -> Task:
    if step.op not in _MAKERS:
        raise UnsupportedOperatorError(
            f"{step.op} has no unit in the circuit", where=f"layer {step.name}",
            rule=f"a circuit has units for {', '.join(sorted(_MAKERS))}",
            hint="run this network on a CPU board (edgert boards), or change the layer",
        )  # fmt: skip
    _check_inputs(program, step)
    constants = {role: program.constants[name] for role, name in step.constants.items()}
    inputs = tuple(_read_as(step, maps[name]) for name in step.inputs)
    return _MAKERS[step.op](step, inputs, maps[step.outputs[0]], constants)


def _refuse(step: Step, what: str, rule: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(f"{step.op}: {what}", where=f"layer {step.name}", rule=rule)


def _check_inputs(program: Program, step: Step) -> None:
    for name in step.inputs:
        if name not in program.tensors:
            raise _refuse(step, f"operand {name} is a constant", "a circuit's operands are activations")
    if int(step.attrs.get("batch", 1)) != 1 and step.op != "fully_connected_s8":
        raise _refuse(step, f"batch {step.attrs['batch']}", "a circuit computes one image at a time")


def _clamps(step: Step) -> dict[str, Any]:
    a = step.attrs
    return {
        "y_zero": int(a.get("y_zero", 0)),
        "y_min": max(-128, int(a.get("y_min", -128))),
        "y_max": min(127, int(a.get("y_max", 127))),
    }


def _window(step: Step) -> dict[str, Any]:
    a = {k: int(v) for k, v in step.attrs.items()}
    return {
        "out_rows": a["out_h"], "out_cols": a["out_w"], "kh": a["kernel_h"], "kw": a["kernel_w"],
        "sh": a["stride_h"], "sw": a["stride_w"], "dh": a.get("dilation_h", 1), "dw": a.get("dilation_w", 1),
        "top": a["pad_top"], "left": a["pad_left"],
    }  # fmt: skip


def _padded(values: Array, count: int) -> Array:
    """int64, zeros behind the last."""
    out = np.zeros(count, np.int64)
    out[: len(values)] = values
    return out


def _per_channel(constants: Mapping[str, Array], groups: int) -> tuple[Array, Array, Array]:
    bias, multiplier, shift = (
        _padded(constants[role], groups * LANES) for role in ("bias", "multiplier", "shift")
    )
    return bias, multiplier, shift


def _by_group(weights: Array, groups: int) -> Array:
    """[out, items] -> uint8 [groups, items, 8]."""
    padded = np.zeros((groups * LANES, weights.shape[1]), np.int8)
    padded[: len(weights)] = weights
    return np.ascontiguousarray(padded.reshape(groups, LANES, -1).transpose(0, 2, 1)).view(np.uint8)


def _groups(channels: int) -> int:
    return -(-channels // LANES)


Maker = Callable[[Step, tuple[Map, ...], Map, Mapping[str, Array]], Task]


def _conv2d(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    if int(step.attrs["groups"]) != 1:
        raise _refuse(
            step, f"{step.attrs['groups']} groups", "a circuit convolves all channels or each alone"
        )
    groups = _groups(output.channels)
    zero = int(step.attrs["x_zero"])
    return Task(
        step, CORE, Op.DOT, Mode.TWICE, inputs, output, groups=groups, run=inputs[0].channels, x_zero=zero,
        pad=zero, weights=_by_group(constants["weights"].reshape(output.channels, -1), groups),
        params=_per_channel(constants, groups), **_window(step), **_clamps(step),
    )  # fmt: skip


def _dense(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    """Over a batch of rows; or, of a whole map, a convolution as large as the map."""
    x, batch, depth = inputs[0], int(step.attrs["batch"]), int(step.attrs["in_c"])
    groups, zero = _groups(output.channels), int(step.attrs["x_zero"])
    if x.cols * x.rows == batch and x.channels == depth:
        window: dict[str, Any] = {"out_rows": x.rows, "out_cols": x.cols}
    elif batch == 1 and x.rows * x.cols * x.channels == depth:
        window = {"out_rows": 1, "out_cols": 1, "kh": x.rows, "kw": x.cols}
    else:
        raise _refuse(step, f"a map {x.rows}x{x.cols}x{x.channels} as {batch} rows of {depth}", "rows or all")
    return Task(
        step, CORE, Op.DOT, Mode.ONCE, inputs, output, groups=groups, run=x.channels, x_zero=zero, pad=zero,
        weights=_by_group(constants["weights"], groups), params=_per_channel(constants, groups),
        **window, **_clamps(step),
    )  # fmt: skip


def _depthwise(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    if int(step.attrs["depth_multiplier"]) != 1:
        raise _refuse(step, f"depth multiplier {step.attrs['depth_multiplier']}", "a circuit has only 1")
    groups, zero = _groups(output.channels), int(step.attrs["x_zero"])
    task = Task(
        step, CORE, Op.LANE, Mode.TWICE, inputs, output, groups=groups, x_zero=zero, pad=zero,
        params=_per_channel(constants, groups), **_window(step), **_clamps(step),
    )  # fmt: skip
    w = constants["weights"]  # [kh, kw, channels]; a window goes column by column
    ordered = (w.transpose(1, 0, 2) if task.windowed else w).reshape(-1, output.channels)
    return replace(task, weights=_by_group(np.ascontiguousarray(ordered.T), groups))


def _max_pool(step: Step, inputs: tuple[Map, ...], output: Map, _: Mapping[str, Array]) -> Task:
    clamps = _clamps(step)
    if clamps["y_min"] > -128 or clamps["y_max"] < 127:
        raise _refuse(step, "a fused activation", "a circuit's max pool does not clamp")
    return Task(
        step, CORE, Op.MAX, Mode.RAW, inputs, output, groups=_groups(output.channels), pad=-128,
        **_window(step),
    )  # fmt: skip


def _avg_pool(step: Step, inputs: tuple[Map, ...], output: Map, _: Mapping[str, Array]) -> Task:
    a = {k: int(v) for k, v in step.attrs.items()}
    if (
        a["pad_top"]
        or a["pad_left"]
        or (a["out_h"] - 1) * a["stride_h"] + a["kernel_h"] > a["in_h"]
        or (a["out_w"] - 1) * a["stride_w"] + a["kernel_w"] > a["in_w"]
    ):
        raise _refuse(step, "windows over the border", "a circuit's average pool divides by one number")
    clamps = _clamps(step) | {"y_zero": 0}
    return Task(
        step, CORE, Op.SUM, Mode.ONCE, inputs, output, groups=_groups(output.channels),
        uniform=reciprocal(a["kernel_h"] * a["kernel_w"]), **_window(step), **clamps,
    )  # fmt: skip


def reciprocal(count: int) -> tuple[int, int]:
    """(multiplier, shift) with once(sum) = sum / count, halves away from zero, for `count` int8 values."""
    shift = 1 - count.bit_length()
    multiplier = -(-(1 << 31 - shift) // count)
    if multiplier == 1 << 31:
        multiplier, shift = 1 << 30, shift + 1
    sums = np.arange(-128 * count, 127 * count + 1)
    exact = np.sign(sums) * ((2 * np.abs(sums) + count) // (2 * count))
    assert (once(sums, multiplier, shift) == exact).all(), count
    return multiplier, shift


def _mean(step: Step, inputs: tuple[Map, ...], output: Map, _: Mapping[str, Array]) -> Task:
    x, a = inputs[0], {k: int(v) for k, v in step.attrs.items()}
    if a["outer"] != 1 or a["reduce"] != x.rows * x.cols or a["inner"] != x.channels:
        raise _refuse(step, f"over {a['reduce']} of {x.rows}x{x.cols}x{x.channels}", "over all pixels")
    return Task(
        step, CORE, Op.SUM, Mode.TWICE, inputs, output, 1, 1, _groups(output.channels), kh=x.rows, kw=x.cols,
        x_zero=a["x_zero"], uniform=(a["multiplier"], a["shift"]), **_clamps(step),
    )  # fmt: skip


def _flat(step: Step, inputs: tuple[Map, ...], output: Map) -> dict[str, Any]:
    """Rows of words. All operands lie alike."""
    for x in inputs:
        if (x.rows, x.row_bytes, x.pixel_bytes) != (output.rows, output.row_bytes, output.pixel_bytes):
            raise _refuse(
                step, f"a {x.rows}x{x.cols}x{x.channels} operand", "operands have the result's shape"
            )
    return {"out_rows": output.rows, "out_cols": output.row_words, "groups": 1, "kw": len(inputs)}


def _add(step: Step, inputs: tuple[Map, ...], output: Map, _: Mapping[str, Array]) -> Task:
    a = {k: int(v) for k, v in step.attrs.items()}
    byte = np.arange(256).astype(np.uint8).view(np.int8).astype(np.int64)
    tables = [
        twice((byte - a[f"{x}_zero"]) << a["left_shift"], a[f"{x}_multiplier"], a[f"{x}_shift"])
        for x in ("x0", "x1")
    ]  # fmt: skip
    return Task(
        step, CORE, Op.ADD, Mode.TWICE, inputs, output,
        params=(tables[0], tables[1], np.zeros(256, np.int64)),
        uniform=(a["y_multiplier"], a["y_shift"]), **_flat(step, inputs, output), **_clamps(step),
    )  # fmt: skip


def _mul(step: Step, inputs: tuple[Map, ...], output: Map, _: Mapping[str, Array]) -> Task:
    a = {k: int(v) for k, v in step.attrs.items()}
    return Task(
        step, CORE, Op.MUL, Mode.TWICE, inputs, output, x_zero=a["x0_zero"], w_zero=a["x1_zero"],
        uniform=(a["y_multiplier"], a["y_shift"]), **_flat(step, inputs, output), **_clamps(step),
    )  # fmt: skip


def _lut(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    none = np.zeros(256, np.int64)
    return Task(
        step, CORE, Op.TABLE, Mode.RAW, inputs, output,
        params=(constants["table"].astype(np.int64), none, none),
        **_flat(step, inputs, output),
    )  # fmt: skip


def _matmul(step: Step, inputs: tuple[Map, ...], output: Map, _: Mapping[str, Array]) -> Task:
    a = {k: int(v) for k, v in step.attrs.items()}
    second = (a["columns"], 1, a["depth"]) if a["x1_transposed"] else (a["depth"], 1, a["columns"])
    for x, sides in zip(inputs, ((a["rows"], 1, a["depth"]), second), strict=True):
        if (x.rows, x.cols, x.channels) != sides:
            raise _refuse(step, f"an operand of {x.rows}x{x.cols}x{x.channels}", "operands are matrices")
    return Task(
        step, CORE, Op.DOT, Mode.TWICE, inputs[:1], output, a["rows"], 1, _groups(a["columns"]),
        run=a["depth"], x_zero=a["x0_zero"], w_zero=a["x1_zero"],
        uniform=(a["y_multiplier"], a["y_shift"]), operand=inputs[1],
        **_clamps(step),
    )  # fmt: skip


def _softmax(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    none = np.zeros(256, np.int64)
    if int(step.attrs["depth"]) != output.channels:
        raise _refuse(step, f"over {step.attrs['depth']} of {output.channels} channels", "over all channels")
    if output.channels > 1024:
        raise _refuse(step, f"rows of {output.channels}", "the softmax unit has rows of up to 1024")
    return Task(
        step, SOFTMAX, Op.TABLE, Mode.RAW, inputs, output, output.rows, output.cols, 1,
        params=(constants["exp_table"].astype(np.int64), none, none),
    )  # fmt: skip


def _bits_of(weights: Array, words: int) -> Array:
    """[out, kh, kw, in] of signs -> uint8 [out, taps, words * 8]; bits beyond the last channel are 0."""
    out, kh, kw, channels = weights.shape
    bits = np.zeros((out, kh * kw, words * 64), np.uint8)
    bits[:, :, :channels] = weights.reshape(out, kh * kw, channels) > 0
    return np.packbits(bits, axis=2, bitorder="little")


def _binary_conv2d(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    window, value = _window(step), int(step.attrs["pad_value"])
    x, groups = inputs[0], output.pixel_bytes
    bordered = (
        window["top"]
        or window["left"]
        or (
            (window["out_rows"] - 1) * window["sh"] + (window["kh"] - 1) * window["dh"] >= x.rows
            or (window["out_cols"] - 1) * window["sw"] + (window["kw"] - 1) * window["dw"] >= x.cols
        )
    )
    spare = x.pixel_bytes * 8 - x.channels
    if bordered and (value == 0 or (spare and value > 0)):
        raise _refuse(step, f"a border of {value}", "a circuit's border is -1, or +1 with 64 n channels")
    words, taps = x.pixel_bytes // LANES, window["kh"] * window["kw"]
    packed = _bits_of(constants["weights"], words).reshape(output.channels, taps * words, LANES)
    weights = np.zeros((groups, taps * words, LANES, LANES), np.uint8)
    for channel, row in enumerate(packed):
        weights[channel // LANES, :, channel % LANES] = row
    bound = -(-(constants["threshold"].astype(np.int64) + taps * x.channels) // 2) + taps * spare
    return Task(
        step, BINARY, Op.XNOR, Mode.SIGN, inputs, output, groups=groups, run=words,
        pad=-1 if value > 0 else 0,
        weights=weights.reshape(groups, taps * words, LANES * LANES), params=_signs(bound, groups), **window,
    )  # fmt: skip


def _signs(bound: Array, groups: int) -> tuple[Array, Array, Array]:
    """acc >= bound; lanes beyond the last channel give 0."""
    bias = np.full(groups * LANES, -1, np.int64)
    bias[: len(bound)] = np.clip(-bound, -(1 << 24), 1 << 24)
    bias[len(bound) :] = -(1 << 24)
    none = np.zeros(groups * LANES, np.int64)
    return bias, none, none


def _first_binary_conv2d(
    step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]
) -> Task:
    groups, zero = output.pixel_bytes, int(step.attrs["x_zero"])
    return Task(
        step, CORE, Op.DOT, Mode.SIGN, inputs, output, groups=groups, run=inputs[0].channels, x_zero=zero,
        pad=zero, weights=_by_group(constants["weights"].reshape(output.channels, -1), groups),
        params=_signs(constants["threshold"].astype(np.int64), groups), **_window(step),
    )  # fmt: skip


def _binary_pool(step: Step, inputs: tuple[Map, ...], output: Map, constants: Mapping[str, Array]) -> Task:
    window, minimum = _window(step), constants["minimum"]
    if window["top"] or window["left"] or (minimum.any() and not minimum.all()):
        raise _refuse(
            step, "a border, or minima and maxima", "a circuit's pool of bits has one of them, inside"
        )
    op = Op.AND if minimum.any() else Op.OR
    return Task(step, BINARY, op, Mode.WORD, inputs, output, groups=output.pixel_bytes // LANES, **window)


_MAKERS: Mapping[str, Maker] = {
    "conv2d_s8": _conv2d,
    "fully_connected_s8": _dense,
    "depthwise_conv2d_s8": _depthwise,
    "max_pool2d_s8": _max_pool,
    "avg_pool2d_s8": _avg_pool,
    "mean_s8": _mean,
    "add_s8": _add,
    "mul_s8": _mul,
    "lut_s8": _lut,
    "matmul_s8": _matmul,
    "softmax_s8": _softmax,
    "conv2d_b1": _binary_conv2d,
    "conv2d_s8_b1": _first_binary_conv2d,
    "max_pool2d_b1": _binary_pool,
}
