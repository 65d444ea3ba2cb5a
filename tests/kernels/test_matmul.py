"""matmul_s8 against the reference interpreter's BATCH_MATMUL and the oracle, from the file on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from caller import Array, call, call_overlapping, step, variants
from oracle import run_program
from tflite_builder import Op, T, build, reference

from edgert.codegen import quantize_math as qm
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Program, Step


@dataclass(frozen=True)
class Case:
    """x0 [*batch, rows, depth], x1 [*batch, depth, columns] before adj; scales: x0, x1, y."""

    batch: tuple[int, ...]
    rows: int
    depth: int
    columns: int
    adj_x: bool = False
    adj_y: bool = False
    zeros: tuple[int, int, int] = (3, -7, 5)
    scales: tuple[float, float, float] = (0.05, 0.02, 0.4)
    x1_batch: tuple[int, ...] | None = None

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        left = (self.depth, self.rows) if self.adj_x else (self.rows, self.depth)
        right = (self.columns, self.depth) if self.adj_y else (self.depth, self.columns)
        x1_batch = self.batch if self.x1_batch is None else self.x1_batch
        return (*self.batch, *left), (*x1_batch, *right)

    @property
    def y_shape(self) -> tuple[int, ...]:
        return (*self.batch, self.rows, self.columns)


SIZES = ((1, 1, 1), (1, 7, 3), (5, 1, 4), (8, 9, 5))
CASES = [
    *(Case((1,), *sizes, adj_y=adj_y) for sizes in SIZES for adj_y in (False, True)),
    *(Case((3,), 4, 6, 5, adj_x=x, adj_y=y) for x in (False, True) for y in (False, True)),
    *(Case(b, 4, 6, 5, adj_y=True) for b in ((), (2, 3), (1, 2))),
    Case((3,), 4, 6, 5, x1_batch=(1,)),
    Case((2, 2), 3, 5, 4, adj_y=True, x1_batch=(1, 1)),
    Case((3,), 2, 5, 4, x1_batch=()),
    Case((2,), 5, 33, 6, zeros=(-128, 127, -128), scales=(0.05, 0.02, 1.9)),
    Case((2,), 5, 33, 6, adj_y=True, zeros=(127, -128, 127), scales=(0.05, 0.02, 1.9)),
]


def make(case: Case, constant: Array | None = None) -> bytes:
    """constant: x1, as weights in the file."""
    shapes, x, y, z = case.shapes, *case.scales
    tensors = [
        T("x0", shapes[0], scale=x, zero=case.zeros[0]),
        T("x1", shapes[1], data=constant, scale=y, zero=case.zeros[1]),
        T("y", case.y_shape, scale=z, zero=case.zeros[2]),
    ]
    options = {"adjX": case.adj_x, "adjY": case.adj_y}
    op = Op("BATCH_MATMUL", ["x0", "x1"], ["y"], options, version=2)
    inputs = ["x0"] if constant is not None else ["x0", "x1"]
    return build(tensors=tensors, ops=[op], inputs=inputs, outputs=["y"])


def inputs_of(case: Case, seed: int) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [rng.integers(-128, 128, shape).astype(np.int8) for shape in case.shapes]


def product(program: Program) -> Step:
    """The one matmul_s8; whatever else there is only moves."""
    (found,) = (s for s in program.steps if s.op == "matmul_s8")
    assert {s.op for s in program.steps} <= {"matmul_s8", "strided_copy"}
    return found


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_bytes_as_the_reference(case: Case) -> None:
    inputs = inputs_of(case, 1)
    model = make(case)
    (expected,) = reference(model, *inputs)
    program = compile_to_program(model, "case")
    layer = product(program)
    assert layer.macs == np.prod(case.y_shape) * case.depth
    assert bool(layer.attrs["x1_transposed"]) == case.adj_y
    np.testing.assert_array_equal(run_program(program, inputs)[0], expected, "oracle")
    if case.adj_x:
        inputs[0] = np.ascontiguousarray(inputs[0].swapaxes(-1, -2))
    for variant in variants(layer):
        y = call(layer, inputs, case.y_shape, "int8", variant=variant)
        np.testing.assert_array_equal(y, expected, variant)
        for index in (0, 1):
            over = call_overlapping(layer, inputs, case.y_shape, "int8", index=index, variant=variant)
            assert over is None or np.array_equal(over, expected), variant


@pytest.mark.parametrize("case", [Case((), 4, 6, 5), Case((2,), 4, 6, 5, adj_y=True)], ids=str)
def test_a_constant_operand_rounds_as_the_product_does(case: Case) -> None:
    """Not as FULLY_CONNECTED, which rounds once."""
    x0, x1 = inputs_of(case, 2)
    model = make(case, constant=x1)
    program = compile_to_program(model, "case")
    assert product(program).inputs[1] in program.constants
    np.testing.assert_array_equal(run_program(program, [x0])[0], reference(model, x0)[0])


@pytest.mark.parametrize("seed", range(8))
def test_random_scales_and_ties(seed: int) -> None:
    """Every other seed has powers of two, which put many accumulators halfway between two outputs."""
    rng = np.random.default_rng(seed)
    x0, x1 = 2.0 ** rng.integers(-6, 0, 2) if seed % 2 else 10 ** rng.uniform(-3, 0, 2)
    scales = (float(x0), float(x1), float(x0 * x1 * 2.0 ** rng.integers(6, 10)))
    zeros = tuple(int(z) for z in rng.integers(-128, 128, 3))
    case = replace(Case((2,), 20, 24, 30, adj_y=bool(seed & 2)), zeros=zeros, scales=scales)
    model, inputs = make(case), inputs_of(case, seed)
    (expected,) = reference(model, *inputs)
    program = compile_to_program(model, "case")
    np.testing.assert_array_equal(run_program(program, inputs)[0], expected, "oracle")
    y = call(product(program), inputs, case.y_shape, "int8")
    np.testing.assert_array_equal(y, expected)


def test_the_product_of_the_scales_is_rounded_to_float32() -> None:
    """Factors next to a half, where the sums -127 .. 127 tell the last bit of the multiplier."""
    rng, told = np.random.default_rng(3), 0
    sums = np.arange(-127, 128, dtype=np.int8).reshape(1, -1, 1)
    one = np.ones((1, 1, 1), np.int8)
    while told < 20:
        x0, x1 = (float(np.float32(s)) for s in 10 ** rng.uniform(-3, 0, 2))
        y = float(np.nextafter(np.float32(np.float32(x0) * np.float32(x1) * np.float32(2)), np.float32(9)))
        attrs = qm.matmul_params(x0, 0, x1, 0, y, 0)
        exact = qm.quantize_multiplier(x0 * x1 / y)
        if (attrs["y_multiplier"], attrs["y_shift"]) == exact:
            continue
        told += 1
        case = Case((1,), 255, 1, 1, zeros=(0, 0, 0), scales=(x0, x1, y))
        shape = {"batch": 1, "rows": 255, "depth": 1, "columns": 1, "x1_transposed": 0}
        (expected,) = reference(make(case), sums, one)
        ours = call(step("matmul_s8", **shape, **attrs), [sums, one], case.y_shape, "int8")
        np.testing.assert_array_equal(ours, expected, f"{case.scales}")


def test_the_extremes_of_depth() -> None:
    """The deepest sum that an int32 holds: 255 * 255 * 33025 < 2^31."""
    depth = 33025
    case = Case((1,), 1, depth, 1, zeros=(-128, -128, -128), scales=(0.5, 0.5, 0.25 * 2.0**24))
    inputs = [np.full(shape, 127, np.int8) for shape in case.shapes]
    layer = product(compile_to_program(make(case), "case"))
    expected = reference(make(case), *inputs)[0]
    np.testing.assert_array_equal(call(layer, inputs, case.y_shape, "int8"), expected)
