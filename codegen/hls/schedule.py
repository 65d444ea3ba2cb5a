"""The schedule: which layers run together, on which cores, in how large bands. Decided before the circuit.

Patterns, in the words of InTAR (docs/fpga.md):
  sequential    one layer at a time, on all cores
  parallel      independent layers at a time, each on cores of its own
  pipeline      a chain of layers, each on cores of its own, band by band behind each other
  depth-first   a chain of layers, all cores on one band of one layer after the other
"""

from __future__ import annotations

from dataclasses import dataclass

SEQUENTIAL, PARALLEL, PIPELINE, DEPTH_FIRST = "sequential", "parallel", "pipeline", "depth-first"


@dataclass(frozen=True)
class Segment:
    """tasks: numbers in Network.tasks, in order. cores: for each task, the cores that it runs on (empty for
    the softmax unit). band: rows of the last task's output at a time; 0: all. skew: a layer works on the band
    after the one that the next layer works on, so that neither waits for the other; needs more rows."""

    pattern: str
    tasks: tuple[int, ...]
    cores: tuple[tuple[int, ...], ...]
    band: int = 0
    skew: bool = False

    @property
    def how(self) -> str:
        """'depth-first in bands of 2 rows'"""
        rows = f" in bands of {self.band} row{'s' if self.band > 1 else ''}" if self.band else ""
        return self.pattern + rows


@dataclass(frozen=True)
class Schedule:
    """spilled: tensors between segments that live in the external memory. overlap: transfers run beside
    computation; without, each waits for the other. why: the reason of each segment, for people."""

    segments: tuple[Segment, ...]
    spilled: frozenset[str] = frozenset()
    overlap: bool = True
    why: tuple[str, ...] = ()
