"""Target: a CPU as the compiler sees it. One TOML per CPU in targets/."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from edgert import descriptor, part
from edgert.errors import DescriptorError

_REQUIRED = ("id", "name", "arch", "features", "source", "compiler")
_OPTIONAL = ("emulator", "timing", "pipeline")
_TIMING_CLASSES = frozenset({
    "default", "load", "load_next", "store", "store_indexed", "store_next", "address_stall", "load_many_base",
    "load_many_each", "pop_return", "branch_taken", "table_branch", "call", "multiply", "multiply_accumulate",
    "multiply_long", "multiply_long_accumulate", "divide", "float_load", "float_store", "float_fused",
    "float_divide",
})  # fmt: skip


@dataclass(frozen=True)
class Timing:
    """Modelled cycles of one core, per instruction class; source says where they are from.

    cycles: class -> cycles. Classes: default; load, store, store_indexed (by a register); load_next and
    store_next (right after a load, another address); address_stall (added where the instruction before
    computed the address); load_many_base + load_many_each (LDM, POP, STM, PUSH, LDRD, STRD); pop_return
    (added to a POP of the pc), call (added to default), both beside branch_taken, which every taken branch
    adds; table_branch (TBB, TBH); multiply, multiply_accumulate, multiply_long, multiply_long_accumulate;
    divide; float_load, float_store, float_fused (multiply-accumulate), float_divide (and square root).
    """

    source: str
    cycles: dict[str, float]


@dataclass(frozen=True)
class Pipeline:
    """Modelled cycles of a pipeline that issues one instruction a cycle, in order; source: where from.

    load_use, multiply_use, shift_use: how many cycles later than that of any other instruction the result
    can be used. divide: how long it takes. jump: what a jump, or a branch predicted to be taken, adds;
    mispredicted: what another branch, or a jump to an address in a register, adds. Backward branches are
    predicted to be taken, forward ones not to be.
    """

    source: str
    load_use: int
    multiply_use: int
    shift_use: int
    divide: int
    jump: int
    mispredicted: int


@dataclass(frozen=True)
class Target:
    """features: what kernels ask for (Variant.requires). zig_target, zig_cpu, cflags: for `zig cc`.

    gcc, gcc_flags: the same for a GNU toolchain. emulator: Unicorn's name of the core, None if it has none.
    timing, pipeline: two ways to model cycles, one of them or none.
    """

    id: str
    name: str
    arch: str
    features: frozenset[str]
    source: str
    zig_target: str
    zig_cpu: str
    cflags: tuple[str, ...]
    gcc: str
    gcc_flags: tuple[str, ...]
    emulator: str | None
    timing: Timing | None
    pipeline: Pipeline | None = None


def list_targets() -> list[str]:
    """Ids of every CPU, sorted; FPGA parts are edgert.part's."""
    return [name for name, arch in part.archs().items() if arch != part.ARCH]


@cache
def load_target(target_id: str) -> Target:
    """Read targets/<id>.toml.

    Raises DescriptorError: unknown id (names the nearest), an FPGA, unknown or missing key, bad value.
    """
    if target_id in part.list_parts():
        raise DescriptorError(
            f"{target_id} is an FPGA, not a CPU",
            rule="a circuit is compiled for a board",
            hint="see: edgert boards; edgert compile MODEL --board ulx3s",
        )
    if target_id not in list_targets():
        raise descriptor.unknown("target", target_id, list_targets())
    where = f"targets/{target_id}.toml"
    table = descriptor.read(files("edgert.targets") / f"{target_id}.toml", where)
    descriptor.check_keys(table, _REQUIRED, _OPTIONAL, where)
    compiler = table["compiler"]
    descriptor.check_keys(
        compiler, ("zig_target", "zig_cpu", "cflags", "gcc", "gcc_flags"), (), f"{where} [compiler]"
    )
    if table["id"] != target_id:
        raise DescriptorError(f"id is {table['id']!r}", where=where, rule="the id is the file's name")
    timing = table.get("timing")
    if timing is not None:
        descriptor.check_keys(timing, ("source", *_TIMING_CLASSES), (), f"{where} [timing]")
        timing = Timing(timing["source"], {k: float(v) for k, v in timing.items() if k != "source"})
    pipeline = table.get("pipeline")
    if pipeline is not None:
        descriptor.check_keys(pipeline, [f.name for f in fields(Pipeline)], (), f"{where} [pipeline]")
    return Target(
        id=table["id"],
        name=table["name"],
        arch=table["arch"],
        features=frozenset(table["features"]),
        source=table["source"],
        zig_target=compiler["zig_target"],
        zig_cpu=compiler["zig_cpu"],
        cflags=tuple(compiler["cflags"]),
        gcc=compiler["gcc"],
        gcc_flags=tuple(compiler["gcc_flags"]),
        emulator=table.get("emulator"),
        timing=timing,
        pipeline=Pipeline(**pipeline) if pipeline is not None else None,
    )
