"""The generated part of docs/fpga.md, from docs/schedules.json."""

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
    tight = found["one_byte_a_cycle_and_spilled_over"]
    lost = "; ".join(f"{e['point']}, {e['arm']}: {e['ratio']}" for e in found["lost"]) or "none"
    return (
        f"{markdown(columns, rows)}\n\nGeometric means, the most in brackets. At one byte a cycle, where "
        f"maps do not fit ({found['one_byte_a_cycle_and_spilled_points']} points): {tight['sequential']:.2f} "
        f"over sequential, {tight['sequential-naive']:.2f} without prefetch. Points that ours lost, of "
        f"{found['points']}: {lost}. Schedules that do not fit: {len(found['not_fitting'])}."
    )


def _cell(cycles: dict[tuple[str, str], int | None], workload: str, arm: str) -> str:
    ratios = []
    for (point, other), count in cycles.items():
        ours = cycles.get((point, "edgert"))
        if other == arm and point.split()[0] == workload and count and ours:
            ratios.append(count / ours)
    return f"{np.exp(np.mean(np.log(ratios))):.2f} ({max(ratios):.2f})" if ratios else "-"


GENERATORS: dict[str, Callable[[], str]] = {"schedules": schedules}
