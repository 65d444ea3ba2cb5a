"""What a segment brings from outside of the chip, takes there, and finds or leaves on the chip."""

from __future__ import annotations

from dataclasses import dataclass

from edgert.codegen.hls.schedule import Schedule, Segment
from edgert.codegen.hls.tasks import Network, reads


@dataclass(frozen=True)
class Traffic:
    """What a segment brings from outside of the chip and takes there; whole: tensors that stay on it."""

    loads: tuple[str, ...]
    stores: tuple[str, ...]
    whole: tuple[str, ...]


def traffic(network: Network, schedule: Schedule, number: int) -> Traffic:
    """Of segment `number`."""
    segment = schedule.segments[number]
    made = [network.tasks[n].output.name for n in segment.tasks]
    read = list(dict.fromkeys(name for n in segment.tasks for name in reads(network.tasks[n])))
    outside = [name for name in read if name not in made]
    first = {
        name: next(
            i
            for i, s in enumerate(schedule.segments)
            if any(name in reads(network.tasks[n]) for n in s.tasks)
        )
        for name in outside
    }  # fmt: skip
    loads = [
        name for name in outside
        if name in schedule.spilled or (network.writer(name) is None and first[name] == number)
    ]  # fmt: skip
    leaves = [name for name in made if any(r not in segment.tasks for r in network.readers(name))]
    stores = [n for n in made if n in network.program.outputs or (n in leaves and n in schedule.spilled)]
    whole = [n for n in (*outside, *leaves) if n not in schedule.spilled and not _only(network, segment, n)]
    return Traffic(tuple(loads), tuple(stores), tuple(whole))


def _only(network: Network, segment: Segment, name: str) -> bool:
    """A graph input that no other segment reads: held in part only."""
    return network.writer(name) is None and all(r in segment.tasks for r in network.readers(name))
