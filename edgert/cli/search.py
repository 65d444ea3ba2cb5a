"""edgert search: a network for a board and its limits, found, trained, quantized and compiled."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgert.board import load_board
from edgert.cli.console import add_json, emit, emit_json, say
from edgert.cli.models import refuse_circuits
from edgert.errors import ToolError, UsageError

_UNITS = {"": 1, "B": 1, "KB": 1024, "KIB": 1024, "MB": 1024**2, "MIB": 1024**2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--board", "-b", required=True, metavar="B", help="board id (edgert boards)")
    parser.add_argument(
        "--data", required=True, metavar="PATH", help='CIFAR-10: folder or .tar of JPEGs, or "torchvision"'
    )
    parser.add_argument("--max-ms", type=float, metavar="T", help="latency on the board")
    parser.add_argument("--max-sram", type=size, metavar="S", help="arena, 128KB say")
    parser.add_argument("--max-flash", type=size, metavar="S", help="whole firmware, 512KB say")
    parser.add_argument("--strategy", choices=("evolution", "dnas", "random"), default="evolution")
    parser.add_argument(
        "--space", default="cifar", metavar="NAME", help="cifar or cifar_small; default cifar"
    )
    parser.add_argument("--candidates", type=int, default=8, metavar="N", help="networks to train; default 8")
    parser.add_argument(
        "--evaluations", type=int, default=500, help="choices judged on the super-net; default 500"
    )
    parser.add_argument("--epochs", type=int, default=24, help="of the delivered network; default 24")
    parser.add_argument(
        "--grow", action="store_true", help="train it on smaller images first, in two thirds of the time"
    )
    parser.add_argument("--candidate-epochs", type=int, default=12, help="of each candidate; default 12")
    parser.add_argument("--supernet-epochs", type=int, default=30, help="default 30")
    parser.add_argument(
        "--images",
        type=int,
        default=50_000,
        help="that super-net and candidates see; default: all not held out",
    )
    parser.add_argument("--batch", type=int, default=128, help="images in a step; default 128")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--storage", metavar="URL", help="Optuna's, to share a study between machines")
    parser.add_argument("--optimize", choices=("speed", "balanced", "size"), default="speed")
    parser.add_argument(
        "--link", action="append", default=[], metavar="L", help="a board's link; again for each board"
    )
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, required=True, help="all that is found; goes on there"
    )
    parser.add_argument(
        "--table", metavar="FILE", type=Path, help="cost table; default costs.sqlite in the folder"
    )
    add_json(parser)


def size(text: str) -> int:
    """Bytes. Raises argparse.ArgumentTypeError."""
    match = re.fullmatch(r"([\d.]+)\s*([A-Za-z]*)", text.strip())
    if not match or match[2].upper() not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 128KB, 131072, 1MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def main(args: argparse.Namespace) -> int:
    missing = [name for name in ("torch", "optuna", "matplotlib", "onnx") if find_spec(name) is None]
    if missing:
        raise ToolError(f"search needs {', '.join(missing)}", hint="pip install 'edgert[search]'")
    counts = (args.candidates, args.evaluations, args.epochs, args.candidate_epochs, args.supernet_epochs)
    if min(*counts, args.batch) < 1:
        raise UsageError("a count below 1", rule="candidates, evaluations, epochs and batch are at least 1")
    from edgert.models.data import load
    from edgert.search.plot import write_html, write_png
    from edgert.search.run import search

    refuse_circuits(args.board, "search", "search on a CPU board, then compile what it found for this one")
    board = load_board(args.board)
    clock = float(board.clock_hz or 0)
    if not clock:
        raise UsageError(f"{board.id} has no clock", rule="latency needs one", hint="choose another board")
    ground, plan = _ground(args, clock, load(args.data)), _plan(args)
    found = search(ground, plan, links=args.link)
    title = f"{args.space} on {board.id}"
    write_png([*found.results, found.best], args.output / "pareto.png", clock, title)
    write_html([*found.results, found.best], args.output / "pareto.html", clock, title)
    if args.json:
        emit_json(
            {
                "best": vars(found.best),
                "results": [vars(r) for r in found.results],
                "folder": str(found.folder),
            }
        )
        return 0
    best = found.best
    int8, real = 100 * (best.int8_accuracy or 0), 100 * (best.accuracy or 0)
    emit(
        f"{best.choice}\n{int8:.2f} % in int8 ({real:.2f} % float), "
        f"{1e3 * (best.cycles or 0) / clock:.2f} ms ({best.cycles_kind}), "
        f"{best.arena_bytes:,} bytes of SRAM, {best.flash_bytes:,} of flash"
    )
    say(f"edgert: wrote {args.output}/ (model.tflite, c/, card.json, pareto.png, pareto.html)")
    return 0


def _ground(args: argparse.Namespace, clock: float, data: Any) -> Any:
    from edgert.search.limits import Limits
    from edgert.search.run import Ground
    from edgert.search.space import space
    from edgert.search.table import CostTable, Place

    cycles = None if args.max_ms is None else int(args.max_ms * clock / 1e3)
    return Ground(
        space(args.space), data, CostTable(args.table or args.output / "costs.sqlite"),
        Place(args.board, args.optimize), Limits(cycles, args.max_sram, args.max_flash), args.output,
        lambda text: say(f"edgert: {text}"),
    )  # fmt: skip


def _plan(args: argparse.Namespace) -> Any:
    from edgert.models.train import Recipe
    from edgert.search.dnas import Settings
    from edgert.search.run import Plan

    batch, share = args.batch, args.batch / Recipe.batch  # rates follow the batch: arxiv.org/abs/1706.02677
    recipe = Recipe(
        epochs=args.candidate_epochs, batch=batch, peak_rate=Recipe.peak_rate * share, images=args.images,
        seed=args.seed,
    )  # fmt: skip
    final = replace(recipe, epochs=args.epochs, images=Recipe.images, grow=args.grow)
    supernet = replace(recipe, epochs=args.supernet_epochs, peak_rate=Plan().supernet.peak_rate * share)
    dnas = Settings(
        images=args.images,
        seed=args.seed,
        epochs=args.supernet_epochs,
        batch=batch,
        rate=Settings.rate * share,
    )
    return Plan(
        args.strategy, args.candidates, recipe, final, supernet, dnas, args.evaluations, args.storage,
        seed=args.seed,
    )  # fmt: skip
