"""edgert profile: what every layer costs on a board."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgert import api
from edgert.cli import inputs
from edgert.cli.console import Progress, add_json, emit, emit_json, say
from edgert.cli.models import add_link, add_source, open_source
from edgert.errors import UsageError
from edgert.report.html import profile_page
from edgert.report.profile import profile_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_link(parser)
    parser.add_argument("--input", "-i", action="append", metavar="IN", help=inputs.HELP)
    parser.add_argument(
        "--repetitions", "-n", type=int, default=1, metavar="N", help="runs to take the median of; default 1"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with tables and diagrams")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    artifact = open_source(args)
    arrays = inputs.load_inputs(args.input, artifact.report["inputs"])
    with Progress("running") as progress, api.connect(artifact, board=args.board, link=args.link) as session:
        progress.step("profiling")
        profile = session.profile(*arrays, repetitions=args.repetitions)
    if args.html:
        picture = artifact.folder / "schedule.svg"
        svg = picture.read_text(encoding="utf-8") if picture.is_file() else ""
        _write(args.html, profile_page(artifact.report, profile, svg))
    if args.json:
        emit_json(profile.to_json())
    else:
        emit(profile_text(artifact.report, profile, args.board))
    return 0


def _write(path: Path, page: str) -> None:
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}", hint="choose another --html FILE"
        ) from error
    say(f"edgert: wrote {path}")
