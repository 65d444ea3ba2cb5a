"""Placement as disjunctive difference constraints: greedy orders, local search, branch and bound.

Find offsets x >= 0, x[i] a multiple of align[i], that minimise max(x[i] + size[i]) where every Pair says
x[i] + d_ij <= x[j]  or  x[j] + d_ji <= x[i].  Buffers that must lie apart have d_ij = size[i]; an output
that may trail into its input has d = its lead, which may be negative. This is a job shop with one
operation per machine set, and branch and bound is the textbook one: decide one violated pair at a
time, keep heads (least offsets) and tails (least bytes to the end) by longest path, and fix a pair as
soon as one of its sides can no longer beat the best plan (immediate selection; Carlier and Pinson 1989).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

_LOCAL_SEARCH_PLACEMENTS = 20_000  # buffers placed by local search, over all its orders
_UNDECIDED, _I_BELOW, _J_BELOW = 0, 1, 2


@dataclass(frozen=True)
class Pair:
    i: int
    j: int
    d_ij: int
    d_ji: int


@dataclass(frozen=True)
class Problem:
    sizes: tuple[int, ...]
    aligns: tuple[int, ...]
    pairs: tuple[Pair, ...]

    @cached_property
    def neighbours(self) -> tuple[tuple[tuple[int, int, int, int, int], ...], ...]:
        """Of each buffer: (pair, other, d to other, d from other, orientation that puts it below)."""
        found: list[list[tuple[int, int, int, int, int]]] = [[] for _ in self.sizes]
        for p, pair in enumerate(self.pairs):
            found[pair.i].append((p, pair.j, pair.d_ij, pair.d_ji, _I_BELOW))
            found[pair.j].append((p, pair.i, pair.d_ji, pair.d_ij, _J_BELOW))
        return tuple(tuple(n) for n in found)

    @cached_property
    def mirrored(self) -> Problem:
        """The same problem seen from the arena's end: y[i] = arena - x[i] - size[i]."""
        s = self.sizes
        return Problem(
            s,
            self.aligns,
            tuple(Pair(p.i, p.j, p.d_ji + s[p.i] - s[p.j], p.d_ij + s[p.j] - s[p.i]) for p in self.pairs),
        )


@dataclass(frozen=True)
class Solution:
    """proven: no placement is smaller."""

    offsets: tuple[int, ...]
    proven: bool


def solve(problem: Problem, bound: int, node_budget: int) -> Solution:
    """The best placement found; `bound` is a known lower bound in bytes, at which the search stops."""
    best = min(_greedy(problem, bound), key=lambda x: extent(problem, x))
    search = _Search(problem, bound, node_budget, best)
    proven = search.run()
    return Solution(tuple(search.best), proven)


def extent(problem: Problem, offsets: Sequence[int]) -> int:
    """Bytes from the arena's start to the end of the last buffer."""
    return max((x + s for x, s in zip(offsets, problem.sizes, strict=True)), default=0)


def _up(value: int, align: int) -> int:
    return -(-value // align) * align if value > 0 else 0


def _place(problem: Problem, order: Sequence[int]) -> list[int]:
    """Each buffer in turn at the lowest offset that the ones before it allow."""
    x = [-1] * len(problem.sizes)
    for i in order:
        taken = sorted(
            (x[j] - d_ij, x[j] + d_ji) for _, j, d_ij, d_ji, _ in problem.neighbours[i] if x[j] >= 0
        )
        x[i] = _first_gap(taken, problem.aligns[i])
    return x


def _first_gap(taken: Sequence[tuple[int, int]], align: int) -> int:
    """The lowest aligned value >= 0 in none of the open intervals, which come sorted by their start."""
    offset = 0
    for low, high in taken:
        if low < offset < high:
            offset = _up(high, align)
    return offset


def _place_from_top(problem: Problem, order: Sequence[int]) -> list[int]:
    """_place in the mirror, then pushed down again: finds what a greedy order from below misses."""
    mirror = problem.mirrored
    y = _place(mirror, order)
    top = extent(mirror, y)
    return _push_down(problem, [top - v - s for v, s in zip(y, problem.sizes, strict=True)])


def _push_down(problem: Problem, x: Sequence[int]) -> list[int]:
    """The lowest offsets that keep every pair on the side where `x` has it; also aligns them."""
    sides = [_I_BELOW if x[p.i] + p.d_ij <= x[p.j] else _J_BELOW for p in problem.pairs]
    low = [0] * len(x)
    work = list(range(len(x)))
    while work:
        i = work.pop()
        for p, j, d_ij, _, below in problem.neighbours[i]:
            value = _up(low[i] + d_ij, problem.aligns[j])
            if sides[p] == below and value > low[j]:
                low[j] = value
                work.append(j)
    return low


def _greedy(problem: Problem, bound: int) -> list[list[int]]:
    """Placements from fixed orders, the best of them improved by a seeded local search."""
    n, sizes = range(len(problem.sizes)), problem.sizes
    crowd = [sizes[i] + sum(sizes[j] for _, j, _, _, _ in problem.neighbours[i]) for i in n]
    keys: tuple[Callable[[int], tuple[int, ...]], ...] = (
        lambda i: (-sizes[i], i),
        lambda i: (-crowd[i], -sizes[i], i),
        lambda i: (-sizes[i] * len(problem.neighbours[i]), i),
        lambda i: (i,),
        lambda i: (-i,),
    )
    tried = []
    for key in keys:
        order = sorted(n, key=key)
        for place in (_place, _place_from_top):
            tried.append((extent(problem, x := place(problem, order)), order, place, x))
            if tried[-1][0] <= bound:
                return [x]
    _, order, place, x = min(tried, key=lambda t: t[0])
    return [x, _local_search(problem, bound, order, place, x)]


def _local_search(
    problem: Problem,
    bound: int,
    order: Sequence[int],
    place: Callable[[Problem, Sequence[int]], list[int]],
    start: list[int],
) -> list[int]:
    """Move one buffer to another position of the order; keep what is no worse. Deterministic."""
    chance = random.Random(len(order))
    best, best_extent, current = start, extent(problem, start), list(order)
    for _ in range(_LOCAL_SEARCH_PLACEMENTS // max(1, len(order))):
        if best_extent <= bound or len(order) < 3:
            break
        trial = current.copy()
        trial.insert(chance.randrange(len(order)), trial.pop(chance.randrange(len(order))))
        x = place(problem, trial)
        if extent(problem, x) <= best_extent:
            best, best_extent, current = x, extent(problem, x), trial
    return best


@dataclass
class _Node:
    """sides: orientation per pair. heads: least offsets. tails: least bytes from there to the end."""

    sides: bytearray
    heads: list[int]
    tails: list[int]


@dataclass
class _Search:
    problem: Problem
    bound: int
    budget: int
    best: list[int]
    limit: int = field(init=False)  # a plan must be at most this to be better than the best

    def run(self) -> bool:
        """Depth first; True if the whole tree was searched or the bound was met."""
        problem = self.problem
        self.limit = extent(problem, self.best) - 1
        stack = [_Node(bytearray(len(problem.pairs)), [0] * len(problem.sizes), list(problem.sizes))]
        while stack and self.limit >= self.bound:
            if self.budget <= 0:
                return False
            self.budget -= 1
            node = stack.pop()
            if not self._select(node):
                continue
            pair = self._violated(node)
            if pair is None:
                self.best, self.limit = node.heads, extent(problem, node.heads) - 1
            else:
                stack += self._branches(node, pair)
        return True

    def _select(self, node: _Node) -> bool:
        """Decide every pair of which only one side can still beat the best; False if some has none."""
        changed = True
        while changed:
            changed = False
            for p, pair in enumerate(self.problem.pairs):
                if node.sides[p]:
                    continue
                below = self._fits(node, pair.i, pair.j, pair.d_ij)
                above = self._fits(node, pair.j, pair.i, pair.d_ji)
                if not (below or above):
                    return False
                if below and above:
                    continue
                if not self._decide(node, p, _I_BELOW if below else _J_BELOW):
                    return False
                changed = True
        return all(h + t <= self.limit for h, t in zip(node.heads, node.tails, strict=True))

    def _fits(self, node: _Node, lower: int, upper: int, distance: int) -> bool:
        head = max(node.heads[upper], _up(node.heads[lower] + distance, self.problem.aligns[upper]))
        tail = max(node.tails[lower], distance + node.tails[upper])
        return head + node.tails[upper] <= self.limit and node.heads[lower] + tail <= self.limit

    def _decide(self, node: _Node, p: int, side: int) -> bool:
        """Fix one pair and update heads and tails along the paths it extends."""
        node.sides[p] = side
        pair = self.problem.pairs[p]
        lower, upper = (pair.i, pair.j) if side == _I_BELOW else (pair.j, pair.i)
        return self._raise_heads(node, lower) and self._raise_tails(node, upper)

    def _raise_heads(self, node: _Node, start: int) -> bool:
        work = [start]
        while work:
            i = work.pop()
            for p, j, d_ij, _, below in self.problem.neighbours[i]:
                if node.sides[p] == below:
                    value = _up(node.heads[i] + d_ij, self.problem.aligns[j])
                    if value > node.heads[j]:
                        if value + node.tails[j] > self.limit:
                            return False
                        node.heads[j] = value
                        work.append(j)
        return True

    def _raise_tails(self, node: _Node, start: int) -> bool:
        work = [start]
        while work:
            i = work.pop()
            for p, j, _, d_ji, below in self.problem.neighbours[i]:
                if node.sides[p] and node.sides[p] != below and d_ji + node.tails[i] > node.tails[j]:
                    node.tails[j] = d_ji + node.tails[i]
                    if node.heads[j] + node.tails[j] > self.limit:
                        return False
                    work.append(j)
        return True

    def _violated(self, node: _Node) -> int | None:
        """The open pair that collides at the heads and weighs most; None: the heads are a plan."""
        x, sizes = node.heads, self.problem.sizes
        worst, weight = None, -1
        for p, pair in enumerate(self.problem.pairs):
            if node.sides[p] or x[pair.i] + pair.d_ij <= x[pair.j] or x[pair.j] + pair.d_ji <= x[pair.i]:
                continue
            if sizes[pair.i] + sizes[pair.j] > weight:
                worst, weight = p, sizes[pair.i] + sizes[pair.j]
        return worst

    def _branches(self, node: _Node, p: int) -> list[_Node]:
        """Both sides of a pair, the more promising last, as the stack takes it first."""
        made = []
        for side in (_I_BELOW, _J_BELOW):
            child = _Node(node.sides[:], node.heads[:], node.tails[:])
            if self._decide(child, p, side):
                pair = self.problem.pairs[p]
                made.append((max(child.heads[k] + child.tails[k] for k in (pair.i, pair.j)), child))
        return [child for _, child in sorted(made, key=lambda m: -m[0])]
