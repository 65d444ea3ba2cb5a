"""What the kernels can do, as Relax patterns: one row per composite, the first that fits wins.

A row's pattern gives the form, its `supports` the conditions that a form cannot say (dtypes, scales,
layouts). What fits no row is left to TIR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isinf, prod

from tvm.ir import Expr, GenericConst, Tuple
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard

from edgert.codegen.passes.composite import Body, array, dtype_of, op_name, shape_of, untransposed

WIDTHS = {"int8": 1, "uint8": 1, "bool": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "float32": 4}
ELEMENTWISE = frozenset(
    f"relax.{name}"
    for name in (
        "abs", "add", "ceil", "clip", "cos", "divide", "erf", "exp", "floor", "log", "maximum", "minimum",
        "multiply", "negative", "nn.gelu", "nn.gelu_tanh", "nn.leakyrelu", "nn.relu", "nn.silu",
        "nn.softplus", "power", "round", "rsqrt", "sigmoid", "sign", "sin", "sqrt", "square", "subtract",
        "tan", "tanh",
    )
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Pattern:
    """name: the composite's. pattern matches its root. whole: reaches back to the dequantized inputs."""

    name: str
    pattern: DFPattern
    supports: Callable[[Body], bool]
    whole: bool = True


def _real() -> DFPattern:
    return is_op("relax.dequantize")(wildcard(), is_const(), is_const())


def _call(op: str, *inputs: DFPattern) -> DFPattern:
    return is_op(op)(*inputs)


def _activated(inner: DFPattern) -> DFPattern:
    clip = is_op("relax.clip")(inner, wildcard(), wildcard())
    return is_op("relax.nn.relu")(inner) | clip | inner


def _quantized(inner: DFPattern) -> DFPattern:
    return is_op("relax.quantize")(_activated(inner), is_const(), is_const())


def _biased(op: str) -> DFPattern:
    return _quantized(_call("relax.add", _call(op, _real(), _real()), _real()) | _call(op, _real(), _real()))


def _int8(body: Body) -> bool:
    """8-bit activations in and out, all per-tensor."""
    activations = all(dtype_of(p) == "int8" for p in body.params)
    return activations and body.output is not None and dtype_of(body.result) == "int8"


def _pooling(body: Body) -> bool:
    pool = body.find("relax.nn.avg_pool2d", "relax.nn.max_pool2d")
    if pool is None or not _int8(body):
        return False
    attrs = pool.attrs
    if attrs.layout != "NHWC" or attrs.ceil_mode or any(int(d) != 1 for d in attrs.dilation):
        return False
    return _same_quant(body, pool.args[0])


def _same_quant(body: Body, source: Expr) -> bool:
    operand = body.operand(source)
    return (
        operand is not None
        and operand.per_tensor
        and (float(operand.scale.reshape(-1)[0]), operand.zero) == body.output
    )


def _direct_pooling(body: Body) -> bool:
    attrs = body.root.attrs
    plain = attrs.layout == "NHWC" and not attrs.ceil_mode and all(int(d) == 1 for d in attrs.dilation)
    return plain and dtype_of(body.result) == "int8" and len(body.params) == 1


def _weighted(op: str, output_axis: Callable[[Body], int]) -> Callable[[Body], bool]:
    """One activation; int8 weights without zero point, scaled over the output channels; an int32 bias."""

    def supports(body: Body) -> bool:
        call = body.find(op)
        if call is None or not _int8(body) or len(body.params) != 1:
            return False
        x, w = body.operand(call.args[0]), body.operand(call.args[1])
        if x is None or w is None or not x.per_tensor or w.constant is None or w.constant.dtype != "int8":
            return False
        return w.zero == 0 and (w.per_tensor or w.axis == output_axis(body)) and _integer_bias(body)

    return supports


def _integer_bias(body: Body) -> bool:
    add = body.find("relax.add")
    bias = body.operand(add.args[1]) if add is not None else None
    if bias is None or bias.constant is None:
        return add is None
    flat = bias.constant.size == shape_of(body.result)[-1]
    return flat and bias.constant.dtype == "int32" and bias.zero == 0


def _conv2d(body: Body) -> bool:
    conv = body.find("relax.nn.conv2d")
    assert conv is not None
    layouts = (conv.attrs.data_layout, conv.attrs.out_layout)
    axis = _weighted("relax.nn.conv2d", lambda _: str(conv.attrs.kernel_layout).index("O"))
    return layouts == ("NHWC", "NHWC") and axis(body)


def _matmul(body: Body) -> bool:
    matmul = body.find("relax.matmul")
    assert matmul is not None
    flat = len(shape_of(matmul.args[0])) == 2 == len(shape_of(matmul.args[1]))
    return flat and _weighted("relax.matmul", lambda _: 1)(body)


def _matmul_of_two(body: Body) -> bool:
    """Both operands of one scale; the second the other way round, or the same for the whole batch, if so.

    With a batch axis: what has none is a fully connected layer, which rounds once (docs/numerics.md).
    """
    matmul = body.find("relax.matmul")
    assert matmul is not None
    left, right = body.operand(matmul.args[0]), body.operand(untransposed(body, matmul.args[1])[0])
    if left is None or right is None or not _int8(body):
        return False
    a, b = shape_of(matmul.args[0]), shape_of(matmul.args[1])
    good = (o.per_tensor and dtype_of(o.source) == "int8" for o in (left, right))
    return min(len(a), len(b)) >= 3 and (a[:-2] == b[:-2] or prod(b[:-2]) == 1) and all(good)


def _binary(body: Body) -> bool:
    call = body.find("relax.add", "relax.subtract", "relax.multiply")
    operands = [body.operand(a) for a in call.args] if call is not None else []
    good = (o is not None and o.per_tensor and dtype_of(o.source) == "int8" for o in operands)
    return _int8(body) and bool(operands) and all(good)


def _one_input(body: Body) -> bool:
    return (
        len(body.params) == 1
        and _int8(body)
        and all(
            op_name(value) != "relax.dequantize" or value.args[1].ty.shape is not None
            for _, value in body.bindings
        )
    )


def _mean(body: Body) -> bool:
    """Over neighbouring axes."""
    mean = body.find("relax.mean")
    assert mean is not None
    rank = len(shape_of(mean.args[0]))
    axes = (
        sorted(int(a) % rank for a in mean.attrs.axis) if mean.attrs.axis is not None else list(range(rank))
    )
    return _one_input(body) and axes == list(range(axes[0], axes[-1] + 1)) and isinf(body.activation[1])


def _softmax(body: Body) -> bool:
    softmax = body.find("relax.nn.softmax")
    assert softmax is not None
    last = int(softmax.attrs.axis) in (-1, len(shape_of(body.result)) - 1)
    return last and _one_input(body) and body.output == (1 / 256, -128)


def _prelu(body: Body) -> bool:
    prelu = body.find("relax.nn.prelu")
    assert prelu is not None
    alpha = body.operand(prelu.args[1])
    last = int(prelu.attrs.axis) == len(shape_of(body.result)) - 1
    constant = alpha is not None and alpha.constant is not None and alpha.per_tensor
    return last and constant and _one_input(body) and isinf(body.activation[1])


def _resize_linear(body: Body) -> bool:
    resize = body.find("relax.image.resize2d")
    assert resize is not None
    modes = ("align_corners", "half_pixel", "asymmetric")
    known = resize.attrs.method == "linear" and resize.attrs.coordinate_transformation_mode in modes
    return known and resize.attrs.layout == "NHWC" and _one_input(body) and _same_quant(body, resize.args[0])


def _concat(body: Body) -> bool:
    concat = body.find("relax.concat")
    fields = concat.args[0] if concat is not None else None
    if not isinstance(fields, Tuple) or not _int8(body) or not isinf(body.activation[1]):
        return False
    operands = [body.operand(field) for field in fields.fields]
    return all(o is not None and o.per_tensor and o.constant is None for o in operands)


def _table(body: Body) -> bool:
    """Any elementwise function of one 8-bit tensor, other operands single numbers."""
    if len(body.params) != 1 or body.output is None or not set(body.ops) <= ELEMENTWISE:
        return False
    (x,) = body.params
    if {dtype_of(x), dtype_of(body.result)} - {"int8", "uint8"} or shape_of(x) != shape_of(body.result):
        return False
    single = (a for _, value in body.bindings for a in value.args if isinstance(a, GenericConst))
    return all(array(a).size == 1 for a in single)


def _scalar_quant(body: Body) -> bool:
    single = all(array(a).size == 1 for a in body.root.args[1:])
    dtypes = {dtype_of(body.root.args[0]), dtype_of(body.result)}
    return single and dtypes == {"int8", "float32"} and len(body.params) == 1


def _movable(body: Body) -> bool:
    return dtype_of(body.result) in WIDTHS and len(body.params) > 0


def _pad(body: Body) -> bool:
    return _movable(body) and body.root.attrs.pad_mode == "constant"


def _nearest(body: Body) -> bool:
    attrs = body.root.attrs
    rounding = {
        "align_corners": ("", "round"),
        "half_pixel": ("round_prefer_ceil",),
        "asymmetric": ("", "floor"),
    }
    accepted = rounding.get(str(attrs.coordinate_transformation_mode), ())
    known = (
        attrs.method == "nearest_neighbor" and attrs.layout == "NHWC" and attrs.rounding_method in accepted
    )
    return bool(known) and _movable(body)


def _parts(body: Body) -> bool:
    fields = body.root.args[0]
    return (
        isinstance(fields, Tuple)
        and _movable(body)
        and not any(isinstance(f, GenericConst) for f in fields.fields)
    )


PATTERNS: tuple[Pattern, ...] = (
    Pattern("conv2d", _biased("relax.nn.conv2d"), _conv2d),
    Pattern("fully_connected", _biased("relax.matmul"), _matmul),
    Pattern(
        "matmul",
        _quantized(_call("relax.matmul", _real(), _real() | _call("relax.permute_dims", _real()))),
        _matmul_of_two,
    ),
    Pattern("add", _quantized(_call("relax.add", _real(), _real())), _binary),
    Pattern("subtract", _quantized(_call("relax.subtract", _real(), _real())), _binary),
    Pattern("multiply", _quantized(_call("relax.multiply", _real(), _real())), _binary),
    Pattern("avg_pool2d", _quantized(_call("relax.nn.avg_pool2d", _real())), _pooling),
    Pattern("max_pool2d", _quantized(_call("relax.nn.max_pool2d", _real())), _pooling),
    Pattern("mean", _quantized(_call("relax.mean", _real())), _mean),
    Pattern(
        "softmax",
        _quantized(_call("relax.nn.softmax", _real() | _call("relax.multiply", _real(), is_const()))),
        _softmax,
    ),
    Pattern("prelu", _quantized(_call("relax.nn.prelu", _real(), _real())), _prelu),
    Pattern(
        "resize_bilinear", _quantized(_call("relax.image.resize2d", _real(), wildcard())), _resize_linear
    ),
    Pattern("concat", _quantized(_call("relax.concat", wildcard())), _concat),
    Pattern("table", _call("relax.quantize", wildcard(), is_const(), is_const()), _table),
    Pattern("quantize", _call("relax.quantize", wildcard(), is_const(), is_const()), _scalar_quant, False),
    Pattern("dequantize", _real(), _scalar_quant, False),
    Pattern("max_pool2d", _call("relax.nn.max_pool2d", wildcard()), _direct_pooling, False),
    Pattern("concat", _call("relax.concat", wildcard()), _parts, False),
    Pattern("transpose", _call("relax.permute_dims", wildcard()), _movable, False),
    Pattern("slice", is_op("relax.strided_slice")(varg_default_wildcard=True), _movable, False),
    Pattern("pad", _call("relax.nn.pad", wildcard()), _pad, False),
    Pattern("resize_nearest", _call("relax.image.resize2d", wildcard(), wildcard()), _nearest, False),
)
