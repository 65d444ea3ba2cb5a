"""Why each segment of a schedule is as it is: its time alone, beside what else the search has tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.schedule import SEQUENTIAL, Schedule, Segment
from edgert.codegen.hls.scheduler import Costs, cycles_of
from edgert.codegen.hls.tasks import Network, reads

_Times = Mapping[tuple[int, ...], Mapping[str, tuple[int, Segment]]]


def explained(network: Network, machine: Machine, schedule: Schedule, costs: Costs) -> tuple[str, ...]:
    """A line for each segment. costs: of segments alone, as the search left them."""
    best: dict[tuple[int, ...], dict[str, tuple[int, Segment]]] = {}
    for (segment, _, overlap), cycles in costs.items():
        if cycles is not None and overlap == schedule.overlap:
            known = best.setdefault(segment.tasks, {})
            if segment.pattern not in known or cycles < known[segment.pattern][0]:
                known[segment.pattern] = cycles, segment
    return tuple(
        _line(
            network,
            best,
            segment,
            _alone(network, machine, schedule, segment, costs),
            schedule.segments[n + 1 :],
        )
        for n, segment in enumerate(schedule.segments)
    )


def _alone(
    network: Network, machine: Machine, schedule: Schedule, segment: Segment, costs: Costs
) -> int | None:
    tasks = [network.tasks[number] for number in segment.tasks]
    touched = {name for task in tasks for name in (*reads(task), task.output.name)}
    key = segment, schedule.spilled & touched, schedule.overlap
    if key in costs:
        return costs[key]
    return cycles_of(network, machine, Schedule((segment,), key[1], schedule.overlap))


def _line(
    network: Network, best: _Times, segment: Segment, alone: int | None, following: Sequence[Segment]
) -> str:
    words = [f"{how(segment)}: {alone:,} cycles alone" if alone is not None else how(segment)]
    for pattern, (cycles, other) in sorted(best.get(segment.tasks, {}).items(), key=lambda item: item[1][0]):
        if pattern != segment.pattern and len(segment.tasks) > 1:
            words.append(f"{how(other)} {cycles:,}")
    singles = [_single(best, number) for number in segment.tasks]
    if len(segment.tasks) > 1 and all(s is not None for s in singles):
        words.append(f"one layer after the other {sum(s for s in singles if s is not None):,}")
    if following:
        together = best.get((*segment.tasks, *following[0].tasks), {})
        apart = [_least(best, s.tasks) for s in (segment, following[0])]
        if together and None not in apart:
            cycles, other = min(together.values(), key=lambda found: found[0])
            last = network.tasks[following[0].tasks[-1]].name.split(";")[0]
            words.append(f"up to {last}, {how(other)}: {cycles:,} instead of {sum(a or 0 for a in apart):,}")
    return "; ".join(words)


def how(segment: Segment) -> str:
    """'depth-first in bands of 2 rows'"""
    band = f" in bands of {segment.band} row{'s' if segment.band > 1 else ''}" if segment.band else ""
    return f"{segment.pattern}{band}"


def _single(best: _Times, number: int) -> int | None:
    found = best.get((number,), {})
    return found[SEQUENTIAL][0] if SEQUENTIAL in found else _least(best, (number,))


def _least(best: _Times, tasks: tuple[int, ...]) -> int | None:
    return min((cycles for cycles, _ in best.get(tasks, {}).values()), default=None)
