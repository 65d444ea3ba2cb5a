"""One tile of a task as a command of a core: addresses, counts, and the words that it touches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgert.codegen.hls.isa import ADDRESS_BITS, LANES, Mac, Mode, Op, Out, Part, Read, Softmax
from edgert.codegen.hls.split import Tile
from edgert.codegen.hls.tasks import Map, Task
from edgert.codegen.hls.weights import Chunk, Slot
from edgert.codegen.program import Array

_NO_RING = (1 << ADDRESS_BITS - 1) - 1


@dataclass(frozen=True)
class Place:
    """A tensor in the scratchpad from byte `base`: row r in slot r % held."""

    map: Map
    base: int
    held: int

    @property
    def turns(self) -> bool:
        """Whether rows go around."""
        return self.held < self.map.rows

    def row(self, row: int) -> int:
        """Byte address; of rows above the map, as if they lay before it."""
        return self.base + (row % self.held if row >= 0 else row) * self.map.row_bytes

    def runs(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Rows [first, last) in spans that lie without a gap."""
        while first < last:
            stop = min(last, (first // self.held + 1) * self.held)
            yield first, stop
            first = stop

    def ring(self, offset: int) -> dict[str, int]:
        """Fields of Read and Out; offset: of the command's base from the start of a row."""
        if not self.turns:
            return {"ring_end": _NO_RING, "ring_bytes": 0}
        nbytes = self.held * self.map.row_bytes
        return {"ring_end": self.base + nbytes + offset, "ring_bytes": nbytes}

    def words_of_rows(self, first: int, last: int) -> Array:
        """Numbers of all words of these rows."""
        if self.map.lane_rows:
            return self.base // LANES + np.arange(self.map.nbytes // LANES)
        rows = self.base // LANES + np.arange(first, last) % self.held * self.map.row_words
        return (rows[:, None] + np.arange(self.map.row_words)).reshape(-1)


def core_parts(
    task: Task, inputs: Sequence[Place], output: Place, tile: Tile, chunk: Chunk, at: Slot
) -> tuple[tuple[Part, ...], list[Array], Array]:
    """(Read, Mac, Out), the words read of each input, the words written."""
    first = max(0, task.first_row(tile.rows[0])) if not task.flat else tile.rows[0]
    last = task.rows_needed(tile.rows[1]) if not task.flat else tile.rows[1]
    read = [x.words_of_rows(first, max(last, first)) for x in inputs]
    parts = (
        _read(task, inputs, tile, chunk),
        _mac(task, tile, chunk, at),
        _out(task, output, tile, chunk, at),
    )
    return parts, read, _written(task, output, tile, chunk)


def _read(task: Task, inputs: Sequence[Place], tile: Tile, chunk: Chunk) -> Read:
    x, rows, cols = inputs[0], tile.rows[1] - tile.rows[0], tile.cols[1] - tile.cols[0]
    if task.flat:
        offset = tile.cols[0] * LANES
        apart = inputs[1].base - x.base if task.pair else 0
        assert all(y.held == x.held for y in inputs), "one ring for both operands"
        return Read(
            words=1, rows=rows, cols=cols, kw=len(inputs), base=x.row(tile.rows[0]) + offset,
            s_row=x.map.row_bytes, s_col=LANES, s_kx=apart, **x.ring(offset),
        )  # fmt: skip
    bytewise = task.op == Op.DOT
    iy0, ix0 = tile.rows[0] * task.sh - task.top, tile.cols[0] * task.sw - task.left
    above, beside = min(max(0, iy0), x.map.rows), min(max(0, ix0), x.map.cols)  # never read: not counted
    per_group = 0 if task.op in (Op.DOT, Op.XNOR) else LANES
    offset = ix0 * x.map.pixel_bytes + chunk[0] * per_group
    window = {
        "cols": cols,
        "kw": task.kw,
        "s_col": task.sw * x.map.pixel_bytes,
        "d_ix": task.sw if cols > 1 else 0,
    }
    if task.windowed:
        window = {"cols": (cols - 1) * task.sw + task.kw, "s_col": x.map.pixel_bytes, "d_ix": 1}
    return Read(
        words=int(not bytewise), groups=chunk[1] - chunk[0], rows=rows, kh=task.kh, run=task.run,
        base=x.row(iy0) + offset, s_group=per_group, s_row=task.sh * x.map.row_bytes,
        s_ky=task.dh * x.map.row_bytes, s_kx=task.dw * x.map.pixel_bytes,
        iy0=iy0 - above, ix0=ix0 - beside, in_h=x.map.rows - above, in_w=x.map.cols - beside,
        d_iy=task.sh if rows > 1 else 0, d_ky=task.dh, d_kx=task.dw, pad=task.pad, **window, **x.ring(offset),
    )  # fmt: skip


def _mac(task: Task, tile: Tile, chunk: Chunk, at: Slot) -> Mac:
    window = {"window": 1, "kh": task.kh, "kw": task.kw, "sw": task.sw} if task.windowed else {}
    return Mac(
        op=task.op, x_zero=task.x_zero, w_zero=task.w_zero, w_base=at.words, w_step=task.weight_words,
        t_base=at.params * LANES if task.table else 0, groups=chunk[1] - chunk[0],
        rows=tile.rows[1] - tile.rows[0], cols=tile.cols[1] - tile.cols[0], **window,
    )  # fmt: skip


def _out(task: Task, output: Place, tile: Tile, chunk: Chunk, at: Slot) -> Out:
    m = output.map
    per_group = 1 if task.mode == Mode.SIGN else LANES
    step = LANES if task.flat else m.pixel_bytes
    offset = tile.cols[0] * step + chunk[0] * per_group
    last_lanes = LANES
    if m.lane_rows:  # a row is a byte, a channel a row
        address = {
            "by_lane": 1, "base": output.base + tile.rows[0] + chunk[0] * LANES * m.row_bytes, "s_row": 1,
            "s_group": LANES * m.row_bytes, "s_lane": m.row_bytes,
        }  # fmt: skip
        last_lanes = m.channels - (task.groups - 1) * LANES if chunk[1] == task.groups else LANES
    else:
        address = {
            "base": output.row(tile.rows[0]) + offset, "s_group": per_group, "s_row": m.row_bytes,
            "s_col": step, **output.ring(offset),
        }  # fmt: skip
    uniform = task.uniform or (0, 0)
    return Out(
        mode=task.mode, uniform=int(task.uniform is not None or task.mode in (Mode.RAW, Mode.WORD)),
        last_lanes=last_lanes, p_base=at.params * LANES if not task.table else 0, u_multiplier=uniform[0],
        u_shift=uniform[1], y_zero=task.y_zero, y_min=task.y_min, y_max=task.y_max,
        groups=chunk[1] - chunk[0], rows=tile.rows[1] - tile.rows[0], cols=tile.cols[1] - tile.cols[0],
        **address,
    )  # fmt: skip


def _written(task: Task, output: Place, tile: Tile, chunk: Chunk) -> Array:
    m = output.map
    if m.lane_rows:
        channels = np.arange(chunk[0] * LANES, min(chunk[1] * LANES, m.channels))
        columns = np.arange(tile.rows[0] // LANES, -(-tile.rows[1] // LANES))
        return (output.base // LANES + channels[:, None] * m.row_words + columns).reshape(-1)
    rows = output.base // LANES + np.arange(*tile.rows) % output.held * m.row_words
    if task.flat:
        return (rows[:, None] + np.arange(*tile.cols)).reshape(-1)
    pixel_words = m.pixel_bytes // LANES
    words = (
        np.arange(chunk[0] // LANES, -(-chunk[1] // LANES)) if task.mode == Mode.SIGN else np.arange(*chunk)
    )
    cols = np.arange(*tile.cols) * pixel_words
    return (rows[:, None, None] + cols[:, None] + words).reshape(-1)


def softmax_parts(
    task: Task, x: Place, y: Place, first: int, last: int
) -> Iterator[tuple[Softmax, Array, Array, tuple[int, int]]]:
    """Rows in spans that no ring turns in: (command, words read, words written, rows)."""
    cols = x.map.cols  # a row of the unit is a pixel of the map
    for a, b in x.runs(first, last):
        for c, d in y.runs(a, b):
            part = Softmax(
                x.row(c), y.row(c), x.map.pixel_bytes, y.map.pixel_bytes, (d - c) * cols, x.map.channels, 0
            )
            yield part, x.words_of_rows(c, d), y.words_of_rows(c, d), (c, d)
