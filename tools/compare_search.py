"""Does searching pay? DNAS and super-net evolution against random search, equally many trained candidates.

    python tools/compare_search.py --data cifar10_jpeg.tar.xz --seed 0     (run several side by side)
    python tools/compare_search.py --report --write                        (of all seeds that are done)

For each of some latency limits, each arm proposes one network within the limit, which is trained from scratch
by the same recipe; random search and DNAS have to use at least 80 % of the limit. Scaled down for two cores:
see REDUCED. Results are kept in --folder as they are found; a run that is stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgert.cache import write_aside
from edgert.models.data import load
from edgert.models.train import Recipe
from edgert.search.candidate import Result, Results, evaluated
from edgert.search.dnas import Search, Settings, layer_costs
from edgert.search.limits import Limits
from edgert.search.run import Ground, Plan, evolved_choices, random_choices
from edgert.search.space import Choice, space
from edgert.search.table import CostTable, Place, items, measure

ROOT = Path(__file__).parents[1]
ARMS = ("random", "evolution", "dnas")
SPACE, BOARD = "cifar_small", "cortex-m4-emulated"
CYCLES = (2_000_000, 3_000_000, 4_500_000, 6_500_000)
IMAGES, HELD_OUT, LEAST = 10_000, 5, 0.8  # held out: one in so many, to judge the super-net's choices.
# least: share of a limit that random search and DNAS have to use
REDUCED = {
    "candidate": Recipe(epochs=10, images=IMAGES, peak_rate=0.2),
    "supernet": Recipe(epochs=16, images=IMAGES, peak_rate=0.2, batch=64),
    # With a hard limit, the soft term (beta) would only pull further below it than was asked for.
    "dnas": Settings(
        warm_up=14,
        epochs=8,
        images=IMAGES,
        cooling=0.8,
        architecture_rate=0.05,
        alpha=1.0,
        beta=0.0,
        batch=64,
        rate=0.05,
    ),
    "evaluations": 80,
    "test_images": 1_000,  # in int8; float accuracy is of all 10,000
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="cifar10_jpeg.tar.xz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "search")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.report:
        return _report(args.folder, args.write)
    torch.set_num_threads(1)
    _run(args.data, args.seed, args.folder)
    return 0


def _run(source: str, seed: int, folder: Path) -> None:
    searched, place = space(SPACE), Place(BOARD)
    table = CostTable(folder / "costs.sqlite")
    measure(items(searched), place, table, progress=lambda w, d, n: _say(f"measuring blocks: {d} of {n}"))
    results = Results(folder / f"results-{seed}.sqlite")
    data = load(source)
    recipe = replace(REDUCED["candidate"], seed=seed)  # type: ignore[type-var]
    plan = Plan(
        recipe=recipe, supernet=replace(REDUCED["supernet"], seed=seed),  # type: ignore[type-var]
        evaluations=REDUCED["evaluations"], candidates=1, seed=seed,  # type: ignore[arg-type]
    )  # fmt: skip
    grounds = [
        Ground(searched, data, table, place, Limits(cycles=c), folder / f"seed-{seed}", _say) for c in CYCLES
    ]
    for arm in ARMS:
        choices = results.proposals(arm, lambda arm=arm: _propose(arm, grounds, plan, seed))  # type: ignore[misc]
        for number, (ground, choice) in enumerate(zip(grounds, choices, strict=True)):
            _say(f"seed {seed}, {arm}, {CYCLES[number]:,} cycles: {' '.join(choice)}")
            found = results.result(
                arm, number,
                lambda c=choice, g=ground: evaluated(  # type: ignore[misc]
                    searched, c, g.data, recipe, place, test_images=REDUCED["test_images"]
                ),
            )  # fmt: skip
            _say(f"    {found.accuracy} at {found.cycles} cycles {found.error or ''}")


def _propose(arm: str, grounds: list[Ground], plan: Plan, seed: int) -> list[Choice]:
    """One choice for each limit."""
    if arm == "random":
        return [random_choices(g, 1, 1000 * seed + i, LEAST)[0] for i, g in enumerate(grounds)]
    if arm == "evolution":
        held = grounds[0].data.part(IMAGES, seed).held_out(HELD_OUT)
        return [evolved_choices(replace(g, data=held), plan)[0] for g in grounds]
    first = grounds[0]
    costs = layer_costs(first.space, first.table, first.place, first.clock_hz)
    settings = replace(REDUCED["dnas"], seed=seed)  # type: ignore[type-var]
    search = Search(first.space, first.data, costs, settings, first.say)
    search.warm_up()
    found = []
    for ground in grounds:
        allows = partial(ground.allows, least=LEAST)
        found.append(search.best(search.find(ground.limits), allows, 1, samples=40)[0])
    return found


def _report(folder: Path, write: bool) -> int:
    rows = [row for path in sorted(folder.glob("results-*.sqlite")) for row in _rows(path)]
    table = {
        arm: [_cell([r for r in rows if r["arm"] == arm and r["limit"] == limit]) for limit in CYCLES]
        for arm in ARMS
    }
    seeds = sorted({row["seed"] for row in rows})
    command = [f"python tools/compare_search.py --data CIFAR10 --seed {s}" for s in seeds]
    document = {
        "command": [*command, "python tools/compare_search.py --report --write"],
        "space": SPACE, "board": BOARD, "limits_cycles": CYCLES, "seeds": seeds,
        "reduced": {k: asdict(v) if hasattr(v, "__dataclass_fields__") else v for k, v in REDUCED.items()},
        "table": table, "gain_over_random": {arm: _gain(rows, arm) for arm in ARMS[1:]},
        "above_random_front": {arm: _above(rows, arm) for arm in ARMS}, "rows": rows,
    }  # fmt: skip
    text = json.dumps(document, indent=1) + "\n"
    if write:
        write_aside(ROOT / "docs" / "search" / "compare.json", text.encode())
    print(
        json.dumps(
            {k: document[k] for k in ("seeds", "table", "gain_over_random", "above_random_front")}, indent=1
        )
    )
    return 0


def _rows(path: Path) -> list[dict[str, Any]]:
    results, seed, found = Results(path), int(path.stem.rpartition("-")[2]), []
    for arm in ARMS:
        for number, limit in enumerate(CYCLES):
            try:
                result = results.result(arm, number, _missing)
            except LookupError:
                continue
            found.append({"seed": seed, "arm": arm, "limit": limit} | asdict(result))
    return found


def _missing() -> Result:
    raise LookupError


def _cell(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over the seeds."""
    reached = [r["accuracy"] for r in rows if r["accuracy"] is not None]
    if not reached:
        return {}
    return {
        "accuracy": round(float(np.mean(reached)), 4), "lowest": min(reached), "highest": max(reached),
        "cycles": round(float(np.mean([r["cycles"] for r in rows if r["cycles"]]))),
    }  # fmt: skip


def _gain(rows: list[dict[str, Any]], arm: str) -> dict[str, Any]:
    """Accuracy less that of random search for the same seed and limit."""
    key = {(r["seed"], r["limit"]): r["accuracy"] for r in rows if r["arm"] == "random"}
    gains = [
        (r["seed"], r["accuracy"] - key[r["seed"], r["limit"]])
        for r in rows
        if r["arm"] == arm and r["accuracy"] is not None and key.get((r["seed"], r["limit"])) is not None
    ]
    seeds = {
        s: round(float(np.mean([g for t, g in gains if t == s])), 4) for s in sorted({s for s, _ in gains})
    }
    values = [g for _, g in gains]
    return {
        "mean": round(float(np.mean(values)), 4) if values else None, "by_seed": seeds,
        "better_in": f"{sum(g > 0 for g in values)} of {len(values)}",
    }  # fmt: skip


def _above(rows: list[dict[str, Any]], arm: str) -> dict[str, Any]:
    """Accuracy above the line that random search's results lie about, accuracy against log(cycles): an arm
    may stay below a limit, and is then to be compared with what random search reaches at that latency."""
    known = [r for r in rows if r["accuracy"] is not None and r["cycles"]]
    random = [r for r in known if r["arm"] == "random"]
    line = np.polyfit([np.log(r["cycles"]) for r in random], [r["accuracy"] for r in random], 1)
    off = [
        (r["seed"], r["accuracy"] - np.polyval(line, np.log(r["cycles"]))) for r in known if r["arm"] == arm
    ]
    if not off:
        return {"mean": None}
    seeds = sorted({seed for seed, _ in off})
    by_seed = {s: round(float(np.mean([o for t, o in off if t == s])), 4) for s in seeds}
    values = [o for _, o in off]
    return {
        "mean": round(float(np.mean(values)), 4), "standard_deviation": round(float(np.std(values)), 4),
        "by_seed": by_seed, "above": f"{sum(o > 0 for o in values)} of {len(values)}",
    }  # fmt: skip


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
