"""A profile as one HTML file: no script, no network; opens anywhere and prints well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from edgert.report.circuit import reasons, summary
from edgert.report.profile import cost
from edgert.report.proven import html_section
from edgert.report.tables import label, number, percent
from edgert.report.verdict import arena_words

if TYPE_CHECKING:
    from edgert.drivers.session import Profile

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .25em .6em; border-bottom: 1px solid #d8dee4; text-align: left; }
td.n, th.n { text-align: right; }
.bar { background: #2b6cb0; height: .8em; min-width: 1px; } td.bars { width: 22%; }
svg { width: 100%; height: auto; border: 1px solid #d8dee4; }
pre { white-space: pre-wrap; } .note { color: #57606a; }
"""
_MAP_WIDTH, _ROW, _COLOURS = 960, 14, ("#2b6cb0", "#2f855a", "#b7791f", "#9b2c2c", "#6b46c1", "#2c7a7b")


def profile_page(report: Mapping[str, Any], profile: Profile, picture: str = "") -> str:
    """The whole page: summary, layers with bars, and who is where in the arena when.

    picture: SVG of a circuit's schedule, in the arena's place.
    """
    title = f"{report['name']} on {report['board']}"
    return "\n".join(
        [
            f"<!doctype html>\n<html lang='en'><meta charset='utf-8'><title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>\n<h1>{escape(title)}</h1>",
            _summary(report, profile),
            "<h2>Layers</h2>",
            _layers(profile),
            html_section(report),
            *(_schedule(report, picture) if "fpga" in report else _arena(report)),
            f"<p class='note'>edgert {escape(report['edgert_version'])}, "
            f"{escape(report['compiler'] or profile.cycles_kind)}, "
            f"model sha256 {escape(report['model_sha256'][:16])}</p></html>\n",
        ]
    )


def _arena(report: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "<h2>Arena</h2>",
        f"<p>{escape(arena_words(report))}. Across: layers in order. Down: addresses in the arena.</p>",
        _arena_map(report.get("buffers", []), len(report["layers"]), report["arena_bytes"]),
    )


def _schedule(report: Mapping[str, Any], picture: str) -> tuple[str, ...]:
    """Of a circuit: its verdict, the picture, and why the schedule is so."""
    return (
        "<h2>Circuit</h2>",
        f"<pre>{escape(summary(report))}</pre>",
        picture,
        f"<pre>{escape(reasons(report))}</pre>",
    )


def _summary(report: Mapping[str, Any], profile: Profile) -> str:
    rows = [
        ("instructions", f"{number(profile.instructions)} (counted)"),
        ("cycles", f"{number(profile.cycles)} ({profile.cycles_kind})"),
        (
            "time",
            f"{profile.milliseconds:.2f} ms at {profile.clock_hz / 1e6:g} MHz" if profile.clock_hz else "-",
        ),
        ("multiply-accumulates", number(report["macs"])),
    ]
    if "fpga" in report:
        rows = [row for row in rows if row[0] != "instructions"]
        rows.append(("scratchpad", f"{report['arena_bytes']:,} bytes"))
    else:
        rows += [
            ("arena", f"{report['arena_bytes']:,} bytes"),
            ("stack", f"{number(profile.stack_bytes)} bytes"),
            ("flash", f"{number(report['flash_bytes'])} bytes"),
        ]
    return (
        "<table>"
        + "".join(f"<tr><th>{k}</th><td class='n'>{escape(v)}</td></tr>" for k, v in rows)
        + "</table>"
    )


def _layers(profile: Profile) -> str:
    heads = ("#", "layer", "operator", "kernel", "MAC", "instructions", "cycles", "share", "")
    whole = sum(cost(layer) for layer in profile.layers)
    rows = [f"<tr>{''.join(f'<th>{head}</th>' for head in heads)}</tr>"]
    for index, layer in enumerate(profile.layers):
        words = "".join(
            f"<td>{escape(str(cell))}</td>" for cell in (index, label(layer.name), layer.op, layer.variant)
        )
        numbers = (
            number(layer.macs),
            number(layer.instructions),
            number(layer.cycles),
            percent(cost(layer), whole),
        )
        figures = "".join(f"<td class='n'>{cell}</td>" for cell in numbers)
        width = 100 * cost(layer) / whole if whole else 0
        rows.append(
            f"<tr>{words}{figures}"
            f"<td class='bars'><div class='bar' style='width:{width:.1f}%'></div></td></tr>"
        )
    return f"<table>{''.join(rows)}</table>"


def _arena_map(buffers: Sequence[Mapping[str, Any]], steps: int, arena_bytes: int) -> str:
    """One rectangle per buffer: x is its life in layers, y its place in the arena."""
    height = max(160, min(480, _ROW * steps))
    column = _MAP_WIDTH / max(1, steps)
    boxes = []
    for position, buffer in enumerate(buffers):
        x, width = buffer["first"] * column, (buffer["last"] - buffer["first"] + 1) * column
        y, tall = height * buffer["offset"] / arena_bytes, height * buffer["bytes"] / arena_bytes
        hint = f"{buffer['name']}: {buffer['bytes']:,} bytes at {buffer['offset']:,}"
        boxes.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{max(1.0, width - 1):.1f}' height='{max(0.5, tall):.1f}' "
            f"fill='{_COLOURS[position % len(_COLOURS)]}' fill-opacity='.6'>"
            f"<title>{escape(hint)}</title></rect>"
        )
    return f"<svg viewBox='0 0 {_MAP_WIDTH} {height}' role='img'>{''.join(boxes)}</svg>"
