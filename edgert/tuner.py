"""Measures every kernel variant of every layer of a model on a board (docs/tuning.md).

A layer is compiled alone, with its own constants, once per variant, and run on the board. Every variant of
a layer must give the same bytes. Each measurement is stored as soon as it is made: a tuning that is stopped
goes on where it was.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgert import api
from edgert.board import load_board
from edgert.cli.inputs import random_input
from edgert.codegen import pipeline
from edgert.codegen.program import Program, Step
from edgert.codegen.refine import refine
from edgert.codegen.select import choices
from edgert.errors import UsageError
from edgert.model_file import read_model
from edgert.target import load_target
from edgert.tuning import Measurement, Place, TuningDatabase

SEED = 0
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TunedLayer:
    """measured: label -> cost, the default first; fresh: how many of them were measured just now."""

    name: str
    op: str
    measured: dict[str, Measurement]
    fresh: int

    @property
    def default(self) -> str:
        return next(iter(self.measured))

    def best(self, objective: str) -> str:
        """The cheapest; the default where nothing is cheaper."""
        return min(self.measured, key=lambda label: self.measured[label].cost(objective))


def tune(
    model: str | Path | bytes,
    *,
    board: str,
    optimize: str = "balanced",
    database: TuningDatabase | None = None,
    progress: Progress = lambda what, done, total: None,
) -> list[TunedLayer]:
    """Measure what is not in the database yet. Layers with a single variant are left out.

    Raises as `compile` does, and what the board raises; what was measured before that is kept.
    """
    described = load_board(board)
    if described.driver == "host":
        raise UsageError(
            f"{board} does not measure", rule="tuning needs cycles", hint="choose another (edgert boards)"
        )
    data, file = read_model(model)
    program = refine(pipeline.compile_to_program(data, Path(file).stem)).program
    features = load_target(described.target).features
    place, kept = Place(board, optimize), database or TuningDatabase()
    layers = [(step, choices(program, step, features)) for step in program.steps]
    layers = [(step, labels) for step, labels in layers if len(labels) > 1]
    found = []
    for index, (step, labels) in enumerate(layers):
        progress(step.name.split(";")[0], index, len(layers))
        found.append(_tune_layer(program, step, labels, place, kept))
    return found


def judge(model: str | Path | bytes, *, board: str, optimize: str = "balanced") -> tuple[int, int]:
    """Cycles of the whole model with the defaults, and tuned; `compile` takes what was fewer.

    Layers are measured alone, but in the model they share kernels, and the instruction cache.
    """
    digest = hashlib.sha256(read_model(model)[0]).hexdigest()
    database, place = TuningDatabase(), Place(board, optimize)
    database.judge(place, digest, None)
    cycles = []
    for tuned in (False, True):
        artifact = api.compile(model, board=board, optimize=optimize, use_tuned=tuned)
        with api.connect(artifact) as session:
            found = session.profile(*(random_input(port, SEED) for port in artifact.report["inputs"])).cycles
        assert found is not None
        cycles.append(found)
    database.judge(place, digest, (cycles[0], cycles[1]))
    return cycles[0], cycles[1]


def _tune_layer(
    program: Program, step: Step, labels: tuple[str, ...], place: Place, database: TuningDatabase
) -> TunedLayer:
    known = database.measurements(place.layer_key(step))
    missing = [label for label in labels if label not in known]
    outputs: dict[str, npt.NDArray[Any]] = {}
    for label in missing:
        outputs[label], known[label] = _measure(_alone(program, step), label, place)
        database.store(place, step, label, known[label])
    first = next(iter(outputs.values()), None)
    for label, output in outputs.items():
        assert first is not None and np.array_equal(output, first), f"{step.name}: {label} gives other bytes"
    return TunedLayer(step.name, step.op, {label: known[label] for label in labels}, len(missing))


def _alone(program: Program, step: Step) -> Program:
    """A network of this one layer."""
    tensors = {
        name: program.tensors[name] for name in (*step.inputs, *step.outputs) if name in program.tensors
    }
    used = {*step.constants.values(), *(name for name in step.inputs if name in program.constants)}
    constants = {name: program.constants[name] for name in used}
    inputs = tuple(dict.fromkeys(name for name in step.inputs if name in tensors))
    return replace(
        program, name="layer", tensors=tensors, constants=constants, steps=(step,), inputs=inputs,
        outputs=step.outputs,
    )  # fmt: skip


def _measure(layer: Program, label: str, place: Place) -> tuple[npt.NDArray[Any], Measurement]:
    (step,) = layer.steps
    with tempfile.TemporaryDirectory(prefix="edgert-tune-") as folder:
        artifact = api.compile_program(
            layer, Path(folder), board=place.board, optimize=place.optimize, labels={step.name: label}
        )
        inputs = [random_input(port, SEED) for port in artifact.report["inputs"]]
        with api.connect(artifact) as session:
            output = session.run(*inputs)[0]
            profile = session.profile(*inputs)
        assert profile.cycles is not None and profile.instructions is not None
        scratch = artifact.report["layers"][0]["scratch_bytes"]
        flash = artifact.report["flash_bytes"]
        return output, Measurement(profile.cycles, profile.instructions, flash, scratch)
