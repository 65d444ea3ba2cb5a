"""Program: the one meeting point of what knows TVM (left of it) and what knows C and circuits (right).

A Program is a list of Steps in execution order over named Tensors and Constants. It is plain data:
frozen dataclasses and numpy arrays, no TVM object anywhere. Activations are NHWC, row-major. Dtype "b1" has
one bit an element, the channels of a pixel in whole 32-bit words (csrc/include/ert_bits.h).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy.typing as npt

DTYPE_BYTES = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2,
    "int32": 4, "uint32": 4, "float32": 4, "int64": 8, "uint64": 8, "float64": 8,
}  # fmt: skip

Array = npt.NDArray[Any]
Attr = int | float


def bit_words(channels: int) -> int:
    """32-bit words of a pixel of dtype "b1"."""
    return -(-channels // 32)


@dataclass(frozen=True)
class Quant:
    """real = scale * (q - zero_point); per tensor."""

    scale: float
    zero_point: int


@dataclass(frozen=True)
class Tensor:
    """An activation: lives in the arena while the network runs."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None = None

    @property
    def nbytes(self) -> int:
        if self.dtype == "b1":
            return prod(self.shape[:-1]) * 4 * bit_words(self.shape[-1])
        return prod(self.shape) * DTYPE_BYTES[self.dtype]


@dataclass(frozen=True)
class TirFunction:
    """C printed from TIR for one Step (codegen/tir.py).

    The function is `static void {name}({inputs...}, {outputs...}, void *scratch)`; `source` is its
    complete text, `needs_libm` the libm functions that it calls (expf, tanhf, ...), provided by
    csrc/runtime/ert_math.h.
    """

    name: str
    source: str
    scratch_bytes: int
    needs_libm: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel call.

    name: the layer's name in the model. op: a contract in codegen/contracts.py, or "tir".
    inputs: Tensor or Constant names. outputs: Tensor names. attrs: exactly the contract's attrs.
    constants: role -> Constant name, exactly the contract's roles, in the contract's plain layout.
    macs: nominal multiply-accumulates (0 where the op has none).
    reach: int64 [out_c], the largest |accumulator| for any input; None where it is not known.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: Mapping[str, Attr] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    macs: int = 0
    tir: TirFunction | None = None
    reach: Array | None = None


@dataclass(frozen=True, eq=False)
class Program:
    """A whole network. `tensors` holds every activation, `constants` every weight and table.

    A tensor may have several writers (each part of a concat writes its slice); it lives from its
    first writer to its last reader. Graph inputs live from the start, graph outputs to the end.
    """

    name: str
    tensors: Mapping[str, Tensor]
    constants: Mapping[str, Array]
    steps: tuple[Step, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def macs(self) -> int:
        return sum(step.macs for step in self.steps)
