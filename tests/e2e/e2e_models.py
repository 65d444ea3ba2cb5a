"""Tiny models for the command-line tests."""

from __future__ import annotations

import numpy as np
from tflite_builder import Op, T, build


def dense(in_c: int = 16, out_c: int = 4) -> bytes:
    """One fully connected layer [1, in_c] -> [1, out_c]."""
    weights = np.random.default_rng(1).integers(-127, 128, (out_c, in_c), dtype=np.int8)
    return build(
        tensors=[
            T("x", (1, in_c), scale=0.05, zero=-3),
            T("w", (out_c, in_c), data=weights, scale=0.01),
            T("b", (out_c,), "int32", data=np.arange(out_c), scale=0.0005),
            T("y", (1, out_c), scale=0.1, zero=5),
        ],
        ops=[Op("FULLY_CONNECTED", ["x", "w", "b"], ["y"], {"keepNumDims": False})],
        inputs=["x"],
        outputs=["y"],
    )


def image(height: int = 6, width: int = 6, channels: int = 3) -> bytes:
    """One max pool over an image."""
    return build(
        tensors=[
            T("picture", (1, height, width, channels), scale=0.05, zero=3),
            T("y", (1, height // 2, width // 2, channels), scale=0.05, zero=3),
        ],
        ops=[
            Op(
                "MAX_POOL_2D",
                ["picture"],
                ["y"],
                {"strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2, "padding": "VALID"},
            )
        ],
        inputs=["picture"],
        outputs=["y"],
    )


def unsupported() -> bytes:
    """An operator that neither a kernel nor TVM has."""
    return build(
        tensors=[T("x", (1, 8), scale=0.05), T("y", (1, 8), scale=0.05)],
        ops=[Op("RANDOM_UNIFORM", ["x"], ["y"])],
        inputs=["x"],
        outputs=["y"],
    )
