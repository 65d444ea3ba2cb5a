"""How well the cost table predicts whole networks: sum of measured blocks against the network, measured.

    python tools/check_costs.py --board cortex-m4-emulated [--space cifar_small] [--networks 60] [--write]

Each network is a random choice; its weights are not those that the blocks were measured with. --write puts
the result into docs/search/costs-BOARD.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgert import api
from edgert.cache import write_aside
from edgert.codegen import pipeline
from edgert.search.candidate import measured
from edgert.search.lower import whole_network
from edgert.search.space import Choice, Space, space
from edgert.search.table import CostTable, Place, items, measure, planned, predict

ROOT = Path(__file__).parents[1]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--board", default="cortex-m4-emulated")
    parser.add_argument("--space", default="cifar_small")
    parser.add_argument("--networks", type=int, default=60)
    parser.add_argument("--table", default=str(ROOT / "build" / "costs.sqlite"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    searched, place, table = space(args.space), Place(args.board), CostTable(args.table)
    measure(items(searched), place, table, progress=_say)
    generator = np.random.default_rng(args.seed)
    rows = []
    for number in range(args.networks):
        _say("networks", number, args.networks)
        rows.append(_compare(searched, searched.random(generator), table, place, number))
    command = f"python tools/check_costs.py --board {args.board} --space {args.space} --write"
    result = {"command": command, "networks": len(rows)} | summary(rows) | {"rows": rows}
    text = json.dumps(result, indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "search" / f"costs-{args.board}.json", text.encode())
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=1))
    return 0


def _compare(searched: Space, choice: Choice, table: CostTable, place: Place, seed: int) -> dict[str, Any]:
    predicted, told = predict(searched, choice, table, place), planned(searched, choice, place)
    assert predicted is not None, choice
    network = whole_network(searched.blocks(choice), searched.side, searched.classes, seed=seed + 1)
    with tempfile.TemporaryDirectory() as folder:
        program = pipeline.module_to_program(network.module, network.name)
        artifact = api.compile_program(
            program, Path(folder) / "net", board=place.board, optimize=place.optimize
        )
        cycles, _ = measured(artifact)
        assert cycles is not None
        return {
            "choice": " ".join(choice),
            "cycles": cycles, "predicted_cycles": predicted.cycles,
            "arena_bytes": artifact.arena_bytes, "planned_arena_bytes": told.arena_bytes,
            "table_arena_bytes": predicted.arena_bytes,
            "flash_bytes": artifact.flash_bytes, "planned_flash_bytes": told.flash_bytes,
            "table_flash_bytes": predicted.flash_bytes,
        }  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the cycles: Kendall's tau, shares within 5 % and 1 %. Of the memory: how much is exact."""
    real, told = (np.array([r[k] for r in rows], float) for k in ("cycles", "predicted_cycles"))
    pairs = [(i, j) for i in range(len(rows)) for j in range(i)]
    agreed = [np.sign(real[i] - real[j]) * np.sign(told[i] - told[j]) for i, j in pairs]
    off = np.abs(told / real - 1)
    return {
        "kendall_tau": round(float(np.mean(agreed)), 4),
        "within_5_percent": float((off <= 0.05).mean()),
        "within_1_percent": float((off <= 0.01).mean()),
        "largest_error_percent": round(100 * float(off.max()), 3),
        "planned_arena_exact": sum(r["arena_bytes"] == r["planned_arena_bytes"] for r in rows),
        "table_arena_exact": sum(r["arena_bytes"] == r["table_arena_bytes"] for r in rows),
        "planned_flash_exact": sum(r["flash_bytes"] == r["planned_flash_bytes"] for r in rows),
        "planned_flash_error_percent": _errors(rows, "flash_bytes", "planned_flash_bytes"),
        "table_flash_error_percent": _errors(rows, "flash_bytes", "table_flash_bytes"),
    }


def _errors(rows: list[dict[str, Any]], real: str, told: str) -> list[float]:
    """[lowest, mean, highest]"""
    off = np.array([row[told] / row[real] - 1 for row in rows])
    return [round(100 * float(f), 2) for f in (off.min(), off.mean(), off.max())]


def _say(what: str, done: int, total: int) -> None:
    print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
