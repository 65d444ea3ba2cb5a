"""Part: an FPGA as the compiler sees it. One TOML per part in targets/, beside those of the CPUs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from edgert import descriptor
from edgert.errors import DescriptorError

ARCH = "fpga"
FAMILIES = ("ecp5", "xc7", "xcup", "gowin")
_COUNTS = ("luts", "flip_flops", "dsps", "block_rams", "block_ram_bits")
RESOURCES = {
    "luts": "LUTs",
    "flip_flops": "flip-flops",
    "dsps": "DSPs",
    "block_rams": "block RAMs",
}  # in words
_REQUIRED = ("id", "name", "arch", "family", "source", "dsp_bits", *_COUNTS)


@dataclass(frozen=True)
class Nextpnr:
    """How nextpnr names the part: device ("85k"), package ("CABGA381"), speed grade."""

    device: str
    package: str
    speed: int


@dataclass(frozen=True)
class Part:
    """What an FPGA has of each resource.

    family: one of FAMILIES, which is what Yosys synthesises for. dsp_bits: the two signed factors that one
    DSP multiplies. block_ram_bits: of one block, parity included. nextpnr: None where no open tool places it.
    """

    id: str
    name: str
    family: str
    source: str
    luts: int
    flip_flops: int
    dsps: int
    dsp_bits: tuple[int, int]
    block_rams: int
    block_ram_bits: int
    nextpnr: Nextpnr | None = None

    @property
    def block_ram_bytes(self) -> int:
        """All blocks together, without the parity bits: what memories of 8-bit bytes can use."""
        return self.block_rams * self.block_ram_bits * 8 // 9 // 8


@cache
def archs() -> dict[str, str]:
    """Id -> arch of every descriptor in targets/, CPUs and FPGAs; "" where it says none."""
    found = {}
    for path in files("edgert.targets").iterdir():
        if path.name.endswith(".toml"):
            table = descriptor.read(path, f"targets/{path.name}")
            found[path.name.removesuffix(".toml")] = str(table.get("arch", ""))
    return dict(sorted(found.items()))


def list_parts() -> list[str]:
    """Ids of every FPGA part, sorted."""
    return [name for name, arch in archs().items() if arch == ARCH]


@cache
def load_part(part_id: str) -> Part:
    """Read targets/<id>.toml of an FPGA.

    Raises DescriptorError: unknown id (names the nearest), a CPU, unknown or missing key, bad value.
    """
    if archs().get(part_id, ARCH) != ARCH:
        raise DescriptorError(f"{part_id} is a CPU, not an FPGA", rule=f"FPGAs are {', '.join(list_parts())}")
    if part_id not in archs():
        raise descriptor.unknown("part", part_id, list_parts())
    where = f"targets/{part_id}.toml"
    table = descriptor.read(files("edgert.targets") / f"{part_id}.toml", where)
    descriptor.check_keys(table, _REQUIRED, ("nextpnr",), where)
    nextpnr = table.pop("nextpnr", None)
    if nextpnr is not None:
        descriptor.check_keys(nextpnr, [f.name for f in fields(Nextpnr)], (), f"{where} [nextpnr]")
        nextpnr = Nextpnr(**nextpnr)
    rules = {
        f"the id is the file's name, got {table['id']!r}": table["id"] == part_id,
        f"family is one of {', '.join(FAMILIES)}, got {table['family']!r}": table["family"] in FAMILIES,
        "counts are positive": all(isinstance(table[key], int) and table[key] > 0 for key in _COUNTS),
        "dsp_bits are two numbers of bits": len(table["dsp_bits"]) == 2,
    }
    for rule, holds in rules.items():
        if not holds:
            raise DescriptorError(rule, where=where)
    facts = {key: value for key, value in table.items() if key not in ("arch", "dsp_bits")}
    return Part(**facts, dsp_bits=tuple(table["dsp_bits"]), nextpnr=nextpnr)
