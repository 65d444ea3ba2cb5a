"""Schedules compared on one grid (tools/schedule_grid.py): cycles of the circuit in Verilog, outputs checked.

    python tools/compare_schedules.py [--jobs 2] [--only WORKLOAD]      (goes on where it was stopped)
    python tools/compare_schedules.py --report [--write]

Every arm is the same search (codegen/hls/scheduler.py) over fewer patterns, on the same circuit and memory:
sequential (transfers beside computation), sequential-naive (each waits for the other, as in InTAR's paper),
dataflow (as few pipelines as fit, cores split by work), intar (sequential, parallel, pipeline),
edgert (depth-first as well). A point's outputs are those of the C kernels, byte for byte. Rows are kept in
build/schedules.jsonl; --write puts them and the summary into docs/schedules.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from schedule_grid import ARMS, BUS_BYTES, SCRATCH_BYTES, WORKLOADS, Point, machine, points

import edgert
from edgert.cache import write_aside
from edgert.circuit import constant_bytes
from edgert.codegen import pipeline
from edgert.codegen.bounds import tell_bounds
from edgert.codegen.hls import scheduler
from edgert.codegen.hls.build import build
from edgert.codegen.hls.design import Design
from edgert.codegen.hls.isa import LANES
from edgert.codegen.hls.schedule import Schedule
from edgert.codegen.hls.tasks import Network, network
from edgert.codegen.program import Array
from edgert.codegen.prune import prune
from edgert.errors import DoesNotFitError
from edgert.rtl import circuit

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "build" / "schedules.jsonl"
RESULT = ROOT / "docs" / "schedules.json"
COMMAND = "python tools/compare_schedules.py && python tools/compare_schedules.py --report --write"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="workloads; default: all")
    parser.add_argument("--report", action="store_true", help="summary of what was measured")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if not args.report:
        _measure([p for p in points() if not args.only or p.workload in args.only], args.jobs)
        return 0
    rows = [
        row | {"bound_cycles": bound(row["workload"], row["bus_bytes"])}
        for row in _rows() if row["key"] in {p.key for p in points()}
    ]  # fmt: skip
    result = {"command": COMMAND, "points": len(rows), **summary(rows), "rows": rows}
    if args.write:
        write_aside(RESULT, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=1))
    return 0


def _rows() -> list[dict[str, Any]]:
    if not ROWS.is_file():
        return []
    return [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]


def _measure(wanted: Sequence[Point], jobs: int) -> None:
    """By (workload, size, bandwidth): arms share what they find out about segments."""
    ROWS.parent.mkdir(exist_ok=True)
    done = {row["key"] for row in _rows()}
    groups: dict[tuple[str, int, float], list[Point]] = {}
    for point in wanted:
        if point.key not in done:
            groups.setdefault((point.workload, point.scratch_bytes, point.bus_bytes), []).append(point)
    circuit.build(machine(max(SCRATCH_BYTES), max(BUS_BYTES)), {})  # once, before the workers want it
    with ProcessPoolExecutor(jobs) as pool:
        for rows in pool.map(_group, groups.values()):
            with ROWS.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
            for row in rows:
                print(row["key"], row.get("rtl_cycles", row.get("error")), file=sys.stderr, flush=True)


@cache
def _loaded(workload: str) -> tuple[Network, tuple[Array, ...], tuple[Array, ...]]:
    """The network, random inputs, and what the C kernels make of them."""
    data = WORKLOADS[workload]()
    program = pipeline.compile_to_program(data, workload)
    program, _ = prune(program)
    program, _ = tell_bounds(program)
    rng = np.random.default_rng(0)
    inputs = tuple(rng.integers(-128, 128, program.tensors[i].shape).astype(np.int8) for i in program.inputs)
    return (
        network(program),
        inputs,
        tuple(edgert.compile(data, target="host", name=workload).run_host(*inputs)),
    )


def _group(group: Sequence[Point]) -> list[dict[str, Any]]:
    memo = scheduler.Memo()
    return [_point(point, memo) for point in group]


def _point(point: Point, memo: scheduler.Memo) -> dict[str, Any]:
    tasks, inputs, outputs = _loaded(point.workload)
    where = machine(point.scratch_bytes, point.bus_bytes)
    row: dict[str, Any] = {
        "key": point.key, "workload": point.workload, "scratch_bytes": point.scratch_bytes,
        "bus_bytes": point.bus_bytes, "arm": point.arm,
    }  # fmt: skip
    try:
        found = scheduler.find(tasks, where, scheduler.ARMS[point.arm], memo)
    except DoesNotFitError as error:
        return row | {"error": error.one_line()}
    design = build(tasks, where, found.schedule)
    run = _simulated(design, inputs)
    exact = all(
        np.array_equal(a.reshape(-1), b.reshape(-1)) for a, b in zip(run.outputs, outputs, strict=True)
    )
    assert exact, point.key
    return row | {
        "rtl_cycles": run.cycles, "modelled_cycles": found.cycles, "spilled": len(found.schedule.spilled),
        "segments": text(found.schedule, tasks),
    }  # fmt: skip


def _simulated(design: Design, inputs: Sequence[Array]) -> circuit.Run:
    """On the simulator of the largest machine: memories that a design does not use change nothing."""
    roomy = machine(max(SCRATCH_BYTES), max(BUS_BYTES))
    depths = {name: len(lines) for name, lines in design.roms().items()}
    return circuit.build(roomy, depths).run(design, inputs)


def text(schedule: Schedule, tasks: Network) -> list[str]:
    return [
        f"{s.pattern}{f' bands of {s.band}' if s.band else ''}{' skewed' if s.skew else ''}: "
        + ", ".join(tasks.tasks[n].name for n in s.tasks)
        for s in schedule.segments
    ]  # fmt: skip


def bound(workload: str, bus_bytes: float) -> int:
    """Cycles that no schedule is under: every multiplier busy, or the bus, with each byte moved once."""
    tasks = _loaded(workload)[0]
    program = tasks.program
    ports = sum(program.tensors[name].nbytes for name in (*program.inputs, *program.outputs))
    moved = ports + sum(constant_bytes(task) for task in tasks.tasks)
    lanes = LANES * machine(max(SCRATCH_BYTES), bus_bytes).cores
    return ceil(max(program.macs / lanes, moved / bus_bytes))


# ---- the summary -----------------------------------------------------------------------------------------


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Ratios of cycles, others over ours: the clock is the same, since the circuit is."""
    cycles = {
        (r["workload"], r["scratch_bytes"], r["bus_bytes"], r["arm"]): r["rtl_cycles"]
        for r in rows if "rtl_cycles" in r
    }  # fmt: skip
    at = sorted({key[:3] for key in cycles})
    ratios = {
        arm: {
            key: cycles[*key, arm] / cycles[*key, "edgert"]
            for key in at if {(*key, arm), (*key, "edgert")} <= cycles.keys()
        }
        for arm in ARMS
    }  # fmt: skip
    tight = {
        (r["workload"], r["scratch_bytes"], r["bus_bytes"])
        for r in rows if r["arm"] == "sequential" and r["bus_bytes"] == min(BUS_BYTES) and r.get("spilled")
    }  # fmt: skip
    bounds = {(r["workload"], r["scratch_bytes"], r["bus_bytes"]): r["bound_cycles"] for r in rows}
    errors = [r["modelled_cycles"] / r["rtl_cycles"] - 1 for r in rows if "rtl_cycles" in r]
    fixed = [a for a in ARMS if a != "edgert"]
    return {
        "geometric_mean_over": {arm: _mean(ratios[arm].values()) for arm in fixed},
        "one_byte_a_cycle_and_spilled_over": {
            arm: _mean(v for key, v in ratios[arm].items() if key in tight) for arm in fixed
        },
        "one_byte_a_cycle_and_spilled_points": len(tight),
        "one_byte_a_cycle_and_spilled_over_the_bound": {
            arm: _mean(cycles[*key, arm] / bounds[key] for key in tight if (*key, arm) in cycles)
            for arm in ARMS
        },
        "by_bandwidth_over_sequential": {
            f"{bus:g}": _mean(v for key, v in ratios["sequential"].items() if key[2] == bus)
            for bus in BUS_BYTES
        },
        "lost": [
            {"point": " ".join(map(str, key)), "arm": arm, "ratio": round(ratio, 4)}
            for arm in fixed for key, ratio in ratios[arm].items() if ratio < 1
        ],
        "not_fitting": [r["key"] for r in rows if "error" in r],
        "model_error_percent": {
            "mean_absolute": round(100 * float(np.mean(np.abs(errors))), 2) if errors else None,
            "largest": round(100 * max(errors, key=abs), 2) if errors else None,
            "within_2": round(100 * float(np.mean(np.abs(errors) <= 0.02)), 1) if errors else None,
        },
    }  # fmt: skip


def _mean(values: Iterable[float]) -> float | None:
    """Geometric."""
    logs = [np.log(v) for v in values]
    return round(float(np.exp(np.mean(logs))), 3) if logs else None


if __name__ == "__main__":
    raise SystemExit(main())
