"""Runs a Program on the host, one reference kernel at a time: lowering alone, without the emitted C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from kernels.caller import call

from edgert.codegen.contracts import CONTRACTS
from edgert.codegen.program import Program, Step

Array = np.ndarray[Any, Any]


def run_program(program: Program, inputs: Sequence[Array]) -> dict[str, Array]:
    """Every tensor of the program by name."""
    memory: dict[str, Array] = {t.name: np.zeros(t.shape, t.dtype) for t in program.tensors.values()}
    for name, value in zip(program.inputs, inputs, strict=True):
        memory[name][...] = value
    for step in program.steps:
        _run(program, step, memory)
    return memory


def _run(program: Program, step: Step, memory: dict[str, Array]) -> None:
    sources = [memory[n] if n in memory else program.constants[n] for n in step.inputs]
    output = program.tensors[step.outputs[0]]
    if step.op == "copy_rows":
        _copy_rows(step, sources[0], memory[output.name])
        return
    constants = {role: program.constants[name] for role, name in step.constants.items()}
    assert all(constants[role].dtype == dtype for role, dtype, _ in CONTRACTS[step.op].constants), step.name
    memory[output.name] = call(step, sources, output.shape, output.dtype, constants)


def _copy_rows(step: Step, x: Array, y: Array) -> None:
    """By hand, since the other parts of the concat have to survive."""
    g = step.attrs
    rows = y.view(np.uint8).reshape(int(g["rows"]), int(g["y_row_bytes"]))
    begin = int(g["y_offset"])
    rows[:, begin : begin + int(g["row_bytes"])] = x.view(np.uint8).reshape(int(g["rows"]), -1)
