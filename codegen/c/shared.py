"""One out-of-line kernel for several layers: less code, its loops bounded by run-time values.

Layers share a kernel when they agree in variant and in every attr that the kernel's speed lives on; these
stay literals. The others (`Variant.varying`: sizes, zero points) come from a struct of the layer's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgert.codegen.arena import Arena
from edgert.codegen.c import literals
from edgert.codegen.contracts import CONTRACTS
from edgert.codegen.kernels import Variant
from edgert.codegen.program import Program
from edgert.codegen.select import BoundStep

INLINED = {"balanced": 8, "size": 0}  # layers that have their kernel inlined although they could share it
_FREE = frozenset({"fully_connected_s8"})  # never inlined: no slower alone, its inner loop knows no geometry
_OUTPUT_WORK = 8  # requantizing and storing an output costs about as much as so many MACs


@dataclass(frozen=True)
class SharedKernel:
    """symbol: the C function; text: its definition and that of its struct.

    In the struct, a layer says where its tensors, scratch and constants are, and what else is its own.
    """

    symbol: str
    text: str

    @property
    def layer_type(self) -> str:
        return f"{self.symbol}_t"


def shared_kernels(
    program: Program, bound: Sequence[BoundStep], arena: Arena, name: str, optimize: str
) -> dict[int, SharedKernel]:
    """Layer -> the kernel that it shares with others. optimize: "speed" (nothing), "balanced" or "size".

    Layers that are alone of their kind have their own, and so, if balanced, have those with the most work.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for index in _sharing(program, bound, optimize):
        groups.setdefault(_key(bound[index]), []).append(index)
    shared: dict[int, SharedKernel] = {}
    for layers in groups.values():
        if len(layers) > 1 or bound[layers[0]].step.op in _FREE:
            small = all(_fits_16_bits(program, bound[i], arena, i) for i in layers)
            shared |= dict.fromkeys(layers, _kernel(bound[layers[0]], name, layers, small))
    return shared


def _sharing(program: Program, bound: Sequence[BoundStep], optimize: str) -> list[int]:
    if optimize == "speed":
        return []
    able = [i for i, b in enumerate(bound) if _can_share(program, b)]
    costly = [i for i in able if bound[i].step.op not in _FREE]
    most_work = sorted(costly, key=lambda i: -_work(bound[i]))[: INLINED[optimize]]
    return [i for i in able if i not in most_work]


def _can_share(program: Program, b: BoundStep) -> bool:
    in_arena = all(name in program.tensors for name in b.step.inputs)
    return b.variant is not None and bool(b.variant.varying) and in_arena


def _variant(b: BoundStep) -> Variant:
    assert b.variant is not None
    return b.variant


def _work(b: BoundStep) -> int:
    shape = [b.step.attrs.get(name, 1) for name in ("batch", "out_h", "out_w", "out_c")]
    outputs = 1
    for dim in shape:
        outputs *= int(dim)
    return b.step.macs + _OUTPUT_WORK * outputs


def layer_fields(
    program: Program, b: BoundStep, arena: Arena, index: int, constants: Sequence[str]
) -> list[str]:
    """The initializers of a layer's struct; constants: the C names of its constants."""
    fields = {name: str(offset) for name, offset in _offsets(program, b, arena, index).items()}
    fields |= dict(zip(b.constants, constants, strict=True))
    fields |= {name: literals.scalar(value, "int32") for name, value in _varying(b).items()}
    return [f".{name} = {value}" for name, value in fields.items()]


def _offsets(program: Program, b: BoundStep, arena: Arena, index: int) -> dict[str, int]:
    """Where in the arena a layer finds its tensors and its scratch."""
    found = [arena.offset(name) for name in (*b.step.inputs, *b.step.outputs)]
    if _variant(b).uses_scratch:
        found.append(arena.scratch_offset(index) if b.scratch_bytes else 0)
    return dict(zip(_places(b), found, strict=True))


def _varying(b: BoundStep) -> dict[str, int | float]:
    known = {**b.step.attrs, **dict(_variant(b).arguments)}
    return {name: known[name] for name in _variant(b).varying}


def _fits_16_bits(program: Program, b: BoundStep, arena: Arena, index: int) -> bool:
    offsets, varying = _offsets(program, b, arena, index).values(), _varying(b).values()
    return max(offsets) < 2**16 and all(-(2**15) <= value < 2**15 for value in varying)


def _places(b: BoundStep) -> list[str]:
    """What a layer's struct calls the places of its tensors and scratch, as offsets in the arena."""
    scratch = ["scratch"] if _variant(b).uses_scratch else []
    return [*(f"x{n}" for n in range(len(b.step.inputs))), "y", *scratch]


def _key(b: BoundStep) -> tuple[object, ...]:
    return (b.step.op, _variant(b).name, *_literal(b).items())


def _literal(b: BoundStep) -> Mapping[str, int | float]:
    """Attrs and tunables that all layers of a shared kernel have in common."""
    variant = _variant(b)
    known = {a: b.step.attrs[a] for a in CONTRACTS[b.step.op].attrs} | dict(variant.arguments)
    return {name: value for name, value in known.items() if name not in variant.varying}


def _kernel(b: BoundStep, name: str, layers: Sequence[int], small: bool) -> SharedKernel:
    bits = 16 if small else 32
    variant = _variant(b)
    symbol = f"{name}_shared_{layers[0]:02d}"
    fixed, places = _literal(b), _places(b)

    def value(attr: str) -> str:
        return literals.scalar(fixed[attr], "int32") if attr in fixed else f"at->{attr}"

    assert not CONTRACTS[b.step.op].float_attrs
    fields = [f".{attr} = {value(attr)}" for attr in CONTRACTS[b.step.op].attrs]
    arguments = [f"(void *)(arena + at->{place})" for place in places if place != "scratch"]
    arguments += [f"at->{role}" for role in b.constants]
    arguments += ["arena + at->scratch"] if "scratch" in places else []
    arguments += ["&g", *(f"/* {label} */ {value(label)}" for label, _ in variant.arguments)]
    lines = [
        f"/* {b.step.op} ({variant.name}) of layers {', '.join(f'{i:02d}' for i in layers)} */",
        "typedef struct {",
        *literals.wrapped("    const void ", [f"*{role}" for role in b.constants], ";"),
        *literals.wrapped(f"    uint{bits}_t ", places, ";"),
        *literals.wrapped(f"    int{bits}_t ", variant.varying, ";"),
        f"}} {symbol}_t;",
        "",
        f"ERT_STEP void {symbol}(uint8_t *arena, const {symbol}_t *at)",
        "{",
        *literals.wrapped(f"    const ert_{b.step.op}_t g = {{", fields, "};"),
        *literals.wrapped(f"    {variant.function}(", arguments, ");"),
        "}",
        "",
    ]
    return SharedKernel(symbol, "\n".join(lines))
