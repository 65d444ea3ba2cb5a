"""edgert tune: measure the kernels of a model's layers on a board; compile then uses the fastest."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgert import api, tuning
from edgert.cli.console import Progress, add_json, emit, emit_json
from edgert.cli.models import refuse_circuits
from edgert.report.tables import Column, label, number, percent, text

if TYPE_CHECKING:
    from edgert.tuner import TunedLayer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=".tflite or .onnx")
    parser.add_argument("--board", "-b", required=True, metavar="B", help="board id (edgert boards)")
    parser.add_argument("--optimize", choices=api.OPTIMIZE, default="balanced", help="default: balanced")
    parser.add_argument(
        "--objective", choices=tuning.OBJECTIVES, default="cycles", help="what the table compares; compile "
        "always takes the fewest cycles",
    )  # fmt: skip
    parser.add_argument("--db", type=Path, metavar="FILE", help="database; default: in the cache folder")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    from edgert.tuner import judge, tune

    refuse_circuits(args.board, "tune", "edgert compile searches a circuit's schedule each time; see --why")
    database = tuning.TuningDatabase(args.db)
    with Progress(f"tuning {Path(args.model).name}") as progress:
        layers = tune(
            args.model, board=args.board, optimize=args.optimize, database=database, progress=progress.step
        )
        progress.step("the whole model")
        whole = judge(args.model, board=args.board, optimize=args.optimize) if args.db is None else None
    if args.json:
        place = {"board": args.board, "optimize": args.optimize, "whole_model_cycles": whole}
        emit_json(document(layers, args.objective) | place)
    else:
        emit(table(layers, args.objective))
        emit(f"\n{_summary(layers, args.objective)}")
        if whole is not None:
            emit(_verdict(*whole))
    return 0


def _verdict(default: int, tuned: int) -> str:
    kept = "compile uses the tuned kernels" if tuned <= default else "compile keeps to the defaults"
    return f"the whole model: {default:,} cycles with the defaults, {tuned:,} tuned; {kept}"


def document(layers: list[TunedLayer], objective: str) -> dict[str, Any]:
    """Everything that was measured, and the totals of the defaults and of the best."""
    default, best = totals(layers, objective)
    return {
        "objective": objective,
        "default_total": default,
        "tuned_total": best,
        "fresh_measurements": sum(layer.fresh for layer in layers),
        "layers": [
            {
                "name": layer.name, "op": layer.op, "default": layer.default, "best": layer.best(objective),
                "measured": {name: vars(found) for name, found in layer.measured.items()},
            }
            for layer in layers
        ],
    }  # fmt: skip


def totals(layers: list[TunedLayer], objective: str) -> tuple[int, int]:
    """Of the defaults, of the best."""
    default = sum(layer.measured[layer.default].cost(objective) for layer in layers)
    return default, sum(layer.measured[layer.best(objective)].cost(objective) for layer in layers)


def table(layers: list[TunedLayer], objective: str) -> str:
    columns = (
        Column("layer", max_width=36), Column("operator"), Column("default", max_width=36),
        Column(objective, True), Column("best", max_width=36), Column(objective, True), Column("gain", True),
    )  # fmt: skip
    return text(columns, [_row(layer, objective) for layer in layers])


def _row(layer: TunedLayer, objective: str) -> tuple[str, ...]:
    best = layer.best(objective)
    before, after = layer.measured[layer.default].cost(objective), layer.measured[best].cost(objective)
    gain = percent(before - after, before) if after < before else "-"
    name = best if best != layer.default else "as default"
    return (label(layer.name), layer.op, layer.default, number(before), name, number(after), gain)


def _summary(layers: list[TunedLayer], objective: str) -> str:
    default, best = totals(layers, objective)
    fresh = sum(layer.fresh for layer in layers)
    return (
        f"defaults {default:,} {objective}, tuned {best:,}: {percent(default - best, default)} fewer"
        f" ({fresh} measured now, {sum(len(layer.measured) for layer in layers) - fresh} known)"
    )
