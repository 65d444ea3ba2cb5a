"""Tables for people: aligned text for a terminal, Markdown for a README."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """title: the heading. right: numbers are aligned on the right."""

    title: str
    right: bool = False
    max_width: int = 60


def number(value: float | int | None, digits: int = 0) -> str:
    """1234567.0 -> '1,234,567'; None -> '-'."""
    return "-" if value is None else f"{value:,.{digits}f}"


def percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def shape(dims: Sequence[int]) -> str:
    return "x".join(map(str, dims))


def label(layer_name: str) -> str:
    """A layer's name for people: converters join the names of all fused operators with ';'."""
    return layer_name.split(";")[0]


def text(columns: Sequence[Column], rows: Sequence[Sequence[Any]], indent: str = "") -> str:
    """Columns two spaces apart; a cell longer than its column keeps its end, where layer names differ."""
    cells = [
        [_shorten(str(cell), column.max_width) for cell, column in zip(row, columns, strict=True)]
        for row in rows
    ]
    titles = [column.title for column in columns]
    widths = [max(len(line[i]) for line in [titles, *cells]) for i in range(len(columns))]
    lines = [titles, ["-" * width for width in widths], *cells]
    return "\n".join(indent + _join(line, columns, widths) for line in lines)


def markdown(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> str:
    """A GitHub table."""
    rule = ["---:" if column.right else "---" for column in columns]
    lines = [[column.title for column in columns], rule, *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _join(line: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(line, columns, widths, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _shorten(cell: str, width: int) -> str:
    return cell if len(cell) <= width else "~" + cell[len(cell) - width + 1 :]
