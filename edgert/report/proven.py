"""What the compiler left out because no input can tell: channels and clamps, and why."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from edgert.report import circuit
from edgert.report.tables import label, number

Report = Mapping[str, Any]


def brief(report: Report) -> list[str]:
    """At most two lines for the verdict."""
    return [*_channels(report), *_clamps(report)]


def explanation(report: Report) -> str:
    """Every layer that lost something: how many channels, what it saved, and the reasons.

    Then the binary layers: why each of them is dense, or computed by a tree over its channels. Of a circuit,
    first why its schedule is as it is.
    """
    if "fpga" in report:
        return "\n".join(part for part in (circuit.reasons(report), _removals(report)) if part)
    trees = [f"{label(b['layer'])}: {b['kernel']}, {b['why']}" for b in report.get("binary_layers", ())]
    if not report["removed_channels"] and not report["idle_clamps"]:
        nothing = "Nothing removed: every channel depends on the input, and every clamp may act."
        return "\n".join([nothing, *trees])
    return "\n".join([_removals(report), *trees])


def _removals(report: Report) -> str:
    blocks = [_removal(removal) for removal in report["removed_channels"]]
    return "\n".join([*blocks, *(f"{label(c['layer'])}: {clamp_words(c)}" for c in report["idle_clamps"])])


def html_section(report: Report) -> str:
    """The same as a section of a page; empty where nothing was removed."""
    if not report["removed_channels"] and not report["idle_clamps"]:
        return ""
    head = "".join(f"<th>{h}</th>" for h in ("layer", "channels", "MAC", "weight bytes", "why"))
    removals = "".join(_row(removal) for removal in report["removed_channels"])
    clamps = "".join(
        f"<tr><td>{escape(label(c['layer']))}</td><td></td><td></td><td></td>"
        f"<td>{escape(clamp_words(c))}</td></tr>"
        for c in report["idle_clamps"]
    )
    return f"<h2>Proven unnecessary</h2>\n<table><tr>{head}</tr>{removals}{clamps}</table>"


def clamp_words(clamp: Mapping[str, Any]) -> str:
    """'the clamp [-128, 127] never acts: what it is given lies in [-40, 77]', or on which side it does."""
    bounds = f"the clamp [{clamp['y_min']}, {clamp['y_max']}]"
    acts = {(True, True): "never acts", (True, False): "only acts above"}
    how = acts.get((clamp["low"], clamp["high"]), "only acts below")
    return f"{bounds} {how}: what it is given lies in [{clamp['lowest']}, {clamp['highest']}]"


def _channels(report: Report) -> list[str]:
    removals = report["removed_channels"]
    channels = sum(removal["removed"] for removal in removals)
    if not channels:
        return []
    macs, weights = (
        sum(r[f"{what}_before"] - r[f"{what}_after"] for r in removals) for what in ("macs", "weights_bytes")
    )
    saved = f"{number(macs)} of {number(report['macs'] + macs)} MAC and {number(weights)} bytes of weights"
    return [f"  pruned {number(channels)} channels that no input can change, same bytes: {saved} less"]


def _clamps(report: Report) -> list[str]:
    idle = sum(clamp["low"] and clamp["high"] for clamp in report["idle_clamps"])
    return [f"  clamps {idle} of {len(report['layers'])} layers need none"] if idle else []


def _sizes(removal: Mapping[str, Any]) -> tuple[str, str, str]:
    channels = f"{removal['removed']} of {removal['channels']}"
    macs = f"{number(removal['macs_before'])} -> {number(removal['macs_after'])}"
    weights = f"{number(removal['weights_bytes_before'])} -> {number(removal['weights_bytes_after'])}"
    return channels, macs, weights


def _removal(removal: Mapping[str, Any]) -> str:
    channels, macs, weights = _sizes(removal)
    head = f"{label(removal['layer'])}: {channels} channels removed, MAC {macs}, weight bytes {weights}"
    return "\n".join([head, *(f"  {why}" for why in removal["why"])])


def _row(removal: Mapping[str, Any]) -> str:
    numbers = "".join(f"<td class='n'>{escape(cell)}</td>" for cell in _sizes(removal))
    why = "<br>".join(escape(reason) for reason in removal["why"])
    return f"<tr><td>{escape(label(removal['layer']))}</td>{numbers}<td>{why}</td></tr>"
