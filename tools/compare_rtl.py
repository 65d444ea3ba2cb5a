"""Modelled RISC-V cycles against a core in Verilog: `python tools/compare_rtl.py MODELS [--write]`.

The same firmware runs on vexriscv-rtl, whose cycles are the core's own (mcycle), and under Unicorn with the
timing model of docs/timing.md; outputs have to be the reference interpreter's on both. MODELS: the folder of
the MLPerf Tiny models. --write: into docs/vexriscv.json and docs/vexriscv.md, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import edgert
from edgert.cli.console import say
from edgert.cli.inputs import random_input
from edgert.cli.reference import Reference
from edgert.drivers.session import DISPATCH
from edgert.report.tables import Column, markdown
from edgert.rtl.vexriscv import core_version

ROOT = Path(__file__).resolve().parents[1]
JSON, MARKDOWN = ROOT / "docs" / "vexriscv.json", ROOT / "docs" / "vexriscv.md"
MODELS = ("ad01_int8.tflite", "kws_int8.tflite", "ic_resnet8_int8.tflite", "vww_int8.tflite")
BOARD = "vexriscv-rtl"
TIMEOUT_S = 600


def compare(model: Path) -> dict[str, Any]:
    """Cycles of every layer, simulated and modelled."""
    say(f"{model.name} on {BOARD}")
    artifact = edgert.compile(model, board=BOARD)
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    wanted = Reference(model.read_bytes()).run(inputs)
    profiles = []
    same = True
    for link in ("", "unicorn"):
        with edgert.connect(artifact, link=link) as session:
            found = session.run(*inputs, timeout_s=TIMEOUT_S)
            same &= all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
            profiles.append(session.profile(*inputs, timeout_s=TIMEOUT_S))
    rtl, modelled = profiles
    rows = [
        {
            "layer": i, "kernel": f"{a.op} {a.variant}", "instructions": b.instructions,
            "rtl_cycles": a.cycles, "modelled_cycles": b.cycles, "off_percent": _off(a.cycles, b.cycles),
        }
        for i, (a, b) in enumerate(zip(rtl.layers, modelled.layers, strict=True))
        if a.name != DISPATCH
    ]  # fmt: skip
    return {
        "model": model.name, "same_bytes": same, "rtl_cycles": rtl.cycles, "modelled_cycles": modelled.cycles,
        "off_percent": _off(rtl.cycles, modelled.cycles), "layers": rows,
    }  # fmt: skip


def _off(measured: int | None, modelled: int | None) -> float:
    return round(100 * ((modelled or 0) / (measured or 1) - 1), 1)


def document(found: dict[str, Any]) -> str:
    """docs/vexriscv.md, from the figures."""
    parts = [_TEXT.format(version=found["core"])]
    columns = (
        Column("layer", True), Column("kernel"), Column("instructions", True), Column("RTL cycles", True),
        Column("modelled", True), Column("off", True),
    )  # fmt: skip
    for model in found["models"]:
        rows = [
            (r["layer"], r["kernel"], f"{r['instructions']:,}", f"{r['rtl_cycles']:,}",
             f"{r['modelled_cycles']:,}", f"{r['off_percent']:+.1f} %")
            for r in model["layers"]
        ]  # fmt: skip
        parts.append(
            f"\n## {model['model']}\n{model['rtl_cycles']:,} cycles, modelled {model['modelled_cycles']:,} "
            f"({model['off_percent']:+.1f} %); outputs "
            f"{'the same bytes as' if model['same_bytes'] else 'DIFFERENT from'} the reference.\n\n"
            + markdown(columns, rows) + "\n"
        )  # fmt: skip
    return "".join(parts)


_TEXT = """# A core in Verilog as a board

`vexriscv-rtl` is the VexRiscv core (pythondata-cpu-vexriscv {version}, its "full" variant: RV32IM, five
stages, two direct-mapped caches of 4 KB) under Verilator: every cycle is the core's own. It needs Debian's
`verilator`, `g++` and `make`, and `pip install 'edgert[rtl]'`; the simulator is built on first use, and kept.

```
edgert profile MODEL --board vexriscv-rtl                 the core's own cycles
edgert profile MODEL --board vexriscv-rtl --link unicorn  the same firmware, its cycles modelled
```

The harness (`edgert/rtl/vexriscv.cpp`) answers every beat of a bus in one cycle. Programs and tensors go in
and out through a byte port, with the frames of the serial link. Waiting for the host takes no simulated time.

Below, every layer of the four MLPerf Tiny networks: simulated, and modelled from the instructions that
Unicorn executed (`targets/vexriscv.toml`: result latencies, branch prediction;
`boards/vexriscv-rtl/board.toml`: caches). The model leaves out what happens between blocks of code, and that
a bus may be busy with a write when a line has to come in.

Written by `python tools/compare_rtl.py MODELS --write`; the figures are in [vexriscv.json](vexriscv.json).
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    found = {
        "command": "python tools/compare_rtl.py MODELS --write",
        "core": core_version(),
        "models": [compare(args.models / name) for name in MODELS],
    }
    if args.write:
        JSON.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        MARKDOWN.write_text(document(found), encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
