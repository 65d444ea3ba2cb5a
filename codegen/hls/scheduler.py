"""Finds a Schedule: dynamic programming over the layers, then improvement of the whole by its modelled time.

The time of a segment alone is guessed from its counts (guess.py); the best cut of the layers into segments
follows from these guesses. Segments overlap in truth, one loading its weights while the one before computes,
so the result is then built, timed (cycles.py) and changed step by step, while the time of the whole falls.
Which patterns may be used is an Arm: the fixed patterns that others use are arms of the same search.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from edgert.codegen.hls.build import build
from edgert.codegen.hls.cycles import estimate
from edgert.codegen.hls.guess import guess
from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.schedule import (
    DEPTH_FIRST,
    PARALLEL,
    PIPELINE,
    SEQUENTIAL,
    Schedule,
    Segment,
)
from edgert.codegen.hls.split import pixel_cycles, tiles
from edgert.codegen.hls.tasks import BINARY, CORE, Network, Task, reads
from edgert.codegen.hls.traffic import traffic
from edgert.errors import DoesNotFitError

_LONGEST = 6  # layers of a segment, unless the arm wants as few segments as can be
_BANDS = (8, 3)  # how many bands a chain is tried in
_ROUNDS = 2  # of improvement
_HOPE = 1.1  # a neighbour is tried if alone it takes at most so much longer than what it replaces, guessed
_FINEST = 0.999  # patterns that gain less than the model can tell are not worth their complication
_TRIED = 3  # neighbours of a segment that are built and timed, in each round


@dataclass(frozen=True)
class Arm:
    """patterns it may use. overlap: transfers beside computation. few: as few segments as fit, then time."""

    name: str
    patterns: tuple[str, ...]
    overlap: bool = True
    few: bool = False


ARMS = {
    arm.name: arm
    for arm in (
        Arm("sequential", (SEQUENTIAL,)),
        Arm("sequential-naive", (SEQUENTIAL,), overlap=False),
        Arm("dataflow", (PIPELINE,), few=True),
        Arm("intar", (SEQUENTIAL, PARALLEL, PIPELINE)),
        Arm("edgert", (SEQUENTIAL, PARALLEL, PIPELINE, DEPTH_FIRST)),
    )
}


@dataclass(frozen=True)
class Found:
    schedule: Schedule
    cycles: int


@dataclass(frozen=True)
class Memo:
    """What the arms of one network and machine share: costs of segments alone, and what each arm found."""

    costs: dict[tuple[Segment, frozenset[str], bool], float | None] = field(default_factory=dict)
    found: dict[Arm, Found] = field(default_factory=dict)


def find(network: Network, machine: Machine, arm: Arm = ARMS["edgert"], memo: Memo | None = None) -> Found:
    """The best Schedule of an arm. Raises DoesNotFitError where no schedule fits."""
    memo = memo or Memo()
    if arm not in memo.found:
        memo.found[arm] = _found(network, machine, arm, memo)
    return memo.found[arm]


def _found(network: Network, machine: Machine, arm: Arm, memo: Memo) -> Found:
    search = _Search(network, machine, arm, memo)
    simpler = [  # what fewer patterns found is a start, too
        find(network, machine, smaller, memo)
        for smaller in ARMS.values()
        if set(smaller.patterns) < set(arm.patterns) and smaller.overlap == arm.overlap
    ]
    best = min([search.start(), *simpler], key=lambda f: f.cycles)
    for _ in range(_ROUNDS):
        better = search.improved(best)
        if better.cycles >= best.cycles:
            break
        best = better
    return next(f for f in [*simpler, best] if f.cycles * _FINEST <= best.cycles)


def cycles_of(network: Network, machine: Machine, schedule: Schedule) -> int | None:
    """Modelled cycles of a whole schedule; None where it does not fit."""
    try:
        return estimate(build(network, machine, schedule)).cycles
    except (DoesNotFitError, OverflowError):
        return None


def candidates(network: Network, machine: Machine, arm: Arm, first: int, last: int) -> Iterator[Segment]:
    """Segments of tasks [first, last) that an arm may choose from."""
    numbers = tuple(range(first, last))
    tasks = [network.tasks[n] for n in numbers]
    all_cores = tuple(cores_of(machine, t) for t in tasks)
    rows = tasks[-1].output.rows
    if len(numbers) == 1:
        pattern = SEQUENTIAL if SEQUENTIAL in arm.patterns else PIPELINE
        for band in _bands(rows, (1, 4, 12)):
            yield Segment(pattern, numbers, all_cores, band, skew=band > 0)
        yield Segment(pattern, numbers, all_cores, 1)
        return
    independent = not any(set(reads(b)) & {a.output.name for a in tasks} for b in tasks)
    if independent and PARALLEL in arm.patterns:
        yield Segment(PARALLEL, numbers, shares(machine, tasks), 0)
    chain = chained(tasks)
    if not chain and not arm.few:
        return
    for pattern in (PIPELINE, DEPTH_FIRST):
        if pattern not in arm.patterns:
            continue
        cores = shares(machine, tasks) if pattern == PIPELINE else all_cores
        for band in dict.fromkeys((*_bands(rows, _BANDS), 1)):
            yield Segment(pattern, numbers, cores, band, skew=True)
            if pattern == DEPTH_FIRST:
                yield Segment(pattern, numbers, cores, band)


_Cut = tuple[float, tuple[Segment, ...], frozenset[str]]  # cycles, segments, spilled


class _Search:
    def __init__(self, network: Network, machine: Machine, arm: Arm, memo: Memo) -> None:
        self.network, self.machine, self.arm = network, machine, arm
        self.count = len(network.tasks)
        self._costs = memo.costs

    # ---- one segment -------------------------------------------------------------------------------------

    def segments(self, first: int, last: int) -> Iterator[Segment]:
        """Of tasks [first, last)."""
        return candidates(self.network, self.machine, self.arm, first, last)

    def cost(self, segment: Segment, spilled: frozenset[str]) -> float | None:
        """Cycles of a segment alone, guessed; None where it does not fit."""
        touched = {
            n
            for t in segment.tasks
            for n in (*reads(self.network.tasks[t]), self.network.tasks[t].output.name)
        }
        key = segment, spilled & touched, self.arm.overlap
        if key not in self._costs:
            moved = traffic(self.network, Schedule((segment,), key[1]), 0)
            self._costs[key] = guess(self.network, self.machine, segment, moved, overlap=self.arm.overlap)
        return self._costs[key]

    # ---- the cut into segments ---------------------------------------------------------------------------

    def start(self) -> Found:
        """The best cut by the sum of its segments' times, made to fit."""
        return self._fitted(*(self._fewest() if self.arm.few else self._cut()))

    def _cut(self) -> tuple[tuple[Segment, ...], frozenset[str]]:
        """Over (tasks done, whether what crosses there is spilled)."""
        best: dict[tuple[int, bool], _Cut] = {(0, False): (0, (), frozenset())}
        longest = _LONGEST if len(self.arm.patterns) > 1 else 1
        for last in range(1, self.count + 1):
            for first in range(last - 1, max(0, last - longest) - 1, -1):
                for before in (False, True):
                    if (first, before) not in best:
                        continue
                    self._extend(best, first, last, before)
        ends = [best[key] for key in ((self.count, False), (self.count, True)) if key in best]
        if not ends:
            self._nothing_fits()
        return min(ends, key=lambda e: e[0])[1:]

    def _extend(self, best: dict[tuple[int, bool], _Cut], first: int, last: int, before: bool) -> None:
        base, segments, spilled = best[first, before]
        for after in self._choices(last):
            wanted = spilled | self._crossing(first, before) | self._crossing(last, after)
            for segment in self.segments(first, last):
                cost = self.cost(segment, wanted)
                if cost is not None and ((last, after) not in best or base + cost < best[last, after][0]):
                    best[last, after] = base + cost, (*segments, segment), wanted

    def _choices(self, at: int) -> tuple[bool, ...]:
        """Spilled or not: only what could fit is tried on the chip, only what may be too large outside."""
        crossing = self._crossing(at, True)
        nbytes = sum(self.network.maps[n].nbytes for n in crossing)
        if nbytes == 0 or nbytes * 4 <= self.machine.scratch_bytes:
            return (False,)
        return (True,) if nbytes > self.machine.scratch_bytes else (False, True)

    def _crossing(self, at: int, spilled: bool) -> frozenset[str]:
        """Tensors made or loaded before task `at`, and read by it or later."""
        if not spilled:
            return frozenset()
        names = [t.output.name for t in self.network.tasks[:at]]
        names += [n for n in self.network.program.inputs if any(r < at for r in self.network.readers(n))]
        return frozenset(
            n for n in names
            if any(r >= at for r in self.network.readers(n)) and not self.network.maps[n].lane_rows
        )  # fmt: skip

    def _fewest(self) -> tuple[tuple[Segment, ...], frozenset[str]]:
        """The longest pipeline that fits, from the start, and so on."""
        first, segments, spilled = 0, [], frozenset[str]()
        while first < self.count:
            for last in range(self.count, first, -1):
                costs = [
                    (cost, after, segment)
                    for after in self._choices(last)
                    for segment in self.segments(first, last)
                    if (cost := self.cost(segment, spilled | self._crossing(last, after))) is not None
                ]
                if costs:
                    _, after, segment = min(costs, key=lambda c: c[:2])
                    segments.append(segment)
                    spilled |= self._crossing(last, after)
                    break
            else:
                self._nothing_fits()
            first = last
        return tuple(segments), spilled

    def _nothing_fits(self) -> None:
        """Raise the reason of the first layer that fits nowhere."""
        for number, task in enumerate(self.network.tasks):
            outside = frozenset(
                n for n in (*reads(task), task.output.name) if not self.network.maps[n].lane_rows
            )
            for segment in self.segments(number, number + 1):
                if self.cost(segment, outside) is not None:
                    break
            else:
                build(self.network, self.machine, Schedule((segment,), outside))
        raise DoesNotFitError(
            f"{self.network.name} does not fit into {self.machine.scratch_bytes:,} bytes of scratchpad",
            rule="each layer fits alone, but not with what has to stay for later layers",
            hint="a board with a larger scratchpad",
        )

    def _fitted(self, segments: tuple[Segment, ...], spilled: frozenset[str]) -> Found:
        """The cut as a schedule: with more spilled, the largest first, until it fits."""
        schedule = Schedule(segments, spilled, self.arm.overlap)
        while (cycles := cycles_of(self.network, self.machine, schedule)) is None:
            whole = {
                n for i in range(len(segments)) for n in traffic(self.network, schedule, i).whole
                if not self.network.maps[n].lane_rows
            }  # fmt: skip
            if not whole:
                build(self.network, self.machine, schedule)  # raises, with the reason
                raise AssertionError("it fits after all")
            largest = max(sorted(whole), key=lambda n: self.network.maps[n].nbytes)
            banded = tuple(self._banded(s, largest) for s in segments)
            segments, schedule = (
                banded,
                replace(schedule, segments=banded, spilled=schedule.spilled | {largest}),
            )
        return Found(schedule, cycles)

    def _banded(self, segment: Segment, name: str) -> Segment:
        """In bands, where a tensor that does not fit is touched."""
        touched = any(
            name in (*reads(self.network.tasks[t]), self.network.tasks[t].output.name) for t in segment.tasks
        )
        return replace(segment, band=1) if touched and segment.band == 0 else segment

    # ---- improvement of the whole ------------------------------------------------------------------------

    def improved(self, found: Found) -> Found:
        """One pass over all segments; of each one's neighbours the most hopeful are built and timed."""
        best, at = found, 0
        while at < len(best.schedule.segments):
            hopes = sorted(self._neighbours(best.schedule, at), key=lambda h: h[0])
            for _, schedule in hopes[:_TRIED]:
                cycles = cycles_of(self.network, self.machine, schedule)
                if cycles is not None and cycles < best.cycles:
                    best = Found(schedule, cycles)
            at += 1
        return best

    def _neighbours(self, schedule: Schedule, at: int) -> Iterator[tuple[float, Schedule]]:
        """(what it takes of what it replaces, guessed; schedule): segment `at` in other bands or patterns,
        joined with the next, halved, or with what it makes kept on the chip."""
        segments, spilled = schedule.segments, schedule.spilled
        first, last = segments[at].tasks[0], segments[at].tasks[-1] + 1
        now = self.cost(segments[at], spilled) or 1.0
        for hope, other in self._hopes(first, last, spilled, now):
            if other != segments[at]:
                yield hope, replace(schedule, segments=(*segments[:at], other, *segments[at + 1 :]))
        following = segments[at + 1 : at + 2]
        if following and not self.arm.few and len(self.arm.patterns) > 1:
            end = following[0].tasks[-1] + 1
            both = now + (self.cost(following[0], spilled) or 1.0)
            if end - first <= _LONGEST:
                inside = {self.network.tasks[n].output.name for n in range(first, end)}
                for kept in {spilled, spilled - {n for n in inside if self._stays_inside(n, first, end)}}:
                    for hope, joined in self._hopes(first, end, kept, both):
                        changed = (*segments[:at], joined, *segments[at + 2 :])
                        yield hope, replace(schedule, segments=changed, spilled=kept)
        for cut in range(first + 1, last):
            halves = [
                min(self._hopes(*span, spilled, now), key=lambda h: h[0], default=None)
                for span in ((first, cut), (cut, last))
            ]
            if not self.arm.few and halves[0] and halves[1]:
                parts = (halves[0][1], halves[1][1])
                changed = (*segments[:at], *parts, *segments[at + 1 :])
                yield halves[0][0] + halves[1][0], replace(schedule, segments=changed)
        for number in segments[at].tasks:
            name = self.network.tasks[number].output.name
            if name in spilled:
                yield 1.0, replace(schedule, spilled=spilled - {name})

    def _stays_inside(self, name: str, first: int, end: int) -> bool:
        return all(first <= r < end for r in self.network.readers(name))

    def _hopes(
        self, first: int, last: int, spilled: frozenset[str], now: float
    ) -> list[tuple[float, Segment]]:
        """Segments of tasks [first, last) with their share of `now`, those with no hope left out."""
        costs = ((self.cost(s, spilled), s) for s in self.segments(first, last))
        return [(cost / now, s) for cost, s in costs if cost is not None and cost <= _HOPE * now]


def cores_of(machine: Machine, task: Task) -> tuple[int, ...]:
    """All that can do it."""
    return tuple(range({CORE: machine.cores, BINARY: machine.binary_cores}.get(task.unit, 0)))


def shares(machine: Machine, tasks: Sequence[Task]) -> tuple[tuple[int, ...], ...]:
    """Cores of its own for each task, as many as make the slowest fastest; shared if too few."""
    found: dict[int, tuple[int, ...]] = {}
    for unit, count in ((CORE, machine.cores), (BINARY, machine.binary_cores)):
        mine = [i for i, t in enumerate(tasks) if t.unit == unit]
        if mine:
            found |= dict(zip(mine, _share([tasks[i] for i in mine], count), strict=True))
    return tuple(found.get(i, ()) for i in range(len(tasks)))


def chained(tasks: Sequence[Task]) -> bool:
    """Whether each but the last is read by another of them."""
    return all(any(t.output.name in reads(b) for b in tasks) for t in tasks[:-1])


def _bands(rows: int, parts: Sequence[int]) -> list[int]:
    """Rows of a band for each number of bands; 0: one band of all."""
    return list(dict.fromkeys(0 if n == 1 or rows <= 1 else max(1, -(-rows // n)) for n in parts))


def _share(tasks: Sequence[Task], count: int) -> list[tuple[int, ...]]:
    """Cores for each task of one unit."""
    if len(tasks) > count:
        return _shared(tasks, count)
    sizes = [1] * len(tasks)
    for _ in range(count - len(tasks)):
        slowest = max(range(len(tasks)), key=lambda i: work(tasks[i], sizes[i]))
        sizes[slowest] += 1
    ends = [sum(sizes[: i + 1]) for i in range(len(tasks))]
    return [tuple(range(end - size, end)) for end, size in zip(ends, sizes, strict=True)]


def _shared(tasks: Sequence[Task], count: int) -> list[tuple[int, ...]]:
    """One core for each of `count` runs of neighbours, the longest run as short as can be."""
    costs = [work(t, 1) for t in tasks]

    @cache
    def best(first: int, cores: int) -> tuple[int, tuple[int, ...]]:
        if cores == 1:
            return sum(costs[first:]), (len(tasks),)
        options = []
        for last in range(first + 1, len(tasks) - cores + 2):
            rest, ends = best(last, cores - 1)
            options.append((max(sum(costs[first:last]), rest), (last, *ends)))
        return min(options)

    ends = best(0, count)[1]
    return [(next(c for c, end in enumerate(ends) if i < end),) for i in range(len(tasks))]


def work(task: Task, cores: int) -> int:
    """Cycles of the busiest of so many cores over the whole task."""
    busiest = 0
    for tile in tiles(task, (0, task.out_rows), cores):
        groups, rows, cols = (b - a for a, b in (tile.groups, tile.rows, tile.cols))
        busiest = max(busiest, groups * rows * cols * pixel_cycles(task))
    return busiest
