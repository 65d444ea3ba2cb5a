"""edgert run: a model's outputs, computed on the board."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert import api
from edgert.artifact import Artifact
from edgert.cli import inputs
from edgert.cli.console import Progress, add_json, emit, emit_json
from edgert.cli.models import add_link, add_source, open_source
from edgert.cli.reference import Reference
from edgert.errors import EdgertError, UsageError
from edgert.report import tables

Array = npt.NDArray[np.generic]
TOP = 5


class DifferenceError(EdgertError):
    """The board's bytes are not the reference's. Exit code 1: see docs/errors.md."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_source(parser)
    add_link(parser)
    parser.add_argument("--input", "-i", action="append", metavar="IN", help=inputs.HELP)
    parser.add_argument("--timeout", type=_seconds, default=60.0, metavar="S", help="seconds; default 60")
    parser.add_argument(
        "--compare-reference",
        action="store_true",
        help="also run the .tflite reference interpreter, and fail unless every byte agrees",
    )
    add_json(parser)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError("not a time")
    return value


_seconds.__name__ = "number of seconds"  # argparse: "invalid number of seconds value: 'abc'"


def main(args: argparse.Namespace) -> int:
    reference = _reference(args) if args.compare_reference else None
    artifact = open_source(args)
    arrays = inputs.load_inputs(args.input, artifact.report["inputs"])
    with Progress("running"), api.connect(artifact, board=args.board, link=args.link) as session:
        outputs = session.run(*arrays, timeout_s=args.timeout)
    board = args.board or artifact.report["board"]
    wrong = _differences(outputs, reference.run(arrays)) if reference else None
    if args.json:
        emit_json(_document(artifact, board, outputs, wrong))
    else:
        emit(_text(artifact, board, outputs))
    if wrong is not None:
        _judge(wrong, sum(array.size for array in outputs), args.json)
    return 0


def _reference(args: argparse.Namespace) -> Reference:
    path = Path(args.model)
    if path.is_dir():
        raise UsageError(
            "--compare-reference needs the model file",
            where=str(path),
            hint="give the .tflite file, not the folder",
        )
    try:
        return Reference(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error


def _differences(ours: Sequence[Array], theirs: Sequence[Array]) -> int:
    return sum(
        a.size if a.shape != b.shape or a.dtype != b.dtype else int(np.count_nonzero(a != b))
        for a, b in zip(ours, theirs, strict=True)
    )


def _judge(wrong: int, total: int, quiet: bool) -> None:
    if wrong:
        raise DifferenceError(
            f"{wrong} of {total} output values differ from the reference interpreter",
            rule="every byte is equal",
            hint="report this with the model: it is a bug in edgert",
        )
    if not quiet:
        emit(f"reference: all {total} output values are equal")


def dequantized(array: Array, port: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """Real values: scale * (q - zero_point), or the values themselves where there is no scale."""
    values = array.astype(np.float64)
    if port["scale"] is None:
        return values
    real: npt.NDArray[np.float64] = (values - port["zero_point"]) * port["scale"]
    return real


def _text(artifact: Artifact, board: str, outputs: Sequence[Array]) -> str:
    lines = [f"{artifact.name} on {board}"]
    for port, array in zip(artifact.report["outputs"], outputs, strict=True):
        real = dequantized(array, port).reshape(-1)
        best = np.argsort(-real, kind="stable")[:TOP]
        lines.append(
            f"output {port['name']}: {tables.shape(array.shape)} {array.dtype}, "
            f"argmax {best[0]}, range {real.min():.5g} to {real.max():.5g}"
        )
        rows = [(index, f"{real[index]:.5g}", array.reshape(-1)[index]) for index in best]
        columns = [tables.Column("index", True), tables.Column("value", True), tables.Column("raw", True)]
        lines.append(tables.text(columns, rows, indent="  "))
    return "\n".join(lines)


def _document(artifact: Artifact, board: str, outputs: Sequence[Array], wrong: int | None) -> dict[str, Any]:
    ports = artifact.report["outputs"]
    return {
        "name": artifact.name,
        "board": board,
        "outputs": [
            {
                **{key: port[key] for key in ("name", "shape", "dtype", "scale", "zero_point")},
                "argmax": int(np.argmax(array)),
                "values": array.tolist(),
            }
            for port, array in zip(ports, outputs, strict=True)
        ],
        **({} if wrong is None else {"values_that_differ_from_reference": wrong}),
    }
