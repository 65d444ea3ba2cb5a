"""edgert export: a model as a project of the build system that people have."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from importlib import import_module
from pathlib import Path

from edgert.artifact import Artifact
from edgert.cache import replace_folder
from edgert.cli.console import Progress, add_json, emit_json, say
from edgert.cli.models import add_source, board_of, compile_model, refuse_circuits
from edgert.errors import UsageError
from edgert.export import common

ECOSYSTEMS = ("cmake", "zephyr", "arduino", "esp-idf", "platformio")
MARKER = ".edgert-export"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    parser.add_argument("--target", "-t", metavar="T", help="CPU id, instead of a board (edgert targets)")
    parser.add_argument("--for", dest="ecosystem", required=True, choices=ECOSYSTEMS)
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True)
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    _check_replaceable(args.output)
    hint = "edgert compile MODEL --board B -o DIR writes its Verilog (rtl/) and HLS C++ (hls/)"
    refuse_circuits(board_of(args), "export", hint)
    artifact = Artifact.load(args.model) if Path(args.model).is_dir() else compile_model(args, args.target)
    with Progress("running it once on this machine"):
        model = common.read_model(artifact)
    module = import_module(f"edgert.export.{args.ecosystem.replace('-', '_')}")
    files = {**module.files(model), MARKER: f"{args.ecosystem}\n"}
    _write(files, args.output)
    if args.json:
        emit_json({"folder": str(args.output), "files": sorted(files)})
    else:
        say(f"edgert: wrote {args.output}/, {len(files)} files; see its README.md")
    return 0


def _check_replaceable(folder: Path) -> None:
    """Only an earlier export is ever replaced."""
    if folder.exists() and not (folder / MARKER).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is no export", hint="choose another folder with -o")


def _write(files: common.Files, final: Path) -> None:
    """Complete or not at all."""
    try:
        final.absolute().parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{final.name}-", dir=final.absolute().parent))
        try:
            common.write(files, aside / "out")
            replace_folder(aside / "out", final)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise UsageError(f"cannot write {final}: {error.strerror}") from error
