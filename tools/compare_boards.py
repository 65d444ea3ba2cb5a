"""Is the best network for one chip the best for another? One trained super-net, one evolution for each board.

    python tools/compare_boards.py --supernet FOLDER/supernet-0.pt --data cifar10_jpeg.tar.xz [--write]

--supernet: as `edgert search` or tools/compare_search.py left it, for --space. Each board's limit is what the
median of 200 random networks needs on it, so that both are equally tight. A winner is the most accurate
choice, by the shared weights, within the limit; then each winner is measured on both boards. --write:
docs/search/boards.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgert import api
from edgert.cache import write_aside
from edgert.models.data import load
from edgert.search.candidate import measured
from edgert.search.elastic import ElasticNet, judged
from edgert.search.evolve import evolve
from edgert.search.limits import Limits
from edgert.search.lower import whole_network
from edgert.search.space import Choice, Space, space
from edgert.search.table import CostTable, Place, items, measure, predict

ROOT = Path(__file__).parents[1]
BOARDS = ("cortex-m4-emulated", "rv32imc-emulated")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--supernet", type=Path, required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--space", default="cifar_small")
    parser.add_argument("--evaluations", type=int, default=150)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--table", type=Path, default=ROOT / "build" / "costs.sqlite")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    searched, table, data = space(args.space), CostTable(args.table), load(args.data)
    net = ElasticNet(searched)
    net.load_state_dict(torch.load(args.supernet, weights_only=True)["net"])
    chosen = np.random.default_rng(0).permutation(len(data.test_images))[: args.images]
    images, labels = data.test_images[chosen], data.test_labels[chosen]
    known: dict[Choice, float] = {}

    def judge(choice: Choice) -> float:
        known[choice] = known.get(choice) or judged(net, choice, images, labels)
        return known[choice]

    limits, winners = {}, {}
    for board in BOARDS:
        measure(items(searched), Place(board), table, progress=lambda w, d, n: _say(f"measuring: {d} of {n}"))
        limits[board] = _median(searched, table, Place(board))
    for board in BOARDS:
        evolve(
            searched, judge, table, Place(board), Limits(cycles=limits[board]), evaluations=args.evaluations,
            seed=0, say=_say,
        )  # fmt: skip
    for board in BOARDS:  # of all that was judged for either
        winners[board] = _best(searched, known, table, Place(board), limits[board])
    rows = [_row(searched, winners[b], b, limits, table, known) for b in BOARDS]
    result = {
        "command": "python tools/compare_boards.py --supernet supernet-0.pt --data CIFAR10 --write",
        "limits_cycles": limits, "winners": rows, "differ": winners[BOARDS[0]] != winners[BOARDS[1]],
        "judged": len(known), "rank_correlation_of_cycles": _correlation(searched, list(known), table),
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "search" / "boards.json", text.encode())
    print(text, end="")
    return 0


def _cycles(searched: Space, choice: Choice, table: CostTable, place: Place) -> int:
    predicted = predict(searched, choice, table, place)
    assert predicted is not None, choice
    return predicted.cycles


def _median(searched: Space, table: CostTable, place: Place) -> int:
    generator = np.random.default_rng(0)
    return int(np.median([_cycles(searched, searched.random(generator), table, place) for _ in range(200)]))


def _best(searched: Space, known: dict[Choice, float], table: CostTable, place: Place, limit: int) -> Choice:
    within = [c for c in known if _cycles(searched, c, table, place) <= limit]
    return max(within, key=lambda c: known[c])


def _row(
    searched: Space,
    choice: Choice,
    board: str,
    limits: dict[str, int],
    table: CostTable,
    known: dict[Choice, float],
) -> dict[str, Any]:
    """The winner of `board`, measured on every board."""
    measured_on = {}
    for other in BOARDS:
        network = whole_network(searched.blocks(choice), searched.side, searched.classes)
        cycles, _ = measured(api.compile(network, board=other, optimize="speed"))
        predicted = _cycles(searched, choice, table, Place(other))
        measured_on[other] = {
            "cycles": cycles,
            "predicted": predicted,
            "within_limit": predicted <= limits[other],
        }
    return {"board": board, "choice": " ".join(choice), "supernet_accuracy": known[choice], "on": measured_on}


def _correlation(searched: Space, choices: list[Choice], table: CostTable) -> float:
    """Spearman's, of the cycles on the two boards."""
    ranks = [np.argsort(np.argsort([_cycles(searched, c, table, Place(b)) for c in choices])) for b in BOARDS]
    return round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 4)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
