"""A binary layer unrolled into logic: look-up tables dense and by its tree, and the same outputs in
simulation.

    python tools/measure_unrolled.py NETWORK.npz [--layer 1] [--cap DEPTH] [--clock] [--write]

NETWORK: the npz layout of docs/binary.md. Synthesis takes minutes. --clock: the ECP5's clock, median of three
seeds, with registers around the layer only, and behind a stream with them between its sums. --write puts the
result into docs/unrolled.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgert.cache import write_aside
from edgert.codegen.hls.unrolled import unrolled, unrolled_stream
from edgert.codegen.mst import Tree, distances, spanning_tree
from edgert.codegen.program import Array
from edgert.part import load_part
from edgert.rtl.synth import Synthesis, synth
from edgert.rtl.tools import simulate

ROOT = Path(__file__).parents[1]
FIFO = ROOT / "csrc" / "verilog" / "ert_fifo.v"
WINDOWS = 1000
CLOCK_MHZ, SEEDS, LEVELS = 150, (1, 2, 3), (None, 2, 1)
PARTS = {"xilinx": "artix-7-100t", "ecp5": "ecp5-85"}  # of each family, to count cells for


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--layer", type=int, default=1)
    parser.add_argument("--cap", type=int, help="the most edges on the way to a channel; default: any number")
    parser.add_argument("--clock", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    result: dict[str, Any] = {
        "command": f"python tools/measure_unrolled.py {args.network.name} --layer {args.layer} --write"
    }
    result |= _measured(args.network, args.layer, args.cap, args.clock)
    text = json.dumps(result, indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "unrolled.json", text.encode())
    print(text, end="")
    return 0


def _measured(path: Path, layer: int, cap: int | None, clock: bool) -> dict[str, Any]:
    bits, thresholds = _layer(path, layer)
    channels, n = bits.shape
    differ, turned = distances(bits)
    trees: dict[str, Tree | None] = {"dense": None, "tree": spanning_tree(differ, n, turned, cap=cap)}
    windows = np.random.default_rng(0).random((WINDOWS, n)) < 0.5
    wanted = (windows[:, None] == (bits[None] > 0)).sum(2) > thresholds
    luts: dict[str, dict[str, int]] = {}
    for how, tree in trees.items():
        verilog = unrolled("layer", bits, thresholds, tree)
        if not np.array_equal(simulate(verilog, "layer", windows, channels), wanted):
            raise SystemExit(f"{how}: other outputs in simulation")
        luts[how] = {}
        for family, part in PARTS.items():
            luts[how][family] = _synth(verilog, part).luts
            print(f"{how}: {luts[how][family]} LUTs for {family}", file=sys.stderr, flush=True)
    return {
        "layer": f"layer {layer} of {path.stem}, {n} bits to {channels} channels",
        "simulated_windows": WINDOWS,
        "depth": {how: tree.depth if tree else 0 for how, tree in trees.items()},
        "share_of_bits": {
            how: round(tree.cost / bits.size, 4) if tree else 1.0 for how, tree in trees.items()
        },
        "luts": luts,
        **({"clock": _clocks(bits, thresholds, trees)} if clock else {}),
    }


def _clocks(bits: Array, thresholds: Array, trees: Mapping[str, Tree | None]) -> dict[str, Any]:
    """Layer -> sums between two registers ("all": registers around it only) -> clock, and what it takes."""
    found: dict[str, Any] = {}
    for how, tree in trees.items():
        found[how] = {}
        for levels in LEVELS:
            one = _synth(
                unrolled_stream("layer", bits, thresholds, tree, levels=levels), PARTS["ecp5"], SEEDS
            )
            of = {"mhz": one.median_mhz, "luts": one.luts, "flip_flops": one.flip_flops}
            found[how][str(levels or "all")] = of
            print(f"{how}, {levels or 'all'} sums: {of}", file=sys.stderr, flush=True)
    return found


def _synth(verilog: str, part: str, seeds: Sequence[int] = ()) -> Synthesis:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "layer.v")
        source.write_text(verilog, encoding="ascii")
        sources = [source, FIFO] if "ert_fifo" in verilog else [source]
        return synth(sources, "layer", load_part(part), clock_mhz=CLOCK_MHZ, seeds=seeds, place=bool(seeds))


def _layer(path: Path, layer: int) -> tuple[Array, Array]:
    """(bits [channels, n], thresholds [channels])"""
    with np.load(path) as arrays:
        n = int(arrays["kernel"][layer] ** 2 * arrays["cin"][layer])
        bits = np.unpackbits(arrays[f"w{layer}"], axis=1, bitorder="little", count=n)
        return bits, arrays[f"t{layer}"]


if __name__ == "__main__":
    raise SystemExit(main())
