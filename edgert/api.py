"""compile and connect: the two functions that most programs need."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgert import __version__, cache
from edgert.artifact import REPORT, SCHEMA, Artifact
from edgert.board import Board, load_board
from edgert.errors import DoesNotFitError, UsageError
from edgert.firmware import source_digest
from edgert.model_file import c_name, read_model
from edgert.network import Network
from edgert.target import Target, load_target
from edgert.tuning import Place, TuningDatabase, choices

if TYPE_CHECKING:
    from edgert.codegen.arena import Arena
    from edgert.codegen.memory import Buffer
    from edgert.codegen.program import Program
    from edgert.codegen.select import BoundStep
    from edgert.drivers.session import Session

OPTIMIZE = ("speed", "balanced", "size")


def compile(
    model: str | Path | bytes | Network,
    *,
    board: str | None = None,
    target: str | None = None,
    name: str | None = None,
    optimize: str = "balanced",
    use_cache: bool = True,
    use_tuned: bool = True,
    progress: Callable[[str], object] | None = None,
) -> Artifact:
    """Compile a model for a board (C and a linked firmware, or a circuit) or for a target (C only).

    model: a .tflite, .onnx, .pt2 or .npz file, its bytes, or what `edgert.load` made. board, target: ids as
    `edgert boards` and `edgert targets` list them; give exactly one, nothing is guessed. name: prefix of the
    C symbols, by default from the file's name. optimize: "speed", "balanced" or "size". use_cache: serve the
    same input, compiled by the same edgert, from the cache. use_tuned: choose kernels as `edgert tune`
    measured them on this board, where it did. progress: is told what comes next. On a board with an FPGA,
    optimize and use_tuned change nothing.

    Raises ModelError (not a model), UnsupportedOperatorError, DoesNotFitError (says by how much and
    which layer is the peak), DescriptorError (unknown board or target), ToolError (compiler), UsageError.
    """
    request = _Request.make(model, board, target, name, optimize)
    tuned = TuningDatabase() if use_tuned else None
    entry = request.cache_key(tuned.stamp(request.place) if tuned else "")
    cached = cache.lookup(entry) if use_cache else None
    if cached is not None:
        return Artifact.load(cached)
    from edgert.codegen import pipeline

    with cache.publish(entry, replace=not use_cache) as folder:
        if isinstance(model, Network):
            program = pipeline.module_to_program(model.module, request.name)
        else:
            program = pipeline.compile_to_program(request.data, request.name)
        if request.board is not None and request.board.fpga is not None:
            _build_circuit(request, program, folder, progress or _silent)
        else:
            _build(request, program, folder, tuned)
    return Artifact.load(cache.root() / "artifacts" / entry)


def compile_program(
    program: Program,
    folder: Path,
    *,
    board: str,
    optimize: str = "balanced",
    labels: Mapping[str, str] | None = None,
) -> Artifact:
    """Compile a Program with no model file behind it, one layer to measure say, into `folder`; never cached.

    labels: Step name -> the variant to use; with them, the Program is compiled exactly as it is.
    Raises as `compile` does.
    """
    request = _Request.make(b"", board, None, program.name, optimize)
    folder.mkdir(parents=True, exist_ok=True)
    if labels is None:
        if request.board is not None and request.board.fpga is not None:
            _build_circuit(request, program, folder, _silent)
        else:
            _build(request, program, folder, None)
    else:
        from edgert.codegen.arena import place
        from edgert.codegen.select import bind

        bound = bind(program, request.target.features, labels)
        _write(request, _Plan(program, bound, place(program, bound), {}), folder)
    return Artifact.load(folder)


def planned_arena_bytes(program: Program, *, board: str) -> int:
    """The arena that `compile` would give a Program on this board; nothing is written."""
    from edgert.codegen.relieve import relieve
    from edgert.codegen.select import bind

    features = load_target(load_board(board).target).features
    return relieve(program, bind(program, features, {}), features)[1].nbytes


def connect(artifact: Artifact, *, board: str | None = None, link: str = "") -> Session:
    """Open a session with the board that runs this artifact; `board` defaults to the one it was compiled for.

    link: another way to it than the board's own: "gdb:HOST:PORT", "serial:/dev/ttyACM0", "unicorn".

    Raises UsageError if the artifact was compiled for another target, ToolError, LinkError,
    WrongFirmwareError, BoardTimeoutError, BoardFaultError.
    """
    from edgert.drivers import open_session

    wanted = board or artifact.report["board"]
    if wanted is None:
        raise UsageError(
            f"{artifact.name} was compiled for target {artifact.report['target']}, not for a board",
            hint="compile it with --board (see: edgert boards)",
        )
    described = load_board(wanted)
    if described.driver != "host" and described.id != artifact.report["board"]:
        raise UsageError(
            f"{artifact.name} was compiled for {artifact.report['board'] or artifact.report['target']},"
            f" not for {wanted}",
            hint=f"compile it with --board {wanted}",
        )
    return open_session(artifact.report, artifact.folder, described, link)


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class _Request:
    """target: the CPU; of a circuit, the one that does what is left to it."""

    data: bytes
    file: str
    name: str
    board: Board | None
    target: Target
    optimize: str

    @classmethod
    def make(
        cls,
        model: str | Path | bytes | Network,
        board: str | None,
        target: str | None,
        name: str | None,
        optimize: str,
    ) -> _Request:
        if (board is None) == (target is None):
            raise UsageError(
                "give a board or a target" if board is None else "give a board or a target, not both",
                rule="the instruction set is never guessed",
                hint="see: edgert boards, edgert targets",
            )
        if optimize not in OPTIMIZE:
            raise UsageError(f"optimize is {optimize!r}", rule=f"one of {', '.join(OPTIMIZE)}")
        described = load_board(board) if board is not None else None
        if described is not None and described.fpga is not None:
            cpu = load_target("host")
        else:
            cpu = load_target(described.target if described else str(target))
        if isinstance(model, Network):
            data, file = model.serialized(), model.name
        else:
            data, file = read_model(model)
        return cls(data, file, c_name(name or Path(file).stem), described, cpu, optimize)

    @property
    def digest(self) -> str:
        """SHA-256 of the model."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def place(self) -> Place:
        return Place(self.board.id if self.board else f"target {self.target.id}", self.optimize)

    def cache_key(self, stamp: str) -> str:
        return cache.key(self.data, self.file, self.name, self.place.board, self.optimize, stamp)


@dataclass(frozen=True)
class _Plan:
    """What is to be written: a kernel and a place for every Step. tuned: Step name -> measured label."""

    program: Program
    bound: tuple[BoundStep, ...]
    arena: Arena
    tuned: Mapping[str, str]


def _build(request: _Request, program: Program, folder: Path, tuned: TuningDatabase | None) -> None:
    """Program -> kernels -> arena -> C -> firmware, all into `folder`; report.json last."""
    from edgert.codegen.refine import refine
    from edgert.codegen.relieve import relieve
    from edgert.codegen.select import bind, fewest_kernels

    refined = refine(program)
    program, features = refined.program, request.target.features
    fewest = request.optimize == "size"
    labels = {} if fewest else _tuned_labels(request, program, tuned)
    wanted = fewest_kernels(program, features) if fewest else labels
    bound, arena = relieve(program, bind(program, features, wanted), features)
    _check_ram(request, bound, arena)
    proven = {
        "removed_channels": [asdict(removal) for removal in refined.removals],
        "idle_clamps": [asdict(clamp) for clamp in refined.idle],
        "binary_layers": _binary_layers(program, bound),
    }
    _write(request, _Plan(program, bound, arena, labels), folder, proven)


def _build_circuit(
    request: _Request, program: Program, folder: Path, progress: Callable[[str], object]
) -> None:
    """Program -> schedule -> Verilog and HLS C++, all into `folder`; report.json last."""
    from edgert.circuit import write_circuit

    assert request.board is not None
    head = _report_head(request) | {"target": request.board.target}
    report = write_circuit(program, request.board, folder, head, progress)
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _binary_layers(program: Program, bound: tuple[BoundStep, ...]) -> list[dict[str, str]]:
    """Of each layer of bits: whether it is dense or by a tree, and why."""
    from edgert.codegen.kernels.binary_tree import reason

    return [
        {
            "layer": b.step.name,
            "kernel": b.variant_name,
            "why": reason(program.constants[b.step.constants["weights"]], b.variant_name),
        }
        for b in bound
        if b.step.op == "conv2d_b1"
    ]


def _tuned_labels(request: _Request, program: Program, tuned: TuningDatabase | None) -> dict[str, str]:
    """Step name -> label as it was measured; empty where nothing was, or where it did not pay."""
    from edgert.codegen.select import bind

    if tuned is None or not tuned.trusts(request.place, request.digest):
        return {}
    defaults = {b.step.name: b.variant_name for b in bind(program, request.target.features)}
    return choices(tuned, request.place, {step.name: step for step in program.steps}, defaults)


def _write(request: _Request, plan: _Plan, folder: Path, more: Mapping[str, Any] | None = None) -> None:
    """C, firmware and report.json of a plan. more: further entries of the report."""
    from edgert.codegen.c import emit, project

    provenance = emit.Provenance(__version__, request.file, request.digest, request.target.id)
    name, program = request.name, plan.program
    sources = emit.emit(program, plan.bound, plan.arena, name, provenance, optimize=request.optimize)
    sources["example_main.c"] = project.example_main(program, name)
    sources["CMakeLists.txt"] = project.cmake_lists(name, " ".join(request.target.gcc_flags))
    for path, text in sources.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    report = _report(request, plan, folder) | dict(more or {})
    report |= _link(request, report, folder)
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _check_ram(request: _Request, bound: tuple[BoundStep, ...], arena: Arena) -> None:
    if request.board is None or request.board.ram_bytes is None or arena.nbytes <= request.board.ram_bytes:
        return
    peak = max(range(len(bound)), key=lambda i: arena.live_bytes[i])
    step = bound[peak].step
    raise DoesNotFitError(
        f"the arena needs {arena.nbytes:,} bytes of RAM, {request.board.id} has {request.board.ram_bytes:,}: "
        f"{arena.nbytes - request.board.ram_bytes:,} too many",
        where=request.name,
        rule=f"the peak is layer {peak} {step.name} ({step.op}) with {arena.live_bytes[peak]:,} bytes alive",
        hint="choose a board with more RAM (edgert boards) or a smaller input or layer",
    )


def _link(request: _Request, report: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What the report says of the firmware, which is linked here if there is a board that wants one."""
    from edgert import toolchain

    if request.board is None or request.board.driver == "host":
        unknown = ("linked_arena_bytes", "flash_bytes", "ram_bytes", "compiler")
        return {**dict.fromkeys(unknown), "flash_sections": {}, "flash_split": {}}
    image = folder / "firmware.elf"
    firmware = toolchain.compile_firmware(folder, report, request.board, image, request.optimize)
    assert firmware.arena_bytes == report["arena_bytes"], "the linker gave the arena another size"
    return {
        "linked_arena_bytes": firmware.arena_bytes,
        "flash_bytes": firmware.flash_bytes,
        "ram_bytes": firmware.ram_bytes,
        "compiler": firmware.compiler,
        "flash_sections": dict(firmware.flash_sections),
        "flash_split": dict(firmware.flash_split),
    }


def _report(request: _Request, plan: _Plan, folder: Path) -> dict[str, Any]:
    program, bound, arena = plan.program, plan.bound, plan.arena
    largest = max(tensor.nbytes for tensor in program.tensors.values())
    return {
        **_report_head(request),
        "build_sha256": source_digest(folder),
        "macs": program.macs,
        "arena_bytes": arena.nbytes,
        "arena_lower_bound_bytes": arena.plan.lower_bound_bytes,
        "arena_exact": arena.plan.exact,
        "largest_tensor_bytes": largest,
        "weights_bytes": sum(b.weights_bytes for b in bound),
        "inputs": [_port(program, arena, name) for name in program.inputs],
        "outputs": [_port(program, arena, name) for name in program.outputs],
        "layers": [_layer(request.name, plan, b, i) for i, b in enumerate(bound)],
        "buffers": [_buffer(arena, b) for b in arena.buffers],
    }


def _report_head(request: _Request) -> dict[str, Any]:
    """What every report starts with."""
    return {
        "schema": SCHEMA,
        "edgert_version": __version__,
        "name": request.name,
        "model_file": request.file,
        "model_sha256": request.digest,
        "build_sha256": "",
        "target": request.target.id,
        "board": request.board.id if request.board else None,
        "optimize": request.optimize,
    }


def _buffer(arena: Arena, b: Buffer) -> dict[str, Any]:
    offset = arena.plan.offsets[b.name]
    return {"name": b.name, "offset": offset, "bytes": b.nbytes, "first": b.first, "last": b.last}


def _port(program: Program, arena: Arena, name: str) -> dict[str, Any]:
    tensor = program.tensors[name]
    return {
        "name": name,
        "shape": list(tensor.shape),
        "dtype": tensor.dtype,
        "scale": tensor.quant.scale if tensor.quant else None,
        "zero_point": tensor.quant.zero_point if tensor.quant else None,
        "offset": arena.offset(name),
    }


def _layer(name: str, plan: _Plan, b: BoundStep, index: int) -> dict[str, Any]:
    from edgert.codegen.c.emit import symbol

    return {
        "index": index,
        "name": b.step.name,
        "op": b.step.op,
        "variant": b.variant_name,
        "symbol": symbol(name, index),
        "output_shape": list(plan.program.tensors[b.step.outputs[0]].shape),
        "tuned": plan.tuned.get(b.step.name) == b.variant_name,
        "macs": b.step.macs,
        "weights_bytes": b.weights_bytes,
        "read_bytes": _nbytes(plan.program, b.step.inputs) + b.weights_bytes,
        "written_bytes": _nbytes(plan.program, b.step.outputs),
        "scratch_bytes": b.scratch_bytes,
        "live_bytes": plan.arena.live_bytes[index],
    }


def _nbytes(program: Program, names: Sequence[str]) -> int:
    constants = program.constants
    return sum(int(constants[n].nbytes) if n in constants else program.tensors[n].nbytes for n in names)
