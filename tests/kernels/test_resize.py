"""resize_nearest and resize_bilinear_s8 against the reference interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from caller import call, call_overlapping, step
from tflite_builder import Op, T, build, reference

SIZES = [  # (in_h, in_w), (out_h, out_w)
    ((1, 1), (1, 1)),
    ((4, 4), (8, 8)),
    ((8, 8), (4, 4)),
    ((3, 5), (7, 11)),
    ((7, 11), (3, 5)),
    ((5, 3), (1, 1)),
    ((1, 1), (6, 5)),
    ((6, 7), (6, 7)),
    ((10, 10), (49, 27)),
    ((2, 30), (3, 7)),
]
FLAGS = [(0, 0), (1, 0), (0, 1)]  # align_corners, half_pixel_centers; the reference refuses both


@pytest.mark.parametrize(("align", "half"), FLAGS)
@pytest.mark.parametrize(("ins", "outs"), SIZES)
@pytest.mark.parametrize(
    ("kind", "op", "dtype"),
    [
        ("RESIZE_BILINEAR", "resize_bilinear_s8", "int8"),
        ("RESIZE_NEAREST_NEIGHBOR", "resize_nearest", "int8"),
        ("RESIZE_NEAREST_NEIGHBOR", "resize_nearest", "float32"),
    ],
)
def test_resize(
    kind: str, op: str, dtype: str, ins: tuple[int, int], outs: tuple[int, int], align: int, half: int
) -> None:
    for batch, channels in ((1, 1), (2, 3)):
        x_shape, y_shape = (batch, *ins, channels), (batch, *outs, channels)
        x = np.random.default_rng(channels).integers(-128, 128, x_shape).astype(dtype)
        quant = {"scale": 0.1, "zero": 4} if dtype == "int8" else {}
        model = build(
            tensors=[
                T("x", x_shape, dtype, **quant),
                T("size", (2,), "int32", np.array(outs)),
                T("y", y_shape, dtype, **quant),
            ],
            ops=[
                Op(kind, ["x", "size"], ["y"], {"alignCorners": bool(align), "halfPixelCenters": bool(half)})
            ],
            inputs=["x"],
            outputs=["y"],
        )
        (expected,) = reference(model, x)
        attrs = {
            "batch": batch, "in_h": ins[0], "in_w": ins[1], "channels": channels,
            "out_h": outs[0], "out_w": outs[1], "align_corners": align, "half_pixel_centers": half,
        }  # fmt: skip
        if op == "resize_nearest":
            attrs["element_bytes"] = x.itemsize
        layer = step(op, **attrs)
        np.testing.assert_array_equal(call(layer, [x], y_shape, dtype), expected)
        np.testing.assert_array_equal(call_overlapping(layer, [x], y_shape, dtype), expected)


@pytest.mark.parametrize(("align", "half"), FLAGS)
def test_every_pair_of_sizes(align: int, half: int) -> None:
    # float32 position arithmetic: sizes whose ratio is not exact may land on either side of a whole number
    for ins in range(1, 24):
        for outs in range(1, 24):
            x = np.arange(ins, dtype=np.int8).reshape(1, 1, ins, 1)
            model = build(
                tensors=[
                    T("x", x.shape, scale=0.1),
                    T("size", (2,), "int32", np.array([1, outs])),
                    T("y", (1, 1, outs, 1), scale=0.1),
                ],
                ops=[
                    Op(
                        "RESIZE_NEAREST_NEIGHBOR",
                        ["x", "size"],
                        ["y"],
                        {"alignCorners": bool(align), "halfPixelCenters": bool(half)},
                    )
                ],
                inputs=["x"],
                outputs=["y"],
            )
            layer = step(
                "resize_nearest", batch=1, in_h=1, in_w=ins, channels=1, out_h=1, out_w=outs,
                align_corners=align, half_pixel_centers=half, element_bytes=1,
            )  # fmt: skip
            expected = reference(model, x)[0]
            np.testing.assert_array_equal(call(layer, [x], expected.shape, "int8"), expected)
