"""Before -> expected, structurally equal."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax
from tvm.relax import op as R

from edgert.codegen.passes.fuse_qdq import fuse_qdq
from edgert.codegen.passes.simplify import commute_movement, fold_weights, quantize_early, split_tuples


def scalar(value: float, dtype: str = "float32") -> tvm.ir.Expr:
    return relax.const(value, dtype)


def real(x: tvm.ir.Expr, scale: float = 0.5, zero: int = 3) -> tvm.ir.Expr:
    return R.dequantize(x, scalar(scale), scalar(zero, "int32"), axis=0)


def quantized(x: tvm.ir.Expr, scale: float = 0.5, zero: int = 3) -> tvm.ir.Expr:
    return R.quantize(x, scalar(scale), scalar(zero, "int32"), axis=0, out_dtype="int8")


def module(make: object, shape: tuple[int, ...] = (2, 4), dtype: str = "int8") -> tvm.IRModule:
    builder, x = relax.BlockBuilder(), relax.Var("x", relax.TensorType(shape, dtype))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(make(x))  # type: ignore[operator]
        builder.emit_func_output(result)
    return builder.get()


def values(mod: tvm.IRModule) -> list[tvm.ir.Expr]:
    return [b.value for block in mod["main"].body.blocks for b in block.bindings]


def test_movement_commutes_out_of_equal_scales() -> None:
    before = module(lambda x: quantized(R.permute_dims(real(x), [1, 0])))
    expected = module(lambda x: R.permute_dims(x, [1, 0]))
    after = relax.transform.DeadCodeElimination()(commute_movement(before))
    tvm.ir.assert_structural_equal(after, expected)


def test_movement_stays_between_different_scales() -> None:
    before = module(lambda x: quantized(R.permute_dims(real(x), [1, 0]), scale=0.25))
    tvm.ir.assert_structural_equal(commute_movement(before), before)


def test_weights_are_transposed_as_integers() -> None:
    weights = np.arange(6, dtype=np.int8).reshape(3, 2)
    scales = relax.const(np.array([1, 2, 3], np.float32))
    zero = scalar(0, "int32")

    def before(x: tvm.ir.Expr) -> tvm.ir.Expr:
        return R.matmul(x, R.permute_dims(R.dequantize(relax.const(weights), scales, zero, axis=0), [1, 0]))

    def expected(x: tvm.ir.Expr) -> tvm.ir.Expr:
        return R.matmul(x, R.dequantize(relax.const(weights.T.copy()), scales, zero, axis=1))

    after = relax.transform.DeadCodeElimination()(fold_weights(module(before, dtype="float32", shape=(2, 2))))
    tvm.ir.assert_structural_equal(after, module(expected, dtype="float32", shape=(2, 2)))


def test_a_quantize_moves_up_to_its_layer() -> None:
    after = quantize_early(
        module(lambda x: quantized(R.reshape(R.matmul(real(x), real(x)), [1, 4, 4])), (4, 4))
    )
    expected = module(lambda x: R.reshape(quantized(R.matmul(real(x), real(x))), [1, 4, 4]), (4, 4))
    tvm.ir.assert_structural_equal(after, expected)


def test_a_quantize_of_moved_integers_stays() -> None:
    before = module(lambda x: quantized(R.reshape(real(x), [8]), 0.25))
    tvm.ir.assert_structural_equal(quantize_early(before), before)


def test_a_quantize_stays_behind_a_move_that_others_read() -> None:
    builder, x = relax.BlockBuilder(), relax.Var("x", relax.TensorType((2, 4), "int8"))
    with builder.function("main", [x]):
        with builder.dataflow():
            moved = builder.emit(R.reshape(R.tanh(real(x)), [8]))
            results = [builder.emit_output(quantized(moved)), builder.emit_output(moved)]
        builder.emit_func_output(relax.Tuple(results))
    before = builder.get()
    tvm.ir.assert_structural_equal(quantize_early(before), before)


def test_split_becomes_slices() -> None:
    after = relax.transform.DeadCodeElimination()(split_tuples(module(lambda x: R.split(x, 2, axis=1)[1])))
    expected = module(lambda x: R.strided_slice(x, [1], [2], [4], [1]))
    tvm.ir.assert_structural_equal(after, expected)


def test_fusion_keeps_the_layers_name_and_recomputes_a_shared_dequantize() -> None:
    def before(x: tvm.ir.Expr) -> tvm.ir.Expr:
        return real(x)

    builder, x = relax.BlockBuilder(), relax.Var("x", relax.TensorType((2, 4), "int8"))
    with builder.function("main", [x]):
        with builder.dataflow():
            shared = builder.emit(before(x))
            first = builder.emit(quantized(R.tanh(shared)), name_hint="block/tanh")
            second = builder.emit_output(quantized(R.add(shared, real(first))), name_hint="block/add")
        builder.emit_func_output(second)
    after = fuse_qdq(builder.get())
    block = after["main"].body.blocks[0]
    assert [b.var.name for b in block.bindings] == ["block/tanh", "block/add"]
    names = [str(b.value.args[0].global_symbol) for b in block.bindings]
    assert names == ["edgert_table_000", "edgert_add_001"]
    assert [str(after[name].attrs["Composite"]) for name in names] == ["edgert.table", "edgert.add"]
    assert relax.analysis.well_formed(after) is not False
