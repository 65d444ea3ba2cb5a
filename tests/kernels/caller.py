"""Calls any kernel variant on the host with run-time values, compiled with the undefined-behaviour sanitizer.

    y = call(step("max_pool2d_s8", batch=1, ...), [x], (1, 4, 4, 3), "int8")

Compiler: gcc or clang where there is one (with UBSan: the process aborts on a finding), else ziglang.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from edgert.codegen.contracts import CONTRACTS, check_step
from edgert.codegen.kernels import VARIANTS, Variant
from edgert.codegen.program import Step

Array = np.ndarray[Any, Any]
CSRC = Path(__file__).parents[2] / "csrc"
FLAGS = ("-std=c11", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC")
CANARY = 0xA5


def step(op: str, **attrs: int | float) -> Step:
    """A Step of contract `op`; its constants are named after their roles."""
    contract = CONTRACTS[op]
    inputs = tuple(f"x{n}" for n in range(contract.inputs))
    made = Step(op, op, inputs, ("y",), attrs, {role: role for role, _, _ in contract.constants})
    check_step(made)
    return made


def variants(step: Step, constants: Mapping[str, Array] | None = None) -> list[str]:
    """The labels of every variant that can do this Step, whatever the target."""
    fitting = (v for v in VARIANTS if v.contract == step.op and v.supports(step, constants or {}))
    return [v.label for v in fitting]


def call(
    step: Step,
    inputs: Sequence[Array],
    y_shape: tuple[int, ...],
    y_dtype: str,
    constants: Mapping[str, Array] | None = None,
    *,
    variant: str = "ref",
) -> Array:
    """The output; asserts that nothing around it was written."""
    y_bytes = int(np.prod(y_shape)) * np.dtype(y_dtype).itemsize
    memory = np.full(y_bytes + 64, CANARY, np.uint8)
    _run(_variant(step.op, variant), step, [x.copy() for x in inputs], memory[32:], constants or {})
    assert (memory[:32] == CANARY).all() and (memory[32 + y_bytes :] == CANARY).all(), "wrote outside y"
    return memory[32 : 32 + y_bytes].view(y_dtype).reshape(y_shape)


def call_overlapping(
    step: Step,
    inputs: Sequence[Array],
    y_shape: tuple[int, ...],
    y_dtype: str,
    constants: Mapping[str, Array] | None = None,
    *,
    index: int = 0,
    variant: str = "ref",
) -> Array | None:
    """The output where it starts lead_bytes before input `index`, or on it; None if they must not."""
    chosen = _variant(step.op, variant)
    lead = 0 if index == 0 and chosen.shares_input(step) else chosen.lead_bytes(step, index)
    if lead is None:
        return None
    x = np.ascontiguousarray(inputs[index])
    y_bytes = int(np.prod(y_shape)) * np.dtype(y_dtype).itemsize
    lead += -lead % max(x.itemsize, np.dtype(y_dtype).itemsize)  # as far apart as alignment asks for
    origin = max(0, lead) + 32
    origin += -origin % 16
    memory = np.zeros(origin + abs(lead) + x.nbytes + y_bytes + 32, np.uint8)
    memory[origin : origin + x.nbytes] = x.view(np.uint8).ravel()
    shared = [memory[origin:] if n == index else other.copy() for n, other in enumerate(inputs)]
    _run(chosen, step, shared, memory[origin - lead :], constants or {})
    return memory[origin - lead :][:y_bytes].copy().view(y_dtype).reshape(y_shape)


def _variant(op: str, name: str) -> Variant:
    return next(v for v in VARIANTS if v.contract == op and v.label == name)


def _run(
    variant: Variant, step: Step, inputs: Sequence[Array], y: Array, constants: Mapping[str, Array]
) -> None:
    packed = list(variant.pack(step, constants).values())
    arrays = [*(np.ascontiguousarray(x) for x in inputs), y, *map(np.ascontiguousarray, packed)]
    if variant.uses_scratch:
        arrays.append(np.zeros(max(1, variant.scratch_bytes(step)), np.uint8))
    pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    _function(variant, len(arrays))(pointers, ctypes.c_char_p(_geometry(step)))


def _geometry(step: Step) -> bytes:
    contract = CONTRACTS[step.op]
    return b"".join(
        np.array(step.attrs[a], np.float32 if a in contract.float_attrs else np.int32).tobytes()
        for a in contract.attrs
    )


def _wrapper(variant: Variant, count: int) -> str:
    arguments = ", ".join(f"a[{n}]" for n in range(count))
    tunables = "".join(f", {value}" for _, value in variant.arguments)
    struct, size = f"ert_{variant.contract}_t", 4 * len(CONTRACTS[variant.contract].attrs)
    return (
        f'#include "{variant.header}"\n'
        f'_Static_assert(sizeof({struct}) == {size}, "fields of {struct}");\n'
        f"void call_kernel(void *const *a, const void *g);\n"
        f"void call_kernel(void *const *a, const void *g)\n"
        f"{{ {variant.function}({arguments}, (const {struct} *)g{tunables}); }}\n"
    )


def _compiler() -> list[str]:
    native = shutil.which("gcc") or shutil.which("clang")
    if native:
        return [native, "-fsanitize=undefined", "-fno-sanitize-recover=all"]
    return [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"]


@cache
def _function(variant: Variant, count: int) -> Callable[..., None]:
    """The variant as a function of (pointers, geometry); count: its pointer arguments."""
    folder = Path(tempfile.mkdtemp(prefix="edgert-kernels-"))
    (folder / "kernel.c").write_text(_wrapper(variant, count))
    command = [*_compiler(), *FLAGS, f"-I{CSRC}", "kernel.c", "-o", "kernel.so"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    kernel = ctypes.CDLL(str(folder / "kernel.so")).call_kernel
    kernel.restype = None
    shutil.rmtree(folder)
    return cast(Callable[..., None], kernel)
