"""Design: a machine, what each of its agents is told, and the external memory that it starts with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgert.codegen.hls.isa import (
    CORE_PARTS,
    LANES,
    NEED_BITS,
    ROM_BITS,
    Load,
    Mac,
    Machine,
    Out,
    Part,
    Read,
    Softmax,
    Store,
)
from edgert.codegen.program import Array


@dataclass(frozen=True)
class Tag:
    """Where a command is from, for reports. stage: number in the schedule; step: the layer's name; macs."""

    stage: int = 0
    step: str = ""
    tile: str = ""
    macs: int = 0


@dataclass(frozen=True)
class Command:
    """parts: one Load, Store or Softmax, or (Read, Mac, Out). need: completed commands of each agent."""

    parts: tuple[Part, ...]
    need: tuple[int, ...]
    tag: Tag = Tag()

    @property
    def core(self) -> tuple[Read, Mac, Out]:
        read, mac, out = self.parts
        assert isinstance(read, Read) and isinstance(mac, Mac) and isinstance(out, Out)
        return read, mac, out

    @property
    def load(self) -> Load:
        assert isinstance(self.parts[0], Load)
        return self.parts[0]

    @property
    def store(self) -> Store:
        assert isinstance(self.parts[0], Store)
        return self.parts[0]

    @property
    def softmax(self) -> Softmax:
        assert isinstance(self.parts[0], Softmax)
        return self.parts[0]


@dataclass(frozen=True)
class Port:
    """A graph input or output in the external memory, from byte `offset`.

    Element [..., x, c] of its rows x pixels x channels view: row * row_stride + x * pixel_stride + c bytes.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int
    rows: int
    pixels: int
    channels: int
    row_stride: int
    pixel_stride: int

    def _view(self, memory: Array) -> Array:
        shape = (self.rows, self.pixels, self.channels)
        return np.lib.stride_tricks.as_strided(
            memory[self.offset :], shape, (self.row_stride, self.pixel_stride, 1)
        )

    def put(self, memory: Array, value: Array) -> None:
        """value, of `shape` and one byte an element, into the uint8 memory."""
        self._view(memory)[...] = value.reshape(self.rows, self.pixels, self.channels).view(np.uint8)

    def get(self, memory: Array) -> Array:
        found = np.ascontiguousarray(self._view(memory)).view(self.dtype)
        return found.reshape(self.shape)


@dataclass(frozen=True, eq=False)
class Design:
    """agents: a list of commands for each, in Machine's order. external: uint8, with weights in place."""

    name: str
    machine: Machine
    agents: tuple[tuple[Command, ...], ...]
    external: Array
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def image(self, inputs: Sequence[Array]) -> Array:
        """The external memory with these inputs in it."""
        memory = self.external.copy()
        for port, value in zip(self.inputs, inputs, strict=True):
            port.put(memory, value)
        return memory

    def roms(self) -> dict[str, list[str]]:
        """File name -> lines of ROM_BITS in hexadecimal: of each command's part, the lowest bits first.

        The first part of a command has `need` above its fields, agent 0 lowest.
        """
        found: dict[str, list[str]] = {}
        for agent, commands in enumerate(self.agents):
            for at, kind in enumerate(parts_of(self.machine, agent)):
                need = self.machine.agents if at == 0 else 0
                lines: list[str] = []
                for command in commands:
                    word = command.parts[at].pack()
                    for other in range(need):
                        word |= command.need[other] << (kind.bits() + NEED_BITS * other)
                    lines += _rom_lines(word, kind.bits() + NEED_BITS * need)
                found[f"{self.machine.agent_name(agent)}_{kind.NAME}.hex"] = lines
        return found


def parts_of(machine: Machine, agent: int) -> tuple[type[Part], ...]:
    """The parts that a command of this agent has."""
    if agent == Machine.LOADER:
        return (Load,)
    if agent == Machine.STORER:
        return (Store,)
    return CORE_PARTS if agent < Machine.FIRST_CORE + machine.all_cores else (Softmax,)


def _rom_lines(word: int, bits: int) -> list[str]:
    mask = (1 << ROM_BITS) - 1
    return [f"{word >> at & mask:0{ROM_BITS // 4}x}" for at in range(0, bits, ROM_BITS)]


def word_bytes(count: int) -> int:
    """Rounded up to whole words."""
    return -(-count // LANES) * LANES
