"""The generated parts of docs/fpga.md, from docs/schedules.json, docs/circuits.json, docs/fpga_costs.json."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from binary_docs import result

from edgert.part import RESOURCES
from edgert.report.tables import Column, markdown

_WORDS = {
    "sequential": "sequential", "sequential-naive": "the same without prefetch", "dataflow": "dataflow",
    "intar": "InTAR's patterns",
}  # fmt: skip


def schedules() -> str:
    """How many times as many cycles as ours: the geometric mean over sizes and bandwidths, the most."""
    found = result("schedules.json")
    cycles = {(r["key"].rpartition(" ")[0], r["arm"]): r.get("rtl_cycles") for r in found["rows"]}
    workloads = list(dict.fromkeys(r["workload"] for r in found["rows"]))
    rows = []
    for workload in workloads:
        cells = [_cell(cycles, workload, arm) for arm in _WORDS]
        rows.append((workload, *cells))
    whole = found["geometric_mean_over"]
    rows.append(("all", *(f"{whole[arm]:.2f}" for arm in _WORDS)))
    columns = (Column("cycles of others / ours"), *(Column(word, True) for word in _WORDS.values()))
    tight, bound = (found[f"one_byte_a_cycle_and_spilled_over{x}"] for x in ("", "_the_bound"))
    error = found["model_error_percent"]
    lost = "; ".join(f"{e['point']}, {e['arm']}: {e['ratio']}" for e in found["lost"]) or "none"
    return (
        f"{markdown(columns, rows)}\n\nGeometric means, the most in brackets. At one byte a cycle, where "
        f"maps do not fit ({found['one_byte_a_cycle_and_spilled_points']} points): {tight['sequential']:.2f} "
        f"over sequential, {tight['sequential-naive']:.2f} without prefetch. No schedule can do better there "
        f"than {bound['sequential']:.2f} and {bound['sequential-naive']:.2f}: that is with every multiplier "
        f"busy or every byte moved once; ours takes {bound['edgert']:.2f} times that bound. Points that ours "
        f"lost, of {found['points']}: {lost}. Schedules that do not fit: {len(found['not_fitting'])}.\n\n"
        f"Modelled cycles are within 2 % of the Verilog's on {error['within_2']:g} % of the points, "
        f"{error['mean_absolute']:g} % off on average, {abs(error['largest']):g} % at most."
    )


def _cell(cycles: dict[tuple[str, str], int | None], workload: str, arm: str) -> str:
    ratios = []
    for (point, other), count in cycles.items():
        ours = cycles.get((point, "edgert"))
        if other == arm and point.split()[0] == workload and count and ours:
            ratios.append(count / ours)
    return f"{np.exp(np.mean(np.log(ratios))):.2f} ({max(ratios):.2f})" if ratios else "-"


def circuits() -> str:
    """Each design's cycles and how far the models of time are off."""
    found = result("circuits.json")
    columns = (
        Column("design"), Column("board"), *(Column(word, True) for word in (
            "cycles", "modelled", "C++", "multipliers busy", "bytes in and out", "inputs",
        )),
    )  # fmt: skip
    rows = [
        (
            row["name"], row["board"], f"{row['cycles']['verilog']:,}",
            *(f"{row['error_percent'][kind]:+.2f} %" for kind in ("modelled", "c++")),
            ", ".join(f"{100 * share:.0f} %" for share in row["multipliers_busy"].values()),
            f"{sum(row['traffic_bytes'].values()):,}", str(row["inputs"]),
        )
        for row in found["designs"].values()
    ]  # fmt: skip
    wrong = found["wrong_outputs"] or "none"
    return (
        f"{markdown(columns, rows)}\n\nOutputs that are not the reference's, of the interpreter, the C++ and "
        f"the Verilog: {wrong}."
    )


def clocks() -> str:
    """Clocks of modules and whole circuits on the ECP5, and how far the predicted counts are off."""
    costs, designs = result("fpga_costs.json"), result("circuits.json")["designs"]
    placed = {name: row for name, row in designs.items() if "clock_mhz" in row}
    clocks = [
        *((f"`{top}`", found["clock_mhz"]) for top, found in costs["ecp5"].items() if "clock_mhz" in found),
        *((f"{name}, whole", row["clock_mhz"]) for name, row in placed.items()),
    ]
    rows = [(name, f"{mhz:.0f}") for name, mhz in clocks]
    columns = (Column("ECP5, median of three placements"), Column("MHz", True))
    counts = [f"{name}: {_counts(row)}" for name, row in placed.items()]
    return f"{markdown(columns, rows)}\n\n{'. '.join([*counts, *map(_held_out, costs)])}."


def _counts(row: dict[str, Any]) -> str:
    return ", ".join(
        f"{words} {row['resources'][kind]['used']:,.0f} predicted, {row['synthesised'][kind]:,} found"
        for kind, words in RESOURCES.items()
    )


def _held_out(family: str) -> str:
    """The largest error of LUTs on sizes that nothing was fitted to; whether the rest is exact everywhere."""
    tops = result("fpga_costs.json")[family]
    points = [(top, point) for top, found in tops.items() for point in found["points"]]
    errors = {
        top: max(
            abs(point["model"]["luts"] / point["synthesised"]["luts"] - 1)
            for name, point in points if name == top and point["held_out"]
        )
        for top in {name for name, point in points if point["held_out"]}
    }  # fmt: skip
    worst = max(errors, key=lambda top: errors[top])
    wrong = sum(
        point["model"][kind] != point["synthesised"][kind]
        for _, point in points for kind in ("dsps", "block_rams")
    )  # fmt: skip
    return (
        f"{family}, sizes that were not fitted: LUTs within {100 * errors[worst]:.1f} % ({worst}); DSPs or "
        f"block RAMs of {wrong} of {len(points)} sizes other than predicted"
    )


GENERATORS: dict[str, Callable[[], str]] = {
    "schedules": schedules,
    "circuits": circuits,
    "clocks": clocks,
}
