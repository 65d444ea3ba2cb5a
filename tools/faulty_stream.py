"""A stream that spoils what goes through it, both ways: between host and board in the fault tests."""

from __future__ import annotations

import random
from collections import Counter

from edgert.drivers.stream import Stream

KINDS = ("flip", "drop", "repeat", "insert", "lose")


class FaultyStream(Stream):
    """probability: of a fault in each chunk that is written or read. faults: kind -> how many there were."""

    def __init__(self, inner: Stream, seed: int, probability: float) -> None:
        self._inner, self._random, self.probability = inner, random.Random(seed), probability
        self.faults: Counter[str] = Counter()
        self.chunks = 0

    def read(self, timeout_s: float) -> bytes:
        data = self._inner.read(timeout_s)
        return self._spoil(data) if data else data

    def write(self, data: bytes) -> None:
        spoiled = self._spoil(data)
        if spoiled:
            self._inner.write(spoiled)

    def close(self) -> None:
        self._inner.close()

    def _spoil(self, data: bytes) -> bytes:
        self.chunks += 1
        if self._random.random() >= self.probability:
            return data
        kind = self._random.choice(KINDS)
        self.faults[kind] += 1
        at = self._random.randrange(len(data))
        length = self._random.randint(1, 4)
        if kind == "flip":
            bits = bytearray(data)
            for _ in range(length):
                bits[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
            return bytes(bits)
        if kind == "drop":
            return data[:at] + data[at + length :]
        if kind == "repeat":
            return data[: at + length] + data[at:]
        if kind == "insert":
            return data[:at] + self._random.randbytes(length) + data[at:]
        return b""
