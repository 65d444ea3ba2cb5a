"""edgert synth: what a circuit takes of its FPGA, and how fast it may run."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from edgert.board import load_board
from edgert.cli.console import Progress, add_json, emit, emit_json
from edgert.cli.models import add_source, open_source
from edgert.errors import UsageError
from edgert.part import RESOURCES, Part, load_part
from edgert.report.tables import Column, number, percent, text
from edgert.rtl.synth import Synthesis, synth_circuit

_COLUMNS = (Column("resource"), Column("used", True), Column("of", True), Column("", True))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="placements to try; default: 1")
    parser.add_argument("--no-place", action="store_true", help="count only: no clock")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    if args.seeds < 1:
        raise UsageError(f"--seeds {args.seeds}", rule="1 or more")
    artifact = open_source(args)
    board = load_board(args.board or str(artifact.report.get("board")))
    if board.fpga is None:
        raise UsageError(
            f"{board.id} has no FPGA", rule="only circuits are synthesised", hint="see: edgert boards"
        )
    part = load_part(board.target)
    with Progress(f"synthesising for {part.id}"):
        found = synth_circuit(artifact, board, seeds=range(1, args.seeds + 1), place=not args.no_place)
    if args.json:
        emit_json({**asdict(found), "median_mhz": found.median_mhz, "usage": found.usage(part)})
    else:
        emit(_table(found, part))
    found.check_fits(part)
    return 0


def _table(found: Synthesis, part: Part) -> str:
    rows = [
        (RESOURCES[name], number(used), number(there), percent(used, there))
        for name, used, there in found.usage(part)
    ]
    lines = [f"{found.top} on {part.name}", "", text(_COLUMNS, rows), ""]
    if found.ram_luts:
        lines.append(f"of the LUTs, {number(found.ram_luts)} are memory")
    if found.median_mhz is None:
        lines.append("clock: not placed" + ("" if part.nextpnr else "; no open tool places this part"))
    else:
        each = ", ".join(f"{mhz:.1f}" for mhz in found.fmax_mhz)
        lines.append(f"clock: {found.median_mhz:.1f} MHz (asked for {found.clock_mhz:g}; each seed: {each})")
    if found.slowest:
        lines.append(f"slowest path: {' to '.join(found.slowest)}")
    return "\n".join(lines)
