"""edgert bench: a suite of known models on one board."""

from __future__ import annotations

import argparse
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgert import __version__, api
from edgert.artifact import Artifact
from edgert.board import Board, load_board
from edgert.cli.console import Progress, add_json, emit, emit_json, nearest, say
from edgert.cli.inputs import random_input
from edgert.errors import UsageError
from edgert.pool import Job, Outcome, Pool
from edgert.report.tables import Column, markdown, number, text
from edgert.target import load_target

if TYPE_CHECKING:
    from edgert.drivers.session import Profile, Session

SUITES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "mlperf-tiny": (
        ("keyword spotting", "kws_int8.tflite"),
        ("image classification", "ic_resnet8_int8.tflite"),
        ("visual wake words", "vww_int8.tflite"),
        ("anomaly detection", "ad01_int8.tflite"),
    )
}
SEED = 0


@dataclass(frozen=True)
class Peer:
    """What others need for the same network. nominal_macs: before channels are removed.

    instructions, arena_bytes: by target. cycles_per_mac: the best closed stack, measured on a NUCLEO-L4R5ZI.
    Sources: TensorFlow Lite Micro of July 2026 (Cortex-M: CMSIS-NN, GCC 12.2 -O2; RISC-V: portable kernels,
    clang -O3), emulated as we are; MLPerf Tiny v1.1 and v1.2, closed division, Plumerai (AD) and ST.
    """

    nominal_macs: int
    instructions: Mapping[str, int]
    arena_bytes: int
    cycles_per_mac: float


PEERS: Mapping[str, Peer] = {
    "kws_int8.tflite": Peer(2_656_768, {"cortex-m4": 7_697_841, "rv32imc": 40_516_017}, 22_820, 1.95),
    "ic_resnet8_int8.tflite": Peer(
        12_501_632, {"cortex-m4": 29_866_215, "rv32imc": 122_827_750}, 54_996, 1.58
    ),
    "vww_int8.tflite": Peer(7_489_664, {"cortex-m4": 24_103_037, "rv32imc": 105_984_502}, 100_708, 1.42),
    "ad01_int8.tflite": Peer(264_192, {"cortex-m4": 583_184, "rv32imc": 2_499_266}, 2_580, 1.84),
}
# With the clock and the wait states of the board that PEERS names; how its flash was set is not published.
MEASURED_BOARDS = ("cortex-m4-emulated", "cortex-m4-one-bank-emulated")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("suite", metavar="SUITE", help=f"one of: {', '.join(SUITES)}")
    parser.add_argument("--models", type=Path, required=True, metavar="DIR", help="where the model files are")
    parser.add_argument("--board", "-b", required=True, metavar="B", help="board id (edgert boards)")
    parser.add_argument("--optimize", choices=api.OPTIMIZE, default="balanced", help="default: balanced")
    parser.add_argument(
        "--link", action="append", metavar="L", help="a way to one of several such boards; may be repeated"
    )
    parser.add_argument("--markdown", action="store_true", help="print a table for a README")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    suite = _files(args.suite, args.models)
    board = load_board(args.board)
    with Progress("starting") as progress:
        rows = measure(suite, board, args.optimize, args.link or (), progress)
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


def measure(
    suite: Sequence[tuple[str, Path]],
    board: Board,
    optimize: str = "balanced",
    links: Sequence[str] = (),
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Every model on one board, or spread over several of a kind: everything that a row of the table says."""
    artifacts = []
    for index, (_, path) in enumerate(suite):
        if progress:
            progress.step(f"compiling {path.name}", index, len(suite))
        artifacts.append(api.compile(path, board=board.id, optimize=optimize))
    step = progress.step if progress else lambda what, done, total: None
    pool = Pool.of_links(board.id, links or [board.driver])
    groups = [[Job(artifact, _profile)] for artifact in artifacts]
    outcomes = pool.run(groups, lambda done, total: step("profiling", done, total))
    for name, error in pool.quarantined.items():
        say(f"edgert: {name} was lost, and others did its work: {error.what}")
    return [
        _row(task, path, board, artifact, outcome)
        for (task, path), artifact, (outcome,) in zip(suite, artifacts, outcomes, strict=True)
    ]


def _profile(session: Session) -> Profile:
    return session.profile(*(random_input(port, SEED) for port in session.report["inputs"]))


def _row(task: str, path: Path, board: Board, artifact: Artifact, outcome: Outcome) -> dict[str, Any]:
    if outcome.error is not None:
        raise outcome.error
    profile: Profile = outcome.result
    return {
        "model": path.name,
        "task": task,
        "measured_on": outcome.board,
        **_sizes(artifact),
        "instructions": profile.instructions,
        "cycles": profile.cycles,
        "cycles_kind": profile.cycles_kind,
        "wait_states": profile.wait_states,
        "wait_cycles": profile.wait_cycles,
        "milliseconds": profile.milliseconds,
        "stack_bytes": profile.stack_bytes,
        "peer": _against(PEERS.get(path.name), board, artifact, profile),
    }


def _against(peer: Peer | None, board: Board, artifact: Artifact, profile: Profile) -> dict[str, Any] | None:
    """Ours beside theirs, as far as theirs is known for this target."""
    if peer is None or board.target not in peer.instructions:
        return None
    theirs, cycles = peer.instructions[board.target], profile.cycles or 0
    ratio = profile.instructions / theirs if profile.instructions else None
    found: dict[str, Any] = {"instructions": theirs, "instructions_ratio": ratio}
    if board.id in MEASURED_BOARDS:
        found |= {
            "arena_bytes": peer.arena_bytes,
            "arena_ratio": artifact.arena_bytes / peer.arena_bytes,
            "cycles_per_nominal_mac_modelled": cycles / peer.nominal_macs,
            "without_waits": (cycles - profile.wait_cycles) / peer.nominal_macs,
            "best_closed_stack_measured": peer.cycles_per_mac,
        }
    return found


def _sizes(artifact: Artifact) -> dict[str, Any]:
    report = artifact.report
    keys = ("model_sha256", "macs", "arena_bytes", "arena_lower_bound_bytes", "weights_bytes", "flash_bytes")
    return {
        **{key: report[key] for key in (*keys, "ram_bytes", "compiler", "flash_split")},
        "scratch_bytes": max((layer["scratch_bytes"] for layer in report["layers"]), default=0),
    }


def table(rows: list[dict[str, Any]], as_markdown: bool = False) -> str:
    """Rows of `measure` for people."""
    columns = (
        Column("model"), Column("MAC", True), Column("instructions", True), Column("of TFLM's", True),
        Column("cycles", True), Column("waits", True), Column("ms", True),
        Column("per nominal MAC", True), Column("best closed, measured", True), Column("arena bytes", True),
        Column("of TFLM's", True), Column("stack", True), Column("flash bytes", True),
    )  # fmt: skip
    cells = [_cells(row, row["peer"] or {}) for row in rows]
    return markdown(columns, cells) if as_markdown else text(columns, cells)


def _cells(row: dict[str, Any], peer: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["model"], number(row["macs"]), number(row["instructions"]),
        number(peer.get("instructions_ratio"), 3),
        number(row["cycles"]), number(row["wait_cycles"]), number(row["milliseconds"], 2),
        number(peer.get("cycles_per_nominal_mac_modelled"), 3),
        number(peer.get("best_closed_stack_measured"), 2), number(row["arena_bytes"]),
        number(peer.get("arena_ratio"), 3), number(row["stack_bytes"]), number(row["flash_bytes"]),
    )  # fmt: skip


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
