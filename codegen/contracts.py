"""The contracts: what a kernel of each operator is told, by name. One row per operator.

Lowering makes Steps that satisfy a row exactly; every kernel variant reads the same row; the C struct
`ert_<contract>_t` in csrc/kernels/<op>/<contract>.h has one int32_t (or float) field per attr, in this
order (tests/kernels checks it). Maths and rounding: the header of each contract, and docs/numerics.md.

Common attrs: x_zero, y_zero are zero points (real = scale * (q - zero)); y_min, y_max clamp the output;
-2**31 and 2**31 - 1 are open ends: the output is known to stay inside int8 on that side.
`multiplier`/`shift`: real factor = multiplier * 2**(shift - 31), multiplier in [2**30, 2**31) or 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgert.codegen.program import Step


@dataclass(frozen=True)
class Contract:
    """inputs: how many activations. attrs, constants: exact names, in the order the C side sees them.

    constants maps role -> (dtype, shape in words); the plain layout, before a variant packs it.
    """

    name: str
    folder: str
    inputs: int
    attrs: tuple[str, ...]
    constants: tuple[tuple[str, str, str], ...] = ()
    float_attrs: frozenset[str] = frozenset()


_IMAGE = ("batch", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c")
_WINDOW = (
    "kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w", "pad_top", "pad_left",
)  # fmt: skip
_POOL = (
    "batch", "in_h", "in_w", "channels", "out_h", "out_w",
    "kernel_h", "kernel_w", "stride_h", "stride_w", "pad_top", "pad_left",
)  # fmt: skip
_OUT = ("y_zero", "y_min", "y_max")
# Element [i,j,k,l] of a 4-D view: operand strides in elements, 0 where the operand is broadcast.
_BROADCAST = (
    "d0", "d1", "d2", "d3",
    "x0_s0", "x0_s1", "x0_s2", "x0_s3", "x1_s0", "x1_s1", "x1_s2", "x1_s3",
)  # fmt: skip
_PER_CHANNEL = (
    ("bias", "int32", "[out_c]; zeros if the layer has none"),
    ("multiplier", "int32", "[out_c]"),
    ("shift", "int32", "[out_c]"),
)

_SIGNS = ("weights", "int8", "[out_c, kernel_h, kernel_w, in_c]; +1 or -1")

CONTRACTS: dict[str, Contract] = {
    c.name: c
    for c in (
        Contract(
            "conv2d_s8", "conv2d", 1, (*_IMAGE, *_WINDOW, "groups", "x_zero", *_OUT),
            (("weights", "int8", "[out_c, kernel_h, kernel_w, in_c / groups]"), *_PER_CHANNEL),
        ),
        # a 1x1 conv2d_s8 and the max pool behind it, windows side by side; out_h, out_w: of the convolution's
        # map
        Contract(
            "conv2d_pool_s8", "conv2d", 1,
            (*_IMAGE, *_WINDOW, "groups", "x_zero", *_OUT, "pool_h", "pool_w"),
            (("weights", "int8", "[out_c, 1, 1, in_c / groups]"), *_PER_CHANNEL),
        ),
        # out_c = in_c * depth_multiplier; output channel c reads input channel c // depth_multiplier
        Contract(
            "depthwise_conv2d_s8", "depthwise_conv2d", 1,
            (*_IMAGE, *_WINDOW, "depth_multiplier", "x_zero", *_OUT),
            (("weights", "int8", "[kernel_h, kernel_w, out_c]"), *_PER_CHANNEL),
        ),
        # rounds once, conv2d rounds twice: see docs/numerics.md
        Contract(
            "fully_connected_s8", "fully_connected", 1, ("batch", "in_c", "out_c", "x_zero", *_OUT),
            (("weights", "int8", "[out_c, in_c]"), *_PER_CHANNEL),
        ),
        # of two activations: x0 [batch, rows, depth], x1 [batch, depth, columns], with x1_transposed
        # [batch, columns, depth]; rounds twice
        Contract(
            "matmul_s8", "matmul", 2,
            ("batch", "rows", "depth", "columns", "x1_transposed", "x0_zero", "x1_zero",
             "y_multiplier", "y_shift", *_OUT),
        ),
        # sub is add with a negative x1_multiplier
        Contract(
            "add_s8", "add", 2,
            (*_BROADCAST, "left_shift", "x0_zero", "x0_multiplier", "x0_shift",
             "x1_zero", "x1_multiplier", "x1_shift", "y_multiplier", "y_shift", *_OUT),
        ),
        Contract(
            "mul_s8", "mul", 2,
            (*_BROADCAST, "x0_zero", "x1_zero", "y_multiplier", "y_shift", *_OUT),
        ),
        Contract("max_pool2d_s8", "pool2d", 1, (*_POOL, "y_min", "y_max")),
        # input and output share scale and zero point; padding is not counted unless count_include_pad
        Contract(
            "avg_pool2d_s8", "pool2d", 1, (*_POOL, "count_include_pad", "x_zero", "y_min", "y_max")
        ),
        # x [outer, reduce, inner] -> y [outer, inner]
        Contract(
            "mean_s8", "mean", 1,
            ("outer", "reduce", "inner", "x_zero", "multiplier", "shift", "y_zero"),
        ),
        # y[i] = table[(uint8_t)x[i]]: every unary op between 8-bit tensors, and every 8-bit requantize
        Contract("lut_s8", "lut", 1, ("size",), (("table", "int8", "[256], indexed by the input byte"),)),
        # x, y [outer, channels]; alpha is the slope, quantized
        Contract(
            "prelu_s8", "prelu", 1,
            ("outer", "channels", "x_zero", "alpha_zero", "positive_multiplier", "positive_shift",
             "negative_multiplier", "negative_shift", "y_zero"),
            (("alpha", "int8", "[channels]"),),
        ),
        # exp_table[d] = exp(-d * scale * beta) in Q0.31 for d = max - x in [0, 255]; 0 past diff_min
        Contract(
            "softmax_s8", "softmax", 1, ("rows", "depth"), (("exp_table", "int32", "[256]"),)
        ),
        Contract(
            "quantize_f32_s8", "quantize", 1, ("size", "scale", "zero"), (), frozenset({"scale"})
        ),
        Contract(
            "dequantize_s8_f32", "quantize", 1, ("size", "scale", "zero"), (), frozenset({"scale"})
        ),
        # align_corners, half_pixel_centers: 0 or 1, as in TFLite
        Contract(
            "resize_bilinear_s8", "resize", 1,
            ("batch", "in_h", "in_w", "channels", "out_h", "out_w", "align_corners", "half_pixel_centers"),
        ),
        # dtype b1: +1 or -1. pad_value: what lies outside of the map, -1, 0 or +1
        Contract(
            "conv2d_b1", "binary", 1, (*_IMAGE, *_WINDOW, "pad_value"),
            (_SIGNS, ("threshold", "int32", "[out_c]; y = dot >= threshold")),
        ),
        Contract(
            "conv2d_b1_f32", "binary", 1, (*_IMAGE, *_WINDOW, "pad_value"),
            (_SIGNS, ("scale", "float32", "[out_c]"), ("bias", "float32", "[out_c]")),
        ),
        Contract(
            "conv2d_b1_s16", "binary", 1, (*_IMAGE, *_WINDOW, "pad_value", "y_scale"),
            (_SIGNS, ("scale", "float32", "[out_c]"), ("bias", "float32", "[out_c]")), frozenset({"y_scale"}),
        ),
        Contract(
            "conv2d_s8_b1", "binary", 1, (*_IMAGE, *_WINDOW, "x_zero"),
            (("weights", "int8", "[out_c, kernel_h, kernel_w, in_c]"), ("threshold", "int32", "[out_c]")),
        ),
        Contract(
            "max_pool2d_b1", "binary", 1, _POOL,
            (("minimum", "bool", "[channels]; the minimum instead, where it is set"),),
        ),
        Contract(
            "sign_s8_b1", "binary", 1, ("outer", "channels"),
            (("threshold", "int32", "[channels]"), ("flip", "bool", "[channels]")),
        ),
        Contract(
            "sign_s16_b1", "binary", 1, ("outer", "channels"),
            (("threshold", "int32", "[channels]"), ("flip", "bool", "[channels]")),
        ),
        Contract(
            "sign_f32_b1", "binary", 1, ("outer", "channels", "strict"),
            (("gain", "float32", "[channels]"), ("shift", "float32", "[channels]")),
        ),
        # The data movers below copy elements of element_bytes (1, 2 or 4) and are exact for any dtype.
        Contract(
            "resize_nearest", "resize", 1,
            ("batch", "in_h", "in_w", "channels", "out_h", "out_w",
             "align_corners", "half_pixel_centers", "element_bytes"),
        ),
        # x dims d0..d3; `value` is the element's bits
        Contract(
            "pad", "pad", 1,
            ("d0", "d1", "d2", "d3", "before0", "before1", "before2", "before3",
             "after0", "after1", "after2", "after3", "value", "element_bytes"),
        ),
        # y[i,j,k,l] = x[begin + strides . (i,j,k,l)] over y dims d0..d3; strides s0..s3 and begin in
        # elements of x, may be negative: transpose, strided slice, split, flip and broadcast are all this
        Contract(
            "strided_copy", "copy", 1,
            ("d0", "d1", "d2", "d3", "begin", "s0", "s1", "s2", "s3", "element_bytes"),
        ),
        # one part of a concat: y[r, y_offset : y_offset + row_bytes] = x[r, :], y rows are y_row_bytes long
        Contract("copy_rows", "copy", 1, ("rows", "row_bytes", "y_row_bytes", "y_offset")),
    )
}  # fmt: skip


def check_step(step: Step) -> None:
    """Assert that lowering honoured the contract: our own bug otherwise, never the user's."""
    if step.op == "tir":
        assert step.tir is not None, step.name
        return
    contract = CONTRACTS[step.op]
    assert set(step.attrs) == set(contract.attrs), (step.name, set(step.attrs) ^ set(contract.attrs))
    assert set(step.constants) == {role for role, _, _ in contract.constants}, step.name
    assert len(step.inputs) == contract.inputs and len(step.outputs) == 1, step.name
