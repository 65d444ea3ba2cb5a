"""Tables of functions that TFLite has no integer arithmetic for: TVM's float code, run on all bytes."""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax

from edgert.codegen.passes.composite import Body, dtype_of
from edgert.codegen.passes.outline import renamed
from edgert.codegen.program import Array


def evaluate_table(body: Body) -> Array:
    """The result for each input byte, [256] in the order of the byte."""
    values = np.arange(256, dtype=np.uint8).view(dtype_of(body.params[0]))
    fresh = {body.params[0]: relax.const(values, dtype_of(body.params[0]))}
    builder = relax.BlockBuilder()
    with builder.function("main", []):
        with builder.dataflow():
            for var, value in body.bindings:
                fresh[var] = builder.emit(_retyped(renamed(value, fresh)))
            result = builder.emit_output(fresh[body.result])
        builder.emit_func_output(result)
    module = relax.transform.LegalizeOps()(builder.get())
    machine = relax.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    table: Array = machine["main"]().numpy().view(np.int8)
    return table


def _retyped(call: tvm.ir.Call) -> tvm.ir.Call:
    """Without the type of the full tensor: the builder deduces that of 256 values."""
    return tvm.ir.Call(call.op, call.args, call.attrs, call.ty_args)
