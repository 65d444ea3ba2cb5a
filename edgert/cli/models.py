"""MODEL or DIR on the command line -> an Artifact."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgert import api
from edgert.artifact import Artifact
from edgert.board import load_board
from edgert.cli.console import Progress
from edgert.errors import UsageError


def add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL|DIR", help=".tflite, .onnx, .pt2 or .npz, or a folder from compile -o"
    )
    parser.add_argument("--board", "-b", metavar="B", help="board id (edgert boards); a DIR knows its own")
    add_compile_options(parser)


def add_link(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--link",
        default="",
        metavar="L",
        help="another way to the board: gdb:HOST:PORT, serial:/dev/ttyACM0, linux:USER@HOST, unicorn",
    )


def add_compile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--optimize", choices=api.OPTIMIZE, default="balanced", help="default: balanced")
    parser.add_argument("--name", help="prefix of the C symbols; default: from the file's name")
    parser.add_argument("--no-cache", action="store_true", help="compile even if the same input is cached")
    parser.add_argument(
        "--no-tuned", action="store_true", help="choose kernels as if edgert tune had never run"
    )


def compile_model(args: argparse.Namespace, target: str | None = None) -> Artifact:
    """Compile args.model for args.board (or `target`), with a line of progress."""
    what = f"compiling {Path(args.model).name} for {args.board or target}"
    with Progress(what) as progress:
        return api.compile(
            args.model,
            board=args.board,
            target=target,
            name=args.name,
            optimize=args.optimize,
            use_cache=not args.no_cache,
            use_tuned=not args.no_tuned,
            progress=lambda step: progress.step(f"{what}: {step}"),
        )


def refuse_circuits(board: str | None, command: str, hint: str) -> None:
    """Raise UsageError for a board with an FPGA, where a command is for firmware only."""
    if board is not None and load_board(board).fpga is not None:
        raise UsageError(
            f"{board} is an FPGA: it has a circuit, no firmware",
            rule=f"edgert {command} is for boards with a CPU",
            hint=hint,
        )


def board_of(args: argparse.Namespace) -> str | None:
    """The board that a command is about, before anything is compiled; a folder knows its own."""
    if args.board is None and Path(args.model).is_dir():
        return str(Artifact.load(args.model).report["board"])
    return str(args.board) if args.board else None


def open_source(args: argparse.Namespace) -> Artifact:
    """The artifact of a folder, or of a model compiled now.

    Raises UsageError if a model comes without a board, and whatever compile raises.
    """
    if Path(args.model).is_dir():
        return Artifact.load(args.model)
    if args.board is None:
        raise UsageError(
            "no board given",
            rule="the instruction set is never guessed",
            hint="add --board (see: edgert boards)",
        )
    return compile_model(args)
