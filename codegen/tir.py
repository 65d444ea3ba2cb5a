"""TIR -> C: what no kernel does is legalised by TVM, lowered to flat loops, and printed here.

The text is freestanding C11 that compiles without a warning; mathematics come from csrc/runtime/ert_math.h.
A node that cannot be printed raises UnsupportedOperatorError with its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tvm
from tvm import s_tir, tirx

from edgert.codegen.c.literals import C_TYPES, identifier, scalar
from edgert.codegen.program import DTYPE_BYTES, TirFunction
from edgert.errors import UnsupportedOperatorError

_SCRATCH_ALIGN = 8
_NAME_LENGTH = 40
_KEYWORDS = frozenset((
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "scratch",
    "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void",
    "volatile", "while",
))  # fmt: skip
_INFIX = {
    "Add": "+", "Sub": "-", "Mul": "*", "Div": "/", "Mod": "%", "EQ": "==", "NE": "!=", "LT": "<", "LE": "<=",
    "GT": ">", "GE": ">=", "And": "&&", "Or": "||", "LShift": "<<", "RShift": ">>", "BitwiseAnd": "&",
    "BitwiseOr": "|", "BitwiseXor": "^",
}  # fmt: skip
_INFIX_CALLS = {
    "shift_left": "<<", "shift_right": ">>", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip
_HELPERS = {"Min": "min", "Max": "max", "FloorDiv": "floordiv", "FloorMod": "floormod"}
_MATHS = {name: f"ert_{name}f" for name in (
    "exp", "log", "sqrt", "rsqrt", "tanh", "erf", "sigmoid", "pow", "floor", "ceil", "trunc", "round",
    "nearbyint", "fabs",
)} | {"abs": "ert_fabsf"}  # fmt: skip


def _pipeline() -> tvm.transform.Sequential:
    """Blocks -> flat loops over flat buffers (tvm.tirx, tvm.s_tir)."""
    blocks, flat = s_tir.transform, tirx.transform
    return tvm.transform.Sequential([
        blocks.CanonicalizeLoop(), blocks.LowerInitBlock(), blocks.PlanAndUpdateBufferAllocationLocation(),
        blocks.ConvertBlocksToOpaque(), blocks.CompactBufferAllocation(), blocks.LowerMatchBuffer(),
        blocks.LowerOpaqueBlock(), flat.FlattenBuffer(), flat.NarrowDataType(32), blocks.LoopPartition(),
        flat.VectorizeLoop(False), flat.StorageRewrite(), blocks.HoistIfThenElse(), flat.UnrollLoop(),
        blocks.StmtSimplify(), flat.RemoveNoOp(), flat.CommonSubexprElim(),
    ])  # fmt: skip


def print_primfunc(func: tirx.PrimFunc, name: str) -> TirFunction:
    """One PrimFunc with static buffer parameters as one C function.

    The result is `static void {name}(inputs..., outputs..., uint8_t *scratch)`, pointers in the order of
    the parameters; buffers inside live in scratch. Raises UnsupportedOperatorError.
    """
    with tvm.target.Target("c"):
        lowered = _pipeline()(_inlined(func.with_attr("global_symbol", "f")))["f"]
    return _Printer(lowered, name).run()


def _inlined(func: tirx.PrimFunc) -> tvm.IRModule:
    """Elementwise blocks become a part of the elementwise ones that read them: no buffer for what is between.

    What feeds a sum, a padded map say, keeps its buffer: it would be computed anew for every term.
    """
    schedule = s_tir.Schedule(tvm.IRModule({"f": func}), debug_mask=0)
    try:
        blocks = schedule.get_child_blocks(schedule.get_sblock("root", "f"))
    except s_tir.ScheduleError:  # no blocks at all
        return schedule.mod
    for block in blocks[:-1]:
        if all(_only_spatial(schedule, b) for b in (block, *schedule.get_consumers(block))):
            try:
                schedule.compute_inline(block)
            except s_tir.ScheduleError:  # it reads more than one element of a value, say
                continue
    return schedule.mod


def _only_spatial(schedule: s_tir.Schedule, block: Any) -> bool:
    return all(int(v.iter_type) == tirx.IterVar.DataPar for v in schedule.get(block).iter_vars)


class _Printer:
    def __init__(self, func: tirx.PrimFunc, name: str) -> None:
        self.func, self.name = func, name
        self.names: dict[Any, str] = {}
        self.dtypes: dict[str, str] = {}
        self.taken = set(_KEYWORDS)
        self.stored: set[str] = set()
        self.lines: list[str] = []
        self.locals: list[str] = []
        self.scratch_bytes = 0
        self.depth = 1

    def run(self) -> TirFunction:
        params = [self.buffer_name(p) for p in self.func.params]
        self.statement(self.func.body)
        arguments = [f"{'' if p in self.stored else 'const '}{C_TYPES[self.dtypes[p]]} *{p}" for p in params]
        head = f"static void {self.name}({', '.join([*arguments, 'uint8_t *scratch'])})"
        unused = [] if self.scratch_bytes else ["    (void)scratch;"]
        source = "\n".join([head, "{", *unused, *self.locals, *self.lines, "}", ""])
        return TirFunction(self.name, source, self.scratch_bytes)

    # Names

    def fresh(self, wanted: str) -> str:
        base = identifier(wanted)[:_NAME_LENGTH]
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def variable(self, var: Any) -> str:
        if var not in self.names:
            self.names[var] = self.fresh(str(var.name))
        return self.names[var]

    def buffer_name(self, buffer: Any) -> str:
        name = self.variable(buffer)
        self.dtypes.setdefault(name, dtype_of(buffer))
        return name

    # Statements

    def emit(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def statement(self, node: Any) -> None:
        kind = type(node).__name__
        method: Callable[[Any], None] | None = getattr(self, f"stmt_{kind}", None)
        if method is None:
            raise _unsupported(f"statement {kind}", self.name)
        method(node)

    def block(self, head: str, body: Any) -> None:
        self.emit(f"{head} {{")
        self.depth += 1
        self.statement(body)
        self.depth -= 1
        self.emit("}")

    def stmt_SeqStmt(self, node: Any) -> None:
        for part in node.seq:
            self.statement(part)

    def stmt_AllocBuffer(self, node: Any) -> None:
        name = self.buffer_name(node.buffer)
        c_type = C_TYPES[self.dtypes[name]]
        self.locals.append(
            f"    {c_type} *const {name} = ({c_type} *)(void *)(scratch + {self.scratch_bytes});"
        )
        count = 1
        for extent in node.buffer.shape:
            count *= int(extent)
        nbytes = count * DTYPE_BYTES[self.dtypes[name]]
        self.scratch_bytes += -(-nbytes // _SCRATCH_ALIGN) * _SCRATCH_ALIGN

    def stmt_DeclBuffer(self, node: Any) -> None:
        """Another view of a buffer: the same name if it has the same type."""
        below = self.names[node.data.args[0]]
        dtype = dtype_of(node.buffer)
        if dtype == self.dtypes[below]:
            self.names[node.buffer] = below
            return
        name = self.buffer_name(node.buffer)
        self.locals.append(f"    {C_TYPES[dtype]} *const {name} = ({C_TYPES[dtype]} *)(void *){below};")

    def stmt_For(self, node: Any) -> None:
        var, c_type = self.variable(node.loop_var), C_TYPES[dtype_of(node.loop_var)]
        low = self.expression(node.min)
        high = self.expression(node.min + node.extent)
        self.block(f"for ({c_type} {var} = {low}; {var} < {high}; {var}++)", node.body)

    def stmt_While(self, node: Any) -> None:
        self.block(f"while ({_bare(self.expression(node.condition))})", node.body)

    def stmt_IfThenElse(self, node: Any) -> None:
        self.block(f"if ({_bare(self.expression(node.condition))})", node.then_case)
        if node.else_case is not None:
            self.block("else", node.else_case)

    def stmt_Bind(self, node: Any) -> None:
        c_type, value = C_TYPES[dtype_of(node.var)], _bare(self.expression(node.value))
        self.emit(f"const {c_type} {self.variable(node.var)} = {value};")

    def stmt_BufferStore(self, node: Any) -> None:
        name = self.buffer_name(node.buffer)
        self.stored.add(name)
        value = self.expression(node.value)
        if dtype_of(node.value) != self.dtypes[name]:
            value = f"({C_TYPES[self.dtypes[name]]})({value})"
        self.emit(f"{name}[{self.index(node.indices)}] = {_bare(value)};")

    def stmt_AttrStmt(self, node: Any) -> None:
        self.statement(node.body)

    def stmt_Evaluate(self, node: Any) -> None:
        if type(node.value).__name__ != "IntImm":
            raise _unsupported(f"call {node.value}", self.name)

    def index(self, indices: Any) -> str:
        if len(indices) != 1:
            raise _unsupported("an index that is not flat", self.name)
        return _bare(self.expression(indices[0]))

    # Expressions

    def expression(self, node: Any) -> str:
        kind = type(node).__name__
        if kind in _INFIX:
            return self.infix(_INFIX[kind], node.a, node.b, dtype_of(node))
        if kind in _HELPERS:
            return self.helper(_HELPERS[kind], node)
        method: Callable[[Any], str] | None = getattr(self, f"expr_{kind}", None)
        if method is None:
            raise _unsupported(f"expression {kind}", self.name)
        return method(node)

    def infix(self, sign: str, a: Any, b: Any, dtype: str) -> str:
        text = f"({self.expression(a)} {sign} {self.expression(b)})"
        if dtype in ("int8", "uint8", "int16", "uint16"):  # C computes in int: back to the node's own type
            return f"({C_TYPES[dtype]}){text}"
        return text

    def helper(self, name: str, node: Any) -> str:
        a, b, dtype = self.expression(node.a), self.expression(node.b), dtype_of(node)
        if dtype == "float32":
            return f"ert_{name}f({a}, {b})"
        return f"({C_TYPES[dtype]})ert_{name}i({a}, {b})"

    def expr_Var(self, node: Any) -> str:
        return self.names[node]

    def expr_IntImm(self, node: Any) -> str:
        return scalar(int(node.value), dtype_of(node))

    def expr_FloatImm(self, node: Any) -> str:
        return scalar(float(node.value), dtype_of(node))

    def expr_TensorLoad(self, node: Any) -> str:
        return f"{self.buffer_name(node.source)}[{self.index(node.indices)}]"

    def expr_Not(self, node: Any) -> str:
        return f"!{self.expression(node.a)}"

    def expr_BitwiseNot(self, node: Any) -> str:
        return f"({C_TYPES[dtype_of(node)]})~{self.expression(node.a)}"

    def expr_Select(self, node: Any) -> str:
        parts = (self.expression(p) for p in (node.condition, node.true_value, node.false_value))
        return "({} ? {} : {})".format(*parts)

    def expr_Let(self, node: Any) -> str:
        self.names[node.var] = f"({self.expression(node.value)})"
        return self.expression(node.body)

    def expr_Cast(self, node: Any) -> str:
        return self.cast(self.expression(node.value), dtype_of(node.value), dtype_of(node))

    def cast(self, text: str, source: str, wanted: str) -> str:
        c_type = C_TYPES[wanted]
        if wanted == "bool":
            return f"(uint8_t)({text} != 0)"
        if source == "float32" and not wanted.startswith("float"):
            bits, signed = 8 * DTYPE_BYTES[wanted], not wanted.startswith("u")
            low = -(2 ** (bits - 1)) if signed else 0
            high = 2 ** (bits - 1 if signed else min(bits, 63)) - 1
            limits = f"{scalar(low, 'int64')}, {scalar(high, 'int64')}"
            return f"({c_type})ert_float_to_int({text}, {limits})"
        return f"({c_type}){text}"

    def expr_Call(self, node: Any) -> str:
        name = str(getattr(node.op, "name", node.op)).rpartition(".")[2]  # tirx.exp, prim.if_then_else
        arguments = [self.expression(a) for a in node.args]
        dtype = dtype_of(node)
        if name == "if_then_else":
            return "({} ? {} : {})".format(*arguments)
        if name == "likely":
            return arguments[0]
        if name in _INFIX_CALLS:
            return self.infix(_INFIX_CALLS[name], node.args[0], node.args[1], dtype)
        if name == "bitwise_not":
            return f"({C_TYPES[dtype]})~{arguments[0]}"
        if name == "abs" and dtype != "float32":
            return f"({C_TYPES[dtype]})ert_maxi({arguments[0]}, -{arguments[0]})"
        if name == "isnan":
            return f"({arguments[0]} != {arguments[0]})"
        if name == "reinterpret" and {dtype, dtype_of(node.args[0])} <= {"int32", "uint32", "float32"}:
            return _reinterpreted(arguments[0], dtype_of(node.args[0]), dtype)
        if name in _MATHS and dtype == "float32":
            return f"{_MATHS[name]}({', '.join(arguments)})"
        raise _unsupported(f"{name} of {dtype}", self.name)


def _bare(text: str) -> str:
    """Without the parentheses that enclose all of it: clang warns of them in a condition."""
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return text[1:-1] if position == len(text) - 1 and position > 0 else text
    return text


def _reinterpreted(text: str, source: str, wanted: str) -> str:
    if wanted == "float32":
        return f"ert_bits_float((uint32_t){text})"
    return f"({C_TYPES[wanted]}){f'ert_float_bits({text})' if source == 'float32' else text}"


def dtype_of(node: Any) -> str:
    """The element type of a buffer or the type of an expression; refuses vectors and types C has not."""
    dtype = str(node.ty.dtype)
    if dtype == "boolean" or dtype == "bool":
        return "bool"
    if dtype not in C_TYPES:
        raise UnsupportedOperatorError(
            f"the type {dtype} cannot be printed to C", rule=f"types are {', '.join(sorted(C_TYPES))}"
        )
    return dtype


def _unsupported(what: str, where: str) -> UnsupportedOperatorError:
    return UnsupportedOperatorError(
        f"TIR {what} cannot be printed to C", where=where, hint="see docs/operators.md for what is supported"
    )
