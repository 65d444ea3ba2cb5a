"""A thousand runs of the circuit in Verilog, stalled at random everywhere: no deadlock, the same bytes.

    python tools/soak_circuit.py [--runs 1000] [--write]

Random designs of every operator (tests/hls/designs.py), on circuits whose FIFOs have random depths (a
simulator each), under random stalls, bandwidths and latencies. The outputs are the interpreter's, byte for
byte. --write puts the result into docs/soak.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgert.cache import write_aside
from edgert.codegen.hls import interpret
from edgert.codegen.hls.isa import Machine
from edgert.rtl import circuit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "hls"))  # the designs are the tests' own

import designs  # noqa: E402 - needs the path above

BASE = Machine(
    cores=2, binary_cores=1, softmax=1, scratch_bytes=8192, weight_words=192, param_entries=320, banks=4
)  # fmt: skip
DEPTHS, COMMANDS = 3, 20
STALLS = (0.05, 0.2, 0.5, 0.8)
BUS_BYTES = (0.4, 1, 2, 8, 16)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    draw = np.random.default_rng(0)
    depths = [(int(draw.integers(4, 33)), int(draw.integers(2, 17))) for _ in range(DEPTHS)]
    done: Counter[str] = Counter()
    cycles = 0
    for number in range(args.runs):
        fifo, out_fifo = depths[number % DEPTHS]
        cycles += _run(number, fifo, out_fifo)
        done[f"read FIFO {fifo}, output FIFO {out_fifo}"] += 1
        if number % 50 == 49:
            print(f"{number + 1} of {args.runs}", file=sys.stderr, flush=True)
    result = {
        "command": "python tools/soak_circuit.py --write", "runs": args.runs, "deadlocks": 0,
        "wrong_outputs": 0, "cycles": cycles, "depths": dict(done), "stalls": STALLS, "bus_bytes": BUS_BYTES,
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "soak.json", text.encode())
    print(text, end="")
    return 0


def _run(number: int, fifo: int, out_fifo: int) -> int:
    """One run; stops the soak where it deadlocks or where a byte is wrong."""
    draw = np.random.default_rng(number)
    machine = replace(BASE, fifo=fifo)
    design = designs.random_design(number // 4, COMMANDS, machine=machine)
    roms = {name: len(lines) for name, lines in design.roms().items()}
    inputs = designs.wide_inputs(design, number)
    run = circuit.build(machine, roms, out_fifo=out_fifo).run(
        design, inputs, bus_bytes=float(draw.choice(BUS_BYTES)), latency_cycles=int(draw.integers(1, 80)),
        stall=float(draw.choice(STALLS)), seed=number,
    )  # fmt: skip
    for found, wanted in zip(run.outputs, interpret.run(design, inputs), strict=True):
        np.testing.assert_array_equal(found, wanted, err_msg=f"run {number}")
    return run.cycles


if __name__ == "__main__":
    raise SystemExit(main())
