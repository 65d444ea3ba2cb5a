"""One choice, start to end: trained, quantized, compiled, judged, measured on the board."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edgert import api
from edgert.artifact import Artifact
from edgert.codegen.quantize.ranges import to_int8
from edgert.errors import EdgertError
from edgert.models.data import MEAN, STD, Array, Data, mixed
from edgert.models.fbnet import FBNet
from edgert.models.train import Recipe, accuracy, calibration, train
from edgert.network import Network, load
from edgert.search.space import Choice, Space
from edgert.search.table import Place, profiled
from edgert.sqlite import Schema, transaction

CALIBRATION_IMAGES = 200


@dataclass(frozen=True)
class Result:
    """accuracies: shares of the images that it is judged by, the test images of its Data; int8: of the
    generated C. error: why there is none."""

    choice: str
    accuracy: float | None = None
    int8_accuracy: float | None = None
    cycles: int | None = None
    cycles_kind: str | None = None
    arena_bytes: int | None = None
    flash_bytes: int | None = None
    error: str | None = None


def trained(
    space: Space, choice: Sequence[str], data: Data, recipe: Recipe, checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> nn.Module:  # fmt: skip
    """The network of a choice, trained from scratch."""
    torch.manual_seed(recipe.seed)
    net = FBNet(space.blocks(choice), space.classes)
    return train(net, data, recipe, checkpoint=checkpoint, say=say)


def quantized(net: nn.Module, data: Data, name: str, side: int = 32, seed: int = 0) -> Network:
    """int8, NHWC, an input that is the pixel less 128."""
    float_network = load(net.cpu(), example=torch.zeros(1, 3, side, side), name=name, channels_last=True)
    return float_network.quantize(calibration(data, CALIBRATION_IMAGES, seed), report_on=0)


def int8_accuracy(network: Network, images: Array, labels: Array) -> float:
    """Of the generated C on this machine, which gives the same bytes as on the board."""
    artifact = api.compile(network, board="host")
    port = artifact.report["inputs"][0]
    scale, zero = port["scale"], port["zero_point"]
    right = 0
    with api.connect(artifact) as session:
        for image, label in zip(images, labels, strict=True):
            real = (image.astype(np.float32) - MEAN) / STD
            right += int(session.run(to_int8(real, scale, zero)[None])[0].argmax() == label)
    return right / len(images)


def evaluated(
    space: Space, choice: Choice, data: Data, recipe: Recipe, place: Place, *, link: str = "",
    checkpoint: Path | None = None, test_images: int = 10_000,
) -> Result:  # fmt: skip
    """All that is to be known of a choice. Its own trouble (does not fit, crashes) is in the Result."""
    text = " ".join(choice)
    reached = None
    try:
        net = trained(space, choice, data, recipe, checkpoint)
        reached = accuracy(net, data.test_images, data.test_labels)
        network = quantized(net, data, "candidate", space.side, recipe.seed)
        images, labels = mixed(data.test_images, data.test_labels)
        exact = int8_accuracy(network, images[:test_images], labels[:test_images])
        artifact = api.compile(network, board=place.board, optimize=place.optimize)
        cycles, kind = measured(artifact, link)
    except EdgertError as error:
        return Result(text, reached, error=f"{type(error).__name__}: {error.what}")
    return Result(text, reached, exact, cycles, kind, artifact.arena_bytes, artifact.flash_bytes)


def measured(artifact: Artifact, link: str = "") -> tuple[int | None, str]:
    """(cycles, how they were obtained) on the artifact's board."""
    with api.connect(artifact, link=link) as session:
        profile = profiled(session)
    return profile.cycles, profile.cycles_kind


_FIELDS = tuple(Result.__dataclass_fields__)
_CREATE = f"""
CREATE TABLE IF NOT EXISTS results (
    arm TEXT NOT NULL, number INTEGER NOT NULL, {", ".join(_FIELDS)},
    finished_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (arm, number)
)
"""
_CREATE_PROPOSALS = """
CREATE TABLE IF NOT EXISTS proposals (
    arm TEXT NOT NULL, number INTEGER NOT NULL, choice TEXT NOT NULL, PRIMARY KEY (arm, number)
)
"""


_SCHEMA = Schema(1, (_CREATE, _CREATE_PROPOSALS), "results file", "a file that edgert search made", "-o")


class Results:
    """What a search has found so far, in an SQLite file: it goes on from there when it was stopped.

    arm: whatever tells one search from another in the same file.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self.path, _SCHEMA)

    def proposals(self, arm: str, make: Callable[[], Sequence[Choice]]) -> list[Choice]:
        """The choices of an arm: as they were stored, or made now and stored."""
        with self._transaction() as db:
            rows = db.execute("SELECT choice FROM proposals WHERE arm=? ORDER BY number", (arm,)).fetchall()
        if not rows:
            rows = [(" ".join(choice),) for choice in make()]
            with self._transaction() as db:
                db.executemany(
                    "INSERT OR REPLACE INTO proposals VALUES (?,?,?)",
                    [(arm, number, text) for number, (text,) in enumerate(rows)],
                )
        return [tuple(text.split()) for (text,) in rows]

    def result(self, arm: str, number: int, make: Callable[[], Result]) -> Result:
        """As it was stored, or made now and stored."""
        with self._transaction() as db:
            row = db.execute(
                f"SELECT {', '.join(_FIELDS)} FROM results WHERE arm=? AND number=?", (arm, number)
            ).fetchone()
        if row is not None:
            return Result(*row)
        made = make()
        values = tuple(asdict(made).values())
        with self._transaction() as db:
            db.execute(
                f"INSERT OR REPLACE INTO results (arm, number, {', '.join(_FIELDS)}) "
                f"VALUES ({','.join('?' * (len(values) + 2))})",
                (arm, number, *values),
            )
        return made
