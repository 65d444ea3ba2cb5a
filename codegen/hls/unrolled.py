"""A binary layer as logic: every weight is a constant of the circuit, every output one gate network.

Bits are counted six at a time, in three look-up tables of six inputs, and the counts are added in a balanced
tree. By a spanning tree (codegen/mst.py), a channel counts only the bits in which it differs from its parent.
`unrolled` is combinational: `window` in, one bit of each channel out. `unrolled_stream` has registers between
the levels of sums, and a valid and a ready on either side.
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
    outputs = writer.layer(flat, thresholds, tree)
    return "\n".join(
        [
            f"// {channels} channels of {n} binary weights, {_by(tree)}: y = (equal bits) > threshold",
            f"module {name} (input wire [{n - 1}:0] window, output wire [{channels - 1}:0] y);",
            *writer.lines,
            *(f"    assign y[{j}] = {output};" for j, output in enumerate(outputs)),
            "endmodule",
            "",
        ]
    )


def unrolled_stream(
    name: str, bits: Array, thresholds: Array, tree: Tree | None = None, *, levels: int | None = 1
) -> str:
    """Verilog-2005 of a layer behind a stream; needs csrc/verilog/ert_fifo.v. One window a cycle.

    The arguments of `unrolled`, and levels: additions between two registers; None: registers only around all
    of it. Each level more in the longest chain of sums, of the tree too, is then a cycle of latency.
    """
    flat = bits.reshape(len(bits), -1) > 0
    channels, n = flat.shape
    writer = _Writer(n, levels)
    outputs = writer.layer(flat, thresholds, tree)
    stages = 1 + max((writer.stage(output) for output in outputs), default=0)
    results = ", ".join(writer.at(output, stages) for output in reversed(outputs))
    return "\n".join(
        [
            f"// {channels} channels of {n} binary weights, {_by(tree)}: y = (equal bits) > threshold.",
            f"// One window a cycle; its bits are out {stages + 3} cycles later.",
            "// Everything halts while the queue behind it is full: in_ready does not depend on out_ready.",
            f"module {name} (",
            "    input wire clk,",
            "    input wire rst,",
            "    input wire in_valid,",
            "    output wire in_ready,",
            f"    input wire [{n - 1}:0] in_data,",
            "    output wire out_valid,",
            "    input wire out_ready,",
            f"    output wire [{channels - 1}:0] out_data",
            ");",
            f"    reg [{stages}:0] valid;",
            "    wire room;",
            f"    wire step = room | ~valid[{stages}];",
            f"    reg [{n - 1}:0] window;",
            "    assign in_ready = step;",
            "    always @(posedge clk) begin",
            f"        if (rst) valid <= {stages + 1}'d0;",
            f"        else if (step) valid <= {{valid[{stages - 1}:0], in_valid}};",
            "        if (step) window <= in_data;",
            "    end",
            *writer.lines,
            f"    wire [{channels - 1}:0] y = {{{results}}};",
            f"    ert_fifo #(.WIDTH({channels}), .DEPTH(2)) queue (",
            f"        .clk(clk), .rst(rst), .in_valid(valid[{stages}]), .in_ready(room), .in_data(y),",
            "        .out_valid(out_valid), .out_ready(out_ready), .out_data(out_data)",
            "    );",
            "endmodule",
            "",
        ]
    )


def _by(tree: Tree | None) -> str:
    return "dense" if tree is None else f"by a spanning tree of depth {tree.depth}"


class _Writer:
    """The body of a module; every sum has the width that the number of taps needs.

    A wire's level is how many sums lie behind it; `levels` of them fit between two registers. What is needed
    in a later stage than it is made in waits in registers, in every one on the way.
    """

    def __init__(self, n: int, levels: int | None = None) -> None:
        self.n, self.width, self.levels = n, n.bit_length(), levels
        self.lines: list[str] = []
        self._level: dict[str, int] = {}
        self._widths: dict[str, int] = {}
        self._waiting: set[tuple[str, int]] = set()

    def layer(self, flat: Array, thresholds: Array, tree: Tree | None) -> list[str]:
        """Names of the outputs, one bit each."""
        sums: dict[int, str] = {}
        if tree is None:
            for j in range(len(flat)):
                sums[j] = self._equal(f"channel_{j}", flat[j], np.arange(self.n))
        else:
            for j, i, turned, differ in edges(tree, flat):
                met = self._equal(f"channel_{j}", flat[j], differ)
                sums[j] = met if i == ROOT else self._child(j, sums[i], turned, met, len(differ))
        return [self._above(j, sums[j], int(thresholds[j])) for j in range(len(flat))]

    def stage(self, name: str) -> int:
        return (self._level[name] - 1) // self.levels if self.levels else 0

    def at(self, name: str, stage: int) -> str:
        """The wire's name as it is so many registers after the window."""
        last = name
        for later in range(self.stage(name) + 1, stage + 1):
            held = f"{name}_at_{later}"
            if (name, later) not in self._waiting:
                self._waiting.add((name, later))
                self.lines.append(f"    reg [{self._widths[name] - 1}:0] {held};")
                self.lines.append(f"    always @(posedge clk) if (step) {held} <= {last};")
            last = held
        return last

    def _wire(self, name: str, width: int, text: str, *operands: str) -> str:
        """text: with {0}, {1} for operands."""
        self._level[name] = 1 + max((self._level[operand] for operand in operands), default=0)
        self._widths[name] = width
        names = [self.at(operand, self.stage(name)) for operand in operands]
        self.lines.append(f"    wire [{width - 1}:0] {name} = {text.format(*names)};")
        return name

    def _above(self, j: int, total: str, threshold: int) -> str:
        if threshold < 0 or threshold >= self.n:
            return self._wire(f"above_{j}", 1, "1'b1" if threshold < 0 else "1'b0")
        return self._wire(f"above_{j}", 1, f"{{0}} > {self.width}'d{threshold}", total)

    def _equal(self, label: str, weights: Array, taps: Array) -> str:
        """The number of these taps that are equal to the weights."""
        literals = [f"{'' if weights[k] else '~'}window[{k}]" for k in taps.tolist()]
        return self._added(label, [self._counted(label, g, at) for at, g in enumerate(_groups(literals))])

    def _child(self, j: int, parent: str, turned: bool, met: str, differ: int) -> str:
        """P_i + 2 * met - |D|, or n - P_i instead of P_i."""
        start = f"{self.width}'d{self.n} - {{0}}" if turned else "{0}"
        text = f"{start} + ({{1}} << 1) - {self.width}'d{differ}"
        return self._wire(f"equal_{j}", self.width, text, parent, met)

    def _counted(self, label: str, group: Sequence[str], at: int) -> str:
        """The number of ones among up to six literals."""
        width = len(group).bit_length()
        total = " + ".join(f"{{{{{width - 1}'d0, {g}}}}}" if width > 1 else g for g in group)
        return self._wire(f"{label}_count_{at}", width, total)

    def _added(self, label: str, parts: list[str]) -> str:
        """Pairs of neighbours, until one is left; then in the width of all sums."""
        number = 0
        while len(parts) > 1:
            joined = []
            for a, b in zip(parts[::2], parts[1::2], strict=False):
                width = min(self.width, max(self._widths[a], self._widths[b]) + 1)
                joined.append(self._wire(f"{label}_sum_{number}", width, "{0} + {1}", a, b))
                number += 1
            parts = joined + parts[len(parts) - len(parts) % 2 :]
        if not parts:
            return self._wire(f"{label}_equal", self.width, f"{self.width}'d0")
        return self._widened(f"{label}_equal", parts[0])

    def _widened(self, name: str, part: str) -> str:
        """A wider name of the same: no level of its own."""
        self._level[name], self._widths[name] = self._level[part], self.width
        self.lines.append(f"    wire [{self.width - 1}:0] {name} = {part};")
        return name


def _groups(literals: Sequence[str]) -> list[Sequence[str]]:
    return [literals[at : at + _GROUP] for at in range(0, len(literals), _GROUP)]
