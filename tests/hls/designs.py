"""Random valid Designs: every operator and mode, in sequences that wait for each other, over random bytes.

A command reads whatever is there and writes anywhere else; hazards.py says who waits. At the end all of the
scratchpad is stored, so that a byte too many is seen as well as a byte too few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgert.codegen.hls.design import Design, Port, Tag
from edgert.codegen.hls.hazards import Emitter, Region, Space
from edgert.codegen.hls.isa import (
    LANES,
    PARAM_WORDS,
    Load,
    Mac,
    Machine,
    Memory,
    Mode,
    Op,
    Out,
    Read,
    Softmax,
    Store,
)
from edgert.codegen.luts import softmax_exp_table
from edgert.codegen.program import Array

TABLES = 256  # entries of P that ADD and TABLE index; channels' parameters lie behind them
INPUT_WORDS = 64
SIGNED = (Op.DOT, Op.LANE, Op.MAX, Op.SUM, Op.ADD, Op.MUL, Op.TABLE)
BINARY = (Op.XNOR, Op.OR, Op.AND)


def random_machine(seed: int) -> Machine:
    draw = np.random.default_rng(seed)
    return Machine(
        cores=int(draw.integers(1, 4)),
        binary_cores=int(draw.integers(0, 2)),
        softmax=int(draw.integers(0, 2)),
        scratch_bytes=int(draw.choice([4096, 8192])),
        weight_words=int(draw.choice([128, 192])),
        param_entries=TABLES + 64,
        banks=int(draw.choice([1, 2, 4])),
        fifo=int(draw.choice([8, 16])),
        bus_bytes=float(draw.choice([1, 2, 8, 16])),
        latency_cycles=int(draw.choice([4, 40])),
    )


def random_design(
    seed: int, commands: int = 12, ops: tuple[Op, ...] = SIGNED + BINARY, machine: Machine | None = None
) -> Design:
    """A machine and about so many commands of its units, with the loads between them."""
    return _Maker(machine or random_machine(seed), seed).design(commands, ops)


def one_command(machine: Machine, op: Op, seed: int) -> Design:
    """Memories filled, one command of this operator, everything stored."""
    return _Maker(machine, seed).design(1, (op,), disturb=False)


def wide_inputs(design: Design, seed: int) -> list[Array]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, 256, port.shape).astype(np.uint8) for port in design.inputs]


@dataclass(frozen=True)
class _Shape:
    """Of an operator's command. items: of one pixel."""

    read: Read
    mac: Mac
    items: int


class _Maker:
    def __init__(self, machine: Machine, seed: int) -> None:
        self.machine = machine
        self.draw = np.random.default_rng([seed, 1])
        self.image: list[Array] = [self.bytes(INPUT_WORDS * LANES)]
        words = machine.scratch_bytes // LANES
        sizes: dict[Space, int] = {"scratch": words, "external": 1 << 15, "table": 128}
        for core in range(machine.all_cores):
            sizes["weights", core] = self.rows(core)
            sizes["params", core] = machine.param_entries
        self.emitter = Emitter(machine.agents, sizes)

    def bytes(self, count: int) -> Array:
        return self.draw.integers(0, 256, count).astype(np.uint8)

    def between(self, low: int, high: int) -> int:
        """low to high, both included."""
        return int(self.draw.integers(low, high + 1))

    def rows(self, core: int) -> int:
        """Words of the scratchpad in a core's W."""
        return self.machine.weight_words * (1 if core < self.machine.cores else LANES)

    def external(self, data: Array) -> int:
        """Put behind what is there; the word where it is."""
        at = sum(len(part) for part in self.image) // LANES
        self.image.append(data)
        return at

    # Loads and stores.

    def load(self, part: Load, space: str, targets: Array | slice, core: int | None = None) -> None:
        at = part.src_addr + part.stride * np.arange(part.rows)[:, None] + np.arange(part.row_words)
        source = Region("scratch" if part.scratch else "external", at.reshape(-1))
        cores = [c for c in range(self.machine.all_cores) if part.mask >> c & 1] if core is None else [core]
        spaces: list[Space] = [space] if space in ("scratch", "table") else [(space, c) for c in cores]
        writes = [Region(s, targets) for s in spaces]
        self.emitter.emit(Machine.LOADER, (part,), [source], writes, Tag(step=f"load {space}"))

    def fill(self) -> None:
        """All memories, once."""
        m = self.machine
        words = m.scratch_bytes // LANES
        first = min(words, INPUT_WORDS)
        rest = words - first
        self.load(Load(row_words=first, stride=first), "scratch", slice(0, first))
        if rest:
            at = self.external(self.bytes(rest * LANES))
            self.load(Load(src_addr=at, row_words=rest, dst_addr=first), "scratch", slice(first, words))
        for core in range(m.all_cores):
            self.load_weights(core, 0, self.rows(core))
            self.load_params(1 << core, 0, m.param_entries)
        if m.softmax:
            table = np.asarray(softmax_exp_table(0.1), np.int64).astype(np.uint32)
            at = self.external(table.view(np.uint8))
            self.load(Load(dst=Memory.TABLE, src_addr=at, row_words=128), "table", slice(0, 128))

    def load_weights(self, core: int, at: int, count: int) -> None:
        source = self.external(self.bytes(count * LANES))
        part = Load(dst=Memory.WEIGHTS, mask=1 << core, src_addr=source, row_words=count, dst_addr=at)
        self.load(part, "weights", slice(at, at + count))

    def load_params(self, mask: int, at: int, entries: int) -> None:
        groups = entries // LANES
        table = (np.arange(at, at + entries) < TABLES)[:, None]
        pairs = self.draw.integers(-(1 << 24), 1 << 24, (entries, 2))
        multipliers = self.draw.integers(1 << 30, 1 << 31, entries)
        pairs[:, 0] = np.where(table[:, 0], pairs[:, 0], pairs[:, 0] >> 10)
        pairs[:, 1] = np.where(table[:, 0], pairs[:, 1], multipliers)
        shifts = self.draw.integers(-16, 1, entries).astype(np.int8)
        packed = np.zeros((groups, PARAM_WORDS, LANES), np.uint8)
        packed[:, :8] = pairs.astype(np.int32).view(np.uint8).reshape(groups, 8, LANES)
        packed[:, 8] = shifts.view(np.uint8).reshape(groups, LANES)
        source = self.external(packed.reshape(-1))
        rows = groups if self.between(0, 1) else 1
        part = Load(
            dst=Memory.PARAMS, mask=mask, src_addr=source, rows=rows, row_words=groups * PARAM_WORDS // rows,
            stride=PARAM_WORDS, dst_addr=at,
        )  # fmt: skip
        self.load(part, "params", slice(at, at + entries))

    def some_load(self) -> None:
        """Of any kind."""
        m = self.machine
        kind = self.between(0, 3)
        core = self.between(0, m.all_cores - 1)
        if kind == 0:
            count = self.between(1, 20)
            self.load_weights(core, self.between(0, self.rows(core) - count), count)
        elif kind == 1:
            mask = self.between(1, (1 << m.all_cores) - 1)
            groups = self.between(1, 4)
            self.load_params(mask, LANES * self.between(0, m.param_entries // LANES - groups), LANES * groups)
        else:
            self.strided_load(scratch=kind == 3)

    def strided_load(self, scratch: bool) -> None:
        words = self.machine.scratch_bytes // LANES
        rows, row_words = self.between(1, 4), self.between(1, 8)
        stride = self.between(row_words, 12)
        span = stride * (rows - 1) + row_words
        total = rows * row_words
        source = self.between(0, words - span - total) if scratch else self.external(self.bytes(span * LANES))
        part = Load(scratch=int(scratch), src_addr=source, rows=rows, row_words=row_words, stride=stride)
        if scratch and self.between(0, 1):
            core = self.between(0, self.machine.all_cores - 1)
            at = self.between(0, self.rows(core) - total)
            part = replace(part, dst=Memory.WEIGHTS, mask=1 << core, dst_addr=at)
            self.load(part, "weights", slice(at, at + total))
        else:
            low = source + span if scratch else 0
            at = self.between(low, words - total)
            self.load(replace(part, dst_addr=at), "scratch", slice(at, at + total))

    # Commands of cores.

    def compute(self, core: int, op: Op) -> None:
        for _ in range(200):
            shape = self.shape(core, op)
            read = self.placed(shape.read)
            if read is None:
                continue
            used = read_words(read)
            out = self.out(shape, op, used)
            if out is not None:
                break
        else:
            raise AssertionError(f"no place for {op.name}")
        self.emit_core(core, replace(shape, read=read), out, used)

    def emit_core(self, core: int, shape: _Shape, out: Out, used: Array) -> None:
        mac = shape.mac
        reads = [Region("scratch", used)] if len(used) else []
        if mac.op in (Op.DOT, Op.LANE, Op.XNOR):
            each = 1 if core < self.machine.cores else LANES
            at = mac.w_base + mac.w_step * np.arange(mac.groups)[:, None] + np.arange(shape.items)
            reads.append(Region(("weights", core), (at.reshape(-1, 1) * each + np.arange(each)).reshape(-1)))
        if mac.op in (Op.ADD, Op.TABLE):
            reads.append(Region(("params", core), slice(mac.t_base, mac.t_base + 256)))
        if not out.uniform:
            reads.append(Region(("params", core), slice(out.p_base, out.p_base + LANES * out.groups)))
        pixels = mac.groups * mac.rows * mac.cols
        tile = f"{mac.groups} x {mac.rows} x {mac.cols}"
        tag = Tag(step=Op(mac.op).name.lower(), tile=tile, macs=pixels * shape.items * LANES)
        agent = Machine.FIRST_CORE + core
        writes = [Region("scratch", np.unique(written_bytes(out) >> 3))]
        self.emitter.emit(agent, (shape.read, mac, out), reads, writes, tag)

    def shape(self, core: int, op: Op) -> _Shape:
        """Sizes, strides and weights; where it reads from is still open (base 0)."""
        between = self.between
        groups, rows, cols = between(1, 3), between(1, 5), between(1, 6)
        window = int(op in (Op.LANE, Op.MAX, Op.SUM) and between(0, 1))
        if op in (Op.ADD, Op.MUL):
            kh, kw, run = 1, 2, 1
        elif op == Op.TABLE:
            kh = kw = run = 1
        else:
            kh, kw, run = between(1, 3), between(1, 3), between(1, 12 if op == Op.DOT else 2)
        run = 1 if window else run
        items = kh * kw * run
        unit = 1 if op == Op.DOT else LANES
        sw, sh = between(1, 2), between(1, 2)
        pixel = -(-(run * unit) // unit) * unit + unit * between(0, 2)
        s_group = 0 if op in (Op.DOT, Op.XNOR) else LANES * between(0, 3)
        in_w = (cols - 1) * sw + kw
        pitch = pixel * in_w + unit * between(0, 2) + s_group * groups
        read = Read(
            words=int(op != Op.DOT), groups=groups, rows=rows, cols=in_w if window else cols, kh=kh,
            kw=1 if window else kw, run=run, s_group=s_group, s_row=sh * pitch,
            s_col=pixel if window else sw * pixel, s_ky=pitch, s_kx=pixel, pad=between(-128, 127),
        )  # fmt: skip
        if op == Op.MAX:
            read = replace(read, pad=-128)
        if between(0, 1) and kh * kw > 1:  # a border
            read = replace(
                read, iy0=between(-2, 0), ix0=between(-2, 0), in_h=between(1, 8), in_w=between(1, 8), d_iy=sh,
                d_ix=1 if window else sw, d_ky=1, d_kx=1,
            )  # fmt: skip
        w_step = between(0, min(items, (self.machine.weight_words - items) // groups))
        most = self.machine.weight_words - items - w_step * (groups - 1)
        mac = Mac(
            op=op, window=window, x_zero=between(-128, 127), w_zero=between(-2, 2) * (op in (Op.DOT, Op.MUL)),
            w_base=between(0, most), w_step=w_step, groups=groups, rows=rows, cols=cols,
        )  # fmt: skip
        if window:
            mac = replace(mac, kh=kh, kw=kw, sw=sw)
        return _Shape(read, mac, items)

    def placed(self, read: Read) -> Read | None:
        """With a base, and sometimes a ring, such that all is inside of the scratchpad."""
        size = self.machine.scratch_bytes
        unit = LANES if read.words else 1
        if self.between(0, 2) == 0 and read.s_ky > 0:
            height = self.between(1, 4) + read.s_row // read.s_ky
            start = unit * self.between(0, size // unit // 2)
            base = start + read.s_ky * self.between(0, height - 1)
            ring = height * read.s_ky
            read = replace(read, base=base, ring_end=start + ring, ring_bytes=ring)
        else:
            at = read_bytes(read)
            if len(at) == 0 or at.max() - at.min() + unit > size:
                return None
            low = -(int(at.min()) // unit)
            spare = (size - int(at.max() - at.min())) // unit - 1
            read = replace(read, base=unit * self.between(low, low + spare))
        at = read_bytes(read)
        fits = len(at) == 0 or (at.min() >= 0 and at.max() + unit <= size)
        return read if fits and abs(read.base) < 1 << 20 else None

    def out(self, shape: _Shape, op: Op, used: Array) -> Out | None:
        between = self.between
        groups, rows, cols = shape.mac.groups, shape.mac.rows, shape.mac.cols
        modes = {
            Op.DOT: (Mode.TWICE, Mode.ONCE, Mode.SIGN), Op.LANE: (Mode.TWICE, Mode.ONCE), Op.MAX: (Mode.RAW,),
            Op.SUM: (Mode.ONCE, Mode.TWICE), Op.ADD: (Mode.TWICE,), Op.MUL: (Mode.TWICE,),
            Op.TABLE: (Mode.RAW,),
            Op.XNOR: (Mode.SIGN, Mode.TWICE), Op.OR: (Mode.WORD,), Op.AND: (Mode.WORD,),
        }[op]  # fmt: skip
        mode = modes[between(0, len(modes) - 1)]
        per_channel = mode == Mode.SIGN or (op in (Op.DOT, Op.LANE, Op.XNOR) and between(0, 2) > 0)
        low = between(-128, 0)
        out = Out(
            mode=mode, uniform=int(not per_channel), p_base=TABLES + LANES * between(0, 8 - groups),
            u_multiplier=between(1 << 30, (1 << 31) - 1), u_shift=between(-12, 1), y_zero=between(-128, 127),
            y_min=low, y_max=between(low, 127), groups=groups, rows=rows, cols=cols,
        )  # fmt: skip
        for _ in range(20):
            placed = self.out_placed(out)
            at = written_bytes(placed)
            if at.min() >= 0 and at.max() < self.machine.scratch_bytes and not np.isin(at >> 3, used).any():
                return placed
        return None

    def out_placed(self, out: Out) -> Out:
        """Pixels by channel or channels by plane, with gaps; a ring sometimes."""
        between, size = self.between, self.machine.scratch_bytes
        by_lane = out.mode in (Mode.TWICE, Mode.ONCE, Mode.RAW) and between(0, 3) == 0
        unit = 1 if by_lane or out.mode == Mode.SIGN else LANES
        base = unit * between(0, size // unit - 1)
        if by_lane:
            s_row = out.cols + between(0, 3)
            plane = s_row * out.rows + between(0, 3)
            return replace(
                out, by_lane=1, last_lanes=between(1, LANES), base=base, s_group=LANES * plane, s_row=s_row,
                s_col=1, s_lane=plane,
            )  # fmt: skip
        s_col = unit * (out.groups + between(0, 1))
        s_row = s_col * out.cols + unit * between(0, 2)
        out = replace(out, base=base, s_group=unit, s_row=s_row, s_col=s_col)
        if between(0, 2):
            return out
        height = out.rows + between(0, 2)
        ahead = between(1, height)
        return replace(out, ring_end=base + ahead * s_row, ring_bytes=height * s_row)

    def soften(self) -> None:
        rows, depth = self.between(1, 3), self.between(1, 40)
        stride = LANES * (-(-depth // LANES) + self.between(0, 1))
        half = self.machine.scratch_bytes // 2
        x = LANES * self.between(0, (half - rows * stride) // LANES)
        y = half + LANES * self.between(0, (half - rows * stride) // LANES)
        part = Softmax(x=x, y=y, x_stride=stride, y_stride=stride, rows=rows, depth=depth)
        words = (stride * np.arange(rows)[:, None] // LANES + np.arange(-(-depth // LANES))).reshape(-1)
        reads = [Region("scratch", x // LANES + words), Region("table", slice(0, 128))]
        writes = [Region("scratch", y // LANES + words)]
        self.emitter.emit(self.machine.agents - 1, (part,), reads, writes, Tag(step="softmax"))

    def some_command(self, ops: tuple[Op, ...]) -> None:
        m = self.machine
        if m.softmax and len(ops) > 1 and self.between(0, 7) == 0:
            self.soften()
            return
        core = self.between(0, m.all_cores - 1)
        signed = [op for op in ops if op in SIGNED]
        binary = [op for op in ops if op in BINARY]
        if not (signed if core < m.cores else binary):
            core = 0 if signed else m.cores
        possible = signed if core < m.cores else binary
        self.compute(core, possible[self.between(0, len(possible) - 1)])

    def store(self, part: Store) -> None:
        reads = [Region("scratch", slice(part.src_addr, part.src_addr + part.words))]
        writes = [Region("external", slice(part.dst_addr, part.dst_addr + part.words))]
        self.emitter.emit(Machine.STORER, (part,), reads, writes, Tag(step="store"))

    def design(self, commands: int, ops: tuple[Op, ...], disturb: bool = True) -> Design:
        self.fill()
        result = self.external(np.zeros(self.machine.scratch_bytes, np.uint8))
        words = self.machine.scratch_bytes // LANES
        for _ in range(commands):
            self.some_command(ops)
            if disturb and self.between(0, 2) == 0:
                self.some_load()
            if disturb and self.between(0, 5) == 0:
                count = self.between(1, 30)
                at = self.between(0, words - count)
                self.store(Store(src_addr=at, dst_addr=result + at, words=count))
        self.store(Store(src_addr=0, dst_addr=result, words=words))
        image = np.concatenate(self.image)
        port = Port("x", (INPUT_WORDS * LANES,), "uint8", 0, 1, 1, INPUT_WORDS * LANES, 0, 0)
        size = self.machine.scratch_bytes
        out = Port("y", (size,), "uint8", result * LANES, 1, 1, size, 0, 0)
        agents = tuple(tuple(c) for c in self.emitter.commands)
        return Design("random", self.machine, agents, image, (port,), (out,))


def read_bytes(read: Read) -> Array:
    """Of every item that is not padding, the byte that it begins at."""
    rows = np.zeros((read.rows, read.kh), np.int64)
    start = 0

    def stepped(at: int) -> int:
        return at - read.ring_bytes if read.base + at >= read.ring_end else at

    for oy in range(read.rows):
        at = start
        for ky in range(read.kh):
            rows[oy, ky] = at
            at = stepped(at + read.s_ky)
        start = stepped(start + read.s_row)
    counts = (read.groups, read.rows, read.cols, read.kh, read.kw, read.run)
    g, oy_, ox, ky_, kx, i = np.ix_(*(np.arange(n) for n in counts))
    found = read.base + rows[oy_, ky_] + g * read.s_group + ox * read.s_col + kx * read.s_kx
    found = found + i * (LANES if read.words else 1)
    iy = read.iy0 + oy_ * read.d_iy + ky_ * read.d_ky
    ix = read.ix0 + ox * read.d_ix + kx * read.d_kx
    inside = (iy >= 0) & (iy < read.in_h) & (ix >= 0) & (ix < read.in_w)
    return found[np.broadcast_to(inside, found.shape)].astype(np.int64)


def read_words(read: Read) -> Array:
    return np.unique(read_bytes(read) >> 3)


def written_bytes(out: Out) -> Array:
    rows = np.zeros(out.rows, np.int64)
    for oy in range(1, out.rows):
        at = rows[oy - 1] + out.s_row
        rows[oy] = at - out.ring_bytes if out.base + at >= out.ring_end else at
    group = np.arange(out.groups)[:, None, None] * out.s_group
    at = out.base + group + rows[:, None] + np.arange(out.cols) * out.s_col
    if out.by_lane:
        lanes = at[..., None] + np.arange(LANES) * out.s_lane
        return np.concatenate([lanes[:-1].reshape(-1), lanes[-1, ..., : out.last_lanes].reshape(-1)])
    width = 1 if out.mode == Mode.SIGN else LANES
    return (at[..., None] + np.arange(width)).reshape(-1)


def parts_used(design: Design) -> set[tuple[int, int]]:
    """(operator, mode) of all commands."""
    found = set()
    for agent in range(Machine.FIRST_CORE, Machine.FIRST_CORE + design.machine.all_cores):
        for command in design.agents[agent]:
            _, mac, out = command.core
            found.add((mac.op, out.mode))
    return found
