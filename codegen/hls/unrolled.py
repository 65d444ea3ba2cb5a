"""A binary layer as logic: every weight is a constant of the circuit, every output one gate network.

Bits are counted six at a time, in three look-up tables of six inputs, and the counts are added in a balanced
tree. By a spanning tree (codegen/mst.py), a channel counts only the bits in which it differs from its parent.
The module is combinational: `window` in, one bit of each channel out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgert.codegen.mst import ROOT, Tree, edges
from edgert.codegen.program import Array

_GROUP = 6


def unrolled(name: str, bits: Array, thresholds: Array, tree: Tree | None = None) -> str:
    """Verilog-2005 of a layer.

    bits [channels, n]: the weights. thresholds [channels]: y = (number of equal bits) > threshold.
    tree: over the channels; without one, each channel counts all n bits.
    """
    flat = bits.reshape(len(bits), -1) > 0
    channels, n = flat.shape
    writer = _Writer(n)
    sums: dict[int, str] = {}
    if tree is None:
        for j in range(channels):
            sums[j] = writer.equal(f"channel_{j}", flat[j], np.arange(n))
    else:
        for j, i, turned, differ in edges(tree, flat):
            met = writer.equal(f"channel_{j}", flat[j], differ)
            sums[j] = met if i == ROOT else writer.child(j, sums[i], turned, met, len(differ))
    for j in range(channels):
        writer.lines.append(f"    assign y[{j}] = {_above(sums[j], int(thresholds[j]), n, writer.width)};")
    what = "dense" if tree is None else f"by a spanning tree of depth {tree.depth}"
    return "\n".join(
        [
            f"// {channels} channels of {n} binary weights, {what}: y = (equal bits) > threshold",
            f"module {name} (input wire [{n - 1}:0] window, output wire [{channels - 1}:0] y);",
            *writer.lines,
            "endmodule",
            "",
        ]
    )


def _above(total: str, threshold: int, n: int, width: int) -> str:
    if threshold < 0:
        return "1'b1"
    return "1'b0" if threshold >= n else f"({total} > {width}'d{threshold})"


class _Writer:
    """The body of the module; every sum has the width that the number of taps needs."""

    def __init__(self, n: int) -> None:
        self.n, self.width = n, n.bit_length()
        self.lines: list[str] = []

    def equal(self, label: str, weights: Array, taps: Array) -> str:
        """The number of these taps that are equal to the weights."""
        literals = [f"{'' if weights[k] else '~'}window[{k}]" for k in taps.tolist()]
        return self._added(label, [self._counted(label, g, at) for at, g in enumerate(_groups(literals))])

    def child(self, j: int, parent: str, turned: bool, met: str, differ: int) -> str:
        """P_i + 2 * met - |D|, or n - P_i instead of P_i."""
        start = f"{self.width}'d{self.n} - {parent}" if turned else parent
        self.lines.append(
            f"    wire [{self.width - 1}:0] equal_{j} = {start} + ({met} << 1) - {self.width}'d{differ};"
        )
        return f"equal_{j}"

    def _counted(self, label: str, group: Sequence[str], at: int) -> tuple[str, int]:
        """(name, width) of the number of ones among up to six literals."""
        width = len(group).bit_length()
        name = f"{label}_count_{at}"
        total = " + ".join(f"{{{width - 1}'d0, {g}}}" if width > 1 else g for g in group)
        self.lines.append(f"    wire [{width - 1}:0] {name} = {total};")
        return name, width

    def _added(self, label: str, parts: list[tuple[str, int]]) -> str:
        """Pairs of neighbours, until one is left; then in the width of all sums."""
        number = 0
        while len(parts) > 1:
            joined = []
            for a, b in zip(parts[::2], parts[1::2], strict=False):
                width = min(self.width, max(a[1], b[1]) + 1)
                name, number = f"{label}_sum_{number}", number + 1
                self.lines.append(f"    wire [{width - 1}:0] {name} = {a[0]} + {b[0]};")
                joined.append((name, width))
            parts = joined + parts[len(parts) - len(parts) % 2 :]
        found = parts[0][0] if parts else f"{self.width}'d0"
        self.lines.append(f"    wire [{self.width - 1}:0] {label}_equal = {found};")
        return f"{label}_equal"


def _groups(literals: Sequence[str]) -> list[Sequence[str]]:
    return [literals[at : at + _GROUP] for at in range(0, len(literals), _GROUP)]
