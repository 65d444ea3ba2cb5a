"""C -> firmware ELF for a board, or a shared library for this machine. zig cc from PyPI by default."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from edgert import cache, firmware, linker
from edgert.board import Board
from edgert.errors import DoesNotFitError, ToolError
from edgert.target import Target, load_target

TIMEOUT_S = 600
_LEVEL = {"speed": "-O3", "balanced": "-O3", "size": "-Oz"}
_WARNINGS = ("-std=c11", "-Wall", "-Wextra", "-Wconversion", "-Werror")
_GENERATED = (
    "-ffunction-sections", "-fdata-sections", "-fno-sanitize=all", "-fno-stack-protector",
    "-fomit-frame-pointer", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables", "-ffp-contract=off",
    "-DERT_PROFILE", "-g",
)  # fmt: skip
_BARE = ("-ffreestanding", "-fno-builtin-printf")
_OVERFLOW = re.compile(r"section '?([.\w]+)'? will not fit in region '(\w+)': overflowed by (\d+) bytes")


@dataclass(frozen=True)
class Firmware:
    """flash_bytes: everything that is programmed. ram_bytes: .data and .bss, the arena included; no stack.

    flash_sections: code, constants (weights, tables, literals), data (initial values of RAM), vectors.
    flash_split: the same bytes by what they are for: weights, tables, kernels, rest. arena_bytes: as linked.
    """

    elf: Path
    compiler: str
    flash_bytes: int
    ram_bytes: int
    flash_sections: Mapping[str, int]
    flash_split: Mapping[str, int]
    arena_bytes: int


def compile_firmware(
    folder: Path,
    report: Mapping[str, Any],
    board: Board,
    out: Path,
    optimize: str = "balanced",
    objects: Sequence[Path] = (),
) -> Firmware:
    """Compile folder/model.c with the runtime, and link for the board's memory map or operating system.

    report: see edgert.firmware.header. objects: already compiled, linked too.

    Raises DoesNotFitError (by how many bytes, and in which memory), ToolError (no compiler; its first error).
    """
    target, name = load_target(board.target), str(report["name"])
    build = out.parent / ".build"
    build.mkdir(parents=True, exist_ok=True)
    header = firmware.header(report, hosted=board.linux is not None)
    (build / firmware.HEADER).write_text(header, encoding="utf-8")
    with as_file(files("edgert.csrc")) as csrc:
        common = [
            *zig_cc(target), *_WARNINGS, *_GENERATED, *firmware.defines(board),
            f"-I{folder}", f"-I{build}", f"-I{csrc}",
            f"-ffile-prefix-map={folder}=.", f"-ffile-prefix-map={csrc}=csrc",
            f"-ffile-prefix-map={Path.cwd()}=.", f"-ffile-prefix-map={_zig_folder()}=zig",
            *(_BARE if board.linux is None else ()),
        ]  # fmt: skip
        runtime = [str(csrc / path) for path in firmware.runtime_sources(board, target)]
        if board.linux is None:
            together = str(build / "runtime.o")
            _run([*common, "-Oz", "-nostdlib", "-r", *runtime, "-o", together], where=name, board=board)
            runtime = [together]
        sources = [str(folder / "model.c"), *(str(csrc / p) for p in firmware.library_sources(board))]
        command = [
            *common, _LEVEL[optimize], *_link_options(board, build),
            *sources, *runtime, *map(str, objects), "-o", str(out),
        ]  # fmt: skip
        _run(command, where=name, board=board)
    shutil.rmtree(build)
    return measure(out, f"zig cc {version('ziglang')} (clang) {_LEVEL[optimize]}", name)


def _link_options(board: Board, build: Path) -> list[str]:
    """A static program for an operating system; else bare metal, laid out by the board's linker script."""
    if board.linux is not None:
        return ["-static", "-no-pie", "-fno-pie"]
    script = build / "board.ld"
    script.write_text(linker.script(board), encoding="utf-8")
    return ["-nostdlib", "-lcompiler_rt", "-static", "-Wl,--gc-sections", f"-Wl,-T,{script}"]


def zig_cc(target: Target) -> list[str]:
    """The start of a `zig cc` command line for a target."""
    base = [*_zig(), "cc"]
    if target.arch == "host":
        return base
    return [*base, "-target", target.zig_target, f"-mcpu={target.zig_cpu}", *target.cflags]


def compile_host(folder: Path, out: Path) -> Path:
    """Compile folder/model.c to a shared library `out` of this machine. Raises ToolError."""
    return compile_shared([folder / "model.c"], out, (*_WARNINGS, "-march=native"))


def compile_shared(sources: Sequence[Path], out: Path, flags: Sequence[str] = ("-Wall",)) -> Path:
    """Compile to a shared library `out`: with gcc where there is one, else with zig. Raises ToolError."""
    gcc = shutil.which("gcc")
    command = [
        *([gcc] if gcc else [*_zig(), "cc"]), *flags, "-O2", "-g", "-ffp-contract=off", "-fPIC", "-shared",
        f"-I{sources[0].parent}", *map(str, sources), "-o", str(out),
    ]  # fmt: skip
    _run(command, where=sources[0].parent.name)
    return out


def measure(elf_path: Path, compiler: str, name: str) -> Firmware:
    """Sizes of a linked firmware, from the sections and symbols of its ELF; name: the model's prefix."""
    from elftools.elf.elffile import ELFFile

    kinds = {".vectors": "vectors", ".text": "code", ".rodata": "constants", ".data": "data"}
    flash: dict[str, int] = dict.fromkeys(kinds.values(), 0)
    ram, sizes = 0, dict[str, int]()
    with elf_path.open("rb") as stream:
        elf = ELFFile(stream)
        for section in elf.iter_sections():
            if section.name in kinds:
                flash[kinds[section.name]] += section["sh_size"]
            if section.name in (".data", ".bss"):
                ram += section["sh_size"]
        for symbol in elf.get_section_by_name(".symtab").iter_symbols():
            sizes[symbol.name] = sizes.get(symbol.name, 0) + symbol["st_size"]
    total = sum(flash.values())
    return Firmware(elf_path, compiler, total, ram, flash, _split(sizes, name, total), sizes["ert_arena"])


def _split(sizes: Mapping[str, int], name: str, total: int) -> dict[str, int]:
    """Flash by purpose, from the names that codegen/c/emit.py gives. rest: start-up, runner, literals."""
    layer = re.escape(name) + r"_\d+_"
    purposes = {
        "weights": re.compile(layer + "weights"),
        "tables": re.compile(layer + r"\w+|" + re.escape(name) + r"_step_\d+\.\w+"),
        "kernels": re.compile(re.escape(name) + r"_(step|shared)_\d+|ert_(conv2d|depthwise)\w*"),
    }
    split = dict.fromkeys(purposes, 0)
    for symbol, size in sizes.items():
        purpose = next((p for p, pattern in purposes.items() if pattern.fullmatch(symbol)), None)
        if purpose:
            split[purpose] += size
    return {**split, "rest": total - sum(split.values())}


def _zig_folder() -> Path:
    found = importlib.util.find_spec("ziglang")
    if found is None or found.origin is None:
        raise ToolError("the zig compiler is missing", hint="pip install ziglang")
    return Path(found.origin).parent


def _zig() -> list[str]:
    _zig_folder()
    return [sys.executable, "-m", "ziglang"]


def _run(command: Sequence[str], *, where: str, board: Board | None = None) -> None:
    zig_cache = cache.root() / "zig"
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(zig_cache),
        "ZIG_LOCAL_CACHE_DIR": str(zig_cache),
    }
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"the compiler ran longer than {TIMEOUT_S} s", where=where) from error
    except OSError as error:
        raise ToolError(
            f"cannot start {command[0]}: {error.strerror}", where=where, hint="edgert doctor"
        ) from error
    if done.returncode == 0:
        return
    overflow = [(region, int(excess)) for _, region, excess in _OVERFLOW.findall(done.stderr)]
    if overflow and board is not None:
        raise _does_not_fit(overflow, board, where)
    first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[:300])
    raise ToolError(f"the C compiler failed: {first.strip()}", where=where, hint="edgert doctor")


def _does_not_fit(overflow: Sequence[tuple[str, int]], board: Board, where: str) -> DoesNotFitError:
    excess: dict[str, int] = {}
    for region, count in overflow:  # reported for every section that no longer fits: the last is the sum
        excess[region] = max(excess.get(region, 0), count)
    sizes = {"flash": board.flash_bytes or 0, "ram": board.ram_bytes or 0}
    parts = [f"{count:,} bytes too many for the {sizes[r]:,} of {r}" for r, count in sorted(excess.items())]
    return DoesNotFitError(
        f"the firmware does not fit on {board.id}: {' and '.join(parts)}",
        where=where,
        hint="choose a bigger board (edgert boards), --optimize size, or a smaller network",
    )
