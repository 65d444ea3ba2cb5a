"""The words for what was removed: complete, in the layer's own numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from dying_channels import Builder

from edgert.codegen.bounds import tell_bounds
from edgert.codegen.program import Program
from edgert.codegen.prune import prune
from edgert.report.proven import brief, clamp_words, explanation, html_section


def _report(program: Program) -> dict[str, Any]:
    smaller, removals = prune(program)
    told, idle = tell_bounds(smaller)
    return {
        "macs": told.macs,
        "layers": [step.name for step in told.steps],
        "removed_channels": [asdict(removal) for removal in removals],
        "idle_clamps": [asdict(clamp) for clamp in idle],
    }


def test_brief_and_full() -> None:
    program = Builder(1, 3).conv(8, 3).depthwise().conv(16).pool().dense(5).program()
    report = _report(program)
    pruned, clamps = brief(report)
    removed = sum(r["removed"] for r in report["removed_channels"])
    assert f"pruned {removed} channels" in pruned and f"of {program.macs:,} MAC" in pruned
    assert clamps == "  clamps 1 of 5 layers need none"
    full, page = explanation(report), html_section(report)
    for removal in report["removed_channels"]:
        assert f"{removal['layer']}: {removal['removed']} of {removal['channels']} channels" in full
        assert f"<td>{removal['layer']}</td>" in page
    assert "the output is -128 for every input, accumulator in [" in full
    assert "the clamp [-128, 127] never acts" in full and "never acts" in page


def test_nothing_to_say() -> None:
    report = _report(Builder(0, 3).conv(1, 3).program()) | {"removed_channels": [], "idle_clamps": []}
    assert brief(report) == [] and html_section(report) == ""
    assert explanation(report).startswith("Nothing removed")


def test_one_side() -> None:
    clamp = {"layer": "a", "y_min": -128, "y_max": 100, "lowest": -3, "highest": 300}
    assert "only acts above" in clamp_words(clamp | {"low": True, "high": False})
    assert "only acts below" in clamp_words(clamp | {"low": False, "high": True})
