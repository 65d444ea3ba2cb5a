"""Which weights stay in the cores during a segment, and where the others go when their turn comes.

A segment that comes back to a layer for every band would load its weights each time; those that fit stay.
The rest is loaded in chunks of groups, around and around the memory that is left, so that the next chunk
comes while one is computed with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from edgert.codegen.hls.isa import LANES, Machine
from edgert.codegen.hls.schedule import Segment
from edgert.codegen.hls.split import tiles
from edgert.codegen.hls.steps import TASK, Steps
from edgert.codegen.hls.tasks import SOFTMAX, Network, Task
from edgert.errors import DoesNotFitError

Chunk = tuple[int, int]  # groups [first, last)


@dataclass(frozen=True)
class Slot:
    """Where a chunk lies in a core: first word of weights, first 8 entries of parameters."""

    words: int
    params: int


@dataclass
class _Memory:
    """One kind of memory of a core: residents at fixed places, a ring around them."""

    size: int
    at: int
    fixed: list[tuple[int, int]] = field(default_factory=list)

    def take(self, count: int, *, keep: bool = False) -> int | None:
        """A place for `count` behind the last one, or from the start; None if residents leave none."""
        if count == 0:
            return self.at
        for start in self._candidates():
            if start + count <= self.size and all(b <= start or start + count <= a for a, b in self.fixed):
                self.at = start + count
                if keep:
                    self.fixed.append((start, start + count))
                return start
        return None

    def _candidates(self) -> Iterator[int]:
        yield self.at
        ends = sorted(end for _, end in self.fixed)
        yield from (e for e in ends if e > self.at)
        yield 0
        yield from ends

    def largest_gap(self) -> int:
        edges = sorted([*self.fixed, (self.size, self.size)])
        gap, at = 0, 0
        for start, end in edges:
            gap, at = max(gap, start - at), end
        return gap


def _param_groups(task: Task, groups: int) -> int:
    """Entries / 8."""
    if task.params is None:
        return 0
    return 256 // LANES if task.table else groups


class WeightPlan:
    """Of one segment. chunks: how a tile's groups are divided; at: where a chunk is now."""

    def __init__(
        self, network: Network, machine: Machine, segment: Segment, start: int, params_start: int
    ) -> None:
        self._network, self._machine = network, machine
        self._cores = dict(zip(segment.tasks, segment.cores, strict=True))
        kinds = {(network.tasks[n].unit, cores) for n, cores in self._cores.items()}
        assert all(a == b or a[0] != b[0] or not {*a[1]} & {*b[1]} for a in kinds for b in kinds)
        self._words = {k: _Memory(machine.weight_words, start) for k in kinds}
        self._params = {k: _Memory(machine.param_entries // LANES, params_start) for k in kinds}
        self._chunk: dict[int, int] = {}  # task -> groups at a time
        self._resident: dict[int, tuple[int, Slot]] = {}  # task -> (groups of a core, where)
        self._slot: dict[int, Slot] = {}
        self._have: dict[tuple[int, int], Chunk] = {}  # (resident, core) -> the chunk that it has

    def memories(self, number: int) -> tuple[_Memory, _Memory]:
        """Weights and parameters of the cores that a task runs on: the same for all that run there."""
        key = self._network.tasks[number].unit, self._cores[number]
        return self._words[key], self._params[key]

    @property
    def next_words(self) -> int:
        return max(m.at for m in self._words.values())

    @property
    def next_params(self) -> int:
        return max(m.at for m in self._params.values())

    def keep(self, number: int, groups: int) -> bool:
        """Make a task's weights resident, if they fit and leave room for every chunk of the others."""
        task = self._network.tasks[number]
        words, params = self.memories(number)
        before = (words.at, list(words.fixed), params.at, list(params.fixed))
        at = words.take(task.weight_words * groups, keep=True)
        p = params.take(_param_groups(task, groups), keep=True)
        if at is None or p is None:
            words.at, words.fixed, params.at, params.fixed = before
            return False
        self._resident[number] = groups, Slot(at, p)
        return True

    def stream(self, number: int, groups: int) -> bool:
        """Load a task's weights whenever they are needed, as many groups at a time as half of the gap has."""
        task = self._network.tasks[number]
        fit = groups
        words, params = self.memories(number)
        for memory, each in ((words, task.weight_words), (params, _param_groups(task, 1))):
            gap = memory.largest_gap()
            if each > gap:
                return False
            if each and not (task.table and memory is params):
                fit = min(fit, max(1, gap // 2 // each))
        self._chunk[number] = fit
        return True

    def chunks(self, number: int, groups: Chunk) -> list[Chunk]:
        size = self._chunk.get(number, max(1, groups[1] - groups[0]))
        return [(g, min(groups[1], g + size)) for g in range(groups[0], groups[1], size)]

    def stays(self, number: int) -> bool:
        """Whether a task's weights are loaded once."""
        return number in self._resident

    def begin_round(self, number: int, groups: int) -> None:
        """Find the place for the next chunks of a task, the same in each of its cores."""
        if number in self._resident:
            self._slot[number] = self._resident[number][1]
            return
        task = self._network.tasks[number]
        words, params = self.memories(number)
        at, p = words.take(task.weight_words * groups), params.take(_param_groups(task, groups))
        assert at is not None and p is not None, "stream() said that it fits"
        self._slot[number] = Slot(at, p)

    def at(self, number: int) -> Slot:
        """Where the chunks of this round are, in every core."""
        return self._slot[number]

    def missing(self, number: int, chunk: Chunk, mask: int) -> int:
        """Which of these cores do not have the chunk yet; from now on they do."""
        if number not in self._resident:
            return mask
        cores = [c for c in range(self._machine.all_cores) if mask >> c & 1]
        lacking = [c for c in cores if self._have.get((number, c)) != chunk]
        self._have |= {(number, core): chunk for core in cores}
        return sum(1 << core for core in lacking)


def weight_plan(
    network: Network, machine: Machine, segment: Segment, plan: Steps, start: int, params_start: int
) -> WeightPlan:
    """Small layers stay first: each word that stays is saved once a band. Raises DoesNotFitError."""
    found = WeightPlan(network, machine, segment, start, params_start)
    groups, visits = _demand(network, segment, plan)
    coming = [n for n in groups if network.tasks[n].weight_words or network.tasks[n].params is not None]
    again = [n for n in coming if visits[n] > 1]
    for number in sorted(again, key=lambda n: network.tasks[n].weight_words * groups[n]):
        words, _ = found.memories(number)
        others = [n for n in coming if n != number and not found.stays(n) and found.memories(n)[0] is words]
        if not _room(network, found, groups, number, others):
            continue
        found.keep(number, groups[number])
    for number in coming:
        if not found.stays(number) and not found.stream(number, groups[number]):
            _refuse(network.tasks[number], machine)
    return found


def _room(network: Network, plan: WeightPlan, groups: dict[int, int], number: int, others: list[int]) -> bool:
    """Whether one task's weights leave two chunks of one group of every other."""
    task = network.tasks[number]
    words = max((network.tasks[n].weight_words for n in others), default=0)
    params = max((_param_groups(network.tasks[n], 1) for n in others), default=0)
    memory, param_memory = plan.memories(number)
    left = memory.largest_gap() - task.weight_words * groups[number]
    left_params = param_memory.largest_gap() - _param_groups(task, groups[number])
    return left >= 2 * words and left_params >= min(2 * params, 2 + params)


def _demand(network: Network, segment: Segment, plan: Steps) -> tuple[dict[int, int], dict[int, int]]:
    """Of each task: the most groups that one core has, and how many times the task comes."""
    groups: dict[int, int] = {}
    visits: dict[int, int] = {}
    for move in plan.moves:
        if move.actor.kind != TASK:
            continue
        number = segment.tasks[move.actor.place]
        task = network.tasks[number]
        if task.unit == SOFTMAX:
            continue
        found = tiles(task, (move.first, move.last), len(segment.cores[move.actor.place]))
        groups[number] = max(groups.get(number, 0), *(t.groups[1] - t.groups[0] for t in found))
        visits[number] = visits.get(number, 0) + 1
    return groups, visits


def _refuse(task: Task, machine: Machine) -> None:
    raise DoesNotFitError(
        f"8 channels need {task.weight_words:,} words of weights and {_param_groups(task, 1) * LANES} "
        f"entries of parameters, a core has {machine.weight_words:,} and {machine.param_entries:,}",
        where=f"layer {task.name}", rule="the weights of 8 channels fit into a core",
        hint="a board with larger cores, or a layer with fewer inputs",
    )  # fmt: skip
