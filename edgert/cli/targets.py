"""edgert targets: the CPUs and the FPGA parts that there are."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from edgert.cli.console import add_json, emit, emit_json
from edgert.part import ARCH, list_parts, load_part
from edgert.report.tables import Column, number, text
from edgert.target import list_targets, load_target

_CPUS = (Column("target"), Column("architecture"), Column("features"), Column("compiler target"))
_PARTS = (
    Column("part"), Column("family"), Column("LUTs", True), Column("flip-flops", True), Column("DSPs", True),
    Column("of bits"), Column("block RAMs", True), Column("bits each", True), Column("what"),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    cpus = [load_target(name) for name in list_targets()]
    parts = [load_part(name) for name in list_parts()]
    if args.json:
        emit_json([
            *({"id": t.id, "arch": t.arch, "features": sorted(t.features), "compiler_target": t.zig_target}
              for t in cpus),
            *({**asdict(part), "arch": ARCH} for part in parts),
        ])  # fmt: skip
        return 0
    emit(text(_CPUS, [(t.id, t.arch, " ".join(sorted(t.features)) or "-", t.zig_target) for t in cpus]))
    rows = [
        (p.id, p.family, number(p.luts), number(p.flip_flops), number(p.dsps), "x".join(map(str, p.dsp_bits)),
         number(p.block_rams), number(p.block_ram_bits), p.name)
        for p in parts
    ]  # fmt: skip
    emit(f"\n{text(_PARTS, rows)}")
    return 0
