"""edgert demo: the bundled network, from file to measured layers, on an emulated board."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from edgert import api
from edgert.artifact import Artifact
from edgert.board import load_board
from edgert.cli.console import Progress, add_json, emit, emit_json
from edgert.cli.run import dequantized
from edgert.report.profile import profile_text
from edgert.report.tables import Column, text
from edgert.report.verdict import summary

if TYPE_CHECKING:
    from edgert.drivers.session import Session

Array = npt.NDArray[np.generic]
BOARD = "cortex-m4-emulated"


@dataclass(frozen=True)
class Bundle:
    """What edgert/demo/ holds. images: uint8 [n, height, width, channels]; labels: class numbers."""

    file: str
    model: bytes
    images: npt.NDArray[np.uint8]
    labels: Sequence[int]
    classes: Sequence[str]
    card: dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--board", "-b", metavar="B", default=BOARD, help=f"default: {BOARD}")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    bundle = load_bundle()
    with Progress(f"compiling {bundle.file}") as progress:
        artifact = api.compile(bundle.model, board=args.board, name="demo")
        progress.step("starting the board")
        with api.connect(artifact) as session:
            outputs = _run_all(session, bundle, artifact, progress)
            progress.step("profiling")
            measures = load_board(args.board).driver != "host"
            profile = session.profile(_input(bundle, artifact, 0)) if measures else None
        progress.step("the same C on this machine")
        same = _same_on_host(artifact, bundle, outputs)
    if args.json:
        found = profile.to_json() if profile else None
        emit_json(_facts(bundle, outputs, same) | {"profile": found})
        return 0
    emit(_story(bundle, artifact, args.board, outputs, same))
    if profile:
        emit(profile_text(artifact.report, profile))
    emit("\nNext: edgert compile YOUR_MODEL.tflite --board " + args.board + " -o firmware/")
    return 0


def load_bundle() -> Bundle:
    folder = files("edgert").joinpath("demo")
    card = json.loads(folder.joinpath("card.json").read_text(encoding="utf-8"))
    with as_file(folder.joinpath("images.npz")) as path, np.load(path, allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    model = folder.joinpath(card["file"]).read_bytes()
    return Bundle(card["file"], model, images, labels.tolist(), card["classes"], card)


def _run_all(session: Session, bundle: Bundle, artifact: Artifact, progress: Progress) -> list[Array]:
    outputs = []
    for index in range(len(bundle.images)):
        progress.step("images", index, len(bundle.images))
        outputs.append(session.run(_input(bundle, artifact, index))[0])
    return outputs


def _input(bundle: Bundle, artifact: Artifact, index: int) -> Array:
    """The picture as the model takes it: int8 input is pixel - 128."""
    port = artifact.report["inputs"][0]
    centred = bundle.images[index].astype(np.int16) - (128 if port["dtype"] == "int8" else 0)
    picture: Array = centred.astype(port["dtype"]).reshape(port["shape"])
    return picture


def _same_on_host(artifact: Artifact, bundle: Bundle, outputs: Sequence[Array]) -> bool:
    with api.connect(artifact, board="host") as session:
        return all(
            np.array_equal(session.run(_input(bundle, artifact, index))[0], output)
            for index, output in enumerate(outputs)
        )


def _facts(bundle: Bundle, outputs: Sequence[Array], same: bool) -> dict[str, Any]:
    said = [int(np.argmax(output)) for output in outputs]
    return {
        "card": bundle.card,
        "labels": [bundle.classes[label] for label in bundle.labels],
        "answers": [bundle.classes[best] for best in said],
        "right": sum(best == label for best, label in zip(said, bundle.labels, strict=True)),
        "same_bytes_on_this_machine": same,
    }


def _story(bundle: Bundle, artifact: Artifact, board: str, outputs: Sequence[Array], same: bool) -> str:
    right = sum(int(np.argmax(o)) == label for o, label in zip(outputs, bundle.labels, strict=True))
    verdict = "the same bytes as" if same else "NOT the same bytes as"
    return "\n".join(
        [
            f"{bundle.file}: {bundle.card['summary']}",
            f"int8 accuracy {bundle.card['int8_accuracy']:.2%} on {bundle.card['test_images']:,} test images",
            "",
            summary(artifact.report),
            "",
            predictions(bundle, artifact, outputs),
            "",
            f"{right} of {len(outputs)} right on {board}; {verdict} the same C on this machine",
            "",
        ]
    )


def predictions(bundle: Bundle, artifact: Artifact, outputs: Sequence[Array]) -> str:
    """One row per image: what it is, what the network says, and how sure it is."""
    columns = (
        Column("image", True),
        Column("label"),
        Column("network says"),
        Column("score", True),
        Column(""),
    )
    port = artifact.report["outputs"][0]
    rows = []
    for index, (label, output) in enumerate(zip(bundle.labels, outputs, strict=True)):
        best = int(np.argmax(output))
        score = f"{dequantized(output, port).reshape(-1)[best]:.2f}"
        mark = "" if best == label else "wrong"
        rows.append((index, bundle.classes[label], bundle.classes[best], score, mark))
    return text(columns, rows)
