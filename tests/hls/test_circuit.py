"""The circuit in Verilog does, byte for byte, what its commands mean (codegen/hls/interpret.py).

Two simulators are built, and kept in the cache: a machine of all kinds of units with short FIFOs and several
banks, and one of a single core.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import designs
import numpy as np
import pytest

from edgert.codegen.hls import interpret
from edgert.codegen.hls.design import Command, Design, Port
from edgert.codegen.hls.isa import LANES, Load, Mac, Machine, Memory, Mode, Op, Out, Part, Read, Store
from edgert.codegen.hls.verilog import HEADER, isa_header, library
from edgert.errors import ToolError
from edgert.rtl import circuit

needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="verilator is not installed")
MIXED = Machine(
    cores=2, binary_cores=1, softmax=1, scratch_bytes=8192, weight_words=192, param_entries=320, banks=4,
    fifo=5,
)  # fmt: skip
PLAIN = Machine(cores=1, scratch_bytes=8192, weight_words=192, param_entries=320, banks=1, fifo=16)
pytestmark = pytest.mark.xdist_group("circuits")  # one worker builds the simulators
OUT_FIFO = {MIXED: 2, PLAIN: 4}


def compared(design: Design, seed: int, stall: float, bus_bytes: float) -> None:
    roms = {name: len(lines) for name, lines in design.roms().items()}
    simulator = circuit.build(design.machine, roms, out_fifo=OUT_FIFO[design.machine])
    inputs = designs.wide_inputs(design, seed)
    run = simulator.run(design, inputs, bus_bytes=bus_bytes, latency_cycles=seed % 50, stall=stall, seed=seed)
    for found, wanted in zip(run.outputs, interpret.run(design, inputs), strict=True):
        np.testing.assert_array_equal(found, wanted, err_msg=f"seed {seed}")


@needs_verilator
@pytest.mark.parametrize("op", designs.SIGNED + designs.BINARY)
def test_each_operator(op: Op) -> None:
    for seed in range(4):
        compared(designs.one_command(MIXED, op, seed), seed, stall=0.2 * (seed % 2), bus_bytes=8)


@needs_verilator
@pytest.mark.parametrize("machine", [MIXED, PLAIN], ids=("mixed", "plain"))
@pytest.mark.parametrize("seed", range(8))
def test_sequences_that_wait_for_each_other(machine: Machine, seed: int) -> None:
    ops = designs.SIGNED + (designs.BINARY if machine.binary_cores else ())
    design = designs.random_design(seed, 20, ops, machine)
    compared(design, seed, stall=(0.0, 0.05, 0.3)[seed % 3], bus_bytes=(0.4, 1, 8, 16)[seed % 4])


def dense(k: int, outputs: int, rows: int, commands: int) -> Design:
    """On one core, `commands` times the same dense layer of `rows` inputs, each time to the same place."""
    groups, none = outputs // LANES, (0,) * PLAIN.agents
    words = [rows * k // LANES, groups * k, groups * 9]
    at = np.cumsum([0, *words])
    image = np.random.default_rng(k).integers(0, 256, (at[-1] + rows * groups) * LANES).astype(np.uint8)
    loads = [
        Load(row_words=words[0]),
        Load(dst=Memory.WEIGHTS, mask=1, src_addr=int(at[1]), row_words=words[1]),
        Load(dst=Memory.PARAMS, mask=1, src_addr=int(at[2]), row_words=words[2]),
    ]
    core = (
        Read(groups=groups, cols=rows, run=k, s_col=k),
        Mac(w_step=k, groups=groups, cols=rows),
        Out(mode=Mode.RAW, groups=groups, cols=rows, base=rows * k, s_group=LANES, s_col=outputs),
    )
    store = Store(src_addr=words[0], dst_addr=int(at[3]), words=rows * groups)

    def listed(*parts: tuple[Part, ...], need: tuple[int, ...] = none) -> tuple[Command, ...]:
        return tuple(Command(p, need) for p in parts)

    agents = (
        listed(*((load,) for load in loads)),
        listed((store,), need=(0, 0, commands)),
        listed(*[core] * commands, need=(3, 0, 0)),
    )
    port = Port("y", (rows * outputs,), "uint8", int(at[3]) * LANES, 1, 1, rows * outputs, 0, 0)
    return Design("dense", PLAIN, agents, image, (), (port,))


@needs_verilator
@pytest.mark.parametrize(("k", "outputs", "rows"), [(64, 8, 1), (64, 16, 1), (64, 16, 4), (128, 8, 4)])
def test_dense_commands_keep_the_multipliers_busy(k: int, outputs: int, rows: int) -> None:
    commands = 12
    design = dense(k, outputs, rows, commands)
    roms = {name: len(lines) for name, lines in design.roms().items()}
    run = circuit.build(PLAIN, roms, out_fifo=OUT_FIFO[PLAIN]).run(design, [])
    np.testing.assert_array_equal(run.outputs[0], interpret.run(design, [])[0])
    ends = np.array([span.end for span in run.spans if span.agent == Machine.FIRST_CORE])
    work = k * outputs // LANES * rows
    assert run.busy == (work * commands,)
    assert (np.diff(ends) - work).max() <= 12
    if work >= 256:
        assert work >= 0.95 * np.diff(ends).max()


@needs_verilator
def test_a_circuit_that_cannot_go_on_says_so() -> None:
    design = designs.one_command(PLAIN, Op.DOT, 0)
    loader, storer, core = design.agents
    stuck = replace(design, agents=(loader, storer, (*core, replace(core[0], need=(0, 9, 0)))))
    with pytest.raises(ToolError, match=r"in cycle \d+; completed:"):
        compared(stuck, 0, 0.0, 8)


@needs_verilator
@pytest.mark.parametrize(
    "flags",
    ["-GCORES=1", "-GCORES=3 -GBINARY_CORES=2 -GSOFTMAX=1 -GBANKS=4", "-GCORES=11 -GBANKS=8 -GFIFO=5"],
)
def test_no_warning_of_any_kind(flags: str, tmp_path: Path) -> None:
    for name, text in library().items():
        (tmp_path / name).write_text(text, encoding="ascii")
    command = f"verilator --lint-only -Wall --default-language 1364-2005 --top-module ert_circuit {flags}"
    modules = sorted(path.name for path in tmp_path.glob("*.v"))
    done = subprocess.run(
        [*command.split(), *modules], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == "" and done.returncode == 0


def test_fields_are_those_of_the_commands() -> None:
    assert library()[HEADER] == isa_header()
