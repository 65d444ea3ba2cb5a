"""C literals: exact, warning-free, stable to the byte."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from edgert.codegen.program import Array

C_TYPES = {
    "bool": "uint8_t", "int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "uint16": "uint16_t",
    "int32": "int32_t", "uint32": "uint32_t", "int64": "int64_t", "uint64": "uint64_t",
    "float32": "float", "float64": "double", "b1": "uint32_t",
}  # fmt: skip
_SUFFIX = {"uint16": "u", "uint32": "u", "uint64": "ull", "int64": "ll"}
_WIDTH = 108


def identifier(text: str) -> str:
    """A C identifier that resembles `text`."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "model"
    return f"m_{name}" if name[0].isdigit() else name


def scalar(value: float | int, dtype: str = "int32") -> str:
    """One value as a C constant expression of that dtype."""
    if dtype in ("float32", "float64"):
        return _real(float(value), "f" if dtype == "float32" else "")
    number = int(value)
    suffix = _SUFFIX.get(dtype, "")
    if number in (-(2**31), -(2**63)):  # its absolute value has no literal of that type
        return f"(-{-(number + 1)}{suffix} - 1)"
    return f"{number}{suffix}"


def _real(value: float, suffix: str) -> str:
    if np.isnan(value):
        return f'__builtin_nan{suffix}("")'
    if np.isinf(value):
        return f"{'-' if value < 0 else ''}__builtin_inf{suffix}()"
    text = repr(np.float32(value).item() if suffix else value)
    if suffix:  # the shortest decimal that reads back as this float32
        text = np.format_float_scientific(np.float32(value), unique=True, trim="0")
    return f"{text}{suffix}"


def wrapped(head: str, items: Sequence[str], tail: str, *, indent: str = "    ") -> list[str]:
    """`head` item, item, ... `tail`, in lines that end before column 110."""
    lines, line = [], head
    for position, item in enumerate(items):
        piece = item + (", " if position + 1 < len(items) else tail)
        if len(line) + len(piece) > _WIDTH:
            lines.append(line.rstrip())
            line = indent + "    "
        line += piece
    return [*lines, line]


def array(name: str, data: Array, comment: str = "") -> str:
    """`static const T name[n] = {...};`, word-aligned so that kernels may load four bytes at once."""
    dtype = str(data.dtype)
    values = [scalar(v, dtype) for v in data.reshape(-1).tolist()]
    head = f"static const _Alignas({max(4, data.dtype.itemsize)}) {C_TYPES[dtype]} {name}[{len(values)}] = {{"
    lines, line = [f"/* {comment} */"] if comment else [], "   "
    lines.append(head)
    for value in values:
        if len(line) + len(value) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return "\n".join([*lines, line, "};", ""])
