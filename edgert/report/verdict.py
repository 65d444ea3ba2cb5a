"""What `edgert compile` says: does it fit, what takes the space, what each layer needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgert.board import Board, load_board
from edgert.report import circuit
from edgert.report.proven import brief
from edgert.report.tables import Column, label, number, percent, shape, text

Report = Mapping[str, Any]


def verdict(report: Report) -> str:
    """The whole text, from a report.json."""
    return f"{summary(report)}\n\n{layer_table(report)}"


def summary(report: Report) -> str:
    """The verdict without the layers: RAM, arena, flash, work; of a circuit, what it takes of its part."""
    if "fpga" in report:
        return circuit.summary(report)
    board = load_board(report["board"]) if report["board"] else None
    memory = [*_ram(report, board), *_flash(report, board)]
    return "\n".join([_headline(report, board), *memory, _work(report), *brief(report)])


def layer_table(report: Report) -> str:
    """One row per layer; `live RAM` is what the arena holds while the layer runs."""
    if "fpga" in report:
        return circuit.layer_table(report)
    columns = (
        Column("#", True), Column("layer", max_width=36), Column("operator"), Column("kernel"),
        Column("output"), Column("MAC", True), Column("const bytes", True),
        Column("scratch", True), Column("live RAM", True),
    )  # fmt: skip
    rows = [
        (
            layer["index"], label(layer["name"]), layer["op"], layer["variant"], shape(layer["output_shape"]),
            number(layer["macs"]), number(layer["weights_bytes"]), number(layer["scratch_bytes"]),
            number(layer["live_bytes"]),
        )
        for layer in report["layers"]
    ]  # fmt: skip
    return text(columns, rows)


def arena_words(report: Report) -> str:
    """'16,000 bytes, the least possible' or how far from the bound it may be."""
    arena, bound = report["arena_bytes"], report["arena_lower_bound_bytes"]
    if arena == bound or report["arena_exact"]:
        return f"{arena:,} bytes, proven minimal for these kernels"
    return (
        f"{arena:,} bytes, at most {percent(arena - bound, bound)} above the minimum (lower bound {bound:,})"
    )


def _tensor_words(report: Report) -> str:
    """How far the arena is from its largest tensor, below which no kernel of a layer at a time can get."""
    over, largest = report["arena_bytes"] - report["largest_tensor_bytes"], report["largest_tensor_bytes"]
    linked = ", as linked to the byte" if report["linked_arena_bytes"] == report["arena_bytes"] else ""
    return f"{over:,} more than its largest tensor of {largest:,} ({percent(over, largest)}){linked}"


def _headline(report: Report, board: Board | None) -> str:
    if board is None:
        return f"{report['name']} for target {report['target']}: C only (compile for a board: does it fit?)"
    if board.linux is not None:
        size = f"{report['flash_bytes']:,}"
        return f"{report['name']} for {board.id} ({board.target}): a program of {size} bytes"
    if board.clock_hz is None:
        return f"{report['name']} for {board.id}: runs on this machine"
    return f"{report['name']} for {board.id} ({board.target}, {board.clock_hz / 1e6:g} MHz): fits"


def _ram(report: Report, board: Board | None) -> list[str]:
    lines = []
    if report["ram_bytes"] is not None and board is not None and board.ram_bytes:
        lines.append(f"  RAM    {_share(report['ram_bytes'], board.ram_bytes)}, stack not included")
    return [*lines, f"  arena  {arena_words(report)}", f"         {_tensor_words(report)}"]


def _flash(report: Report, board: Board | None) -> list[str]:
    lines = []
    if report["flash_bytes"] is not None and board is not None and board.flash_bytes:
        lines.append(f"  flash  {_share(report['flash_bytes'], board.flash_bytes)}")
    return [*lines, f"         {', '.join(_flash_parts(report))}"]


def _flash_parts(report: Report) -> list[str]:
    """What flash is spent on; for a target without a board, what is known without linking."""
    if not report["flash_split"]:
        return [f"weights and tables {report['weights_bytes']:,} bytes"]
    names = {
        "weights": "weights",
        "tables": "tables",
        "kernels": "kernel code",
        "rest": "start-up and the rest",
    }
    return [f"{names[purpose]} {size:,}" for purpose, size in report["flash_split"].items()]


def _share(used: int, capacity: int) -> str:
    return f"{used:,} of {capacity:,} bytes ({percent(used, capacity)}), {capacity - used:,} free"


def _work(report: Report) -> str:
    peak = max(report["layers"], key=lambda layer: layer["live_bytes"], default=None)
    tail = f", RAM peaks in layer {peak['index']} {label(peak['name'])}" if peak else ""
    return f"  work   {report['macs']:,} MAC in {len(report['layers'])} layers{tail}"
