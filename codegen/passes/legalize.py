"""What no kernel does becomes TIR.

Needs: composites outlined. Guarantees: every binding of main is a composite call, a call_tir, a view
(reshape) or a tuple access. Raises: UnsupportedOperatorError for an operator that TVM cannot legalize.
"""

from __future__ import annotations

import tvm
from tvm import relax

from edgert.codegen.passes.composite import op_name
from edgert.errors import UnsupportedOperatorError

VIEWS = ("relax.reshape", "relax.squeeze", "relax.expand_dims", "relax.flatten")
_ALLOWED = (*VIEWS, "relax.call_tir", "relax.call_dps_packed", "")


def legalize(mod: tvm.IRModule) -> tvm.IRModule:
    """Composites are kept aside: TVM would legalize their insides as well."""
    composites = {g: f for g, f in mod.functions.items() if g.name_hint != "main"}
    main = tvm.IRModule({mod.get_global_var("main"): mod["main"]}, attrs=mod.attrs)
    passes = (relax.transform.LegalizeOps(skip_ops=list(VIEWS)), relax.transform.AnnotateTIROpPattern())
    try:
        for function in passes:
            main = function(main)
    except Exception as error:  # TVM raises anything on shapes that it did not expect
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UnsupportedOperatorError(
            f"TVM cannot legalize what no kernel does: {reason}",
            hint="quantize the model to int8, or cut it before the operator",
        ) from error
    _check(main)
    main.update(tvm.IRModule(composites))
    return main


def _check(mod: tvm.IRModule) -> None:
    bindings = [b for block in mod["main"].body.blocks for b in block.bindings]
    for position, binding in enumerate(bindings):
        name = op_name(binding.value)
        if name not in _ALLOWED:
            raise UnsupportedOperatorError(
                f"no kernel and no TIR for {name} (operator {position + 1} of {len(bindings)}, "
                f"output '{binding.var.name}')",
                hint="replace the operator in the model, or cut the model before it",
            )
