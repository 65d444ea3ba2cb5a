"""The circuit in HLS C++ does, byte for byte, what its commands mean, in the time of the one in Verilog."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import designs
import numpy as np
import pytest

from edgert.codegen.hls import cpp, interpret
from edgert.codegen.hls.build import build
from edgert.codegen.hls.design import Design
from edgert.codegen.hls.isa import Machine, Mode, Op
from edgert.codegen.hls.scheduler import find
from edgert.codegen.hls.tasks import network
from edgert.codegen.pipeline import compile_to_program
from edgert.codegen.program import Array
from edgert.errors import ToolError
from edgert.models import kernels
from edgert.rtl import circuit, csim

QUICK = tuple("-O1" if flag == "-O2" else flag for flag in csim.FLAGS)
MACHINE = Machine(
    cores=1, binary_cores=1, softmax=1, scratch_bytes=8192, weight_words=192, param_entries=320, banks=4,
    fifo=8,
)  # fmt: skip
pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="verilator is not installed")


def run(design: Design, inputs: list[Array], program: Path, stall: float = 0.0, seed: int = 0) -> circuit.Run:
    machine = design.machine
    return csim.run(
        design, inputs, program, bus_bytes=machine.bus_bytes, latency_cycles=machine.latency_cycles,
        stall=stall, seed=seed,
    )  # fmt: skip


def compare(design: Design, program: Path, seed: int, stall: float) -> None:
    inputs = designs.wide_inputs(design, seed)
    found = run(design, inputs, program, stall, seed).outputs
    for got, wanted in zip(found, interpret.run(design, inputs), strict=True):
        np.testing.assert_array_equal(got, wanted, err_msg=f"seed {seed}, stall {stall}")


# Many commands in few designs: a design takes g++ some seconds.
SEEDS = (0, 1, 4, 5)


def test_seeds_have_every_operator_in_every_mode() -> None:
    used = set().union(*(designs.parts_used(designs.random_design(seed, 40)) for seed in SEEDS))
    wanted = {(op, mode) for op in (Op.DOT, Op.LANE, Op.SUM) for mode in (Mode.TWICE, Mode.ONCE)}
    wanted |= {(op, Mode.RAW) for op in (Op.MAX, Op.TABLE)}
    wanted |= {(op, Mode.TWICE) for op in (Op.ADD, Op.MUL, Op.XNOR)}
    wanted |= {(op, Mode.WORD) for op in (Op.OR, Op.AND)} | {(op, Mode.SIGN) for op in (Op.DOT, Op.XNOR)}
    assert wanted <= used, wanted - used


@pytest.mark.parametrize("seed", SEEDS)
def test_random_commands_that_wait_for_each_other(seed: int, tmp_path: Path) -> None:
    """Streams of the stated depths; then of depths drawn anew, at random standing still."""
    design = designs.random_design(seed, 40)
    program = csim.build(design, tmp_path, flags=QUICK)
    for number, stall in enumerate((0.0, 0.05, 0.3, 0.7)):
        compare(design, program, seed + 10 * number, stall)


def test_many_runs_without_a_deadlock(tmp_path: Path) -> None:
    """A thousand: tools/soak_circuit.py."""
    design = designs.random_design(3, 30, machine=MACHINE)
    program = csim.build(design, tmp_path)
    for seed in range(100):
        compare(design, program, seed, (seed % 8) / 10)


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    design = designs.random_design(7, 30, machine=MACHINE)
    flags = (*QUICK, "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    compare(design, csim.build(design, tmp_path, flags=flags), 7, 0.0)


def test_a_design_that_cannot_go_on_says_so(tmp_path: Path) -> None:
    design = designs.one_command(Machine(1, 4096, 128, 320), Op.DOT, 0)
    core = design.agents[Machine.FIRST_CORE]
    stuck = (*core, replace(core[0], need=(0, 9, 0)))  # the storer has one command
    agents = (*design.agents[: Machine.FIRST_CORE], stuck)
    inputs = designs.wide_inputs(design, 0)
    with pytest.raises(ToolError, match="deadlock"):
        csim.build_and_run(replace(design, agents=agents), inputs, tmp_path, flags=QUICK)


def test_the_same_sources_are_compiled_once(tmp_path: Path) -> None:
    design = designs.one_command(Machine(1, 4096, 128, 320), Op.TABLE, 0)
    program = csim.build(design, tmp_path, flags=QUICK)
    made = program.stat().st_mtime_ns
    assert csim.build(design, tmp_path, flags=QUICK) == program
    assert program.stat().st_mtime_ns == made


def ap_types() -> Path:
    """The folder of hls4ml's headers hls_stream.h and ap_int.h, which are open."""
    try:
        listed = files("hls4ml") or []
    except PackageNotFoundError:
        pytest.skip("hls4ml is not installed: pip install hls4ml")
    found = next(f for f in listed if f.name == "hls_stream.h" and "vivado" in str(f))
    return Path(str(found.locate())).parent


def test_with_the_headers_of_hls(tmp_path: Path) -> None:
    """hls::stream and ap_int of exact widths, no clock: the same bytes. The functions that a tool synthesises
    compile."""
    design = designs.random_design(1, 10, machine=MACHINE)
    csim.write(design, tmp_path)
    command = ["g++", "-std=c++17", "-O0", "-isystem", str(ap_types()), "-DERT_HLS"]
    subprocess.run([*command, "-o", "tb", "top.cpp", "tb.cpp"], cwd=tmp_path, check=True)
    compare(design, tmp_path / "tb", 1, 0.0)
    strict = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-DERT_SYNTHESIS"]
    subprocess.run([*command, *strict, "-c", "top.cpp"], cwd=tmp_path, check=True)


TAPA = """
#include <cstddef>
namespace tapa {
template <class T> struct istream { bool empty() const; T read(); };
template <class T> struct ostream { bool full() const; void write(const T &); };
template <class T, int D> struct stream : istream<T>, ostream<T> { explicit stream(const char *) {} };
template <class T, int N> struct istreams { istream<T> &operator[](int); };
template <class T, int N> struct ostreams { ostream<T> &operator[](int); };
template <class T, int N, int D> struct streams : istreams<T, N>, ostreams<T, N> {
    explicit streams(const char *) {}
    stream<T, D> &operator[](int);
};
template <class T> struct mmap { T &operator[](size_t); };
struct task {
    template <class F, class... A> task &invoke(F &&f, A &&...a) { return f(a...), *this; }
};
}
"""


def test_the_form_for_tapa_compiles_with_a_stand_in(tmp_path: Path) -> None:
    """TAPA's own headers are in no registry that we have: these are the names of it that are used."""
    csim.write(designs.random_design(1, 10, machine=MACHINE), tmp_path)
    (tmp_path / "tapa.h").write_text(TAPA, encoding="ascii")
    command = ["g++", "-std=c++17", "-Wno-unknown-pragmas", "-isystem", str(ap_types()), "-I.", "-DERT_TAPA"]
    subprocess.run([*command, "-fsyntax-only", "top.cpp"], cwd=tmp_path, check=True)


@needs_verilator
@pytest.mark.xdist_group("circuits-cpp")  # one worker builds the simulator
@pytest.mark.parametrize("seed", [0, 1])
def test_cycles_are_those_of_the_verilog(seed: int, tmp_path: Path) -> None:
    """All kinds of commands: each command's time too, where it is not a wait for another agent's."""
    design = designs.random_design(seed, 40, machine=MACHINE)
    check_cycles(design, designs.wide_inputs(design, seed), tmp_path)


WORKLOADS = {
    "cnn": lambda: kernels.cnn((8, 16, 16, 24, 8), side=16),
    "attention": lambda: kernels.attention(24, 32),
    "inverted_residual": lambda: kernels.inverted_residual(side=16, expansion=3),
}


@needs_verilator
@pytest.mark.xdist_group("networks-cpp")
@pytest.mark.parametrize("name", WORKLOADS)
def test_cycles_of_networks_are_those_of_the_verilog(name: str, tmp_path: Path) -> None:
    machine = Machine(
        cores=2, scratch_bytes=1 << 16, weight_words=2048, param_entries=1024, banks=4, softmax=1,
        bus_bytes=2,
    )  # fmt: skip
    net = network(compile_to_program(WORKLOADS[name](), name))
    design = build(net, machine, find(net, machine).schedule)
    draw = np.random.default_rng(1)
    inputs = [draw.integers(-128, 128, port.shape).astype(port.dtype) for port in design.inputs]
    check_cycles(design, inputs, tmp_path)


def check_cycles(design: Design, inputs: list[Array], folder: Path) -> None:
    ours = run(design, inputs, csim.build(design, folder, flags=QUICK))
    theirs = circuit.simulator(design).run(design, inputs)
    for got, wanted in zip(ours.outputs, theirs.outputs, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert ours.cycles == pytest.approx(theirs.cycles, rel=0.02)
    assert ours.busy == theirs.busy


def test_the_header_of_commands_is_made_from_the_isa() -> None:
    assert cpp.library()["ert_isa.h"] == cpp.isa_header()


def test_every_file_says_that_nobody_synthesised_it() -> None:
    design = designs.one_command(MACHINE, Op.DOT, 0)
    for name, text in cpp.sources(design).items():
        assert "C-simulated, not synthesised by us." in "\n".join(text.splitlines()[:3]), name
        assert max(map(len, text.splitlines())) <= 125 or name == "config.h", name


def test_lists_of_commands_name_layers_and_fields() -> None:
    design = designs.one_command(MACHINE, Op.DOT, 0)
    config = cpp.sources(design)["config.h"]
    assert re.search(r"// 0 dot, \d+ x \d+ x \d+: [\d,]+ MACs\n    \{\.\w+ = -?\d+, ", config)
    assert "static const ert::Load loader_ld[] = {\n    // 0 load scratch\n    {.row_words = 64" in config
