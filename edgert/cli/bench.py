"""edgert bench: a suite of known models on one board."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgert import __version__, api
from edgert.artifact import Artifact
from edgert.board import Board, load_board
from edgert.cli.console import Progress, add_json, emit, emit_json, nearest
from edgert.cli.inputs import random_input
from edgert.errors import UsageError
from edgert.report.tables import Column, markdown, number, text
from edgert.target import load_target

SUITES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mlperf-tiny": (
        ("keyword spotting", "kws_int8.tflite"),
        ("image classification", "ic_resnet8_int8.tflite"),
        ("visual wake words", "vww_int8.tflite"),
        ("anomaly detection", "ad01_int8.tflite"),
    )
}
SEED = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help=f"one of: {', '.join(SUITES)}")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR", help="where the model files are")
    parser.add_argument("--board", "-b", required=True, metavar="B", help="board id (edgert boards)")
    parser.add_argument("--optimize", choices=api.OPTIMIZE, default="balanced", help="default: balanced")
    parser.add_argument("--markdown", action="store_true", help="print a table for a README")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    suite = _files(args.suite, args.models)
    board = load_board(args.board)
    rows = []
    with Progress("starting") as progress:
        for index, (task, path) in enumerate(suite):
            progress.step(path.name, index, len(suite))
            rows.append(measure(task, path, board, args.optimize))
    document = {"suite": args.suite, "board": board.id, "clock_hz": board.clock_hz, "input_seed": SEED}
    document |= {"cpu_flags": list(load_target(board.target).cflags), "optimize": args.optimize}
    document |= {"edgert_version": __version__, "git": git_version(), "models": rows}
    if args.json:
        emit_json(document)
    else:
        emit(table(rows, args.markdown))
    return 0


def _files(suite: str, folder: Path) -> list[tuple[str, Path]]:
    if suite not in SUITES:
        raise UsageError(f"no suite {suite!r}{nearest(suite, SUITES)}", rule=f"one of {', '.join(SUITES)}")
    files = [(task, folder / name) for task, name in SUITES[suite]]
    missing = [path.name for _, path in files if not path.is_file()]
    if missing:
        raise UsageError(
            f"{', '.join(missing)} not found",
            where=str(folder),
            hint="the models are in github.com/mlcommons/tiny, benchmark/training; name them like this",
        )
    return files


def measure(task: str, path: Path, board: Board, optimize: str = "balanced") -> dict[str, Any]:
    """One model on one board: everything that a row of the table says."""
    artifact = api.compile(path, board=board.id, optimize=optimize)
    arrays = [random_input(port, SEED) for port in artifact.report["inputs"]]
    with api.connect(artifact) as session:
        profile = session.profile(*arrays)
    return {
        "model": path.name,
        "task": task,
        **_sizes(artifact),
        "instructions": profile.instructions,
        "cycles": profile.cycles,
        "cycles_kind": profile.cycles_kind,
        "milliseconds": profile.milliseconds,
        "stack_bytes": profile.stack_bytes,
    }


def _sizes(artifact: Artifact) -> dict[str, Any]:
    report = artifact.report
    keys = ("model_sha256", "macs", "arena_bytes", "arena_lower_bound_bytes", "weights_bytes", "flash_bytes")
    return {
        **{key: report[key] for key in (*keys, "ram_bytes", "compiler")},
        "scratch_bytes": max((layer["scratch_bytes"] for layer in report["layers"]), default=0),
    }


def table(rows: list[dict[str, Any]], as_markdown: bool = False) -> str:
    """Rows of `measure` for people."""
    columns = (
        Column("model"), Column("MAC", True), Column("instructions", True), Column("cycles (modelled)", True),
        Column("ms", True), Column("arena bytes", True), Column("scratch", True), Column("stack", True),
        Column("flash bytes", True),
    )  # fmt: skip
    cells = [
        (
            row["model"], number(row["macs"]), number(row["instructions"]), number(row["cycles"]),
            number(row["milliseconds"], 2), number(row["arena_bytes"]), number(row["scratch_bytes"]),
            number(row["stack_bytes"]), number(row["flash_bytes"]),
        )
        for row in rows
    ]  # fmt: skip
    return markdown(columns, cells) if as_markdown else text(columns, cells)


def git_version() -> str | None:
    """The commit of the checkout that runs, '-dirty' if it was edited; None for an installed package."""
    here = Path(__file__).parent
    if not (here.parents[1] / ".git").exists():
        return None
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
