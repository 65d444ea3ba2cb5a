"""Accuracy against latency: a picture for a report, and a page to look into."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path

from edgert.cache import write_aside
from edgert.errors import ToolError
from edgert.search.candidate import Result
from edgert.search.space import front

_PAGE = """<!doctype html>
<meta charset="utf-8"><title>{title}</title>
<style>body{{font:14px system-ui;margin:2em;max-width:60em}} td,th{{padding:.2em .8em;text-align:right}}
td:first-child,th:first-child{{text-align:left;font-family:monospace}} circle:hover{{fill:#c33}}</style>
<h1>{title}</h1><p>{subtitle}</p>{svg}
<table><tr><th>network<th>accuracy int8<th>{unit}<th>SRAM bytes<th>flash bytes</tr>{rows}</table>
<script type="application/json">{data}</script>
"""
_WIDTH, _HEIGHT, _MARGIN = 720, 400, 60


def _known(results: Sequence[Result]) -> list[Result]:
    return [r for r in results if r.error is None and r.cycles and r.int8_accuracy is not None]


def pareto(results: Sequence[Result]) -> list[Result]:
    """Those that no other beats in both int8 accuracy and cycles, by cycles."""
    return front(_known(results), lambda r: r.cycles or 0, lambda r: r.int8_accuracy or 0.0)


def write_png(results: Sequence[Result], path: Path, clock_hz: float, title: str) -> Path:
    """Raises ToolError (no matplotlib)."""
    try:
        import matplotlib
    except ImportError as error:
        raise ToolError("a PNG needs matplotlib", hint="pip install 'edgert[search]'") from error
    matplotlib.use("Agg")
    import io

    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    points, line = _points(results, clock_hz), _points(pareto(results), clock_hz)
    axes.scatter([x for x, _ in points], [100 * y for _, y in points], color="#888", label="candidates")
    axes.plot([x for x, _ in line], [100 * y for _, y in line], "o-", color="#1668b0", label="front")
    axes.set(xlabel="latency, ms", ylabel="accuracy in int8, %", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
    return write_aside(path, buffer.getvalue())


def _points(results: Sequence[Result], clock_hz: float) -> list[tuple[float, float]]:
    return [(1e3 * (r.cycles or 0) / clock_hz, r.int8_accuracy or 0.0) for r in _known(results)]


def write_html(results: Sequence[Result], path: Path, clock_hz: float, title: str) -> Path:
    """One file without anything from elsewhere."""
    best = pareto(results)
    kind = next((r.cycles_kind for r in results if r.cycles_kind), "")
    page = _PAGE.format(
        title=html.escape(title), subtitle=f"{len(results)} candidates, cycles {html.escape(str(kind))}",
        svg=_svg(results, best, clock_hz), unit="ms",
        rows="".join(_row(r, clock_hz) for r in best), data=_embedded(results),
    )  # fmt: skip
    return write_aside(path, page.encode())


def _embedded(results: Sequence[Result]) -> str:
    return json.dumps([vars(r) for r in results]).replace("<", "\\u003c")


def _row(r: Result, clock_hz: float) -> str:
    latency = 1e3 * (r.cycles or 0) / clock_hz
    cells = (
        html.escape(r.choice), f"{100 * (r.int8_accuracy or 0):.2f} %", f"{latency:.2f}",
        f"{r.arena_bytes or 0:,}", f"{r.flash_bytes or 0:,}",
    )  # fmt: skip
    return "<tr>" + "".join(f"<td>{cell}" for cell in cells) + "</tr>"


def _svg(results: Sequence[Result], best: Sequence[Result], clock_hz: float) -> str:
    points = _points(results, clock_hz)
    if not points:
        return "<p>No candidate has a result.</p>"
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low_x, high_x = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1
    low_y, high_y = min(ys), max(ys) if max(ys) > min(ys) else min(ys) + 0.01

    def place(x: float, y: float) -> tuple[float, float]:
        across = _MARGIN + (x - low_x) / (high_x - low_x) * (_WIDTH - 2 * _MARGIN)
        return round(across, 1), round(
            _HEIGHT - _MARGIN - (y - low_y) / (high_y - low_y) * (_HEIGHT - 2 * _MARGIN), 1
        )

    dots = []
    for result, (x, y) in zip(_known(results), points, strict=True):
        at = place(x, y)
        label = html.escape(f"{result.choice}: {100 * y:.2f} %, {x:.2f} ms")
        colour = "#1668b0" if result in best else "#999"
        dots.append(
            f'<circle cx="{at[0]}" cy="{at[1]}" r="5" fill="{colour}"><title>{label}</title></circle>'
        )
    line = " ".join(",".join(map(str, place(x, y))) for x, y in _points(best, clock_hz))
    bottom, right = _HEIGHT - _MARGIN, _WIDTH - _MARGIN
    return "".join((
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}">',
        f'<polyline points="{line}" fill="none" stroke="#1668b0"/>', *dots,
        f'<path d="M{_MARGIN} {_MARGIN}V{bottom}H{right}" fill="none" stroke="#333"/>',
        f'<text x="{_MARGIN}" y="{bottom + 20}">{low_x:.2f} ms</text>',
        f'<text x="{right}" y="{bottom + 20}" text-anchor="end">{high_x:.2f} ms</text>',
        f'<text x="5" y="{bottom}">{100 * low_y:.1f} %</text>',
        f'<text x="5" y="{_MARGIN}">{100 * high_y:.1f} %</text></svg>',
    ))  # fmt: skip
