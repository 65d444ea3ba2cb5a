"""What a Design computes, without time: the meaning of its commands, in NumPy.

Commands run one at a time, in any order that `need` allows; `seed` draws the order. A design whose result
depends on it has a race, which tests look for in this way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgert.codegen.hls.design import Command, Design, parts_of
from edgert.codegen.hls.isa import LANES, Load, Mac, Machine, Memory, Mode, Op, Out, Read, Softmax, Store
from edgert.codegen.program import Array


@dataclass(eq=False)
class Memories:
    """external, scratch: uint8. weights: uint8 [core][words * 8]. params: (bias, multiplier, shift) of each
    core. table: uint32, of the softmax unit."""

    external: Array
    scratch: Array
    weights: list[Array]
    params: list[tuple[Array, Array, Array]]
    table: Array


def run(design: Design, inputs: Sequence[Array], seed: int | None = None) -> list[Array]:
    """The outputs. Raises RuntimeError where no agent can go on: a deadlock."""
    memories = execute(design, inputs, seed)
    return [port.get(memories.external) for port in design.outputs]


def execute(design: Design, inputs: Sequence[Array], seed: int | None = None) -> Memories:
    """All memories after the last command."""
    memories = _memories(design.machine, design.image(inputs))
    done = [0] * len(design.agents)
    generator = np.random.default_rng(seed) if seed is not None else None
    while True:
        ready = [a for a, commands in enumerate(design.agents) if _ready(commands, done, a)]
        if not ready:
            break
        agent = int(generator.choice(ready)) if generator else ready[0]
        _step(design.machine, agent, design.agents[agent][done[agent]], memories)
        done[agent] += 1
    left = [a for a, commands in enumerate(design.agents) if done[a] < len(commands)]
    if left:
        names = ", ".join(f"{design.machine.agent_name(a)} at {done[a]}" for a in left)
        raise RuntimeError(f"deadlock: {names}")
    return memories


def _ready(commands: Sequence[Command], done: Sequence[int], agent: int) -> bool:
    if done[agent] == len(commands):
        return False
    return all(d >= n for d, n in zip(done, commands[done[agent]].need, strict=True))


def _memories(machine: Machine, external: Array) -> Memories:
    cores = range(machine.all_cores)
    widths = [LANES if i < machine.cores else LANES * LANES for i in cores]
    entries = machine.param_entries
    return Memories(
        external,
        np.zeros(machine.scratch_bytes, np.uint8),
        [np.zeros(machine.weight_words * width, np.uint8) for width in widths],
        [(*np.zeros((3, entries), np.int64),) for _ in cores],
        np.zeros(256, np.int64),
    )  # fmt: skip


def _step(machine: Machine, agent: int, command: Command, m: Memories) -> None:
    kind = parts_of(machine, agent)[0]
    if kind is Load:
        _load(command.load, m)
    elif kind is Store:
        _store(command.store, m)
    elif kind is Softmax:
        _softmax(command.softmax, m)
    else:
        core = agent - Machine.FIRST_CORE
        _core(*command.core, core, m)


def _load(c: Load, m: Memories) -> None:
    source = (m.scratch if c.scratch else m.external).reshape(-1, 8)
    at = c.src_addr + c.stride * np.arange(c.rows)[:, None] + np.arange(c.row_words)
    words = source[at.reshape(-1)].copy()
    if c.dst == Memory.SCRATCH:
        m.scratch.reshape(-1, 8)[c.dst_addr : c.dst_addr + len(words)] = words
    elif c.dst == Memory.TABLE:
        m.table[2 * c.dst_addr : 2 * (c.dst_addr + len(words))] = words.view("<u4").reshape(-1)
    for core in range(len(m.weights)):
        if c.mask >> core & 1 and c.dst == Memory.WEIGHTS:
            m.weights[core].reshape(-1, 8)[c.dst_addr : c.dst_addr + len(words)] = words
        if c.mask >> core & 1 and c.dst == Memory.PARAMS:
            _load_params(words.reshape(-1, 9, 8), m.params[core], c.dst_addr)


def _load_params(groups: Array, params: tuple[Array, Array, Array], at: int) -> None:
    bias, multiplier, shift = params
    entries = np.ascontiguousarray(groups[:, :8]).view("<u4").reshape(-1, 2)
    here = slice(at, at + len(entries))
    bias[here] = entries[:, 0].view(np.int32)
    multiplier[here] = entries[:, 1].view(np.int32)
    shift[here] = groups[:, 8].reshape(-1).view(np.int8)


def _store(c: Store, m: Memories) -> None:
    words = m.scratch.reshape(-1, 8)[c.src_addr : c.src_addr + c.words]
    m.external.reshape(-1, 8)[c.dst_addr : c.dst_addr + c.words] = words


def _core(read: Read, mac: Mac, out: Out, core: int, m: Memories) -> None:
    items = _items(read, m.scratch)
    assert (read.groups, mac.groups, mac.rows, mac.cols) == (out.groups, out.groups, out.rows, out.cols)
    if mac.window:
        items = _windows(items, mac)
    pixels = items.reshape(mac.groups, mac.rows * mac.cols, -1, *([LANES] * read.words))
    if mac.op in (Op.OR, Op.AND):
        reduce = np.bitwise_or if mac.op == Op.OR else np.bitwise_and
        _write(out, reduce.reduce(pixels, axis=2), m.scratch)
        return
    acc = _accumulate(mac, pixels, m.weights[core], m.params[core])
    _write(out, _results(out, acc, m.params[core]), m.scratch)


def _items(read: Read, scratch: Array) -> Array:
    """uint8 [groups, rows, cols, kh, kw, run] of bytes, or one more axis of 8 for words."""
    g, oy, ox, ky, kx, i = np.ix_(
        *(np.arange(n) for n in (read.groups, read.rows, read.cols, read.kh, read.kw, read.run))
    )
    row = read.base + _ring_rows(read)[oy, ky] + 0 * g
    unit = LANES if read.words else 1
    at = row + g * read.s_group + ox * read.s_col + kx * read.s_kx + i * unit
    iy = read.iy0 + oy * read.d_iy + ky * read.d_ky
    ix = read.ix0 + ox * read.d_ix + kx * read.d_kx
    inside = (iy >= 0) & (iy < read.in_h) & (ix >= 0) & (ix < read.in_w) & (at >= -1 << 40)
    if read.words:
        assert (at[inside] % LANES == 0).all(), "a word is aligned"
        at = at[..., None] + np.arange(LANES)
        inside = np.broadcast_to(inside[..., None], at.shape)
    assert (at[inside] >= 0).all() and (at[inside] < len(scratch)).all(), "outside of the scratchpad"
    return np.where(inside, scratch[np.where(inside, at, 0)], np.uint8(read.pad & 0xFF))


def _ring_rows(read: Read) -> Array:
    """Offset of row (oy, ky) from base; each step takes ring_bytes off at most once."""

    def step(at: int, by: int) -> int:
        at += by
        return at - read.ring_bytes if read.base + at >= read.ring_end else at

    rows = np.zeros((read.rows, read.kh), np.int64)
    start = 0
    for oy in range(read.rows):
        at = start
        for ky in range(read.kh):
            rows[oy, ky] = at
            at = step(at, read.s_ky)
        start = step(start, read.s_row)
    return rows


def _windows(items: Array, mac: Mac) -> Array:
    """Columns -> pixels of kw columns, kh words each, column by column."""
    first = np.arange(mac.cols)[:, None] * mac.sw + np.arange(mac.kw)
    assert (
        items.shape[2] == (mac.cols - 1) * mac.sw + mac.kw
        and items.shape[4] == 1
        and mac.kh == items.shape[3]
    )
    return np.ascontiguousarray(items[:, :, :, :, 0, 0][:, :, first])  # [g, rows, cols, kw, kh, 8]


def _accumulate(mac: Mac, pixels: Array, weights: Array, params: tuple[Array, Array, Array]) -> Any:
    """int64 [groups, pixels, 8]."""
    signed = pixels.view(np.int8).astype(np.int64)
    if mac.op == Op.TABLE:
        return params[0][mac.t_base + pixels[:, :, 0].astype(np.int64)]
    if mac.op == Op.ADD:
        a, b = (pixels[:, :, i].astype(np.int64) for i in (0, 1))
        return params[0][mac.t_base + a] + params[1][mac.t_base + b]
    if mac.op == Op.MUL:
        return (signed[:, :, 0] - mac.x_zero) * (signed[:, :, 1] - mac.w_zero)
    if mac.op == Op.MAX:
        return signed.max(axis=2)
    if mac.op == Op.SUM:
        return (signed - mac.x_zero).sum(axis=2)
    count = pixels.shape[2]
    at = mac.w_base + mac.w_step * np.arange(mac.groups)[:, None] + np.arange(count)
    if mac.op == Op.XNOR:
        differ = pixels[:, :, :, None, :] ^ weights.reshape(-1, 8, 8)[at][:, None]
        return 64 * count - np.bitwise_count(differ).astype(np.int64).sum(axis=(2, 4))
    w = weights.reshape(-1, 8)[at].view(np.int8).astype(np.int64) - mac.w_zero
    if mac.op == Op.DOT:
        return np.einsum("gpk,gkl->gpl", signed - mac.x_zero, w)
    return np.einsum("gpkl,gkl->gpl", signed - mac.x_zero, w)


def _results(out: Out, acc: Array, params: tuple[Array, Array, Array]) -> Array:
    """uint8 [groups, pixels, 8]; in Mode.SIGN [groups, pixels, 1]."""
    if out.uniform:
        bias, multiplier, shift = (np.array(v, np.int64) for v in (0, out.u_multiplier, out.u_shift))
    else:
        here = (out.p_base + np.arange(out.groups * LANES)).reshape(-1, 1, LANES)
        bias, multiplier, shift = (p[here] for p in params)
    acc = acc + bias
    assert (abs(acc) < 1 << 31).all(), "an accumulator has 32 bits"
    if out.mode == Mode.RAW:
        return acc.astype(np.uint8)
    if out.mode == Mode.SIGN:
        bits: Array = np.packbits(acc >= 0, axis=2, bitorder="little")
        return bits
    y = (twice if out.mode == Mode.TWICE else once)(acc, multiplier, shift)
    clamped: Array = np.clip(y + out.y_zero, out.y_min, out.y_max)
    return clamped.astype(np.int8).view(np.uint8)


def _half_away(value: Array, shift: Any) -> Array:
    """round(value / 2**shift), halves away from zero; shift 0: the value."""
    half = np.where(shift > 0, (np.int64(1) << np.maximum(shift - 1, 0)) - (value < 0), 0)
    rounded: Array = (value + half) >> shift
    return rounded


def twice(acc: Array, multiplier: Any, shift: Any) -> Array:
    """docs/numerics.md, section 2."""
    high = ((acc << np.maximum(shift, 0)) * multiplier + (1 << 30)) >> 31
    return _half_away(high, np.maximum(-shift, 0))


def once(acc: Array, multiplier: Any, shift: Any) -> Array:
    """docs/numerics.md, section 2. shift <= 30."""
    return _half_away(acc * multiplier, 31 - shift)


def _write(out: Out, values: Array, scratch: Array) -> None:
    rows = np.zeros(out.rows, np.int64)
    for oy in range(1, out.rows):
        at = rows[oy - 1] + out.s_row
        rows[oy] = at - out.ring_bytes if out.base + at >= out.ring_end else at
    pixel = out.base + rows[:, None] + np.arange(out.cols) * out.s_col
    at = np.arange(out.groups)[:, None] * out.s_group + pixel.reshape(-1)
    if out.by_lane:
        at = at[..., None] + np.arange(LANES) * out.s_lane
        keep = np.ones(at.shape, bool)
        keep[-1, :, out.last_lanes :] = False
        scratch[at[keep]] = values[keep]
        return
    if values.shape[2] == LANES:
        assert (at % LANES == 0).all(), "a word is aligned"
    scratch[at[..., None] + np.arange(values.shape[2])] = values


def _softmax(c: Softmax, m: Memories) -> None:
    for row in range(c.rows):
        x = m.scratch[c.x + row * c.x_stride :][: c.depth].view(np.int8)
        y = softmax_row(x.astype(np.int64), m.table)
        padded = np.zeros(-(-c.depth // 8) * 8, np.uint8)
        padded[: c.depth] = y.astype(np.int8).view(np.uint8)
        m.scratch[c.y + row * c.y_stride :][: len(padded)] = padded


def softmax_row(x: Array, table: Array) -> Any:
    """docs/numerics.md, section 5: int64 [n] -> int64 [n]."""
    e = table[x.max() - x]
    total = int(((e + (1 << 11)) >> 12).sum())  # Q12.19
    if total >= 1 << 28:
        return np.full_like(x, -128)
    zeros = 32 - total.bit_length()
    product = (_reciprocal(total << zeros) * e + (1 << 30)) >> 31
    shift = 35 - zeros
    return np.minimum(((product + (1 << shift >> 1)) >> shift) - 128, 127)


def _reciprocal(total: int) -> int:
    """2**62 / total in Q0.31 for total in [2**31, 2**32): three steps of Newton's method."""

    def high(a: int, b: int) -> int:
        return (a * b + (1 << 30)) >> 31

    half = total >> 1
    guess = 1515870810 + high(half, -1010580540)  # 48/17 - 32/17 * half, in Q2.29
    for _ in range(3):
        step = high(guess, (1 << 29) - high(half, guess)) << 2
        guess += min(max(step, -(1 << 31)), (1 << 31) - 1)
    return min(guess << 1, (1 << 31) - 1)
