"""The order of everything between a model file and a Program.

`EDGERT_DUMP=folder` writes the module after each pass, as `07-fuse-qdq.txt`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tvm
from tvm import relax

from edgert.codegen.fold_pads import fold_pads
from edgert.codegen.frontends import load
from edgert.codegen.lower import lower
from edgert.codegen.passes.binarize import binarize
from edgert.codegen.passes.fold_linear import fold_linear
from edgert.codegen.passes.fuse_qdq import fuse_qdq
from edgert.codegen.passes.fuse_tir import fuse_tir
from edgert.codegen.passes.legalize import legalize
from edgert.codegen.passes.simplify import commute_movement, fold_weights, quantize_early, split_tuples
from edgert.codegen.program import Program
from edgert.codegen.tir import print_primfunc

RelaxPass = Callable[[tvm.IRModule], tvm.IRModule]


@dataclass(frozen=True)
class Phase:
    """passes: (name, function), run in this order. needs, gives: what holds before and after."""

    name: str
    gives: str
    passes: tuple[tuple[str, RelaxPass], ...]


PHASES: tuple[Phase, ...] = (
    Phase("simplify", "one binding per result, no aliases", (
        ("canonicalize", relax.transform.CanonicalizeBindings()),
        ("split-tuples", split_tuples),
        ("fold-weights", fold_weights),
        ("fold-linear", fold_linear),
        ("commute-movement", commute_movement),
        ("quantize-early", quantize_early),
    )),
    Phase("binarize", "signs that only binary layers read are bits", (
        ("binarize", binarize),
    )),
    Phase("fuse", "a composite function for everything that a kernel does", (
        ("fuse-qdq", fuse_qdq),
    )),
    Phase("legalize", "composites, call_tir and views, nothing else", (
        ("legalize", legalize),
        ("fuse-tir", fuse_tir),
    )),
)  # fmt: skip


def named(*names: str) -> tuple[Phase, ...]:
    """These phases, in their order: what comes before legalization, for an export say."""
    return tuple(phase for phase in PHASES if phase.name in names)


def compile_to_program(data: bytes, name: str) -> Program:
    """A TFLite or ONNX file as a Program.

    data: the file's bytes. name: the model's name, for messages and for the Program.
    Raises: ModelError, UnsupportedOperatorError.
    """
    return module_to_program(load(data, name), name)


def module_to_program(mod: tvm.IRModule, name: str) -> Program:
    """What a front end or quantization made, as a Program. Raises UnsupportedOperatorError."""
    return fold_pads(lower(run_phases(mod), name, print_primfunc))


def run_phases(mod: tvm.IRModule, phases: tuple[Phase, ...] = PHASES) -> tvm.IRModule:
    """The module after these phases."""
    number = 0
    _dump(mod, number, "load")
    for phase in phases:
        for name, function in phase.passes:
            mod = function(mod)
            number += 1
            _dump(mod, number, name)
    return mod


def _dump(mod: tvm.IRModule, number: int, name: str) -> None:
    folder = os.environ.get("EDGERT_DUMP")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        text = str(mod.script(show_meta=False))
        Path(folder, f"{number:02}-{name}.txt").write_text(text, encoding="utf-8")
