"""A Program -> a circuit for an FPGA board, as a folder: Verilog, HLS C++, the schedule, a report."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgert import __version__
from edgert.board import Board, load_board
from edgert.codegen.bounds import tell_bounds
from edgert.codegen.hls import folder as files
from edgert.codegen.hls import interpret
from edgert.codegen.hls.attribution import layer_cycles
from edgert.codegen.hls.build import build, places
from edgert.codegen.hls.cost import Resources, blocks_by_use, estimate, multipliers_and_blocks
from edgert.codegen.hls.cycles import Times
from edgert.codegen.hls.cycles import estimate as time
from edgert.codegen.hls.design import Design, parts_of
from edgert.codegen.hls.ends import Ends, ends
from edgert.codegen.hls.gantt import gantt
from edgert.codegen.hls.isa import BINARY_LANE_BITS, LANES, PARAM_WORDS, Load, Machine, Memory, Store
from edgert.codegen.hls.listing import listing
from edgert.codegen.hls.schedule import Schedule
from edgert.codegen.hls.scheduler import find
from edgert.codegen.hls.tasks import BINARY, SOFTMAX, Network, Task, network
from edgert.codegen.hls.tile import Place
from edgert.codegen.hls.verilog import TOP
from edgert.codegen.hls.why import explained
from edgert.codegen.program import Array, Program, bit_words
from edgert.codegen.prune import prune
from edgert.errors import DoesNotFitError, UsageError
from edgert.part import RESOURCES, Part, load_part
from edgert.report.tables import label

LISTING, PICTURE = "schedule.txt", "schedule.svg"
HOST = "host"  # the folder of the layers that the host computes; the board whose kernels they use
_SEED = 0  # of the example input
Say = Callable[[str], object]


@dataclass(frozen=True, eq=False)
class Circuit:
    """What was decided."""

    board: Board
    part: Part
    ends: Ends
    network: Network
    schedule: Schedule
    design: Design
    times: Times
    places: Sequence[Mapping[str, Place]]
    resources: Resources


def write_circuit(
    program: Program, board: Board, folder: Path, head: Mapping[str, Any], say: Say
) -> dict[str, Any]:
    """The circuit of a Program for a board with an FPGA, into `folder`; returns the report.

    head: what every report starts with. say: is told what comes next.
    Raises UnsupportedOperatorError: a layer without a unit, by name. DoesNotFitError: which resource or
    memory, by how much, and the layer.
    """
    program, removals = prune(program)
    program, idle = tell_bounds(program)
    circuit = decide(program, board, say)
    say("writing the circuit")
    design = circuit.design
    image = design.image(_example(circuit.ends))
    expected = interpret.execute(replace(design, external=image), _inputs(design, image)).external
    origin = f"made by edgert {__version__} from {head['model_file']}, for {board.id}"
    sources = files.write(replace(design, external=image), folder, origin, files.port_bytes(design, expected))
    text = listing(circuit.network, design, circuit.schedule, circuit.places)
    (folder / LISTING).write_text(text, encoding="utf-8")
    title = f"{program.name} on {board.id}: {circuit.times.cycles:,} cycles, modelled"
    stages = [segment.how for segment in circuit.schedule.segments]
    picture = gantt(design, circuit.times.spans, circuit.times.cycles, title, stages)
    (folder / PICTURE).write_text(picture, encoding="utf-8")
    return {
        **head,
        **_report(program, circuit),
        "build_sha256": _digest(folder),
        "removed_channels": [asdict(removal) for removal in removals],
        "idle_clamps": [asdict(clamp) for clamp in idle],
        "fpga": {
            **_fpga(circuit),
            "top": TOP,
            "folder": files.RTL,
            "sources": sources,
            "host": _write_ends(circuit.ends, folder),
        },
    }


def decide(program: Program, board: Board, say: Say = lambda _: None) -> Circuit:
    """Which layers are in the circuit, on which machine, in which order; checked against the part."""
    found = ends(program)
    tasks = network(found.circuit)
    part = load_part(board.target)
    machine = fitting_machine(board, part, tasks)
    say(f"looking for a schedule of {len(tasks.tasks)} layers on {machine.cores} cores")
    schedule = find(tasks, machine).schedule
    schedule = replace(schedule, why=explained(tasks, machine, schedule))
    design = build(tasks, machine, schedule)
    _check_fields(design)
    where = places(tasks, machine, schedule)
    resources = _predicted(machine, design.roms(), part)
    if _short(resources, part):
        design = replace(design, machine=_as_small_as_needed(design, where))
        resources = _predicted(design.machine, design.roms(), part)
    circuit = Circuit(board, part, found, tasks, schedule, design, time(design), where, resources)
    _check_part(circuit)
    return circuit


# ---- the machine -----------------------------------------------------------------------------------------


def fitting_machine(board: Board, part: Part, tasks: Network) -> Machine:
    """The board's, without units that no layer needs; beside a binary core, as many cores as fit."""
    fpga, external = board.fpga, board.external
    assert fpga is not None and external is not None
    units = {task.unit for task in tasks.tasks}
    machine = Machine(
        cores=fpga.cores, scratch_bytes=fpga.scratch_bytes, weight_words=fpga.weight_words,
        param_entries=fpga.param_entries, binary_cores=fpga.binary_cores if BINARY in units else 0,
        softmax=fpga.softmax if SOFTMAX in units else 0, banks=fpga.banks,
        bus_bytes=external.bytes_per_cycle, latency_cycles=external.latency_cycles,
    )  # fmt: skip
    for unit, count, key in (
        (BINARY, machine.binary_cores, "binary_cores"),
        (SOFTMAX, machine.softmax, "softmax"),
    ):
        if unit in units and not count:
            layer = next(task.name for task in tasks.tasks if task.unit == unit)
            raise DoesNotFitError(
                f"the layer needs a {unit}, {board.id} has none", where=f"layer {layer}",
                rule=f"{key} in the board's [fpga]", hint="edgert boards new my-board --from " + board.id,
            )  # fmt: skip
    while machine.binary_cores and machine.cores > 1 and not _leaves_room(machine, part):
        machine = replace(machine, cores=machine.cores - 1)
    return machine


def _predicted(machine: Machine, roms: Mapping[str, Sequence[str]], part: Part) -> Resources:
    """Without look-up tables and flip-flops where the part's family was not fitted."""
    try:
        return estimate(machine, roms, part.family)
    except UsageError:
        return multipliers_and_blocks(machine, roms, part.family)


def _as_small_as_needed(design: Design, where: Sequence[Mapping[str, Place]]) -> Machine:
    """The design's machine with memories of what the design uses of them."""
    machine, used = design.machine, _on_chip(design)
    bank = -(-_activations(where) // machine.banks)
    return replace(
        machine,
        scratch_bytes=machine.banks * _whole(bank),
        weight_words=_whole(used["weight_words"]["used"]),
        param_entries=_whole(used["param_entries"]["used"]),
    )


def _whole(count: int) -> int:
    """A multiple of 64, as a Machine's memories are."""
    return 64 * max(1, -(-count // 64))


def _activations(where: Sequence[Mapping[str, Place]]) -> int:
    """Bytes of the scratchpad that tensors ever lie in."""
    return max(place.base + nbytes(place) for stage in where for place in stage.values())


def _leaves_room(machine: Machine, part: Part) -> bool:
    """Whether it fits with one block RAM for each list of commands."""
    names = [
        f"{machine.agent_name(agent)}_{kind.NAME}.hex"
        for agent in range(machine.agents)
        for kind in parts_of(machine, agent)
    ]
    return not _short(_predicted(machine, dict.fromkeys(names, ["0"] * 512), part), part)


def _short(needed: Resources, part: Part) -> list[tuple[str, float, int]]:
    """(resource, needed, there) of what there is too little of."""
    return [(name, used, there) for name, (used, there) in _usage(needed, part).items() if used > there]


def _usage(needed: Resources, part: Part) -> dict[str, tuple[float, int]]:
    names = ("luts", "flip_flops", "dsps", "block_rams") if needed.luts else ("dsps", "block_rams")
    return {name: (getattr(needed, name), getattr(part, name)) for name in names}


def _check_part(circuit: Circuit) -> None:
    short = _short(circuit.resources, circuit.part)
    if not short:
        return
    words = ", ".join(f"{used:,.0f} {RESOURCES[name]} of {there:,}" for name, used, there in short)
    raise DoesNotFitError(
        f"the circuit takes {words} of {circuit.part.id}", rule=_what_takes_them(circuit),
        where=f"layer {label(_most_commands(circuit.design))}",
        hint="fewer cores or smaller memories in the board's [fpga], or a larger board",
    )  # fmt: skip


def _what_takes_them(circuit: Circuit) -> str:
    uses = blocks_by_use(circuit.design.machine, circuit.design.roms(), circuit.part.family)
    held = ", ".join(f"{use} {count:g}" for use, count in uses.items())
    counts = _commands_by_layer(circuit.design)
    most = counts[_most_commands(circuit.design)]
    return f"block RAMs hold {held}; the layer has {most:,} of {sum(counts.values()):,} commands, the most"


def _most_commands(design: Design) -> str:
    counts = _commands_by_layer(design)
    return max(counts, key=lambda name: counts[name])


def _commands_by_layer(design: Design) -> Counter[str]:
    return Counter(command.tag.step for commands in design.agents for command in commands)


def _check_fields(design: Design) -> None:
    """Raise DoesNotFitError for a size that a command has too few bits for."""
    for commands in design.agents:
        for command in commands:
            try:
                for part in command.parts:
                    part.pack()
            except OverflowError as error:
                raise DoesNotFitError(
                    f"too large for a command: {error}", where=f"layer {command.tag.step}",
                    rule="fields of commands: codegen/hls/isa.py", hint="a smaller layer",
                ) from error  # fmt: skip


# ---- the ends --------------------------------------------------------------------------------------------


def _write_ends(found: Ends, folder: Path) -> dict[str, Any]:
    """C of what the host computes, and where its inputs and outputs lie in its arena."""
    return {
        side: _write_end(part, folder / HOST / side)
        for side, part in (("before", found.before), ("behind", found.behind))
        if part is not None
    }


def _write_end(program: Program, folder: Path) -> dict[str, Any]:
    from edgert.codegen.c import emit
    from edgert.codegen.relieve import relieve
    from edgert.codegen.select import bind
    from edgert.target import load_target

    features = load_target(load_board(HOST).target).features
    bound, arena = relieve(program, bind(program, features), features)
    name = f"host_{folder.name}"
    origin = emit.Provenance(__version__, program.name, "", HOST)
    for path, text in emit.emit(program, bound, arena, name, origin).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    sides = {"inputs": program.inputs, "outputs": program.outputs}
    ports = {
        side: [_port(program, x) | {"offset": arena.offset(x)} for x in names]
        for side, names in sides.items()
    }
    return {
        "name": name, "arena_bytes": arena.nbytes, "layers": [step.name for step in program.steps], **ports,
    }  # fmt: skip


def _port(program: Program, name: str) -> dict[str, Any]:
    """As a session moves it: bits are bytes, four for each 32 channels."""
    t = program.tensors[name]
    shape = (*t.shape[:-1], 4 * bit_words(t.shape[-1])) if t.dtype == "b1" else t.shape
    return {
        "name": name, "shape": list(shape), "dtype": "uint8" if t.dtype == "b1" else t.dtype,
        "scale": t.quant.scale if t.quant else None, "zero_point": t.quant.zero_point if t.quant else None,
    }  # fmt: skip


def _example(found: Ends) -> list[Array]:
    """Random bytes for the circuit's inputs."""
    draw = np.random.default_rng(_SEED)
    shapes = [_port(found.circuit, name)["shape"] for name in found.circuit.inputs]
    return [draw.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


def _inputs(design: Design, image: Array) -> list[Array]:
    return [port.get(image) for port in design.inputs]


# ---- the report ------------------------------------------------------------------------------------------


def _digest(folder: Path) -> str:
    """SHA-256 of the commands and the external memory."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".hex", ".bin", ".v", ".vh", ".c", ".h"):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _report(program: Program, circuit: Circuit) -> dict[str, Any]:
    """What Artifact's schema has for every board. arena_bytes: of the scratchpad."""
    used = _activations(circuit.places)
    unknown = ("linked_arena_bytes", "flash_bytes", "ram_bytes", "compiler")
    layers = _layers(program, circuit)
    return {
        "macs": program.macs,
        "arena_bytes": used,
        "arena_lower_bound_bytes": used,
        "arena_exact": False,
        "largest_tensor_bytes": max(tensor.nbytes for tensor in program.tensors.values()),
        "weights_bytes": sum(layer["weights_bytes"] for layer in layers),
        "inputs": [_port(program, name) for name in program.inputs],
        "outputs": [_port(program, name) for name in program.outputs],
        "layers": layers,
        "buffers": [],
        **dict.fromkeys(unknown),
        "flash_sections": {},
        "flash_split": {},
        "binary_layers": [],
    }


def nbytes(place: Place) -> int:
    """That a tensor has in the scratchpad."""
    return place.map.nbytes if place.map.lane_rows else place.held * place.map.row_bytes


def constant_bytes(task: Task) -> int:
    """Weights and parameters as they lie in the external memory."""
    weights = 0 if task.weights is None else task.weights.size
    entries = 0 if task.params is None else len(task.params[0])
    return int(weights) + (entries // LANES * PARAM_WORDS * LANES if task.unit != SOFTMAX else 4 * entries)


def _layers(program: Program, circuit: Circuit) -> list[dict[str, Any]]:
    constants = program.constants
    stages = {
        circuit.network.tasks[task].name: (number, segment.pattern, cores)
        for number, segment in enumerate(circuit.schedule.segments)
        for task, cores in zip(segment.tasks, segment.cores, strict=True)
    }
    stored = {task.name: constant_bytes(task) for task in circuit.network.tasks}
    live = [sum(nbytes(place) for place in stage.values()) for stage in circuit.places]
    cycles = layer_cycles(circuit.design, circuit.times.spans, circuit.times.cycles)
    found = []
    for index, step in enumerate(program.steps):
        stage, pattern, cores = stages.get(step.name, (None, HOST, ()))
        weights = stored.get(step.name, sum(int(constants[name].nbytes) for name in step.constants.values()))
        reads = [program.tensors[name].nbytes for name in step.inputs if name in program.tensors]
        on = f" x{len(cores)}" if len(cores) > 1 else ""
        found.append({
            "index": index, "name": step.name, "op": step.op, "variant": f"{pattern}{on}", "symbol": "",
            "output_shape": list(program.tensors[step.outputs[0]].shape), "tuned": False, "macs": step.macs,
            "weights_bytes": weights, "read_bytes": sum(reads) + weights,
            "written_bytes": sum(program.tensors[name].nbytes for name in step.outputs), "scratch_bytes": 0,
            "live_bytes": 0 if stage is None else live[stage], "stage": stage,
            "cycles_modelled": cycles.get(step.name, 0),
        })  # fmt: skip
    return found


def _fpga(circuit: Circuit) -> dict[str, Any]:
    design, machine, cycles = circuit.design, circuit.design.machine, circuit.times.cycles
    usage = _usage(circuit.resources, circuit.part) if circuit.resources else {}
    host = [step.name for part in (circuit.ends.before, circuit.ends.behind) if part for step in part.steps]
    return {
        "machine": asdict(machine),
        "cycles_modelled": cycles,
        "multipliers": use(circuit.network, cycles, machine),
        "on_chip": _on_chip(design),
        "traffic": _traffic(design),
        "resources": {name: {"used": round(used, 1), "of": there} for name, (used, there) in usage.items()},
        "schedule": [
            {
                "pattern": segment.pattern,
                "layers": [circuit.network.tasks[task].name for task in segment.tasks],
                "cores": [list(cores) for cores in segment.cores],
                "band": segment.band,
                "skew": segment.skew,
                "why": circuit.schedule.why[number],
            }
            for number, segment in enumerate(circuit.schedule.segments)
        ],
        "spilled": sorted(circuit.schedule.spilled),
        "host_steps": host,
    }


def use(tasks: Network, cycles: int, machine: Machine) -> dict[str, float]:
    """Unit -> the share of what it could have multiplied in so many cycles."""
    work = {BINARY: 0, "core": 0}
    for task in tasks.tasks:
        work[task.unit] = work.get(task.unit, 0) + task.step.macs
    could = {"core": LANES * machine.cores, BINARY: LANES * BINARY_LANE_BITS * machine.binary_cores}
    return {unit: round(work[unit] / (many * cycles), 4) for unit, many in could.items() if many and cycles}


def _on_chip(design: Design) -> dict[str, dict[str, int]]:
    """Memory -> how much is ever used, and how much there is; weights and parameters of the fullest core."""
    loads = [command.load for command in design.agents[Machine.LOADER]]
    words = [  # of a binary core, 8 loaded words are one of its own
        -(-(ld.dst_addr + ld.rows * ld.row_words) // (LANES if ld.mask >> design.machine.cores else 1))
        for ld in loads if ld.dst == Memory.WEIGHTS
    ]  # fmt: skip
    entries = [ld.dst_addr + ld.rows * ld.row_words * LANES // 9 for ld in loads if ld.dst == Memory.PARAMS]
    machine = design.machine
    return {
        "weight_words": {"used": max(words, default=0), "of": machine.weight_words},
        "param_entries": {"used": max(entries, default=0), "of": machine.param_entries},
    }


def _traffic(design: Design) -> dict[str, int]:
    """Bytes between the external memory and the chip: weights and parameters, tensors in, tensors out."""
    found = {"weights": 0, "read": 0, "written": 0}
    for command in (*design.agents[Machine.LOADER], *design.agents[Machine.STORER]):
        part = command.parts[0]
        if isinstance(part, Store):
            found["written"] += part.words * LANES
        elif isinstance(part, Load) and not part.scratch:
            found["read" if part.dst == Memory.SCRATCH else "weights"] += part.rows * part.row_words * LANES
    return found
