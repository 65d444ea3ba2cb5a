"""The commands of the circuit: what every agent can be told, field by field (docs/fpga.md).

An agent (loader, storer, compute core, binary core, softmax unit) executes a static list of commands. A
core's command has three parts, each for a section of the core with a list of its own: Read fetches operands,
Mac computes, Out requantizes and writes. A command starts when every agent has completed as many commands as
`need` says. All three back ends (Verilog, HLS C++, the interpreter) decode what is declared here: a field is
packed above the one before it, the first at bit 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, ClassVar, Self

BINARY_LANE_BITS = 64  # of a binary core, that a lane compares in a cycle
LANES = 8  # of a core, and bytes of a word of the scratchpad
ADDRESS_BITS = 22  # of a byte of the scratchpad, signed
EXTERNAL_BITS = 24  # of a word of the external memory
NEED_BITS = 12  # of a count of commands
ROM_BITS = 36  # of a word of a command ROM: a command is several of them, the lowest first
PARAM_WORDS = 9  # external words for 8 entries of a parameter memory


class Op(IntEnum):
    """What Mac does with a pixel's items. x, w: bytes with their zero points taken off."""

    DOT = 0  # acc[l] += x[k] * W[k][l]: one byte of x for all lanes
    LANE = 1  # acc[l] += x[k][l] * W[k][l]: a word of x
    MAX = 2  # acc[l] = max(x[k][l]), no zero point
    SUM = 3  # acc[l] += x[k][l]
    ADD = 4  # items in pairs: acc[l] = P[x[0][l]].bias + P[x[1][l]].multiplier: two tables
    MUL = 5  # items in pairs: acc[l] = x[0][l] * x[1][l], the second less w_zero
    TABLE = 6  # acc[l] = P[x[0][l]].bias
    XNOR = 8  # acc[l] += number of equal bits of x[k] and W[k][l]; binary cores from here on
    OR = 9  # word |= x[k]
    AND = 10  # word &= x[k]


class Mode(IntEnum):
    """What Out makes of an accumulator (docs/numerics.md, section 2)."""

    TWICE = 0  # requantize, rounding twice; zero point, clamp
    ONCE = 1  # requantize, rounding once; zero point, clamp
    RAW = 2  # the low byte
    SIGN = 3  # one bit: acc + bias >= 0; the lanes of a group are a byte
    WORD = 4  # the word of OR and AND as it is


class Memory(IntEnum):
    """Where the loader writes."""

    SCRATCH = 0
    WEIGHTS = 1
    PARAMS = 2
    TABLE = 3


def _unsigned(bits: int, default: int = 0) -> Any:
    return field(default=default, metadata={"bits": bits, "signed": False, "minus": 0})


def _signed(bits: int, default: int = 0) -> Any:
    return field(default=default, metadata={"bits": bits, "signed": True, "minus": 0})


def _count(bits: int, default: int = 1) -> Any:
    """At least 1; one less is stored."""
    return field(default=default, metadata={"bits": bits, "signed": False, "minus": 1})


def _address(default: int = 0) -> Any:
    return _signed(ADDRESS_BITS, default)


@dataclass(frozen=True)
class Part:
    """A packed record. Raises OverflowError where a value does not fit its field."""

    NAME: ClassVar[str] = ""

    @classmethod
    def layout(cls) -> Iterator[tuple[str, int, int, bool, int]]:
        """(name, lowest bit, bits, signed, what is subtracted before packing) of each field."""
        at = 0
        for f in fields(cls):
            bits = f.metadata["bits"]
            yield f.name, at, bits, f.metadata["signed"], f.metadata["minus"]
            at += bits

    @classmethod
    def bits(cls) -> int:
        return sum(f.metadata["bits"] for f in fields(cls))

    def pack(self) -> int:
        word = 0
        for name, at, bits, signed, minus in self.layout():
            value = int(getattr(self, name)) - minus
            low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
            if not low <= value < high:
                raise OverflowError(f"{self.NAME}.{name} is {value + minus}, it has {bits} bits")
            word |= (value & ((1 << bits) - 1)) << at
        return word

    @classmethod
    def unpack(cls, word: int) -> Self:
        """The inverse of pack; bits above the last field are ignored."""
        values = {}
        for name, at, bits, signed, minus in cls.layout():
            value = word >> at & (1 << bits) - 1
            if signed and value >> bits - 1:
                value -= 1 << bits
            values[name] = value + minus
        return cls(**values)


@dataclass(frozen=True)
class Read(Part):
    """Operands of one command, from the scratchpad, as items in this order:

        for g in groups: for oy in rows: for ox in cols: for ky in kh: for kx in kw: for i in run

    at byte base + g*s_group + oy*s_row + ox*s_col + ky*s_ky + kx*s_kx (+ i bytes, or i words). words: 0, an
    item is a byte (for Op.DOT), 1, it is an aligned word. The row address is one of a ring: wherever a step
    of s_row or s_ky brings it to ring_end or beyond, ring_bytes are taken off (ring_bytes 0: no ring).
    Outside of the map, at iy = iy0 + oy*d_iy + ky*d_ky not in [0, in_h) or ix = ix0 + ox*d_ix + kx*d_kx not
    in [0, in_w), nothing is read: each byte is `pad`. Item `last` of a pixel is marked.
    """

    NAME: ClassVar[str] = "rd"
    words: int = _unsigned(1)
    groups: int = _count(12)
    rows: int = _count(12)
    cols: int = _count(14)
    kh: int = _count(8)
    kw: int = _count(8)
    run: int = _count(16)
    base: int = _address()
    s_group: int = _address()
    s_row: int = _address()
    s_col: int = _address()
    s_ky: int = _address()
    s_kx: int = _address()
    ring_end: int = _address((1 << ADDRESS_BITS - 1) - 1)
    ring_bytes: int = _address()
    iy0: int = _signed(12)
    ix0: int = _signed(12)
    in_h: int = _unsigned(13, (1 << 13) - 1)
    in_w: int = _unsigned(14, (1 << 14) - 1)
    d_iy: int = _unsigned(4)
    d_ix: int = _unsigned(6)
    d_ky: int = _unsigned(4)
    d_kx: int = _unsigned(4)
    pad: int = _signed(8)


@dataclass(frozen=True)
class Mac(Part):
    """groups x rows x cols pixels, each of the items up to `last`.

    Weights of pixel p of group g: W[w_base + g*w_step + k], k the item's number in its pixel.
    window (LANE, MAX, SUM): Read sends columns, each kh words once (its cols = (cols-1)*sw + kw, kw = 1); a
    pixel is kw neighbouring columns, the next pixel begins sw columns on, the next row anew. Then
    k = kx*kh + ky. t_base: the first of the 256 entries of P that ADD and TABLE index by the unsigned byte.
    """

    NAME: ClassVar[str] = "mac"
    op: int = _unsigned(4)
    window: int = _unsigned(1)
    x_zero: int = _signed(8)
    w_zero: int = _signed(8)
    w_base: int = _unsigned(16)
    w_step: int = _unsigned(16)
    t_base: int = _unsigned(12)
    groups: int = _count(12)
    rows: int = _count(12)
    cols: int = _count(14)
    kh: int = _count(3)
    kw: int = _count(3)
    sw: int = _count(2)


@dataclass(frozen=True)
class Out(Part):
    """groups x rows x cols results of 8 lanes, to byte base + g*s_group + oy*s_row + ox*s_col.

    Lane l of group g has entry p_base + 8*g + l of P (bias, multiplier, shift), or, if uniform, bias 0 and
    u_multiplier, u_shift. A word is aligned; in Mode.SIGN it is one byte, at any address. by_lane: each lane
    is a byte of its own, s_lane apart, and the last group has only last_lanes of them. The ring is as in
    Read, over s_row.
    """

    NAME: ClassVar[str] = "out"
    mode: int = _unsigned(3)
    uniform: int = _unsigned(1)
    by_lane: int = _unsigned(1)
    last_lanes: int = _count(3, LANES)
    p_base: int = _unsigned(12)
    u_multiplier: int = _unsigned(31)
    u_shift: int = _signed(8)
    y_zero: int = _signed(8)
    y_min: int = _signed(8, -128)
    y_max: int = _signed(8, 127)
    groups: int = _count(12)
    rows: int = _count(12)
    cols: int = _count(14)
    base: int = _address()
    s_group: int = _address()
    s_row: int = _address()
    s_col: int = _address()
    s_lane: int = _address()
    ring_end: int = _address((1 << ADDRESS_BITS - 1) - 1)
    ring_bytes: int = _address()


@dataclass(frozen=True)
class Load(Part):
    """rows of row_words words, `stride` words apart at their source, go to dst_addr and on, without gaps.

    scratch: 0 from the external memory, 1 from the scratchpad. src_addr: a word of it. dst: a Memory;
    dst_addr: a word of the scratchpad or of the table, a word of weights (in a binary core word 8*k + l is
    W[k][l]), an entry of parameters (a multiple of 8). mask: which cores' memories (bit i: core i, binary
    cores behind the others). Of parameters, 9 words are 8 entries: {multiplier, bias} each, the bias in the
    low half, then the 8 shifts, one signed byte each.
    """

    NAME: ClassVar[str] = "ld"
    scratch: int = _unsigned(1)
    dst: int = _unsigned(2)
    mask: int = _unsigned(16)
    src_addr: int = _unsigned(EXTERNAL_BITS)
    rows: int = _count(16)
    row_words: int = _count(16)
    stride: int = _signed(EXTERNAL_BITS)
    dst_addr: int = _unsigned(ADDRESS_BITS - 3)


@dataclass(frozen=True)
class Store(Part):
    """words of the scratchpad from word src_addr to words of the external memory from dst_addr."""

    NAME: ClassVar[str] = "st"
    src_addr: int = _unsigned(ADDRESS_BITS - 3)
    dst_addr: int = _unsigned(EXTERNAL_BITS)
    words: int = _count(20)


@dataclass(frozen=True)
class Softmax(Part):
    """rows of `depth` int8 from byte x and on, x_stride apart, to y (docs/numerics.md, section 5).

    All multiples of 8; t_base: the first of 128 words of the table (two entries of exp_table a word).
    """

    NAME: ClassVar[str] = "sm"
    x: int = _address()
    y: int = _address()
    x_stride: int = _address()
    y_stride: int = _address()
    rows: int = _count(12)
    depth: int = _count(10)
    t_base: int = _unsigned(8)


CORE_PARTS: tuple[type[Part], ...] = (Read, Mac, Out)
PARTS: tuple[type[Part], ...] = (*CORE_PARTS, Load, Store, Softmax)


@dataclass(frozen=True)
class Machine:
    """What a circuit has. *_bytes, *_words (64 bits), *_entries: sizes of memories, each a multiple of 64.

    bus_bytes: bytes a cycle of the external memory, both ways together (a share, 0.5 say, is allowed);
    latency_cycles: from a request to its first word. fifo: words that a core may have read ahead. commands:
    at most so many for an agent.
    """

    cores: int
    scratch_bytes: int
    weight_words: int
    param_entries: int
    binary_cores: int = 0
    softmax: int = 0
    banks: int = 1
    fifo: int = 16
    bus_bytes: float = 8.0
    latency_cycles: int = 40
    commands: int = (1 << NEED_BITS) - 1

    LOADER: ClassVar[int] = 0
    STORER: ClassVar[int] = 1
    FIRST_CORE: ClassVar[int] = 2

    @property
    def all_cores(self) -> int:
        return self.cores + self.binary_cores

    @property
    def agents(self) -> int:
        """Loader, storer, cores, binary cores, softmax unit, in the order of `need`."""
        return 2 + self.all_cores + self.softmax

    def agent_name(self, agent: int) -> str:
        names = ["loader", "storer", *(f"core{i}" for i in range(self.cores))]
        names += [f"binary{i}" for i in range(self.binary_cores)] + ["softmax"] * self.softmax
        return names[agent]
