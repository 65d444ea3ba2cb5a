"""Shapes of any rank as the four dimensions that the kernels loop over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Loops:
    """dims[i] iterations, in which operand k advances by strides[k][i] elements; outermost first."""

    dims: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    def merged(self) -> Loops:
        """Dimensions of one dropped, neighbours that every operand walks as one joined."""
        dims: list[int] = []
        steps: list[tuple[int, ...]] = []
        for size, step in zip(self.dims, zip(*self.strides, strict=True), strict=True):
            if size == 1:
                continue
            if dims and all(outer == inner * size for outer, inner in zip(steps[-1], step, strict=True)):
                dims[-1], steps[-1] = dims[-1] * size, step
            else:
                dims.append(size)
                steps.append(step)
        strides = tuple(tuple(step[k] for step in steps) for k in range(len(self.strides)))
        return Loops(tuple(dims), strides)

    def padded(self) -> Loops:
        """Exactly four dimensions; only for at most four."""
        missing = 4 - len(self.dims)
        assert missing >= 0
        return Loops((1,) * missing + self.dims, tuple((0,) * missing + s for s in self.strides))


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(prod(shape[i + 1 :]) for i in range(len(shape)))


def broadcast(shape: Sequence[int], to: Sequence[int]) -> tuple[int, ...]:
    """Strides in which a tensor of `shape` is read at every element of `to`; 0 where it is repeated."""
    aligned = (1,) * (len(to) - len(shape)) + tuple(shape)
    return tuple(0 if size == 1 else stride for size, stride in zip(aligned, row_major(aligned), strict=True))


def elementwise(y: Sequence[int], *inputs: Sequence[int]) -> Loops:
    """The loops over y in which each input is read, with y's own strides last."""
    strides = (*(broadcast(x, y) for x in inputs), row_major(y))
    return Loops(tuple(y), strides).merged()


def transposed(x: Sequence[int], axes: Sequence[int]) -> Loops:
    strides = row_major(x)
    y = tuple(x[a] for a in axes)
    return Loops(y, (tuple(strides[a] for a in axes), row_major(y))).merged()
