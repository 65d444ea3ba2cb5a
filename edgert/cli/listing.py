"""edgert boards, edgert targets: what there is."""

from __future__ import annotations

import argparse
from typing import Any

from edgert.board import Board, list_boards, load_board
from edgert.cli.console import add_json, emit, emit_json
from edgert.report.tables import Column, number, text
from edgert.target import list_targets, load_target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    rows = _boards() if args.command == "boards" else _targets()
    if args.json:
        emit_json(rows)
    else:
        emit(
            text(
                _BOARD_COLUMNS if args.command == "boards" else _TARGET_COLUMNS, [_cells(row) for row in rows]
            )
        )
    return 0


_BOARD_COLUMNS = (
    Column("board"), Column("target"), Column("clock MHz", True), Column("flash bytes", True),
    Column("RAM bytes", True), Column("driver"), Column("verified"), Column("what", max_width=90),
)  # fmt: skip
_TARGET_COLUMNS = (Column("target"), Column("architecture"), Column("features"), Column("compiler target"))


def _boards() -> list[dict[str, Any]]:
    return [_board(load_board(name)) for name in list_boards()]


def _board(board: Board) -> dict[str, Any]:
    return {
        "id": board.id,
        "target": board.target,
        "clock_hz": board.clock_hz,
        "flash_bytes": board.flash_bytes,
        "ram_bytes": board.ram_bytes,
        "driver": board.driver,
        "verified": board.verified,
        "name": board.name,
    }


def _targets() -> list[dict[str, Any]]:
    targets = [load_target(name) for name in list_targets()]
    return [
        {"id": t.id, "arch": t.arch, "features": sorted(t.features), "compiler_target": t.zig_target}
        for t in targets
    ]


def _cells(row: dict[str, Any]) -> list[str]:
    return [_cell(key, value) for key, value in row.items()]


def _cell(key: str, value: Any) -> str:
    if key == "clock_hz":
        return "-" if not value else f"{value / 1e6:g}"
    if isinstance(value, list):
        return " ".join(value) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return number(value) if isinstance(value, int) else str(value or "-")
