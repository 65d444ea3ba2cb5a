"""Who has to wait for whom: found from what commands read and write, word by word.

Commands are emitted in the order of a program that runs one at a time; a command needs whatever wrote what it
reads, and whatever read or wrote what it writes. Then any order that the needs allow has the same result, and
no cycle of waiting can arise, since each need is of a command emitted before.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from edgert.codegen.hls.design import Command, Tag
from edgert.codegen.hls.isa import Part
from edgert.codegen.program import Array

Space = Hashable  # "scratch", "external", ("weights", core), ("params", core), "table"


@dataclass(frozen=True, eq=False)
class Region:
    """Words of one memory: an index array, or a slice."""

    space: Space
    words: Array | slice


class Emitter:
    """Collects the commands of all agents. Section order within an agent is the order of emission."""

    def __init__(self, agents: int, sizes: dict[Space, int]) -> None:
        self.agents = agents
        self.commands: list[list[Command]] = [[] for _ in range(agents)]
        self._written = {space: np.zeros((words, agents), np.int32) for space, words in sizes.items()}
        self._read = {space: np.zeros((words, agents), np.int32) for space, words in sizes.items()}
        self.barrier = np.zeros(agents, np.int32)

    def emit(
        self, agent: int, parts: tuple[Part, ...], reads: Sequence[Region], writes: Sequence[Region], tag: Tag
    ) -> None:
        need = self.barrier.copy()
        for region in reads:
            np.maximum(need, self._written[region.space][region.words].max(axis=0), out=need)
        own = need[agent]  # an agent writes in the order that it reads: only what it wrote itself, it awaits
        for region in writes:
            for table in (self._written, self._read):
                np.maximum(need, table[region.space][region.words].max(axis=0), out=need)
        need[agent] = own
        self.commands[agent].append(Command(parts, tuple(int(n) for n in need), tag))
        count = len(self.commands[agent])
        for table, regions in ((self._read, reads), (self._written, writes)):
            for region in regions:
                table[region.space][region.words, agent] = count

    def wait_for_all(self) -> None:
        """What is emitted from here on waits for all that was emitted before."""
        self.barrier = np.array([len(commands) for commands in self.commands], np.int32)
