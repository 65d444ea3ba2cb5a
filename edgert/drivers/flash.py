"""Reads of flash through its small caches, one by one: what misses waits.

The caches are simulated, not estimated: every executed block's code and every data read of a run goes
through them in order, so that the same run always gives the same count. Limits: docs/timing.md.
"""

from __future__ import annotations

from collections import OrderedDict

from edgert.board import FlashTiming, Region


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
