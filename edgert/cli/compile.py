"""edgert compile: a model to C and firmware, or to a circuit, and the verdict."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgert.artifact import check_replaceable
from edgert.cli.console import add_json, emit, emit_json, say
from edgert.cli.models import add_compile_options, compile_model
from edgert.report.proven import explanation
from edgert.report.verdict import verdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=".tflite, .onnx, .pt2 (PyTorch) or .npz (binary)")
    parser.add_argument(
        "--board", "-b", metavar="B", help="board id: C and a linked firmware, or a circuit (edgert boards)"
    )
    parser.add_argument("--target", "-t", metavar="T", help="CPU id: C only (edgert targets)")
    parser.add_argument(
        "-o", "--output", metavar="DIR", type=Path, help="write the folder (C, or a circuit) here"
    )
    parser.add_argument(
        "--why",
        action="store_true",
        help="also say which channels and clamps are left out, or why a circuit's schedule is as it is",
    )
    add_compile_options(parser)
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    if args.output:
        check_replaceable(args.output)
    artifact = compile_model(args, args.target)
    if args.output:
        artifact = artifact.save(args.output)
    if args.json:
        emit_json(artifact.report)
    else:
        emit(verdict(artifact.report))
        if args.why:
            emit(f"\n{explanation(artifact.report)}")
    if args.output:
        say(f"edgert: wrote {args.output}/ ({', '.join(_written(artifact.report))})")
    return 0


def _written(report: Mapping[str, Any]) -> tuple[str, ...]:
    if "fpga" in report:
        return "rtl/: make run", "hls/", "schedule.txt", "schedule.svg", "report.json"
    return "model.c", "model.h", "example_main.c", "CMakeLists.txt", "report.json"
