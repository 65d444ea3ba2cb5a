"""Kernel variants as data: which C function, for which target, how it wants its constants.

One module per operator folder of csrc/kernels; `VARIANTS` below is the only list. The C function of
variant v of contract c is

    ert_<c>__<v>(const X *x0, ..., Y *y, <constants in the order pack() returns them>,
                 [uint8_t *scratch if scratch_bytes() > 0 for any step,] const ert_<c>_t *g)

in csrc/kernels/<header>. Pointers to int8 tensors are int8_t *, of data movers uint8_t *, of float32
float *, of bits uint32_t *. A variant is interchangeable with every other of its contract: same bytes out.
"""

from __future__ import annotations

from edgert.codegen.kernels import (
    add,
    binary,
    conv2d,
    conv2d_pool,
    copy,
    depthwise_conv2d,
    fully_connected,
    lut,
    matmul,
    mean,
    mul,
    pad,
    pool2d,
    prelu,
    quantize,
    resize,
    softmax,
)
from edgert.codegen.kernels.variant import Variant

__all__ = ["VARIANTS", "Variant"]

VARIANTS: tuple[Variant, ...] = (
    *add.VARIANTS,
    *binary.VARIANTS,
    *conv2d.VARIANTS,
    *conv2d_pool.VARIANTS,
    *copy.VARIANTS,
    *depthwise_conv2d.VARIANTS,
    *fully_connected.VARIANTS,
    *lut.VARIANTS,
    *matmul.VARIANTS,
    *mean.VARIANTS,
    *mul.VARIANTS,
    *pad.VARIANTS,
    *pool2d.VARIANTS,
    *prelu.VARIANTS,
    *quantize.VARIANTS,
    *resize.VARIANTS,
    *softmax.VARIANTS,
)
