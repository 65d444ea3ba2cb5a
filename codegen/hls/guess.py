"""What a segment takes, from counts alone: for comparing thousands of segments before a few are built.

The busiest core's work and the traffic of the bus overlap, as far as a segment lets them. Within some 15 % of
cycles.py for most; the search builds and times what it chooses (scheduler.py).
"""

from __future__ import annotations

from edgert.codegen.hls.isa import LANES, PARAM_WORDS, Machine
from edgert.codegen.hls.schedule import Segment
from edgert.codegen.hls.split import pixel_cycles, tiles
from edgert.codegen.hls.steps import TASK, Move, Steps, steps
from edgert.codegen.hls.tasks import SOFTMAX, Network, Task
from edgert.codegen.hls.traffic import Traffic
from edgert.codegen.hls.weights import WeightPlan, weight_plan
from edgert.errors import DoesNotFitError

COMMAND = 4  # cycles of a core from one command to the next
LATENCY = 55  # from the last operand of a layer to the first of one that reads it
SOFTMAX_ROW, SOFTMAX_ITEM = 60, 3


def guess(
    network: Network, machine: Machine, segment: Segment, moved: Traffic, *, overlap: bool
) -> float | None:
    """Cycles; None where it does not fit."""
    plan = steps(network, segment, moved)
    if _held_bytes(network, plan, moved) > machine.scratch_bytes:
        return None
    try:
        weights = weight_plan(network, machine, segment, plan, 0, 0)
    except DoesNotFitError:
        return None
    tasks = [m for m in plan.moves if m.actor.kind == TASK]
    compute = _compute(network, segment, tasks, weights)
    per_word = LANES / machine.bus_bytes
    constants = _constant_words(network, segment, tasks, weights) * per_word
    tensors = sum(
        (m.last - m.first) * network.maps[m.actor.tensor].row_words
        for m in plan.moves if m.actor.kind != TASK
    ) * per_word  # fmt: skip
    requests = machine.latency_cycles * sum(m.actor.kind != TASK for m in plan.moves)
    if not overlap:
        return compute + constants + tensors + requests + LATENCY * len(tasks)
    if segment.skew:
        rounds = max(1, len({m.step for m in tasks}))
        return max(compute, constants + tensors) + (constants + tensors + compute) / rounds / 2 + LATENCY
    return max(compute + LATENCY * len(tasks), constants) + tensors


def _held_bytes(network: Network, plan: Steps, moved: Traffic) -> int:
    total = sum(network.maps[name].nbytes for name in moved.whole)
    for name, rows in plan.rows.items():
        m = network.maps[name]
        if name not in moved.whole:
            total += m.nbytes if m.lane_rows else min(rows, m.rows) * m.row_bytes
    return total


def _compute(network: Network, segment: Segment, moves: list[Move], weights: WeightPlan) -> float:
    """Of the busiest core."""
    busy: dict[tuple[str, int], float] = {}
    for move in moves:
        number = segment.tasks[move.actor.place]
        task, cores = network.tasks[number], segment.cores[move.actor.place]
        rows = move.last - move.first
        if task.unit == SOFTMAX:
            busy[SOFTMAX, 0] = busy.get((SOFTMAX, 0), 0) + rows * (
                SOFTMAX_ROW + SOFTMAX_ITEM * task.inputs[0].channels
            )
            continue
        work = _busiest(task, rows, len(cores), weights, number)
        for core in cores:
            busy[task.unit, core] = busy.get((task.unit, core), 0) + work
    return max(busy.values(), default=0)


def _busiest(task: Task, rows: int, cores: int, weights: WeightPlan, number: int) -> float:
    """Cycles of a band on the busiest of its cores."""
    most = 0.0
    for tile in tiles(task, (0, rows), cores)[:1]:
        groups, high, wide = (b - a for a, b in (tile.groups, tile.rows, tile.cols))
        split = len(tiles(task, (0, rows), cores))
        ceil = max(1, -(-task.groups * rows * task.out_cols // max(1, split)))
        pixels = max(groups * high * wide, ceil)
        fill = groups * high * task.kh * task.kw // 2 if task.windowed else 0
        commands = len(weights.chunks(number, tile.groups))
        most = max(most, pixels * pixel_cycles(task) + fill + COMMAND * commands)
    return most


def _constant_words(network: Network, segment: Segment, moves: list[Move], weights: WeightPlan) -> int:
    """Words of weights and parameters that are loaded, again and again where they do not stay."""
    visits: dict[int, int] = {}
    for move in moves:
        number = segment.tasks[move.actor.place]
        visits[number] = visits.get(number, 0) + 1
    total = 0
    for number, count in visits.items():
        task = network.tasks[number]
        words = 0 if task.weights is None else task.weights.size // LANES
        if task.params is not None and task.unit != SOFTMAX:
            words += len(task.params[0]) // LANES * PARAM_WORDS
        total += words * (1 if weights.stays(number) else count)
    return total
