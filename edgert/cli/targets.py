"""edgert targets: the CPUs that there are."""

from __future__ import annotations

import argparse

from edgert.cli.console import add_json, emit, emit_json
from edgert.report.tables import Column, text
from edgert.target import list_targets, load_target

_COLUMNS = (Column("target"), Column("architecture"), Column("features"), Column("compiler target"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    targets = [load_target(name) for name in list_targets()]
    if args.json:
        emit_json([
            {"id": t.id, "arch": t.arch, "features": sorted(t.features), "compiler_target": t.zig_target}
            for t in targets
        ])  # fmt: skip
    else:
        emit(
            text(
                _COLUMNS, [(t.id, t.arch, " ".join(sorted(t.features)) or "-", t.zig_target) for t in targets]
            )
        )
    return 0
