"""A segment, step by step: which rows each of its tensors is brought to, and how many rows have to be held.

An actor makes rows of one tensor: a task, the loader (of a tensor that comes from outside of the chip), or
takes them away: the storer. In step t the last task has made (t + 1) * band rows, and every other actor what
that takes. Skewed, an actor at depth d (the longest way from the inputs) does in round r what belongs to
step r - d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgert.codegen.hls.schedule import Segment
from edgert.codegen.hls.tasks import Network, Task, reads
from edgert.codegen.hls.traffic import Traffic

LOAD, TASK, STORE = "load", "task", "store"


@dataclass(frozen=True)
class Actor:
    """kind; the tensor that it brings, makes or takes; the task's place in the segment (-1: none)."""

    kind: str
    tensor: str
    place: int
    depth: int


@dataclass(frozen=True)
class Move:
    """One actor's rows [first, last) in one round. step: the number of the band."""

    actor: Actor
    first: int
    last: int
    step: int


@dataclass(frozen=True)
class Steps:
    """moves in the order in which they are emitted. rows: how many rows of each tensor are held at once."""

    moves: tuple[Move, ...]
    rows: dict[str, int]


def steps(network: Network, segment: Segment, moved: Traffic) -> Steps:
    """moved: what the segment brings from outside of the chip, takes there, finds or leaves on it."""
    actors = _actors(network, segment, moved.loads, moved.stores)
    targets = _targets(network, segment, actors)
    count = len(targets[0])
    moves = []
    deepest = max(a.depth for a in actors) if segment.skew else 0
    for round_ in range(count + deepest):
        for at, actor in enumerate(actors):
            step = round_ - (actor.depth if segment.skew else 0)
            if not 0 <= step < count:
                continue
            first = targets[at][step - 1] if step else 0
            if first < targets[at][step]:
                moves.append(Move(actor, first, targets[at][step], step))
    return Steps(tuple(moves), _held(network, segment, moves, moved.whole))


def _actors(network: Network, segment: Segment, loads: Sequence[str], stores: Sequence[str]) -> list[Actor]:
    depth = dict.fromkeys(loads, 0)
    actors = [Actor(LOAD, name, -1, 0) for name in loads]
    for place, number in enumerate(segment.tasks):
        task = network.tasks[number]
        below = [depth[name] + 1 for name in reads(task) if name in depth]
        depth[task.output.name] = max(below, default=0)
        actors.append(Actor(TASK, task.output.name, place, depth[task.output.name]))
    actors += [Actor(STORE, name, -1, depth[name] + 1) for name in stores]
    return actors


def _targets(network: Network, segment: Segment, actors: Sequence[Actor]) -> list[list[int]]:
    """For each actor, the rows that are done after each step."""
    final = network.tasks[segment.tasks[-1]].output
    band = segment.band or final.rows
    count = -(-final.rows // band)
    inside = {network.tasks[n].output.name for n in segment.tasks}
    found = []
    for step in range(count):
        need: dict[str, int] = {final.name: min(final.rows, (step + 1) * band)}
        for number in reversed(segment.tasks):
            task = network.tasks[number]
            name = task.output.name
            if step == count - 1 and any(r not in segment.tasks for r in network.readers(name)):
                need[name] = task.output.rows
            if step == count - 1 and (name in network.program.outputs or name not in need):
                need[name] = task.output.rows
            rows = need.setdefault(name, 0)
            for x in task.inputs:
                wanted = task.rows_needed(rows) if not task.flat else rows
                need[x.name] = max(need.get(x.name, 0), wanted)
            if task.operand is not None and rows:
                need[task.operand.name] = task.operand.rows
        for name in list(need):
            if step == count - 1 and name not in inside and _read_elsewhere(network, segment, name):
                need[name] = network.maps[name].rows  # stays on chip for the next reader: all of it
        found.append([need.get(a.tensor, 0) for a in actors])
    return [list(column) for column in zip(*found, strict=True)]


def _read_elsewhere(network: Network, segment: Segment, name: str) -> bool:
    return any(r not in segment.tasks for r in network.readers(name))


def _held(network: Network, segment: Segment, moves: Sequence[Move], whole: Sequence[str]) -> dict[str, int]:
    """The most rows between the first that somebody still reads and the last that has been made."""
    made: dict[str, int] = {}
    done: dict[int, int] = {}  # place of a task -> rows of its output
    held: dict[str, int] = {}
    stored = {m.actor.tensor: 0 for m in moves if m.actor.kind == STORE}
    for move in moves:
        name = move.actor.tensor
        if move.actor.kind != STORE:
            made[name] = move.last
            oldest = _oldest(network, segment, name, done, stored)
            held[name] = max(held.get(name, 0), move.last - min(oldest, move.first))
        if move.actor.kind == TASK:
            done[move.actor.place] = move.last
        if move.actor.kind == STORE:
            stored[name] = move.last
    held |= {name: network.maps[name].rows for name in whole}
    return _together([network.tasks[number] for number in segment.tasks], held)


def _together(tasks: Sequence[Task], held: dict[str, int]) -> dict[str, int]:
    """Both operands of a pair go around their rings together, or neither goes around."""
    pairs = [[x.name for x in task.inputs] for task in tasks if task.pair]
    while any(held[a] != held[b] for a, b in pairs):
        for a, b in pairs:
            held[a] = held[b] = max(held[a], held[b])
    return held


def _oldest(
    network: Network, segment: Segment, name: str, done: dict[int, int], stored: dict[str, int]
) -> int:
    """The first row of a tensor that is still to be read."""
    rows = [stored[name]] if name in stored else []
    for place, number in enumerate(segment.tasks):
        task = network.tasks[number]
        if task.operand is not None and task.operand.name == name:
            rows.append(0)
        if name in [x.name for x in task.inputs]:
            at = done.get(place, 0)
            rows.append(at if task.flat else task.first_row(at))
    return min(rows, default=network.maps[name].rows)
