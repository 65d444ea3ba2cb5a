"""Why each segment of a schedule is as it is: its modelled time, beside that of other patterns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.schedule import DEPTH_FIRST, PIPELINE, SEQUENTIAL, Schedule, Segment
from edgert.codegen.hls.scheduler import Arm, candidates, chained, cores_of, cycles_of
from edgert.codegen.hls.tasks import Network, Task, reads

_LONGEST = 6  # layers that are tried together


def explained(network: Network, machine: Machine, schedule: Schedule) -> tuple[str, ...]:
    """A line for each segment: cycles of its layers alone, so and otherwise; then with the next segment's."""
    why = _Why(network, machine, schedule)
    return tuple(why.line(number) for number in range(len(schedule.segments)))


class _Why:
    def __init__(self, network: Network, machine: Machine, schedule: Schedule) -> None:
        self.network, self.machine, self.schedule = network, machine, schedule

    def line(self, number: int) -> str:
        segment = self.schedule.segments[number]
        words = [f"{segment.how}: {_cycles(self.cycles(segment))} cycles alone"]
        if len(segment.tasks) > 1:
            words.append(f"one layer after the other {_cycles(self.one_by_one(segment.tasks))}")
        for pattern in (PIPELINE, DEPTH_FIRST) if len(segment.tasks) > 1 else (SEQUENTIAL,):
            best = self.best(pattern, segment.tasks, but=segment)
            if best is not None and (pattern != segment.pattern or len(segment.tasks) == 1):
                words.append(f"{best[1].how} {best[0]:,}")
        following = self.schedule.segments[number + 1 : number + 2]
        if following and len(segment.tasks) + len(following[0].tasks) <= _LONGEST:
            words += self.joined(segment, following[0])
        return "; ".join(words)

    def joined(self, segment: Segment, following: Segment) -> Iterator[str]:
        """The two as one segment, if they are a chain."""
        tasks = (*segment.tasks, *following.tasks)
        found = [f for p in (PIPELINE, DEPTH_FIRST) if (f := self.best(p, tasks)) is not None]
        if chained(self.tasks(tasks)) and found:
            cycles, joined = min(found, key=lambda f: f[0])
            apart = _cycles(self.cycles(segment, following))
            yield f"with the next {apart}, as one segment, {joined.how}, {cycles:,}"

    def tasks(self, numbers: Sequence[int]) -> list[Task]:
        return [self.network.tasks[n] for n in numbers]

    def cycles(self, *segments: Segment) -> int | None:
        """Modelled, of these segments alone; None where they do not fit."""
        tasks = [self.network.tasks[n] for segment in segments for n in segment.tasks]
        touched = {name for task in tasks for name in (*reads(task), task.output.name)}
        alone = Schedule(segments, self.schedule.spilled & touched, self.schedule.overlap)
        return cycles_of(self.network, self.machine, alone)

    def one_by_one(self, tasks: Sequence[int]) -> int | None:
        return self.cycles(
            *(Segment(SEQUENTIAL, (n,), (cores_of(self.machine, self.network.tasks[n]),)) for n in tasks)
        )

    def best(
        self, pattern: str, tasks: tuple[int, ...], but: Segment | None = None
    ) -> tuple[int, Segment] | None:
        """(cycles, segment) of a pattern in the bands that suit it best, of those that the search knows."""
        arm = Arm(pattern, (pattern,))
        found = [
            (cycles, number, segment)
            for number, segment in enumerate(
                candidates(self.network, self.machine, arm, tasks[0], tasks[-1] + 1)
            )
            if segment != but and (cycles := self.cycles(segment)) is not None
        ]
        return (min(found)[0], min(found)[2]) if found else None


def _cycles(count: int | None) -> str:
    return "does not fit" if count is None else f"{count:,}"
