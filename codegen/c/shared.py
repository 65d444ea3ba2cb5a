"""One out-of-line kernel for several layers: less code, its loops bounded by run-time values.

Layers share a kernel when they agree in variant and in every attr that the kernel's speed lives on; these
stay literals. The others (`Variant.varying`: sizes, zero points) come with a pointer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgert.codegen.c import literals
from edgert.codegen.contracts import CONTRACTS
from edgert.codegen.select import BoundStep

INLINED = {"balanced": 8, "size": 0}  # layers that have their kernel inlined although they could share it
_FREE = frozenset({"fully_connected_s8"})  # as fast shared as inlined: its inner loop knows no geometry
_OUTPUT_WORK = 8  # requantizing and storing an output costs about as much as so many MACs


@dataclass(frozen=True)
class SharedKernel:
    """symbol: the C function; geometry: its struct of what varies; text: the definition of both."""

    symbol: str
    varying: tuple[str, ...]
    text: str

    @property
    def geometry(self) -> str:
        return f"{self.symbol}_t"


def shared_kernels(bound: Sequence[BoundStep], name: str, optimize: str) -> dict[int, SharedKernel]:
    """Layer -> the kernel that it shares with others. optimize: "speed" (nothing), "balanced" or "size".

    Layers that are alone of their kind have their own, and so, if balanced, have those with the most work.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for index in _sharing(bound, optimize):
        groups.setdefault(_key(bound[index]), []).append(index)
    shared: dict[int, SharedKernel] = {}
    for layers in groups.values():
        if len(layers) > 1:
            shared |= dict.fromkeys(layers, _kernel(bound[layers[0]], name, layers))
    return shared


def _sharing(bound: Sequence[BoundStep], optimize: str) -> list[int]:
    able = [i for i, b in enumerate(bound) if b.variant is not None and b.variant.varying]
    if optimize == "speed":
        return []
    costly = [i for i in able if bound[i].step.op not in _FREE]
    most_work = sorted(costly, key=lambda i: -_work(bound[i]))[: INLINED[optimize]]
    return [i for i in able if i not in most_work]


def _work(b: BoundStep) -> int:
    shape = [b.step.attrs.get(name, 1) for name in ("batch", "out_h", "out_w", "out_c")]
    outputs = 1
    for dim in shape:
        outputs *= int(dim)
    return b.step.macs + _OUTPUT_WORK * outputs


def _key(b: BoundStep) -> tuple[object, ...]:
    assert b.variant is not None
    return (b.variant.contract, b.variant.label, *_literal_attrs(b).items())


def _literal_attrs(b: BoundStep) -> Mapping[str, int | float]:
    assert b.variant is not None
    varying = b.variant.varying
    return {a: b.step.attrs[a] for a in CONTRACTS[b.step.op].attrs if a not in varying}


def _kernel(b: BoundStep, name: str, layers: Sequence[int]) -> SharedKernel:
    variant = b.variant
    assert variant is not None
    symbol = f"{name}_shared_{layers[0]:02d}"
    inputs = [f"x{n}" for n in range(len(b.step.inputs))]
    parameters = [f"const void *{x}" for x in inputs] + ["void *y"]
    parameters += [f"const void *{role}" for role in b.constants]
    arguments = [*inputs, "y", *b.constants]
    if variant.uses_scratch:
        parameters.append("uint8_t *scratch")
        arguments.append("scratch")
    parameters.append(f"const {symbol}_t *at")
    arguments += ["&g", *(f"/* {label} */ {value}" for label, value in variant.arguments)]
    lines = [
        f"/* {b.step.op} ({variant.label}) of layers {', '.join(f'{i:02d}' for i in layers)} */",
        "typedef struct {",
        *literals.wrapped("    int32_t ", variant.varying, ";"),
        f"}} {symbol}_t;",
        "",
        *literals.wrapped(f"ERT_STEP void {symbol}(", parameters, ")", indent=""),
        "{",
        *literals.wrapped(f"    const ert_{b.step.op}_t g = {{", _fields(b), "};"),
        *literals.wrapped(f"    {variant.function}(", arguments, ");"),
        "}",
        "",
    ]
    return SharedKernel(symbol, variant.varying, "\n".join(lines))


def _fields(b: BoundStep) -> list[str]:
    fixed = _literal_attrs(b)
    contract = CONTRACTS[b.step.op]
    assert not contract.float_attrs
    return [
        f".{attr} = {literals.scalar(fixed[attr], 'int32') if attr in fixed else f'at->{attr}'}"
        for attr in contract.attrs
    ]
