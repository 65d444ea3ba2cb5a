"""A run as a picture: one lane for each agent, time in cycles, a colour for each layer. SVG, no script."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from colorsys import hls_to_rgb
from html import escape

from edgert.codegen.hls.cycles import Span
from edgert.codegen.hls.design import Design
from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.listing import short

_LEFT, _WIDTH, _LANE, _TOP, _ENTRY, _COLUMNS = 74, 1040, 22, 34, 18, 3
_LETTER = 7  # pixels
_STYLE = (
    "text { font: 12px system-ui, sans-serif; fill: #24292f; } .a { fill: #57606a; } .g { stroke: #d8dee4; }"
)


def gantt(design: Design, spans: Sequence[Span], cycles: int, title: str, stages: Sequence[str]) -> str:
    """spans: as modelled or as simulated. stages: the pattern of each.

    Loads and stores have the colour of the layer that they are for.
    """
    units = design.agents[Machine.FIRST_CORE :]
    steps = list(dict.fromkeys(c.tag.step for commands in units for c in commands))
    steps += list(
        dict.fromkeys(c.tag.step for commands in design.agents for c in commands if c.tag.step not in steps)
    )
    colours = {step: _colour(i) for i, step in enumerate(steps)}
    lanes = [a for a, commands in enumerate(design.agents) if commands]
    bottom = _TOP + _LANE * (len(lanes) + 1)
    height = bottom + 34 + _ENTRY * -(-len(steps) // _COLUMNS) + 8
    scale = _WIDTH / max(1, cycles)
    lines = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_LEFT + _WIDTH + 24} {height}' role='img'>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<rect width='{_LEFT + _WIDTH + 24}' height='{height}' fill='#fff'/>",
        f"<text x='8' y='18'>{escape(title)}</text>",
        *_axis(cycles, scale, bottom),
    ]
    lines += _stages(design, spans, stages, scale, bottom)
    for row, agent in enumerate(lanes, 1):
        y = _TOP + _LANE * row
        lines.append(f"<text x='8' y='{y + 15}'>{design.machine.agent_name(agent)}</text>")
        mine = [s for s in spans if s.agent == agent]
        lines += _lane(design, mine, colours, scale, y)
    lines += _legend(steps, colours, bottom + 34)
    return "\n".join([*lines, "</svg>", ""])


def _lane(
    design: Design, spans: Sequence[Span], colours: dict[str, str], scale: float, y: int
) -> Iterator[str]:
    for span in sorted(spans, key=lambda s: s.command):
        tag = design.agents[span.agent][span.command].tag
        x, width = _LEFT + span.start * scale, max(0.4, (span.end - span.start) * scale)
        hint = f"{_short(tag.step)}, {tag.tile}: cycles {span.start:,} to {span.end:,}"
        yield (
            f"<rect x='{x:.1f}' y='{y + 2}' width='{width:.1f}' height='{_LANE - 4}' "
            f"fill='{colours[tag.step]}' fill-opacity='.85'><title>{escape(hint)}</title></rect>"
        )


def _stages(
    design: Design, spans: Sequence[Span], stages: Sequence[str], scale: float, bottom: int
) -> Iterator[str]:
    """When a stage computes: from its first command of a core or unit to its last, with its pattern."""
    yield f"<text x='8' y='{_TOP + 15}'>stage</text>"
    for number, pattern in enumerate(stages):
        mine = [
            s for s in spans
            if s.agent >= Machine.FIRST_CORE and design.agents[s.agent][s.command].tag.stage == number
        ]  # fmt: skip
        start, end = min((s.start for s in mine), default=0), max((s.end for s in mine), default=0)
        x, width = _LEFT + start * scale, (end - start) * scale
        words = f"{number}: {pattern}"[: int(width / _LETTER)]
        hint = f"stage {number}, {pattern}: cycles {start:,} to {end:,}"
        yield f"<g><title>{escape(hint)}</title>"
        yield f"<line class='g' x1='{x:.1f}' y1='{_TOP}' x2='{x:.1f}' y2='{bottom}'/>"
        yield f"<rect x='{x:.1f}' y='{_TOP + 2}' width='{width:.1f}' height='{_LANE - 4}' fill='#eaeef2'/>"
        yield f"<text x='{x + 3:.1f}' y='{_TOP + 15}'>{escape(words)}</text></g>"


def _axis(cycles: int, scale: float, bottom: int) -> Iterator[str]:
    step = _round_step(cycles)
    for at in range(0, cycles + 1, step):
        x = _LEFT + at * scale
        yield f"<line class='g' x1='{x:.1f}' y1='{_TOP}' x2='{x:.1f}' y2='{bottom}'/>"
        yield f"<text class='a' x='{x:.1f}' y='{bottom + 16}' text-anchor='middle'>{at:,}</text>"


def _round_step(cycles: int) -> int:
    """1, 2 or 5 times a power of ten: at most ten marks."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            if cycles <= 10 * factor * power:
                return factor * power
        power *= 10


def _legend(steps: Sequence[str], colours: dict[str, str], top: int) -> Iterator[str]:
    rows = -(-len(steps) // _COLUMNS)
    for i, step in enumerate(steps):
        x, y = 8 + (i // rows) * ((_LEFT + _WIDTH) // _COLUMNS), top + _ENTRY * (i % rows)
        yield f"<rect x='{x}' y='{y}' width='12' height='12' fill='{colours[step]}'/>"
        yield f"<text x='{x + 18}' y='{y + 11}'>{escape(_short(step))}</text>"


def _short(step: str) -> str:
    name = short(step)
    return name if len(name) <= 44 else f"~{name[-43:]}"


def _colour(number: int) -> str:
    """Hues a golden angle apart, in three lightnesses: neighbours differ."""
    colour = hls_to_rgb(number * 137.508 % 360 / 360, (0.46, 0.62, 0.36)[number % 3], 0.58)
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
