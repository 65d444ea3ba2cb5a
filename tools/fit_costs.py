"""Fits the cost models of the circuit's modules (codegen/hls/cost.py) to what Yosys makes of them.

    python tools/fit_costs.py [--family ecp5] [--module ert_fifo] [--refit] [--clock] [--write]

Each module is synthesised alone, at sizes to fit and at others to check the fit. Look-up tables and
flip-flops have to be within 15 % at the latter, multipliers and block RAMs exact everywhere. Synthesis takes
minutes a size and is cached. --clock: the clock of each module, by nextpnr, median of three seeds. --write:
docs/fpga_costs.json and codegen/hls/costs.json, of what was asked for; the rest stays.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgert.cache import write_aside
from edgert.codegen.hls.cost import (
    CIRCUIT,
    COSTS,
    FAMILIES,
    MODULES,
    Module,
    Resources,
    Sizes,
    Terms,
    fitted,
    linear,
    module_cost,
    parts,
)
from edgert.codegen.hls.design import parts_of
from edgert.codegen.hls.isa import ROM_BITS, Machine
from edgert.part import RESOURCES, load_part
from edgert.rtl.synth import Synthesis, synth

ROOT = Path(__file__).parents[1]
VERILOG = ROOT / "csrc" / "verilog"
MEASURED = ROOT / "docs" / "fpga_costs.json"
PARTS = {"ecp5": "ecp5-85", "xc7": "artix-7-100t"}
SEEDS = (1, 2, 3)
CLOCK_MHZ = 100
ROM_WORDS = 512  # ert_circuit's default
TOLERANCE = 0.15


@dataclass(frozen=True)
class Sweep:
    """fit, held: sizes to fit, and to check; the clock is of the first of fit."""

    fit: Sequence[Sizes]
    held: Sequence[Sizes] = ()


def _sizes(names: str, *values: tuple[int, ...]) -> list[Sizes]:
    return [dict(zip(names.split(), point, strict=True)) for point in values]


_MACHINE = "cores binary_cores softmax scratch_bytes weight_words param_entries banks fifo"
_ALONE = Sweep([{}])
SWEEPS: Mapping[str, Sweep] = {
    "ert_fifo": Sweep(
        _sizes("WIDTH DEPTH", (64, 16), (8, 2), (64, 4), (19, 8), (32, 32), (64, 64), (64, 256)),
        _sizes("WIDTH DEPTH", (51, 8), (19, 16), (40, 16), (64, 32), (32, 64), (64, 128)),
    ),
    "ert_requantize": _ALONE,
    "ert_xnor": _ALONE,
    "ert_softmax": _ALONE,
    "ert_load": _ALONE,
    "ert_store": _ALONE,
    "ert_fetch": Sweep(
        _sizes(
            "BITS DEPTH AGENTS",
            (324, 512, 4), (111, 512, 0), (118, 64, 3), (275, 2048, 0), (118, 1024, 10), (324, 256, 8),
        ),
        _sizes("BITS DEPTH AGENTS", (324, 1024, 6), (275, 300, 0), (118, 512, 5), (118, 128, 8)),
    ),
    "ert_scratch": Sweep(
        _sizes(
            "READERS WRITERS BANKS WORDS",
            (3, 2, 1, 2048), (4, 3, 2, 4096), (4, 3, 4, 8192), (7, 6, 1, 4096), (7, 6, 4, 4096),
            (3, 2, 2, 1024), (10, 9, 2, 8192), (3, 2, 4, 4096), (10, 9, 1, 1024),
        ),
        _sizes(
            "READERS WRITERS BANKS WORDS",
            (5, 4, 1, 8192), (5, 4, 2, 4096), (6, 5, 4, 8192), (4, 3, 1, 2048),
        ),
    ),
    "ert_read": Sweep(_sizes("FIFO", (16,), (8,), (32,)), _sizes("FIFO", (12,), (24,))),
    "ert_mac": Sweep(
        _sizes("BINARY WEIGHT_WORDS", (0, 2048), (0, 512), (0, 8192), (1, 512), (1, 2048)),
        _sizes("BINARY WEIGHT_WORDS", (0, 1024), (0, 4096), (1, 1024)),
    ),
    "ert_out": Sweep(
        _sizes("PARAM_ENTRIES", (512,), (128,), (2048,)), _sizes("PARAM_ENTRIES", (256,), (1024,))
    ),
    CIRCUIT: Sweep(
        _sizes(_MACHINE, (1, 0, 0, 16384, 2048, 512, 1, 16), (2, 0, 1, 32768, 1024, 256, 2, 16)),
        _sizes(_MACHINE, (2, 0, 0, 65536, 2048, 512, 2, 16), (2, 1, 0, 65536, 1024, 256, 1, 8)),
    ),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--family", choices=FAMILIES, action="append")
    parser.add_argument("--module", choices=sorted(SWEEPS), action="append")
    parser.add_argument("--refit", action="store_true", help="fit to what docs/fpga_costs.json has")
    parser.add_argument("--clock", action="store_true", help="also place each module (ECP5)")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    failed = 0
    table = json.loads(MEASURED.read_text("utf-8")) if MEASURED.is_file() else {}
    with tempfile.TemporaryDirectory() as name:
        folder = _sources(Path(name))
        for family in args.family or FAMILIES:
            for top in args.module or SWEEPS:
                before = table.get(family, {}).get(top) if args.refit else None
                kind = _Circuit if top == CIRCUIT else _Fit
                found = kind(folder, family, top).result(before, args.clock)
                failed += _show(family, top, found)
                if args.write:
                    _write(family, top, found)
                    fitted.cache_clear()
    return 1 if failed else 0


def _sources(folder: Path) -> Path:
    """The modules, and a ROM of noise that no synthesis makes smaller."""
    for path in (*VERILOG.glob("*.v"), *VERILOG.glob("*.vh")):
        shutil.copy(path, folder)
    words = np.random.default_rng(0).integers(0, 1 << ROM_BITS, 1 << 12)
    text = "".join(f"{word:09x}\n" for word in words)
    (folder / "commands.hex").write_text(text, encoding="ascii")
    short = text[: 10 * ROM_WORDS]
    names = [f"{core}_{kind}" for core in ("core0", "core1", "binary0") for kind in ("rd", "mac", "out")]
    for name in (*names, "loader_ld", "storer_st", "softmax_sm"):
        (folder / f"{name}.hex").write_text(short, encoding="ascii")
    return folder


def _needed(folder: Path, top: str) -> list[Path]:
    """The files of a module and of those in it: what the cache goes by."""
    found: list[str] = []
    left = [top]
    while left:
        name = left.pop()
        if name not in found and (folder / f"{name}.v").is_file():
            found.append(name)
            left += re.findall(r"^\s*(ert_\w+)\s", (folder / f"{name}.v").read_text("utf-8"), re.M)
    return [folder / f"{name}.v" for name in sorted(found)]


class _Fit:
    """Of one module on one family."""

    def __init__(self, folder: Path, family: str, top: str) -> None:
        self.folder, self.family, self.top = folder, family, top
        self.module: Module = MODULES[top]

    def result(self, before: Mapping[str, Any] | None, clock: bool) -> dict[str, Any]:
        """before: points that were synthesised before, to be fitted again."""
        sweep = SWEEPS[self.top]
        measured: list[tuple[Sizes, Mapping[str, int]]] = [
            (sizes, self._before(sizes, before) if before else self._synthesised(sizes))
            for sizes in (*sweep.fit, *sweep.held)
        ]
        fit = measured[: len(sweep.fit)]
        coefficients = {name: self._solved(fit, name) for name in ("luts", "flip_flops")}
        points = [self._point(s, m, coefficients, i < len(fit)) for i, (s, m) in enumerate(measured)]
        found: dict[str, Any] = {"coefficients": coefficients, "points": points}
        if clock and load_part(PARTS[self.family]).nextpnr is not None:
            found["clock_mhz"] = self._synth(sweep.fit[0], SEEDS, place=True).median_mhz
        elif before and "clock_mhz" in before:
            found["clock_mhz"] = before["clock_mhz"]
        return found

    def _synthesised(self, sizes: Sizes) -> dict[str, int]:
        one = self._synth(sizes, (), place=False)
        print(f"{self.family} {self.top} {dict(sizes)}: {one.luts} LUTs", file=sys.stderr, flush=True)
        return {name: getattr(one, name) for name in RESOURCES}

    def _before(self, sizes: Sizes, before: Mapping[str, Any]) -> dict[str, int]:
        for point in before["points"]:
            if point["sizes"] == sizes:
                there: dict[str, int] = point["synthesised"]
                return there
        return self._synthesised(sizes)

    def _synth(self, sizes: Sizes, seeds: Sequence[int], *, place: bool) -> Synthesis:
        return synth(
            _needed(self.folder, self.top), self.top, load_part(PARTS[self.family]), clock_mhz=CLOCK_MHZ,
            seeds=seeds, place=place, parameters=self.parameters(sizes), folder=self.folder,
        )  # fmt: skip

    def parameters(self, sizes: Sizes) -> Mapping[str, int]:
        return sizes

    def terms(self, sizes: Sizes) -> Terms:
        return self.module.terms(self.family, sizes)

    def others(self, sizes: Sizes) -> Resources:
        """What is there beside what is fitted."""
        blocks = self.module.blocks(self.family, sizes)
        return Resources(dsps=self.module.dsps(sizes), block_rams=blocks)

    def _solved(self, fit: Sequence[tuple[Sizes, Mapping[str, int]]], name: str) -> dict[str, float]:
        """Least squares of relative errors."""
        terms = [self.terms(sizes) for sizes, _ in fit]
        names = list(terms[0])
        matrix = np.array([[term[n] for n in names] for term in terms], float)
        y = np.array([m[name] for _, m in fit], float)
        weight = 1 / np.maximum(y, 1)
        rest = y - np.array([getattr(self.others(sizes), name) for sizes, _ in fit])
        solved = np.linalg.lstsq(matrix * weight[:, None], rest * weight, rcond=1e-9)[0]
        return {n: round(float(c), 4) for n, c in zip(names, solved, strict=True)}

    def _point(
        self,
        sizes: Sizes,
        there: Mapping[str, int],
        coefficients: Mapping[str, Mapping[str, float]],
        to_fit: bool,
    ) -> dict[str, Any]:
        terms, others = self.terms(sizes), self.others(sizes)
        model = {
            name: round(linear(coefficients[name], terms) + getattr(others, name)) for name in coefficients
        }
        model |= {"dsps": others.dsps, "block_rams": math.ceil(others.block_rams)}
        return {"sizes": dict(sizes), "held_out": not to_fit, "synthesised": dict(there), "model": model}


class _Circuit(_Fit):
    """Of whole circuits: what is left beside the models of their modules. Sizes are a Machine's."""

    def parameters(self, sizes: Sizes) -> Mapping[str, int]:
        words = {"SCRATCH_WORDS": sizes["scratch_bytes"] // 8}
        return words | {name.upper(): value for name, value in sizes.items() if name != "scratch_bytes"}

    def terms(self, sizes: Sizes) -> Terms:
        return self.module.terms(self.family, self._parts(sizes)[CIRCUIT][0])

    def others(self, sizes: Sizes) -> Resources:
        modules = self._parts(sizes)
        costs = (module_cost(self.family, top, s) for top in modules if top != CIRCUIT for s in modules[top])
        return sum(costs, Resources())

    def _parts(self, sizes: Sizes) -> dict[str, list[Sizes]]:
        machine = Machine(**sizes)
        roms = {
            f"{machine.agent_name(agent)}_{kind.NAME}.hex": ["0"] * ROM_WORDS
            for agent in range(machine.agents)
            for kind in parts_of(machine, agent)
        }
        found: dict[str, list[Sizes]] = {}
        for top, one in parts(machine, roms):
            found.setdefault(top, []).append(one)
        return found


def _error(point: Mapping[str, Any], name: str) -> float:
    there, model = point["synthesised"][name], point["model"][name]
    return (model - there) / max(there, 1)


def _show(family: str, top: str, found: Mapping[str, Any]) -> int:
    """Prints a module's rows; how many of them are not as good as promised."""
    failed = 0
    clock = f"   {found['clock_mhz']:.0f} MHz" if "clock_mhz" in found else ""
    print(f"{family:5} {top}{clock}")
    for point in found["points"]:
        sizes = " ".join(f"{k.lower()} {v}" for k, v in point["sizes"].items())
        cells = [f"{point['synthesised'][n]:6} {point['model'][n]:6}" for n in RESOURCES]
        exact = all(point["synthesised"][n] == point["model"][n] for n in ("dsps", "block_rams"))
        worst = max(abs(_error(point, n)) for n in ("luts", "flip_flops"))
        good = exact and (worst <= TOLERANCE or not point["held_out"])
        failed += not good
        kind = "held-out" if point["held_out"] else "fitted"
        print(
            f"  {sizes:44} {kind:8} {'  '.join(cells)} {100 * worst:5.1f} %{'' if good else '  !'}",
            flush=True,
        )
    return failed


def _write(family: str, top: str, found: Mapping[str, Any]) -> None:
    measured = {name: value for name, value in found.items() if name != "coefficients"}
    for path, value in (
        (ROOT / "codegen" / "hls" / COSTS, found["coefficients"]),
        (MEASURED, measured),
    ):
        table: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        table.setdefault(family, {})[top] = value
        write_aside(path, (json.dumps(table, indent=1) + "\n").encode())


if __name__ == "__main__":
    raise SystemExit(main())
