"""Reads through caches, those of a flash or of the core, one by one: what misses waits.

The caches are simulated, not estimated: every executed block's code and every data read of a run goes
through them in order, so that the same run always gives the same count. Limits: docs/timing.md.
"""

from __future__ import annotations

from collections import OrderedDict

from edgert.board import Board, CacheTiming, FlashTiming, Region


class ReadCache:
    """Fully associative, least recently used goes first, in units of one flash read; empty at first."""

    def __init__(self, nbytes: int, read_bytes: int) -> None:
        self._shift = read_bytes.bit_length() - 1
        self._capacity = nbytes // read_bytes
        self._units: OrderedDict[int, None] = OrderedDict()
        self._recent: tuple[int, int] | None = None

    def misses(self, address: int, size: int) -> int:
        """How many reads of flash it takes to have these bytes, in ascending order."""
        span = (address >> self._shift, (address + size - 1) >> self._shift)
        if span == self._recent:  # as just now: all there, and the order of use stays as it is
            return 0
        missed, units = 0, self._units
        for unit in range(span[0], span[1] + 1):
            if unit in units:
                units.move_to_end(unit)
                continue
            missed += 1
            units[unit] = None
            if len(units) > self._capacity:
                units.popitem(last=False)
        self._recent = span if span[1] - span[0] < self._capacity else None
        return missed


class Flash:
    """A board's flash: how long its reads make the core wait. All counts in cycles."""

    def __init__(self, region: Region, timing: FlashTiming) -> None:
        self.region = region
        self._wait_states = timing.wait_states
        self._code = ReadCache(timing.instruction_cache_bytes, timing.read_bytes)
        self._data = ReadCache(timing.data_cache_bytes, timing.read_bytes)

    def fetch(self, address: int, size: int) -> int:
        """Cycles that a block of code waits for its instructions; 0 for code in RAM."""
        if not self.region.start <= address < self.region.end:
            return 0
        return self._wait_states * self._code.misses(address, size)

    def read(self, address: int, size: int) -> int:
        """Cycles that a data read in flash waits."""
        return self._wait_states * self._data.misses(address, size)


class DirectMapped:
    """A cache with one place for each line, empty at first."""

    def __init__(self, nbytes: int, line_bytes: int) -> None:
        self._shift, self._places = line_bytes.bit_length() - 1, nbytes // line_bytes
        self._lines = [-1] * self._places

    def misses(self, address: int, size: int) -> int:
        """How many lines have to be brought in to have these bytes."""
        missed = 0
        for line in range(address >> self._shift, ((address + size - 1) >> self._shift) + 1):
            place = line % self._places
            missed += self._lines[place] != line
            self._lines[place] = line
        return missed


class CoreCaches:
    """A core's own caches: how long reads that miss make it wait. All counts in cycles."""

    def __init__(self, timing: CacheTiming) -> None:
        self.region = Region(0, 1 << 32)
        self._timing = timing
        self._code = DirectMapped(timing.instruction_bytes, timing.line_bytes)
        self._data = DirectMapped(timing.data_bytes, timing.line_bytes)

    def fetch(self, address: int, size: int) -> int:
        return self._timing.instruction_miss_cycles * self._code.misses(address, size)

    def read(self, address: int, size: int) -> int:
        return self._timing.data_miss_cycles * self._data.misses(address, size)


def waiting_memory(board: Board) -> Flash | CoreCaches | None:
    """What makes the core wait, its caches empty; None where nothing does."""
    if board.caches is not None:
        return CoreCaches(board.caches)
    timing = board.flash_timing
    if timing is None or timing.wait_states == 0:
        return None
    assert board.flash is not None
    return Flash(board.flash, timing)
