"""The schedule as text: stages, and what each agent does in them, command by command."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from edgert.codegen.hls.design import Command, Design
from edgert.codegen.hls.isa import LANES, Load, Mac, Machine, Memory, Mode, Op, Out, Read, Softmax, Store
from edgert.codegen.hls.schedule import Schedule, Segment
from edgert.codegen.hls.tasks import Network
from edgert.codegen.hls.tile import Place

LEGEND = """\
# A stage is a set of layers that share the machine. Of each stage: where its tensors lie in the scratchpad
# (bytes; of a tensor of which only some rows are held, row r lies in row r modulo those), then the commands
# of each agent, in order: number, layer, tile (groups of 8 channels, rows, columns of the result); operation;
# operands; where the result goes; requantization. @: byte of the scratchpad. W, P: a core's words of weights,
# entries of parameters. A command starts when the commands behind "after" are complete: agent:how many."""


def listing(
    network: Network, design: Design, schedule: Schedule, places: Sequence[Mapping[str, Place]]
) -> str:
    """places: of each segment's tensors."""
    lines = [f"# {design.name}", LEGEND, "", f"machine {_machine(design.machine)}"]
    if schedule.spilled:
        lines.append(f"in the external memory between stages: {', '.join(sorted(schedule.spilled))}")
    for number, segment in enumerate(schedule.segments):
        lines += ["", *_stage(network, number, segment, schedule)]
        lines += [_place(name, place) for name, place in places[number].items()]
        for agent, commands in enumerate(design.agents):
            mine = [(i, c) for i, c in enumerate(commands) if c.tag.stage == number]
            if mine:
                lines.append(f"  {design.machine.agent_name(agent)}")
                lines += [f"    {_command(design.machine, agent, i, c)}" for i, c in mine]
    return "\n".join(lines) + "\n"


def _machine(m: Machine) -> str:
    return (
        f"cores {m.cores}, binary cores {m.binary_cores}, softmax units {m.softmax}; "
        f"scratchpad {m.scratch_bytes:,} bytes in {m.banks} banks; "
        f"of each core {m.weight_words:,} words of weights, {m.param_entries} entries of parameters; "
        f"external memory {m.bus_bytes:g} bytes a cycle, "
        f"{m.latency_cycles} cycles latency"
    )


def _stage(network: Network, number: int, segment: Segment, schedule: Schedule) -> Iterator[str]:
    skew = ", a band behind each other" if segment.skew else ""
    yield f"stage {number}: {segment.how}{skew}"
    if number < len(schedule.why):
        yield f"  why: {schedule.why[number]}"
    for task, cores in zip(segment.tasks, segment.cores, strict=True):
        found = network.tasks[task]
        where = f"{found.unit}{'s' if len(cores) > 1 else ''} {','.join(map(str, cores))}".rstrip()
        yield f"  layer {short(found.name)}: {found.step.op}, {found.step.macs} MACs, {where}"


def _place(name: str, place: Place) -> str:
    m = place.map
    shape = (
        f"{m.channels} columns of {m.row_bytes} bytes"
        if m.lane_rows
        else f"{place.held} of {m.rows} rows of {m.row_bytes} bytes"
    )
    return f"  tensor {short(name)} @{place.base}: {shape}"


def _command(machine: Machine, agent: int, number: int, command: Command) -> str:
    tag, first = command.tag, command.parts[0]
    if isinstance(first, Load):
        text = _load(first)
    elif isinstance(first, Store):
        text = f"@{first.src_addr * LANES} -> external {first.dst_addr}, {first.words} words"
    elif isinstance(first, Softmax):
        text = f"softmax of {first.rows} rows of {first.depth} @{first.x} -> @{first.y}"
    else:
        text = _core(*command.core)
    needs = [f"{machine.agent_name(a)}:{n}" for a, n in enumerate(command.need) if n]
    after = f"; after {' '.join(needs)}" if needs else ""
    return f"{number} {short(tag.step)}, {short(tag.tile)}: {text}{after}"


def short(name: str) -> str:
    """A converter joins the names of all fused operators by ';'."""
    return name.split(";")[0]


def _load(load: Load) -> str:
    source = f"@{load.src_addr * LANES}" if load.scratch else f"external {load.src_addr}"
    rows = (
        f"{load.rows} x {load.row_words} words, {load.stride} apart"
        if load.rows > 1
        else f"{load.row_words} words"
    )
    cores = ",".join(str(i) for i in range(16) if load.mask >> i & 1)
    to = {
        Memory.SCRATCH: f"@{load.dst_addr * LANES}",
        Memory.WEIGHTS: f"W {load.dst_addr} of cores {cores}",
        Memory.PARAMS: f"P {load.dst_addr} of cores {cores}",
        Memory.TABLE: "the softmax unit's table",
    }[Memory(load.dst)]
    return f"{source}, {rows} -> {to}"


def _core(read: Read, mac: Mac, out: Out) -> str:
    counts = f"{read.groups}x{read.rows}x{read.cols} pixels of {read.kh}x{read.kw}x{read.run}"
    weights = f", W {mac.w_base} + {mac.w_step} a group" if mac.op in (Op.DOT, Op.LANE, Op.XNOR) else ""
    table = f", tables at P {mac.t_base}" if mac.op in (Op.ADD, Op.TABLE) else ""
    ring = f" around every {read.ring_bytes} bytes" if read.ring_bytes else ""
    source = f"@{read.base}{ring}, {counts} {'words' if read.words else 'bytes'}"
    window = ", columns kept" if mac.window else ""
    ring = f" around every {out.ring_bytes} bytes" if out.ring_bytes else ""
    lanes = ", a byte a lane" if out.by_lane else ""
    return (
        f"{Op(mac.op).name} {source}{window}{weights}{table} -> @{out.base}{ring}{lanes}, {_requantized(out)}"
    )


def _requantized(out: Out) -> str:
    if out.mode in (Mode.RAW, Mode.WORD, Mode.SIGN):
        bias = f", bias P {out.p_base}" if out.mode == Mode.SIGN else ""
        return Mode(out.mode).name + bias
    by = f"{out.u_multiplier} 2^{out.u_shift}" if out.uniform else f"P {out.p_base}"
    return f"{Mode(out.mode).name} by {by}, zero {out.y_zero}, clamp {out.y_min}..{out.y_max}"
