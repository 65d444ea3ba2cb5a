"""Relax expressions that both front ends write."""

from __future__ import annotations

from tvm import relax
from tvm.ir import Expr
from tvm.relax import op as R


def hard_swish(x: Expr) -> Expr:
    """x * relu6(x + 3) / 6"""
    gate = R.clip(R.add(x, relax.const(3.0, "float32")), 0, 6)
    return R.multiply(x, R.multiply(gate, relax.const(1 / 6, "float32")))
