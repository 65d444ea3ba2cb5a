"""A search space: a fixed outline, and for each of its layers one of the candidate blocks.

Source of the nine first candidates and of the outline `imagenet`: FBNet, https://arxiv.org/abs/1812.03443,
tables 1 and 2. "mp3_e3" has a 3x3 max pool in place of the depthwise convolution: no weights and nothing to
requantize.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from edgert.errors import UsageError
from edgert.models.blocks import Block, Counts, count, parse

CANDIDATES: dict[str, tuple[str, int, int, int]] = {  # kind, kernel, expansion, groups
    "k3_e1": ("ir", 3, 1, 1),
    "k3_e1_g2": ("ir", 3, 1, 2),
    "k3_e3": ("ir", 3, 3, 1),
    "k3_e6": ("ir", 3, 6, 1),
    "k5_e1": ("ir", 5, 1, 1),
    "k5_e1_g2": ("ir", 5, 1, 2),
    "k5_e3": ("ir", 5, 3, 1),
    "k5_e6": ("ir", 5, 6, 1),
    "skip": ("skip", 1, 1, 1),
    "mp3_e3": ("maxpool", 3, 3, 1),
}
Choice = tuple[str, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    in_c: int
    out_c: int
    stride: int

    def block(self, candidate: str) -> Block:
        kind, kernel, expansion, groups = CANDIDATES[candidate]
        return Block(kind, self.in_c, self.out_c, kernel, self.stride, expansion, groups)


@dataclass(frozen=True)
class Space:
    """stem, head: blocks as in tables.py. side: of the square input. candidates: the same for all layers.
    allowed: of each layer, those that limits leave (table.possible); empty: all."""

    name: str
    side: int
    classes: int
    stem: str
    layers: tuple[Layer, ...]
    head: str
    candidates: tuple[str, ...] = field(default=tuple(CANDIDATES))
    allowed: tuple[tuple[str, ...], ...] = ()

    def of_layer(self, number: int) -> tuple[str, ...]:
        """The candidates of one layer."""
        return self.allowed[number] if self.allowed else self.candidates

    def blocks(self, choice: Sequence[str]) -> tuple[Block, ...]:
        """The network of a choice, one candidate's name for each layer."""
        stem = parse([self.stem])
        body = [layer.block(name) for layer, name in zip(self.layers, choice, strict=True)]
        return (*stem, *body, *parse([self.head], in_c=self.layers[-1].out_c))

    def counts(self, choice: Sequence[str]) -> Counts:
        return count(self.blocks(choice), self.side, self.classes)

    def sides(self) -> list[int]:
        """Of the map that each layer reads."""
        side = self.side
        for block in parse([self.stem]):
            side = block.side(side)
        found = []
        for layer in self.layers:
            found.append(side)
            side = -(-side // layer.stride)
        return found

    def random(self, generator: np.random.Generator) -> Choice:
        return tuple(str(generator.choice(self.of_layer(i))) for i in range(len(self.layers)))

    @property
    def size(self) -> int:
        return math.prod(len(self.of_layer(i)) for i in range(len(self.layers)))


def _layers(widths: Sequence[tuple[int, int, int]]) -> tuple[Layer, ...]:
    return tuple(Layer(*row) for row in widths)


_IMAGENET = (
    (16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 24, 1), (24, 24, 1), (24, 32, 2), (32, 32, 1), (32, 32, 1),
    (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1), (64, 64, 1), (64, 112, 1), (112, 112, 1),
    (112, 112, 1), (112, 112, 1), (112, 184, 2), (184, 184, 1), (184, 184, 1), (184, 184, 1), (184, 352, 1),
)  # fmt: skip
_CIFAR = (
    (16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 40, 2), (40, 40, 1), (40, 40, 1), (40, 64, 1), (64, 64, 1),
)  # fmt: skip
_CIFAR_WIDE = (
    (16, 24, 2), (24, 24, 1), (24, 24, 1), (24, 48, 2), (48, 48, 1), (48, 48, 1), (48, 96, 2), (96, 96, 1),
    (96, 96, 1),
)  # fmt: skip

SPACES = {
    "imagenet": Space("imagenet", 224, 1000, "conv k3 c16 s2", _layers(_IMAGENET), "conv k1 c1504"),
    "cifar": Space("cifar", 32, 10, "conv k3 c16", _layers(_CIFAR_WIDE), "conv k1 c160"),
    "cifar_small": Space("cifar_small", 32, 10, "conv k3 c16 s2", _layers(_CIFAR), "conv k1 c128"),
}


def front(found: Iterable[T], cycles: Callable[[T], float], accuracy: Callable[[T], float]) -> list[T]:
    """By cycles, each more accurate than all that are faster."""
    best: list[T] = []
    for one in sorted(found, key=lambda f: (cycles(f), -accuracy(f))):
        if not best or accuracy(one) > accuracy(best[-1]):
            best.append(one)
    return best


def space(name: str) -> Space:
    """Raises UsageError."""
    if name not in SPACES:
        raise UsageError(f"no search space {name!r}", rule=f"one of {', '.join(SPACES)}")
    return SPACES[name]
