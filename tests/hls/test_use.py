"""A circuit as a user meets it: compile, the folder, run and profile in Verilator, refusals."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgert
from edgert.board import load_board
from edgert.cli.main import main
from edgert.cli.reference import Reference
from edgert.codegen.hls import folder, interpret
from edgert.codegen.hls.attribution import active_cycles, layer_cycles
from edgert.codegen.hls.cycles import Span
from edgert.codegen.hls.design import Command, Design, Tag
from edgert.codegen.hls.ends import ends
from edgert.codegen.hls.isa import Load, Mac, Machine, Out, Read
from edgert.codegen.program import Program, Step, Tensor
from edgert.drivers.session import DISPATCH
from edgert.errors import DoesNotFitError, UnsupportedOperatorError, UsageError
from edgert.models import kernels
from edgert.report.verdict import verdict

BOARD = "ulx3s"
needs_verilator = pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator")
one_simulator = pytest.mark.xdist_group("ulx3s")  # one worker builds it


@pytest.fixture(scope="module")
def model() -> bytes:
    """Dense layers, products of activations, a sum and a softmax: every unit but the binary core."""
    return kernels.attention(16, 32)


@pytest.fixture(scope="module")
def artifact(model: bytes) -> edgert.Artifact:
    return edgert.compile(model, board=BOARD, name="attention")


def board_with(scratch: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """ulx3s with a scratchpad of another size."""
    made = folder / "other"
    made.mkdir()
    text = (Path(str(edgert.board.board_folders()[BOARD])) / "board.toml").read_text(encoding="utf-8")
    text = text.replace(f'id = "{BOARD}"', 'id = "other"').replace("131_072", scratch)
    (made / "board.toml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("EDGERT_BOARDS", str(folder))
    return "other"


@pytest.fixture
def small_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return board_with("4096", tmp_path, monkeypatch)


def test_memories_that_do_not_fit_are_as_large_as_needed(
    model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """512 KiB of scratchpad are more than the part has; the network needs a few."""
    board = board_with("524_288", tmp_path, monkeypatch)
    made = edgert.compile(model, board=board, name="attention", use_cache=False)
    machine = made.report["fpga"]["machine"]
    assert made.arena_bytes <= machine["scratch_bytes"] < 2 * made.arena_bytes
    x = inputs(made, 0)
    np.testing.assert_array_equal(made.run_host(*x)[0], Reference(model).run(x)[0])


def inputs(artifact: edgert.Artifact, seed: int) -> list[np.ndarray]:
    draw = np.random.default_rng(seed)
    return [draw.integers(-128, 128, p["shape"]).astype(np.int8) for p in artifact.report["inputs"]]


def test_the_interpreter_gives_the_references_bytes(artifact: edgert.Artifact, model: bytes) -> None:
    reference = Reference(model)
    for seed in range(10):
        x = inputs(artifact, seed)
        np.testing.assert_array_equal(artifact.run_host(*x)[0], reference.run(x)[0])


@needs_verilator
@one_simulator
def test_verilator_gives_the_references_bytes_and_cycles(artifact: edgert.Artifact, model: bytes) -> None:
    reference = Reference(model)
    with edgert.connect(artifact) as board:
        for seed in range(3):
            x = inputs(artifact, seed)
            np.testing.assert_array_equal(board.run(*x)[0], reference.run(x)[0])
        profile = board.profile(*x)
    assert profile.cycles_kind == "simulated: Verilator" and profile.instructions is None
    assert [layer.name for layer in profile.layers[:-1]] == [s["name"] for s in artifact.report["layers"]]
    assert profile.layers[-1].name == DISPATCH
    assert all(layer.cycles and layer.cycles > 0 for layer in profile.layers[:-1])
    modelled = artifact.report["fpga"]["cycles_modelled"]
    assert profile.cycles == pytest.approx(modelled, rel=0.05)
    dense = next(layer for layer in profile.layers if layer.op == "fully_connected_s8")
    assert "busy" in dense.variant and dense.macs == 16 * 32 * 32


def test_the_folder_is_the_design(artifact: edgert.Artifact) -> None:
    """What was written is read back, word for word; and it computes what expected.bin says."""
    design = folder.read(artifact.folder)
    assert design.machine.softmax == 1 and design.machine.binary_cores == 0  # no layer needs one
    for name, lines in design.roms().items():
        written = (artifact.folder / "rtl" / name).read_text(encoding="ascii").split()
        assert written == (lines or ["000000000"]), name
    example = [port.get(design.external) for port in design.inputs]
    after = interpret.execute(design, example).external
    assert folder.port_bytes(design, after) == (artifact.folder / "expected.bin").read_bytes()
    for name in artifact.report["fpga"]["sources"]:
        assert (artifact.folder / name).is_file()


@needs_verilator
@pytest.mark.slow
def test_the_test_bench_needs_no_edgert(artifact: edgert.Artifact, tmp_path: Path) -> None:
    saved = artifact.save(tmp_path / "out")
    command = ["make", "-C", str(saved.folder / "rtl"), "run"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert "the outputs are as expected" in done.stdout
    done = subprocess.run(
        ["make", "-C", str(saved.folder / "hls"), "run"], capture_output=True, text=True, check=False
    )
    assert "the outputs are as expected" in done.stdout, done.stderr[-500:]


def test_a_damaged_folder_is_said_to_be_one(artifact: edgert.Artifact, tmp_path: Path) -> None:
    for number, (name, damage) in enumerate(
        {
            "circuit.json": b"{",
            "rtl/core0_mac.hex": b"000000000\n",
            "rtl/core1_rd.hex": b"no number\n",
        }.items()
    ):
        saved = artifact.save(tmp_path / str(number))
        (saved.folder / name).write_bytes(damage)
        with pytest.raises(UsageError, match="holds a damaged circuit") as error:
            edgert.connect(saved, board="host")
        assert "compile the model again" in error.value.hint


def test_the_same_input_gives_the_same_text(model: bytes, artifact: edgert.Artifact) -> None:
    again = edgert.compile(model, board=BOARD, name="attention", use_cache=False)
    for name in ("schedule.txt", "schedule.svg", "circuit.json", "rtl/top.v", "hls/config.h", "report.json"):
        first, second = ((a.folder / name).read_bytes() for a in (artifact, again))
        assert first == second, name


def test_what_the_schedule_says(artifact: edgert.Artifact) -> None:
    text = (artifact.folder / "schedule.txt").read_text(encoding="utf-8")
    schedule = artifact.report["fpga"]["schedule"]
    assert text.count("\nstage ") == len(schedule)
    assert all(segment["why"] in text and "cycles alone" in segment["why"] for segment in schedule)
    assert "ONCE by P" in text and "softmax of" in text and "after" in text
    picture = (artifact.folder / "schedule.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg") and "core0" in picture and "loader" in picture


def test_the_verdict(artifact: edgert.Artifact) -> None:
    text = verdict(artifact.report)
    assert "attention for ulx3s (ecp5-85, 90 MHz): fits" in text
    for word in ("cycles, modelled", "multipliers", "of 131,072 bytes", "bytes to and from outside", "DSPs"):
        assert word in text
    cycles = [layer["cycles_modelled"] for layer in artifact.report["layers"]]
    assert sum(cycles) <= artifact.report["fpga"]["cycles_modelled"]


def test_a_circuit_needs_a_board(model: bytes) -> None:
    with pytest.raises(edgert.EdgertError, match="a circuit is compiled for a board"):
        edgert.compile(model, target="ecp5-85")


def test_no_firmware_link_to_a_circuit(artifact: edgert.Artifact) -> None:
    with pytest.raises(UsageError, match="its drivers are verilator, host"):
        edgert.connect(artifact, link="unicorn")


@pytest.mark.parametrize(
    "command", [("flash",), ("check",), ("export", "--for", "cmake", "-o", "out"), ("tune",)]
)
def test_what_is_for_firmware_is_refused(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command[0], "model.tflite", "--board", BOARD, *command[1:]]) == UsageError.exit_code
    said = capsys.readouterr().err
    assert "ulx3s is an FPGA: it has a circuit, no firmware" in said and "hint:" in said


def test_a_layer_that_fits_nowhere_is_named(small_board: str) -> None:
    """A row of the first layer's input is larger than the scratchpad."""
    with pytest.raises(DoesNotFitError, match="4,096") as caught:
        edgert.compile(kernels.mlp((8192, 8), rows=1), board=small_board, name="wide")
    assert "dense_1" in caught.value.where


# ---- the ends --------------------------------------------------------------------------------------------


def program(*steps: tuple[str, str, str, str]) -> Program:
    """steps: (name, op, input, output); the first reads "x", the last makes "y"."""
    tensors = {t: Tensor(t, (1, 8), "int8") for _, _, a, b in steps for t in (a, b)}
    made = tuple(Step(name, op, (a,), (b,)) for name, op, a, b in steps)
    return Program("net", tensors, {}, made, ("x",), ("y",))


def test_layers_without_a_unit_at_the_ends_are_the_hosts() -> None:
    found = ends(
        program(
            ("quantize", "quantize_f32_s8", "x", "a"),
            ("table", "lut_s8", "a", "b"),
            ("last", "dequantize_s8_f32", "b", "c"),
            ("cast", "tir", "c", "y"),
        )
    )
    assert found.before and [s.name for s in found.before.steps] == ["quantize"]
    assert [s.name for s in found.circuit.steps] == ["table"]
    assert found.behind and [s.name for s in found.behind.steps] == ["last", "cast"]
    assert (found.before.inputs, found.before.outputs) == (("x",), ("a",))
    assert (found.circuit.inputs, found.circuit.outputs) == (("a",), ("b",))
    assert (found.behind.inputs, found.behind.outputs) == (("b",), ("y",))


def test_a_layer_in_the_middle_stays_in_the_circuit_to_be_refused() -> None:
    found = ends(program(("a", "lut_s8", "x", "p"), ("b", "tir", "p", "q"), ("c", "lut_s8", "q", "y")))
    assert found.before is None and found.behind is None and len(found.circuit.steps) == 3


def test_a_network_without_any_unit_is_refused() -> None:
    with pytest.raises(UnsupportedOperatorError, match="no layer has a unit"):
        ends(program(("a", "tir", "x", "y")))


def test_an_operator_without_a_unit_is_refused_by_name() -> None:
    from tflite_builder import Op, T, build

    shape = (1, 6, 6, 8)
    names = ("x", "a", "b", "y")
    data = build(
        tensors=[
            *(T(name, shape, scale=0.05, zero=3) for name in names),
            T("alpha", (1, 1, 8), data=np.full((1, 1, 8), 20, np.int8), scale=0.01, zero=0),
        ],
        ops=[
            Op("LOGISTIC", ["x"], ["a"]),
            Op("PRELU", ["a", "alpha"], ["b"]),
            Op("LOGISTIC", ["b"], ["y"]),
        ],
        inputs=["x"],
        outputs=["y"],
    )  # fmt: skip
    with pytest.raises(UnsupportedOperatorError, match="has no unit in the circuit") as caught:
        edgert.compile(data, board=BOARD, name="prelu")
    assert "layer" in caught.value.where and "conv2d_s8" in caught.value.rule


# ---- whose cycles ----------------------------------------------------------------------------------------


def test_cycles_are_shared_and_add_up() -> None:
    """Core 0 computes a, then b; core 1 only b; the loader is heard only while nobody computes."""
    machine = Machine(cores=2, scratch_bytes=1024, weight_words=64, param_entries=64)

    def core(step: str) -> Command:
        return Command((Read(), Mac(), Out()), (0, 0, 0, 0), Tag(step=step))

    agents = ((Command((Load(),), (0, 0, 0, 0), Tag(step="a")),), (), (core("a"), core("b")), (core("b"),))
    design = Design("d", machine, agents, np.zeros(64, np.uint8), (), ())
    spans = [Span(0, 0, 10, 60), Span(2, 0, 30, 100), Span(2, 1, 80, 140), Span(3, 0, 100, 150)]
    # 0-10 nothing; 10-30 the load for a; 30-100 a; 100-140 b on both; 140-150 b; 150-160 nothing
    assert layer_cycles(design, spans, 160) == {"a": 90, "b": 50, "": 20}
    spans[3] = replace(spans[3], start=50)  # b on core 1 beside a on core 0: halves
    assert layer_cycles(design, spans, 160) == {"a": 65, "b": 75, "": 20}
    assert active_cycles(design, spans) == {"a": 70, "b": 100}


def test_boards_name_machines_that_fit_their_parts() -> None:
    from edgert.circuit import fitting_machine
    from edgert.codegen.hls.tasks import network
    from edgert.part import load_part

    tasks = network(_table_program())
    for name in ("ulx3s", "arty-a7", "pynq-z2"):
        board = load_board(name)
        machine = fitting_machine(board, load_part(board.target), tasks)
        assert board.fpga is not None and machine.cores == board.fpga.cores
        assert machine.binary_cores == machine.softmax == 0


def _table_program() -> Program:
    made = program(("table", "lut_s8", "x", "y"))
    step = replace(made.steps[0], constants={"table": "t"}, attrs={"count": 8})
    return replace(made, steps=(step,), constants={"t": np.zeros(256, np.int8)})
