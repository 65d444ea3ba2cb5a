"""How a band of a task is divided among cores: by groups of channels, by rows, by columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from edgert.codegen.hls.isa import LANES, Mode, Op
from edgert.codegen.hls.tasks import Task

PAIR_CYCLES, TABLE_CYCLES = 16, 8  # of a word


@dataclass(frozen=True)
class Tile:
    """Half-open ranges of a task's result, and the place of the core in the task's list of cores."""

    core: int
    groups: tuple[int, int]
    rows: tuple[int, int]
    cols: tuple[int, int]


def pixel_cycles(task: Task) -> int:
    """Cycles that a core is busy with one result of 8 lanes, at least."""
    if task.op == Op.ADD:
        return PAIR_CYCLES
    if task.op in (Op.OR, Op.AND):
        return task.items
    return max(task.items, LANES)


def tiles(task: Task, rows: tuple[int, int], cores: int) -> list[Tile]:
    """The division with the least work of the busiest core; fewest copies of weights among equals."""
    by_group, by_row, by_col = best_split(
        task.groups, rows[1] - rows[0], task.out_cols, cores, only_groups=task.output.lane_rows,
        only_pixels=task.mode == Mode.SIGN,
    )  # fmt: skip
    found = []
    for core in range(by_group * by_row * by_col):
        g, rest = divmod(core, by_row * by_col)
        r, c = divmod(rest, by_col)
        found.append(
            Tile(
                core,
                part((0, task.groups), by_group, g),
                part(rows, by_row, r),
                part((0, task.out_cols), by_col, c),
            )
        )
    return found


def part(span: tuple[int, int], parts: int, number: int) -> tuple[int, int]:
    """One of nearly equal parts."""
    size = span[1] - span[0]
    return span[0] + size * number // parts, span[0] + size * (number + 1) // parts


@cache
def best_split(
    groups: int, rows: int, cols: int, cores: int, *, only_groups: bool = False, only_pixels: bool = False
) -> tuple[int, int, int]:
    best = (groups * rows * cols, 0, 0), (1, 1, 1)
    for g in range(1, 2 if only_pixels else min(groups, cores) + 1):
        for r in range(1, 2 if only_groups else min(rows, cores // g) + 1):
            for c in range(1, 2 if only_groups else min(cols, cores // (g * r)) + 1):
                work = -(-groups // g) * -(-rows // r) * -(-cols // c)
                best = min(best, ((work, r * c, c), (g, r, c)))
    return best[1]
