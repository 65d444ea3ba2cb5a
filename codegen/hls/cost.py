"""What a circuit takes of an FPGA, module by module, before it is synthesised.

Multipliers and block RAMs follow from the modules' sizes. Look-up tables and flip-flops are linear in a few
`terms` of a module's sizes, chosen from how it is built; the coefficients in costs.json are fitted by
tools/fit_costs.py from what Yosys makes of single modules, and docs/fpga_costs.json says how well they do on
sizes that they were not fitted to. A circuit is the sum of its modules.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from edgert.codegen.hls.isa import LANES, NEED_BITS, ROM_BITS, Load, Mac, Machine, Out, Read, Softmax, Store
from edgert.errors import UsageError

Sizes = Mapping[str, int]  # a module's parameters, by their Verilog names
Terms = Mapping[str, float]
COSTS = "costs.json"
CIRCUIT = "ert_circuit"  # here: what it has beside its modules
FAMILIES = ("ecp5", "xc7")
# Width of a port -> words of a block of so many bits; a byte of 9 bits has a write enable of its own.
_18K: Mapping[int, int] = {36: 512, 18: 1024, 9: 2048, 4: 4096, 2: 8192, 1: 16384}
_36K: Mapping[int, int] = {72: 512, 36: 1024, 18: 2048, 9: 4096, 4: 8192, 2: 16384, 1: 32768}
_BLOCKS: Mapping[str, tuple[tuple[float, Mapping[int, int]], ...]] = {
    "ecp5": ((1, _18K),),
    "gowin": ((1, _18K),),
    "xc7": ((1, _36K), (0.5, _18K)),
    "xcup": ((1, _36K), (0.5, _18K)),
}
# Bits and words of a memory of look-up tables, and how many it takes.
_LUT_RAM: Mapping[str, tuple[int, int, int]] = {
    "ecp5": (4, 16, 6), "xc7": (6, 32, 4), "xcup": (6, 32, 4), "gowin": (4, 16, 8),
}  # fmt: skip
_BLOCK_BITS = 2048  # a queue of so many, and more than two such memories deep, becomes block RAM


@dataclass(frozen=True)
class Resources:
    """block_rams: of 18 Kbit on ECP5, 36 Kbit (halves are allowed) on Xilinx's parts."""

    luts: float = 0
    flip_flops: float = 0
    dsps: int = 0
    block_rams: float = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            self.luts + other.luts,
            self.flip_flops + other.flip_flops,
            self.dsps + other.dsps,
            self.block_rams + other.block_rams,
        )


@dataclass(frozen=True)
class Ram:
    """A memory in block RAM; bytewise: with a write enable for each byte."""

    width: int
    depth: int
    bytewise: bool = False


@dataclass(frozen=True)
class Module:
    """terms: (family, sizes) -> what luts and flip_flops are linear in. rams: of the same; dsps: of sizes."""

    top: str
    terms: Callable[[str, Sizes], Terms]
    rams: Callable[[str, Sizes], Sequence[Ram]] = lambda family, sizes: ()
    dsps: Callable[[Sizes], int] = lambda sizes: 0

    def blocks(self, family: str, sizes: Sizes) -> float:
        """Block RAMs of all its memories."""
        return sum(block_rams(family, ram) for ram in self.rams(family, sizes))


def block_rams(family: str, ram: Ram) -> float:
    """The fewest blocks that hold the memory, all of one shape."""

    def units(width: int) -> int:
        if not ram.bytewise:
            return -(-ram.width // width)
        return -(-(ram.width // 8) // (width // 9)) if width >= 9 else 1 << 30

    return min(
        each * units(width) * -(-ram.depth // depth)
        for each, shapes in _BLOCKS[family]
        for width, depth in shapes.items()
    )


def rows(family: str, depth: int) -> int:
    """How many memories of look-up tables stand behind one another; a depth is a power of two in hardware."""
    return -(-(1 << _bits(depth)) // _LUT_RAM[family][1])


def _bits(depth: int) -> int:
    return max(depth - 1, 1).bit_length()


def _in_block(family: str, s: Sizes) -> bool:
    return s["WIDTH"] << _bits(s["DEPTH"]) >= _BLOCK_BITS and rows(family, s["DEPTH"]) > 2


def _fifo(family: str, s: Sizes) -> Terms:
    bits, width = _bits(s["DEPTH"]), s["WIDTH"]
    if _in_block(family, s):
        return {"one": 1, "bits": bits, "block": 1, "width": 0, "ram": 0, "choice": 0}
    at_once, _, each = _LUT_RAM[family]
    deep = rows(family, s["DEPTH"])
    return {
        "one": 1, "bits": bits, "block": 0, "width": width, "ram": each * -(-width // at_once) * deep,
        "choice": width * (deep - 1),
    }  # fmt: skip


def _fifo_rams(family: str, s: Sizes) -> list[Ram]:
    return [Ram(s["WIDTH"], 1 << _bits(s["DEPTH"]))] if _in_block(family, s) else []


def _fetch(_: str, s: Sizes) -> Terms:
    words = -(-(s["BITS"] + NEED_BITS * s["AGENTS"]) // ROM_BITS)
    return {"one": 1, "words": words, "bits": _bits(s["DEPTH"]), "agents": s["AGENTS"]}


def _scratch(_: str, s: Sizes) -> Terms:
    banks, readers, writers = s["BANKS"], s["READERS"], s["WRITERS"]
    deep = _bits(-(-s["WORDS"] // banks))
    return {
        "one": 1, "readers": readers, "writers": writers, "banks": banks,
        "bank_readers": banks * readers, "bank_writers": banks * writers,
        "addresses": banks * deep * (readers + writers), "choice": readers * banks * (banks > 1),
        # A choice of three has six inputs: ABC takes one table of six for four, where two would do.
        "three_writers": banks * (writers == 3),
    }  # fmt: skip


def _scratch_rams(_: str, s: Sizes) -> list[Ram]:
    return [Ram(64, -(-s["WORDS"] // s["BANKS"]), bytewise=True)] * s["BANKS"]


def _one(_: str, s: Sizes) -> Terms:
    return {"one": 1}


def _read(family: str, s: Sizes) -> Terms:
    more = rows(family, s["FIFO"]) - 1
    return {"one": 1, "bits": _bits(s["FIFO"]), "rows": more}


def _mac(_: str, s: Sizes) -> Terms:
    binary, bits = s["BINARY"], _bits(s["WEIGHT_WORDS"])
    return {
        "core": 1 - binary, "core_bits": (1 - binary) * bits, "binary": binary, "binary_bits": binary * bits,
    }  # fmt: skip


def _mac_rams(_: str, s: Sizes) -> list[Ram]:
    return [Ram(64, s["WEIGHT_WORDS"])] * (LANES if s["BINARY"] else 1)


def _out(_: str, s: Sizes) -> Terms:
    return {"one": 1, "bits": _bits(s["PARAM_ENTRIES"])}


MODULES: Mapping[str, Module] = {
    module.top: module
    for module in (
        Module("ert_fifo", _fifo, _fifo_rams),
        Module("ert_requantize", _one, dsps=lambda s: 4),
        Module("ert_xnor", _one),
        Module("ert_softmax", _one, lambda _, s: [Ram(64, 128)], lambda s: 4),
        Module("ert_fetch", _fetch, lambda _, s: [Ram(ROM_BITS, s["DEPTH"])]),
        Module("ert_scratch", _scratch, _scratch_rams),
        Module("ert_load", _one),
        Module(CIRCUIT, lambda _, s: {"agents": s["AGENTS"], "cores": s["CORES"]}),
        Module("ert_store", _one),
        Module("ert_read", _read),
        Module("ert_mac", _mac, _mac_rams, lambda s: 0 if s["BINARY"] else LANES),
        Module("ert_out", _out, lambda _, s: [Ram(36, s["PARAM_ENTRIES"])] * 2, lambda s: 4),
    )
}


def linear(coefficients: Mapping[str, float], terms: Terms) -> float:
    return sum(coefficients[name] * value for name, value in terms.items())


def module_cost(family: str, top: str, sizes: Sizes) -> Resources:
    """Of one module. Raises UsageError where nothing was fitted for it."""
    module = MODULES[top]
    found = fitted().get(family, {}).get(top)
    if found is None:
        raise UsageError(f"no costs of {top} on {family}", hint="python tools/fit_costs.py --write")
    terms = module.terms(family, sizes)
    return Resources(
        luts=linear(found["luts"], terms),
        flip_flops=linear(found["flip_flops"], terms),
        dsps=module.dsps(sizes),
        block_rams=module.blocks(family, sizes),
    )


def estimate(machine: Machine, roms: Mapping[str, Sequence[str]], family: str = "ecp5") -> Resources:
    """Of a whole circuit. roms: as Design.roms() has them. Raises UsageError: an unknown family or module."""
    found = sum((module_cost(family, top, sizes) for top, sizes in parts(machine, roms)), Resources())
    return Resources(round(found.luts), round(found.flip_flops), found.dsps, found.block_rams)


def multipliers_and_blocks(machine: Machine, roms: Mapping[str, Sequence[str]], family: str) -> Resources:
    """Of a whole circuit, what follows from sizes alone: of any family."""
    found = Resources()
    for top, sizes in parts(machine, roms):
        module = MODULES[top]
        found += Resources(dsps=module.dsps(sizes), block_rams=module.blocks(family, sizes))
    return found


_MEMORIES = {
    "ert_fetch": "lists of commands", "ert_scratch": "scratchpad", "ert_mac": "weights",
    "ert_out": "parameters",
}  # fmt: skip


def blocks_by_use(machine: Machine, roms: Mapping[str, Sequence[str]], family: str) -> dict[str, float]:
    """What the block RAMs of a circuit hold, the most first."""
    found: dict[str, float] = {}
    for top, sizes in parts(machine, roms):
        use = _MEMORIES.get(top, "other units")
        found[use] = found.get(use, 0) + MODULES[top].blocks(family, sizes)
    return dict(sorted(((use, n) for use, n in found.items() if n), key=lambda item: -item[1]))


def parts(machine: Machine, roms: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, Sizes]]:
    """(module, sizes) of every instance, as csrc/verilog/ert_circuit.v and ert_core.v have them."""

    def fetch(
        agent: int, kind: type[Load | Store | Softmax | Read | Mac | Out], agents: int
    ) -> tuple[str, Sizes]:
        words = len(roms[f"{machine.agent_name(agent)}_{kind.NAME}.hex"])
        return "ert_fetch", {"BITS": kind.bits(), "DEPTH": max(words, 1), "AGENTS": agents}

    agents, clients = machine.agents, machine.all_cores + machine.softmax
    yield "ert_scratch", {
        "READERS": clients + 2, "WRITERS": clients + 1, "BANKS": machine.banks,
        "WORDS": machine.scratch_bytes // 8,
    }  # fmt: skip
    yield CIRCUIT, {"AGENTS": agents, "CORES": machine.all_cores}
    yield "ert_load", {}
    yield "ert_store", {}
    yield fetch(Machine.LOADER, Load, agents)
    yield fetch(Machine.STORER, Store, agents)
    for core in range(machine.all_cores):
        agent = Machine.FIRST_CORE + core
        yield fetch(agent, Read, agents)
        yield fetch(agent, Mac, 0)
        yield fetch(agent, Out, 0)
        yield "ert_read", {"FIFO": machine.fifo}
        yield "ert_mac", {"BINARY": int(core >= machine.cores), "WEIGHT_WORDS": machine.weight_words}
        yield "ert_out", {"PARAM_ENTRIES": machine.param_entries}
    if machine.softmax:
        yield "ert_softmax", {}
        yield fetch(agents - 1, Softmax, agents)


@cache
def fitted() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Family -> module -> luts, flip_flops -> term -> coefficient."""
    path = files("edgert.codegen.hls") / COSTS
    if not path.is_file():
        return {}
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = json.loads(path.read_text(encoding="utf-8"))
    return found
