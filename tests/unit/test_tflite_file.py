"""A damaged file is ModelError or another of our errors, never a traceback of somebody else's."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from tflite_builder import Op, T, build

from edgert.codegen.pipeline import compile_to_program
from edgert.errors import EdgertError, ModelError, UnsupportedOperatorError


def small_model() -> bytes:
    pool = {"padding": "SAME", "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    return build(
        tensors=[
            T("x", (1, 8, 8, 3), scale=0.05, zero=3),
            T("pooled", (1, 4, 4, 3), scale=0.05, zero=3),
            T("y", (1, 4, 4, 3), scale=0.1, zero=-128),
        ],
        ops=[Op("MAX_POOL_2D", ["x"], ["pooled"], pool), Op("RELU", ["pooled"], ["y"])],
        inputs=["x"],
        outputs=["y"],
    )


def test_small_model_compiles() -> None:
    assert [step.op for step in compile_to_program(small_model(), "m").steps] == ["max_pool2d_s8", "lut_s8"]


def test_every_truncation_is_an_error_of_ours() -> None:
    model = small_model()
    for size in range(8, len(model) - 64, 37):
        with pytest.raises(EdgertError):
            compile_to_program(model[:size], "m")


@pytest.mark.parametrize("seed", range(150))
def test_random_damage_is_an_error_of_ours_or_harmless(seed: int) -> None:
    model, rng = bytearray(small_model()), np.random.default_rng(seed)
    for position in rng.integers(8, len(model), 1 + seed % 4):
        model[position] = rng.integers(256)
    with suppress(EdgertError):
        compile_to_program(bytes(model), "m")


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_after_the_identifier(seed: int) -> None:
    data = np.random.default_rng(seed).integers(0, 256, 400, np.uint8).tobytes()
    with pytest.raises(ModelError):
        compile_to_program(data[:4] + b"TFL3" + data[8:], "m")


def test_unsupported_operator_says_which_and_where() -> None:
    model = build(
        tensors=[T("x", (1, 4), "float32"), T("y", (1, 4), "float32")],
        ops=[Op("UNIDIRECTIONAL_SEQUENCE_LSTM", ["x"], ["y"])],
        inputs=["x"],
        outputs=["y"],
    )
    with pytest.raises(UnsupportedOperatorError) as caught:
        compile_to_program(model, "m")
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM (operator 1 of 1, output 'y')" in caught.value.what
    assert caught.value.hint
