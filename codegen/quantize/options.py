"""What a user can choose about quantization."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgert.errors import UsageError

RANGES = ("minmax", "percentile", "mse")
AUTO = "auto"


@dataclass(frozen=True)
class Options:
    """ranges: how an activation's range is chosen; "auto": the way whose outputs are nearest to the float
    network's, on the calibration data. percentile: kept share of its values, in percent.

    equalize: cross-layer equalisation of the weights. correct_bias: take the mean error of the rounded
    weights out of the bias. keep_float: names of layers that stay in float32; one that ends in * is a prefix.
    float_interface: inputs and outputs stay float32 (otherwise they are int8, with a scale and zero point).
    """

    ranges: str = AUTO
    percentile: float = 99.99
    equalize: bool = False
    correct_bias: bool = True
    keep_float: tuple[str, ...] = ()
    float_interface: bool = False

    def __post_init__(self) -> None:
        if self.ranges not in (*RANGES, AUTO):
            raise UsageError(f"ranges is {self.ranges!r}", rule=f"one of {', '.join((*RANGES, AUTO))}")
        if not 50 < self.percentile <= 100:
            raise UsageError(f"percentile is {self.percentile}", rule="more than 50, at most 100")

    @property
    def ways(self) -> tuple[Options, ...]:
        """These options, with each way to choose ranges that is to be tried."""
        return tuple(replace(self, ranges=way) for way in RANGES) if self.ranges == AUTO else (self,)

    def keeps_float(self, layer: str) -> bool:
        return any(layer.startswith(n[:-1]) if n.endswith("*") else layer == n for n in self.keep_float)
