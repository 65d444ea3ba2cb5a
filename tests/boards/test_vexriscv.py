"""The core in Verilog: our firmware on it, and the model of its timing against it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import COPY, Bench, expected, report

import edgert
from edgert.board import load_board
from edgert.cli.inputs import random_input
from edgert.cli.reference import Reference
from edgert.codegen.c.emit import steps_table
from edgert.drivers import open_session
from edgert.errors import BoardFaultError, LinkError
from edgert.toolchain import compile_firmware

BOARD = "vexriscv-rtl"
X = np.arange(16, dtype=np.uint8) * 11
pytestmark = [
    pytest.mark.skipif(shutil.which("verilator") is None, reason="no verilator: see edgert doctor"),
    pytest.mark.skipif(
        importlib.util.find_spec("pythondata_cpu_vexriscv") is None, reason="no pythondata-cpu-vexriscv"
    ),
    pytest.mark.xdist_group("verilator"),  # one builds the simulator, the others find it
]
# cycles of each, repeated; the loop around them included in neither
SNIPPETS = {
    "addi a1,a1,1": 1,
    "lw a1,0(t6)": 1,
    "lw a1,0(t6); addi a2,a1,1": 4,
    "lw a1,0(t6); nop; addi a2,a1,1": 4,
    "lw a1,0(t6); nop; nop; addi a2,a1,1": 4,
    "mul a1,t4,t3; addi a2,a1,1": 4,
    "mulh a1,t4,t3; addi a2,a1,1": 4,
    "sw a1,0(t5); sw a1,4(t5)": 2,
    "lw a2,0(t6); sw a2,0(t5)": 4,
    "div a1,t4,t3": 34,
    "slli a1,t4,3; addi a1,a1,1": 3,
    "j 1f; nop; 1:": 2,
    "beq t4,t3,1f; 1:": 1,
    "bne t4,t3,1f; nop; 1:": 4,
    "li a3,9; 5: addi a3,a3,-1; bgez a3,5b": 33,
    "auipc a1,0; jalr x0,12(a1); nop": 5,
}
FEW, MANY, LOOPS = 8, 24, 20


def test_runs_and_faults(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    body = f"    if (arena[0] == 1) {{ *(volatile uint32_t *)1u = arena[0]; }}\n{COPY}"
    bench.build(load_board(BOARD), body)
    with open_session(report(BOARD), tmp_path, load_board(BOARD)) as session:
        assert session.run(X)[0].tobytes() == expected(X.tobytes())
        with pytest.raises(BoardFaultError, match=r"layer 1 layer1, tiny_step_01 model\.c"):
            session.run((X + 1).astype(np.uint8))  # misaligned: the core traps
        assert session.run(X)[0].tobytes() == expected(X.tobytes())
        profile = session.profile(X)
    assert profile.cycles_kind == "emulated: mcycle"


def test_an_access_to_nowhere_ends_the_simulation(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.build(load_board(BOARD), "    *(volatile uint32_t *)0x60000000u = arena[0];")
    with (
        open_session(report(BOARD), tmp_path, load_board(BOARD)) as session,
        pytest.raises(LinkError, match="write to 0x60000000, which is no memory"),
    ):
        session.run(X)


def test_not_a_firmware(tmp_path: Path) -> None:
    (tmp_path / "x.elf").write_bytes(b"\x7fELF\x01" + bytes(20))
    command = [sys.executable, "-m", "edgert.rtl.vexriscv", str(tmp_path / "x.elf")]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)
    assert done.returncode == 2
    assert "truncated" in done.stderr


def _function(index: int, body: str, times: int) -> str:
    name = f"tiny_step_{index:02}"
    lines = (
        f'.section .text.{name},\\"ax\\",@progbits', f".global {name}", f".type {name},@function",
        ".p2align 7", f"{name}:", "la t6, table",
        "mv t5, a0", "li t4, 7", "li t3, 3", f"li t0, {LOOPS}", "7:",
        f".rept {times}", *body.split("; "), ".endr", "addi t0,t0,-1", "bnez t0, 7b", "ret",
        f".size {name}, .-{name}",
    )  # fmt: skip
    return '__asm__("' + "\\n".join(lines) + '\\n");\n'


def test_the_model_is_what_the_core_does(tmp_path: Path) -> None:
    """Each hazard alone: cycles on the core, and the model's; the rest are cold misses, shared by all."""
    bodies = [(body, times) for body in SNIPPETS for times in (FEW, MANY)]
    names = [f"tiny_step_{i:02}" for i in range(len(bodies))]
    (tmp_path / "model.h").write_text("#include <stdint.h>\nvoid tiny_invoke(uint8_t *arena);\n")
    (tmp_path / "model.c").write_text(
        '#include "model.h"\nextern const int32_t table[64];\nconst int32_t table[64] = {1};\n'
        + "".join(f"void {name}(uint8_t *arena);\n" for name in names)
        + "".join(_function(i, *what) for i, what in enumerate(bodies))
        + "void tiny_invoke(uint8_t *arena)\n{\n" + "".join(f"    {name}(arena);\n" for name in names)
        + '    __asm__ volatile("");\n}\n' + steps_table("tiny", names)
    )  # fmt: skip
    described = report(BOARD)
    layer = described["layers"][0]
    described["layers"] = [{**layer, "index": i, "symbol": name} for i, name in enumerate(names)]
    compile_firmware(tmp_path, described, load_board(BOARD), tmp_path / "firmware.elf")
    for link in ("serial", "unicorn"):
        with open_session(described, tmp_path, load_board(BOARD), link) as session:
            cycles = [layer.cycles or 0 for layer in session.profile(X).layers[:-1]]
        pairs = zip(cycles[::2], cycles[1::2], strict=True)
        each = [(many - few) / (MANY - FEW) / LOOPS for few, many in pairs]
        wrong = {s: e for (s, want), e in zip(SNIPPETS.items(), each, strict=True) if abs(e - want) > 0.45}
        assert not wrong, (link, wrong)


@pytest.mark.shared_models
def test_a_whole_network(shared_models_dir: Path) -> None:
    """The reference's bytes, and every layer modelled within 10 % of the core's own cycles."""
    model = shared_models_dir / "ad01_int8.tflite"
    artifact = edgert.compile(model, board=BOARD)
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    profiles = []
    for link in ("serial", "unicorn"):
        with edgert.connect(artifact, link=link) as session:
            assert np.array_equal(session.run(*inputs)[0], Reference(model.read_bytes()).run(inputs)[0])
            profiles.append(session.profile(*inputs))
    for core, modelled in zip(profiles[0].layers[:-1], profiles[1].layers[:-1], strict=True):
        assert core.cycles is not None and modelled.cycles is not None
        assert abs(modelled.cycles / core.cycles - 1) < 0.10, core.name
