"""Binary networks: signs that only binary layers read become bits, and those layers composites of bits.

    sign(a*x + b)          of floats, of int8, of a convolution of int8
    a * conv2d(bits, w) + b     and the sign of it, where w is -c and +c per channel; a product likewise
    quantize(a * conv2d(bits, w) + b) to int16
    max_pool2d(bits)       also where it stands between a convolution and its sign

Needs: one binding per result; what is linear folded as far as it goes (fold_linear).
Guarantees: each composite is written in one form, with the fewest operators:
    [pad], conv2d or [permute_dims, reshape,] matmul; multiply, add; greater or greater_equal 0, where +1, -1
    [multiply by signs], max_pool2d, [multiply by signs]
A value that others read as well is computed a second time, as floats.
Source: docs/binary.md.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Call, Expr, GenericConst
from tvm.relax import op as R

from edgert.codegen.passes.binary_forms import (
    Line,
    Sign,
    is_binary_layer,
    is_plain_conv,
    line_of,
    made_of,
    out_first,
    plus_minus,
    sign_of,
    two_valued,
)
from edgert.codegen.passes.composite import Body, array, dtype_of, leaves, op_name, shape_of
from edgert.codegen.passes.outline import outlined, typed, with_bindings
from edgert.codegen.program import Array

Binding = tuple[relax.Var, Expr]


def binarize(mod: tvm.IRModule) -> tvm.IRModule:
    """Relax -> Relax with composite functions; results keep their names."""
    found = _Binarizer(mod["main"])
    return found.run(mod) if found.signs else mod


@dataclass(frozen=True, eq=False)
class _Layer:
    """A binary convolution or product. source: the bits that it reads; chain: the bindings from there on."""

    source: relax.Var
    chain: tuple[relax.Var, ...]


class _Binarizer:
    def __init__(self, main: relax.Function) -> None:
        self.main, self.normalize = main, relax.BlockBuilder().normalize
        self.bindings = [(b.var, b.value) for block in main.body.blocks for b in block.bindings]
        self.values = dict(self.bindings)
        self.uses = Counter(v for _, value in self.bindings for v in leaves(value))
        self.uses.update(leaves(main.body.body))
        self.signs: dict[relax.Var, Sign] = {}
        for var, value in self.bindings:
            sign = sign_of(value, self.values)
            if sign is not None and dtype_of(var) == "float32" and len(shape_of(var)) in (2, 4):
                self.signs[var] = sign
        self.bits: dict[relax.Var, relax.Var] = {}
        self.made: list[Binding] = []
        self.functions: dict[tvm.ir.GlobalVar, relax.Function] = {}

    def run(self, mod: tvm.IRModule) -> tvm.IRModule:
        """Last reader first: what is needed as it is, and what as bits."""
        needed = {v for v in leaves(self.main.body.body) if isinstance(v, relax.Var)}
        for var, value in reversed(self.bindings):
            if var in needed:
                needed |= self._real(var, value)
            if var in self.bits:
                needed |= self._bits(var, value)
        result = with_bindings(mod, self.made[::-1])
        result.update(tvm.IRModule(self.functions))
        return result

    # What a variable is made of; both return the variables that are then needed as they are

    def _real(self, var: relax.Var, value: Expr) -> set[relax.Var]:
        rounded = _is_int16(value) and self.uses[value.args[0]] == 1
        last = value.args[0] if rounded else var
        line = line_of(last, self.values)
        layer = self._layer(line.x) if self._private(line.interior, last) else None
        if layer is None or (line.x is not last and self.uses[line.x] != 1):
            self.made.append((var, value))
            return {v for v in leaves(value) if isinstance(v, relax.Var)}
        chain = self._copied(layer.chain, line)
        if rounded:
            chain.append((var, Call(value.op, [chain[-1][0], *value.args[1:]], value.attrs, ret_ty=value.ty)))
        return self._composite("binary_conv2d", var, chain, as_bits=layer.source)

    def _bits(self, var: relax.Var, value: Expr) -> set[relax.Var]:
        result = self.bits[var]
        if op_name(value) == "relax.nn.max_pool2d":
            return self._composite("binary_max_pool2d", result, [(var, value)], as_bits=value.args[0])
        sign = self.signs[var]
        pool = self._made_of(sign.line.x)
        if op_name(pool) == "relax.nn.max_pool2d" and self._poolable(pool) and self._only(sign, var):
            return self._hoisted(result, sign, pool)
        return self._signed(result, sign, self._only(sign, var))

    def _hoisted(self, result: relax.Var, sign: Sign, pool: Call) -> set[relax.Var]:
        """sign(line(max_pool(x))) = max_pool(sign(line(x))); the minimum where the line falls."""
        inner = relax.DataflowVar(f"{result.name}/unpooled", pool.args[0].ty)
        falls = np.where(sign.line.gain < 0, -1.0, 1.0)
        body = _Writer(self.normalize)
        x = body.scaled(inner, falls)
        pooled = body.add(Call(pool.op, [x, *pool.args[1:]], pool.attrs, pool.ty_args), result.name)
        body.scaled(pooled, falls)
        self._emit("binary_max_pool2d", result, body.bindings, (inner,))
        moved = Sign(Line(pool.args[0], sign.line.gain, sign.line.shift), sign.strict)
        return self._signed(inner, moved, self.uses[pool.args[0]] == 1)

    def _signed(self, result: relax.Var, sign: Sign, private: bool) -> set[relax.Var]:
        """private: nobody else reads what the sign is made of."""
        z = sign.line.x
        inner = line_of(z, self.values) if private else Line(z, np.ones(1), np.zeros(1))
        whole = Line(inner.x, sign.line.gain * inner.gain, sign.line.shift + sign.line.gain * inner.shift)
        alone = private and self._private(inner.interior, z) and (inner.x is z or self.uses[inner.x] == 1)
        layer = self._layer(inner.x) if alone else None
        if layer is not None:
            chain = self._copied(layer.chain, whole, sign.strict)
            return self._composite("binary_conv2d", result, chain, as_bits=layer.source)
        integers = self._integers(whole.x, alone)
        chain = self._copied(integers, whole, sign.strict)
        kind = "sign_conv2d" if len(integers) > 1 else "binary_sign"
        return self._composite(kind, result, chain)

    # Recognition

    def _made_of(self, expr: Expr) -> Any:
        """What a variable of main is bound to; None for anything else."""
        return made_of(expr, self.values)

    def _only(self, sign: Sign, var: relax.Var) -> bool:
        """Nobody else reads what lies between the line's x and the sign, nor x."""
        return self.uses[sign.line.x] == 1 and self._private(sign.line.interior, var)

    def _private(self, interior: tuple[relax.Var, ...], last: relax.Var) -> bool:
        return all(self.uses[v] == 1 for v in interior if v is not last)

    def _layer(self, z: Expr) -> _Layer | None:
        """z as a binary layer of a sign."""
        call = self._made_of(z)
        if op_name(call) == "relax.nn.conv2d" and is_binary_layer(call):
            before = () if any(int(p) for p in call.attrs.padding) else self._padding(call.args[0])
            source = self.values[before[0]].args[0] if before else call.args[0]
        elif op_name(call) == "relax.matmul" and is_binary_layer(call):
            before = self._flattening(call.args[0])
            source = self.values[before[0]].args[0] if before else call.args[0]
        else:
            return None
        return _Layer(source, (*before, z)) if self._packable(source) else None

    def _padding(self, x: Expr) -> tuple[relax.Var, ...]:
        pad = self._made_of(x)
        if op_name(pad) != "relax.nn.pad" or self.uses[x] != 1:
            return ()
        widths, value = [int(n) for n in pad.attrs.pad_width], float(pad.attrs.pad_value)
        images = len(widths) == 8 and not any(widths[:2] + widths[6:])
        return (x,) if images and pad.attrs.pad_mode == "constant" and value in (-1.0, 0.0, 1.0) else ()

    def _flattening(self, x: Expr) -> tuple[relax.Var, ...]:
        """[permute_dims,] reshape of an image to its elements, in order of execution."""
        flat = self._made_of(x)
        if op_name(flat) not in ("relax.reshape", "relax.flatten", "relax.squeeze") or self.uses[x] != 1:
            return ()
        moved = self._made_of(flat.args[0])
        if op_name(moved) == "relax.permute_dims" and self.uses[flat.args[0]] == 1:
            return (flat.args[0], x)
        return (x,)

    def _packable(self, source: Expr) -> bool:
        """Whether `source` can be had as bits; then it will be."""
        if not isinstance(source, relax.Var):
            return False
        value = self._made_of(source)
        pooled = op_name(value) == "relax.nn.max_pool2d" and _plain_pool(value)
        return source in self.signs or (pooled and self._packable(value.args[0]))

    def _poolable(self, pool: Call) -> bool:
        return _plain_pool(pool) and isinstance(pool.args[0], relax.Var)

    def _integers(self, x: Expr, alone: bool) -> tuple[relax.Var, ...]:
        """What leads from int8 to x: a dequantize, or a convolution of one with constant weights."""
        call = self._made_of(x)
        if op_name(call) == "relax.dequantize" and _per_tensor(call):
            return (x,) if dtype_of(call.args[0]) in ("int8", "int16") else ()
        if op_name(call) != "relax.nn.conv2d" or not alone or not is_plain_conv(call):
            return ()
        data = self._made_of(call.args[0])
        if op_name(data) != "relax.dequantize" or not _per_tensor(data) or dtype_of(data.args[0]) != "int8":
            return ()
        w = call.args[1] if isinstance(call.args[1], GenericConst) else self._made_of(call.args[1])
        if op_name(w) == "relax.dequantize" and isinstance(w.args[0], GenericConst):
            good = array(w.args[0]).dtype == np.int8 and not np.any(array(w.args[2]))
            return (call.args[0], call.args[1], x) if good and array(w.args[0]).min() > -128 else ()
        if isinstance(w, GenericConst) and two_valued(out_first(call)) is not None:
            return (call.args[0], x)
        return ()

    # Writing

    def _copied(self, chain: tuple[relax.Var, ...], line: Line, strict: bool | None = None) -> list[Binding]:
        """These bindings, the line behind them, and its sign."""
        body = _Writer(self.normalize)
        body.bindings = [(var, self.values[var]) for var in chain]
        x = body.affine(line.x, line.gain, line.shift)
        if strict is not None:
            body.sign(x, strict)
        return body.bindings

    def _composite(
        self, kind: str, result: relax.Var, bindings: list[Binding], as_bits: Expr | None = None
    ) -> set[relax.Var]:
        own = {var for var, _ in bindings}
        read = dict.fromkeys(
            v for _, e in bindings for v in leaves(e) if isinstance(v, relax.Var) and v not in own
        )
        if as_bits is None:
            self._emit(kind, result, bindings, tuple(read))
            return set(read)
        assert list(read) == [as_bits]
        stored = self.bits.setdefault(as_bits, relax.DataflowVar(as_bits.name, as_bits.ty))
        self._emit(kind, result, bindings, (as_bits,), (stored,))
        return set()

    def _emit(
        self,
        kind: str,
        result: relax.Var,
        bindings: list[Binding],
        params: tuple[relax.Var, ...],
        arguments: tuple[relax.Var, ...] = (),
    ) -> None:
        last, value = bindings[-1]
        body = Body(params, (*bindings[:-1], (relax.Var(result.name, last.ty), value)))
        name = f"edgert_{kind}_{len(self.functions):03}"
        self.functions[tvm.ir.GlobalVar(name)] = outlined(kind, body)
        call = relax.op.call_dps_packed(name, tvm.ir.Tuple(list(arguments or params)), result.ty)
        self.made.append((result, typed(call, result.ty)))


class _Writer:
    """The bindings of a composite's body."""

    def __init__(self, normalize: relax.BlockBuilder) -> None:
        self.normalize = normalize
        self.bindings: list[Binding] = []

    def add(self, value: Expr, name: str) -> relax.Var:
        value = self.normalize(value)
        var = relax.DataflowVar(name, value.ty)
        self.bindings.append((var, value))
        return var

    def scaled(self, x: Expr, gain: Array) -> Expr:
        return x if (gain == 1).all() else self.add(R.multiply(x, _float32(gain)), "scaled")

    def affine(self, x: Expr, gain: Array, shift: Array) -> Expr:
        x = self.scaled(x, gain)
        return x if not shift.any() else self.add(R.add(x, _float32(shift)), "shifted")

    def sign(self, x: Expr, strict: bool) -> Expr:
        zero = relax.const(0.0, "float32")
        above = self.add(R.greater(x, zero) if strict else R.greater_equal(x, zero), "above")
        return self.add(plus_minus(above), "sign")


def _float32(values: Array) -> Expr:
    return relax.const(values.astype(np.float32), "float32")


def _plain_pool(pool: Call) -> bool:
    plain = str(pool.attrs.layout) == "NHWC" and not pool.attrs.ceil_mode
    return plain and all(int(d) == 1 for d in pool.attrs.dilation)


def _is_int16(value: Expr) -> bool:
    """A quantize to int16 with one scale and no zero point."""
    if op_name(value) != "relax.quantize" or str(value.ty.dtype) != "int16":
        return False
    return _per_tensor(value) and not array(value.args[2]).any() and isinstance(value.args[0], relax.Var)


def _per_tensor(dequantize: Call) -> bool:
    return bool(array(dequantize.args[1]).size == array(dequantize.args[2]).size == 1)
