"""The generated parts of docs/fpga.md, from docs/schedules.json, docs/circuits.json, docs/fpga_costs.json."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from binary_docs import result

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
            "cycles", "modelled", "C++", "multipliers busy", "bytes from outside", "inputs",
        )),
    )  # fmt: skip
    rows = [
        (
            row["name"], row["board"], f"{row['cycles']['verilog']:,}",
            *(f"{row['error_percent'][kind]:+.2f} %" for kind in ("modelled", "c++")),
            f"{100 * row['macs_per_multiplier_cycle']:.0f} %", f"{sum(row['traffic_bytes'].values()):,}",
            str(row["inputs"]),
        )
        for row in found["designs"].values()
    ]  # fmt: skip
    wrong = found["wrong_outputs"] or "none"
    return (
        f"{markdown(columns, rows)}\n\nOutputs that are not the reference's, of the interpreter, the C++ and "
        f"the Verilog: {wrong}."
    )


GENERATORS: dict[str, Callable[[], str]] = {"schedules": schedules, "circuits": circuits}
