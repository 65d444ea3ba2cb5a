"""Layers as people connect them: the reference interpreter's bytes, or a refusal that names the layer."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from test_schedules import random_schedule
from tflite_builder import Op, T, build, reference

from edgert.codegen.hls import interpret
from edgert.codegen.hls.build import build as build_design
from edgert.codegen.hls.isa import Machine
from edgert.codegen.hls.scheduler import find
from edgert.codegen.hls.tasks import network
from edgert.codegen.pipeline import compile_to_program
from edgert.errors import DoesNotFitError, UnsupportedOperatorError

Array = np.ndarray[Any, Any]
Made = tuple[list[T], Op]
MACHINE = Machine(4, 65536, 1024, 512, softmax=1, banks=4, bus_bytes=2)
DRAW = np.random.default_rng(0)


def image(name: str, *shape: int, scale: float = 0.1) -> T:
    return T(name, shape, scale=scale, zero=-5)


def constants(y: str, *shape: int, bias: int) -> list[T]:
    weights = DRAW.integers(-127, 128, shape).astype(np.int8)
    biases = DRAW.integers(-500, 500, bias).astype(np.int32)
    return [
        T(f"{y}_w", shape, data=weights, scale=0.01),
        T(f"{y}_b", (bias,), dtype="int32", data=biases, scale=0.001),
    ]


def conv(x: str, y: str, inputs: int, outputs: int, side: int = 3, **options: Any) -> Made:
    given = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": "SAME"}
    op = Op("CONV_2D", [x, f"{y}_w", f"{y}_b"], [y], given | options)
    return constants(y, outputs, side, side, inputs, bias=outputs), op


def depthwise(x: str, y: str, channels: int) -> Made:
    given = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "padding": "SAME"}
    op = Op("DEPTHWISE_CONV_2D", [x, f"{y}_w", f"{y}_b"], [y], given | {"depthMultiplier": 1})
    return constants(y, 1, 3, 3, channels, bias=channels), op


def dense(x: str, y: str, inputs: int, outputs: int, **options: Any) -> Made:
    return constants(y, outputs, inputs, bias=outputs), Op(
        "FULLY_CONNECTED", [x, f"{y}_w", f"{y}_b"], [y], options
    )


def reshape(x: str, y: str, *shape: int) -> Made:
    to = T(f"{y}_shape", (len(shape),), dtype="int32", data=np.array(shape, np.int32))
    return [to], Op("RESHAPE", [x, to.name], [y], {"newShape": list(shape)})


def plain(kind: str, inputs: list[str], y: str, **options: Any) -> Made:
    return [], Op(kind, inputs, [y], options)


def model(tensors: list[T], *layers: Made, inputs: str = "x", outputs: str = "y") -> bytes:
    made = [t for constant, _ in layers for t in constant]
    return build(
        tensors=[*tensors, *made], ops=[op for _, op in layers], inputs=list(inputs), outputs=list(outputs)
    )


def same(data: bytes, machine: Machine = MACHINE) -> None:
    program = compile_to_program(data, "layers")
    tasks = network(program)
    design = build_design(tasks, machine, find(tasks, machine).schedule)
    for seed in range(2):
        draw = np.random.default_rng(seed)
        xs = [draw.integers(-128, 128, program.tensors[n].shape).astype(np.int8) for n in program.inputs]
        for got, wanted in zip(interpret.run(design, xs, seed), reference(data, *xs), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_a_map_read_by_two_segments_is_a_pairs_operand() -> None:
    """One operand of the sums stays on the chip whole, the other would go around a ring."""
    names = [image(n, 1, 24, 8, 16) for n in "xacsdy"]
    data = model(
        names, conv("x", "a", 16, 16, 1), depthwise("a", "c", 16), plain("ADD", ["a", "c"], "s"),
        depthwise("s", "d", 16), plain("ADD", ["d", "a"], "y"),
    )  # fmt: skip
    for scratch in (3968, 4864, 6400, 7936, 9792):
        same(data, Machine(4, scratch, 1024, 1024, banks=4, bus_bytes=0.5, latency_cycles=40))
    tasks = network(compile_to_program(data, "pairs"))
    x = DRAW.integers(-128, 128, (1, 24, 8, 16)).astype(np.int8)
    fitted = 0
    for seed in range(24):
        machine = Machine(4, 8192, 1024, 1024, banks=4)
        try:
            design = build_design(tasks, machine, random_schedule(tasks, machine, random.Random(seed)))
        except DoesNotFitError:
            continue
        fitted += 1
        np.testing.assert_array_equal(interpret.run(design, [x], seed)[0], reference(data, x)[0])
    assert fitted > 4


def test_reshapes() -> None:
    """A reshape is no layer: who reads it sees other pixels in the same rows."""
    a = [image("x", 1, 4, 4, 8), image("a", 1, 4, 4, 8)]
    first = conv("x", "a", 8, 8)
    same(
        model(
            [*a, image("r", 1, 4, 2, 16), image("y", 1, 4, 2, 8)],
            first, reshape("a", "r", 1, 4, 2, 16), conv("r", "y", 16, 8),
        )
    )  # fmt: skip
    for rows, cols in ((2, 8), (1, 16)):
        shape = (1, rows, cols, 8)
        refused = model(
            [*a, image("r", *shape), image("y", *shape)],
            first, reshape("a", "r", *shape), conv("r", "y", 8, 8),
        )  # fmt: skip
        with pytest.raises(UnsupportedOperatorError, match=f"4x4x8 reshaped to {rows}x{cols}x8") as error:
            same(refused)
        assert error.value.where == "layer y"


def test_inputs_and_outputs_of_other_shapes() -> None:
    same(
        model(
            [image("x", 1, 72), image("r", 1, 4, 6, 3), image("y", 1, 4, 6, 8)],
            reshape("x", "r", 1, 4, 6, 3), conv("r", "y", 3, 8),
        )
    )  # fmt: skip
    same(
        model(
            [image("x", 1, 4, 4, 8), image("a", 1, 4, 4, 5), image("y", 1, 80)],
            conv("x", "a", 8, 5), reshape("a", "y", 1, 80),
        )
    )  # fmt: skip
    same(
        model([image("x", 1, 4, 5, 16), image("y", 20, 8)], dense("x", "y", 16, 8, keepNumDims=False)),
    )


@pytest.mark.parametrize("shape", [(1, 1, 6, 10), (1, 3, 6, 10), (1, 3, 6, 8), (6, 10)])
def test_softmax_of_maps(shape: tuple[int, ...]) -> None:
    y = T("y", shape, scale=1 / 256, zero=-128)
    same(model([image("x", *shape), y], plain("SOFTMAX", ["x"], "y", beta=1.0)))


def test_a_transposed_operand_is_this_layers_alone() -> None:
    keep = {"keepNumDims": True}
    k, q = dense("x", "k", 12, 12, **keep), dense("x", "q", 12, 12, **keep)
    tensors = [image(n, 6, 12) for n in "xkq"] + [image("y", 6, 6, scale=1.0)]
    product = plain("BATCH_MATMUL", ["q", "k"], "y", adjY=True)
    same(model(tensors, k, q, product))
    itself = model([*tensors[:2], tensors[3]], k, plain("BATCH_MATMUL", ["k", "k"], "y", adjY=True))
    given = model(
        [image("x", 6, 12), image("k", 5, 12), image("y", 6, 5)],
        plain("BATCH_MATMUL", ["x", "k"], "y", adjY=True), inputs="xk",
    )  # fmt: skip
    for refused in (itself, given, model(tensors, k, q, product, outputs="ky")):
        with pytest.raises(UnsupportedOperatorError, match="k transposed") as error:
            same(refused)
        assert error.value.where == "layer y"


@pytest.mark.parametrize("shape", [(1, 3000, 1, 8), (1, 1, 3000, 8)])
def test_long_maps(shape: tuple[int, ...]) -> None:
    """As of sound: more rows or columns than an offset has bits."""
    same(model([image("x", *shape), image("y", *shape)], conv("x", "y", 8, 8)))
