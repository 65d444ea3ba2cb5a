"""A thousand runs of the circuit, stalled at random everywhere, its streams of random depths: the same bytes.

    python tools/soak_circuit.py [--back-end verilog] [--runs 1000] [--write]

Random designs of every operator (tests/hls/designs.py), under random stalls, bandwidths and latencies. In
Verilog, on three circuits with FIFOs of random depths, a simulator each; in HLS C++, with depths drawn anew
for every run. The outputs are the interpreter's, byte for byte; a deadlock or a wrong byte stops it. --write
puts the result into docs/soak.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgert.cache import write_aside
from edgert.codegen.hls import interpret
from edgert.codegen.hls.isa import Machine
from edgert.rtl import circuit, csim

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "soak.json"
sys.path.insert(0, str(ROOT / "tests" / "hls"))  # the designs are the tests' own

import designs  # noqa: E402 - needs the path above

BASE = Machine(
    cores=2, binary_cores=1, softmax=1, scratch_bytes=8192, weight_words=192, param_entries=320, banks=4
)  # fmt: skip
DEPTHS, COMMANDS = 3, 20
EACH = 100  # runs of a design in C++, which takes g++ some seconds
STALLS = (0.05, 0.2, 0.5, 0.8)
BUS_BYTES = (0.4, 1, 2, 8, 16)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--back-end", choices=RUNS, action="append", help="default: both")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    table: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if RESULT.is_file() else {}
    table |= {"command": "python tools/soak_circuit.py --write", "stalls": STALLS, "bus_bytes": BUS_BYTES}
    with tempfile.TemporaryDirectory() as scratch:
        for name in args.back_end or RUNS:
            cycles = 0
            for number in range(args.runs):
                cycles += RUNS[name](number, Path(scratch))
                if number % 50 == 49:
                    print(f"{name}: {number + 1} of {args.runs}", file=sys.stderr, flush=True)
            table[name] = {"runs": args.runs, "deadlocks": 0, "wrong_outputs": 0, "cycles": cycles}
    text = json.dumps(table, indent=1) + "\n"
    if args.write:
        write_aside(RESULT, text.encode())
    print(text, end="")
    return 0


def _verilog(number: int, _: Path) -> int:
    depths = np.random.default_rng(number % DEPTHS)
    machine = replace(BASE, fifo=int(depths.integers(4, 33)))
    design = designs.random_design(number // 4, COMMANDS, machine=machine)
    roms = {name: len(lines) for name, lines in design.roms().items()}
    simulator = circuit.build(machine, roms, out_fifo=int(depths.integers(2, 17)))
    inputs = designs.wide_inputs(design, number)
    return _checked(
        simulator.run(design, inputs, seed=number, **_conditions(number)),
        interpret.run(design, inputs),
        number,
    )


def _cpp(number: int, scratch: Path) -> int:
    design = designs.random_design(number // EACH, COMMANDS, machine=BASE)
    program = csim.build(design, scratch)
    inputs = designs.wide_inputs(design, number)
    run = csim.run(design, inputs, program, seed=number, **_conditions(number))
    return _checked(run, interpret.run(design, inputs), number)


def _conditions(number: int) -> dict[str, Any]:
    draw = np.random.default_rng(number)
    return {
        "bus_bytes": float(draw.choice(BUS_BYTES)), "latency_cycles": int(draw.integers(1, 80)),
        "stall": float(draw.choice(STALLS)),
    }  # fmt: skip


def _checked(run: circuit.Run, wanted: list[Any], number: int) -> int:
    """The run's cycles; stops the soak where a byte is wrong. A deadlock has stopped it before."""
    for found, right in zip(run.outputs, wanted, strict=True):
        np.testing.assert_array_equal(found, right, err_msg=f"run {number}")
    return run.cycles


RUNS: dict[str, Callable[[int, Path], int]] = {"verilog": _verilog, "c++": _cpp}

if __name__ == "__main__":
    raise SystemExit(main())
