"""Why each segment of a schedule is as it is: its modelled time, beside that of other patterns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.schedule import DEPTH_FIRST, PIPELINE, SEQUENTIAL, Schedule, Segment
from edgert.codegen.hls.scheduler import _share, cycles_of
from edgert.codegen.hls.tasks import BINARY, CORE, Network, reads

_BANDS = (1, 3, 8)  # how many bands an alternative is tried in
_LONGEST = 6  # layers that are tried together


def explained(network: Network, machine: Machine, schedule: Schedule) -> tuple[str, ...]:
    """A line for each segment: cycles of its layers alone, so and otherwise; then with the next segment's."""
    why = _Why(network, machine, schedule)
    return tuple(why.line(number) for number in range(len(schedule.segments)))


def how(segment: Segment) -> str:
    """'depth-first in bands of 2 rows'"""
    if not segment.band:
        return segment.pattern
    return f"{segment.pattern} in bands of {segment.band} row{'s' if segment.band > 1 else ''}"


class _Why:
    def __init__(self, network: Network, machine: Machine, schedule: Schedule) -> None:
        self.network, self.machine, self.schedule = network, machine, schedule

    def line(self, number: int) -> str:
        segment = self.schedule.segments[number]
        words = [f"{how(segment)}: {_cycles(self.cycles(segment))} cycles alone"]
        if len(segment.tasks) > 1:
            words.append(f"one layer after the other {_cycles(self.one_by_one(segment.tasks))}")
        for pattern in (PIPELINE, DEPTH_FIRST) if len(segment.tasks) > 1 else (SEQUENTIAL,):
            best = self.best(pattern, segment.tasks, but=segment)
            if best is not None and (pattern != segment.pattern or len(segment.tasks) == 1):
                words.append(f"{how(best[1])} {best[0]:,}")
        following = self.schedule.segments[number + 1 : number + 2]
        if following and len(segment.tasks) + len(following[0].tasks) <= _LONGEST:
            words += self.joined(segment, following[0])
        return "; ".join(words)

    def joined(self, segment: Segment, following: Segment) -> Iterator[str]:
        """The two as one segment, if they are a chain."""
        tasks = (*segment.tasks, *following.tasks)
        found = [f for p in (PIPELINE, DEPTH_FIRST) if (f := self.best(p, tasks)) is not None]
        if self.chained(tasks) and found:
            cycles, joined = min(found, key=lambda f: f[0])
            apart = _cycles(self.cycles(segment, following))
            yield f"with the next {apart}, as one segment, {how(joined)}, {cycles:,}"

    def chained(self, tasks: Sequence[int]) -> bool:
        found = [self.network.tasks[n] for n in tasks]
        return all(any(a.output.name in reads(b) for b in found) for a in found[:-1])

    def cycles(self, *segments: Segment) -> int | None:
        """Modelled, of these segments alone; None where they do not fit."""
        tasks = [self.network.tasks[n] for segment in segments for n in segment.tasks]
        touched = {name for task in tasks for name in (*reads(task), task.output.name)}
        alone = Schedule(segments, self.schedule.spilled & touched, self.schedule.overlap)
        return cycles_of(self.network, self.machine, alone)

    def one_by_one(self, tasks: Sequence[int]) -> int | None:
        return self.cycles(*(Segment(SEQUENTIAL, (n,), (self.all_cores(n),)) for n in tasks))

    def best(
        self, pattern: str, tasks: tuple[int, ...], but: Segment | None = None
    ) -> tuple[int, Segment] | None:
        """(cycles, segment) of a pattern in the bands that suit it best."""
        cores = self.shares(tasks) if pattern == PIPELINE else tuple(self.all_cores(n) for n in tasks)
        rows = self.network.tasks[tasks[-1]].output.rows
        found: list[tuple[int, int, Segment]] = []
        for band in dict.fromkeys(0 if n == 1 or rows == 1 else -(-rows // n) for n in _BANDS):
            segment = Segment(pattern, tasks, cores, band, skew=band > 0)
            cycles = self.cycles(segment) if segment != but else None
            if cycles is not None:
                found.append((cycles, len(found), segment))
        return (min(found)[0], min(found)[2]) if found else None

    def shares(self, tasks: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Cores of its own for each task."""
        found: dict[int, tuple[int, ...]] = {}
        for unit, count in ((CORE, self.machine.cores), (BINARY, self.machine.binary_cores)):
            mine = [n for n in tasks if self.network.tasks[n].unit == unit]
            if mine:
                found |= dict(zip(mine, _share([self.network.tasks[n] for n in mine], count), strict=True))
        return tuple(found.get(n, ()) for n in tasks)

    def all_cores(self, task: int) -> tuple[int, ...]:
        counts = {CORE: self.machine.cores, BINARY: self.machine.binary_cores}
        return tuple(range(counts.get(self.network.tasks[task].unit, 0)))


def _cycles(count: int | None) -> str:
    return "does not fit" if count is None else f"{count:,}"
