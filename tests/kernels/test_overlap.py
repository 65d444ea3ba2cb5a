"""lead_bytes of seeded random geometries: at exactly that distance the output equals the one made apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from caller import call, call_overlapping, step

from edgert.codegen.program import Step

Case = tuple[Step, tuple[int, ...], tuple[int, ...]]  # step, x shape, y shape


def pool(rng: np.random.Generator, op: str) -> Case:
    batch, channels = (int(n) for n in rng.integers(1, 4, 2))
    ins = rng.integers(1, 13, 2)
    kernel = np.minimum(rng.integers(1, 5, 2), ins)
    stride, pad = rng.integers(1, 4, 2), rng.integers(0, kernel)
    outs = (ins + 2 * pad - kernel) // stride + 1
    pair = {"in": ins, "out": outs, "kernel": kernel, "stride": stride}
    attrs = {f"{name}_{axis}": int(v[n]) for name, v in pair.items() for n, axis in enumerate("hw")}
    attrs |= {"pad_top": int(pad[0]), "pad_left": int(pad[1]), "batch": batch, "channels": channels}
    extra = {"count_include_pad": int(rng.integers(2)), "x_zero": 3} if op == "avg_pool2d_s8" else {}
    layer = step(op, **attrs, **extra, y_min=-100, y_max=110)
    return layer, (batch, *ins, channels), (batch, *outs, channels)


def resize(rng: np.random.Generator, op: str) -> Case:
    batch, channels = (int(n) for n in rng.integers(1, 4, 2))
    in_h, in_w, out_h, out_w = (int(n) for n in rng.integers(1, 13, 4))
    align, half = ((0, 0), (1, 0), (0, 1))[rng.integers(3)]
    extra = {"element_bytes": 1} if op == "resize_nearest" else {}
    layer = step(
        op, batch=batch, in_h=in_h, in_w=in_w, channels=channels, out_h=out_h, out_w=out_w,
        align_corners=align, half_pixel_centers=half, **extra,
    )  # fmt: skip
    return layer, (batch, in_h, in_w, channels), (batch, out_h, out_w, channels)


def mean(rng: np.random.Generator, op: str) -> Case:
    outer, reduce, inner = (int(n) for n in rng.integers(1, 9, 3))
    layer = step(
        op, outer=outer, reduce=reduce, inner=inner, x_zero=-3, multiplier=2**30 // reduce, shift=1, y_zero=5
    )
    return layer, (outer, reduce, inner), (outer, inner)


def pad(rng: np.random.Generator, op: str) -> Case:
    dims, before, after = rng.integers(1, 5, 4), rng.integers(0, 3, 4), rng.integers(0, 3, 4)
    attrs = {
        f"{name}{n}": int(v[n])
        for name, v in (("d", dims), ("before", before), ("after", after))
        for n in range(4)
    }
    return step(op, **attrs, value=9, element_bytes=1), tuple(dims), tuple(before + dims + after)


GENERATORS: dict[str, Callable[[np.random.Generator, str], Case]] = {
    "max_pool2d_s8": pool,
    "avg_pool2d_s8": pool,
    "resize_nearest": resize,
    "resize_bilinear_s8": resize,
    "mean_s8": mean,
    "pad": pad,
}


@pytest.mark.parametrize("op", GENERATORS)
@pytest.mark.parametrize("block", range(4))
def test_overlapping_output_equals_output_apart(op: str, block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        rng = np.random.default_rng(seed)
        layer, x_shape, y_shape = GENERATORS[op](rng, op)
        x = rng.integers(-128, 128, x_shape).astype(np.int8)
        apart = call(layer, [x], y_shape, "int8")
        overlapping = call_overlapping(layer, [x], y_shape, "int8")
        np.testing.assert_array_equal(overlapping, apart, f"{seed=} {dict(layer.attrs)}")
