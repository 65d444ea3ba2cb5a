"""A network as a row of blocks: what the tables say, expanded and counted. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

KINDS = ("conv", "ir", "skip", "pool", "maxpool")


@dataclass(frozen=True)
class Block:
    """kind: as in tables.py, or "maxpool": an inverted residual with a max pool in place of the depthwise
    layer.

    expansion: of the channels inside. groups: of the 1x1 convolutions. padding: None for half of the kernel.
    """

    kind: str
    in_c: int
    out_c: int
    kernel: int = 1
    stride: int = 1
    expansion: float = 1
    groups: int = 1
    se: bool = False
    padding: int | None = None

    @property
    def middle(self) -> int:
        return round_channels(self.in_c * self.expansion)

    @property
    def pads(self) -> int:
        return self.kernel // 2 if self.padding is None else self.padding

    @property
    def expands(self) -> bool:
        """Whether there is a 1x1 convolution before the depthwise one."""
        return self.middle != self.in_c

    @property
    def squeezed(self) -> int:
        """Channels inside squeeze and excitation."""
        return round_channels(self.in_c / 4)

    @property
    def residual(self) -> bool:
        return self.kind in ("ir", "maxpool") and self.in_c == self.out_c and self.stride == 1

    @property
    def empty(self) -> bool:
        return self.kind == "skip" and self.in_c == self.out_c and self.stride == 1

    def side(self, side: int) -> int:
        """Of the output map, for an input map of that side."""
        if self.kind == "pool":
            return 1
        if self.kind in ("skip", "conv") and self.kernel == 1:
            return -(-side // self.stride)
        return (side + 2 * self.pads - self.kernel) // self.stride + 1

    def text(self) -> str:
        """As tables.py writes it."""
        words = [self.kind]
        if self.kind != "skip" and self.kind != "pool":
            words.append(f"k{self.kernel}")
        if self.kind in ("ir", "pool", "maxpool"):
            words.append(f"e{self.expansion:g}")
        words += ["se"] * self.se + [f"g{self.groups}"] * (self.groups > 1)
        words += [f"p{self.padding}"] * (self.padding is not None) + [f"c{self.out_c}"]
        return " ".join(words + [f"s{self.stride}"] * (self.stride > 1))


@dataclass(frozen=True)
class Counts:
    """As FBNet's authors count: MACs of convolutions and products; one operation for each element that enters
    an average pool; weights without biases and batch norm."""

    macs: int
    pool_ops: int
    weights: int

    @property
    def flops_m(self) -> float:
        return (self.macs + self.pool_ops) / 1e6


def round_channels(channels: float, divisor: int = 8) -> int:
    """To the nearest multiple, never more than 5 % below."""
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.95 * channels else rounded


def parse(stages: Iterable[str], in_c: int = 3, width: float = 1.0) -> tuple[Block, ...]:
    """tables.py's text -> blocks. width: a factor on all channels. Raises ValueError on another text."""
    blocks: list[Block] = []
    for entry in (e for stage in stages for e in stage.split(",") if e.strip()):
        for block in _parsed(entry, in_c, width):
            blocks.append(block)
            in_c = block.out_c
    return tuple(blocks)


def _parsed(entry: str, in_c: int, width: float) -> Iterator[Block]:
    kind, *words = entry.split()
    if kind not in KINDS:
        raise ValueError(f"{entry!r}: no block {kind!r}; one of {', '.join(KINDS)}")
    values = {word[0]: float(word[1:]) for word in words if word != "se"}
    channels = int(values["c"])
    out_c = channels if width == 1 else round_channels(channels * width)
    block = Block(
        kind, in_c, out_c, int(values.get("k", 1)), int(values.get("s", 1)), values.get("e", 1),
        int(values.get("g", 1)), "se" in words, int(values["p"]) if "p" in values else None,
    )  # fmt: skip
    yield block
    for _ in range(int(values.get("x", 1)) - 1):
        block = replace(block, in_c=out_c, stride=1)
        yield block


def count(blocks: Iterable[Block], side: int, classes: int) -> Counts:
    """Of the network with its average pool and classifier."""
    macs = pooled = weights = 0
    out_c = 0
    for block in blocks:
        m, p, w = _counted(block, side)
        macs, pooled, weights = macs + m, pooled + p, weights + w
        side, out_c = block.side(side), block.out_c
    return Counts(macs + out_c * classes, pooled + out_c * side**2, weights + out_c * classes)


def _counted(block: Block, side: int) -> tuple[int, int, int]:
    """(MACs, pooled elements, weights)."""
    after = block.side(side)
    if block.empty:
        return 0, 0, 0
    if block.kind in ("conv", "skip"):
        weights = block.in_c * block.out_c * block.kernel**2
        return weights * after**2, 0, weights
    expand = block.in_c * block.middle // block.groups if block.expands else 0
    if block.kind == "pool":
        project = block.middle * block.out_c
        return expand * side**2 + project, block.middle * side**2, expand + project
    spatial = block.middle * block.kernel**2 if block.kind == "ir" else 0
    project = block.middle * block.out_c // block.groups
    macs = expand * side**2 + (spatial + project) * after**2
    squeeze = 2 * block.middle * block.squeezed if block.se else 0
    pooled = block.middle * after**2 if block.se else 0
    return macs + squeeze, pooled, expand + spatial + project + squeeze
