"""A real firmware on every emulated core: start-up, results, counts, faults."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import COPY, EMULATED, Bench, expected, report

from edgert.board import Region, load_board
from edgert.drivers import open_session
from edgert.drivers.session import DISPATCH
from edgert.errors import (
    BoardFaultError,
    BoardTimeoutError,
    DoesNotFitError,
    InputError,
    ToolError,
    UsageError,
)

M4 = "cortex-m4-emulated"
X = np.arange(16, dtype=np.uint8) * 11


@pytest.mark.parametrize("board", EMULATED)
def test_runs_from_reset(bench: Bench, board: str) -> None:
    """.data and .bss are ready, every run gives the same, and the profile disturbs nothing."""
    with bench.open(board, count_runs=True) as session:
        for run in (1, 2):
            y, runs = session.run(X)
            assert y.tobytes() == expected(X.tobytes())
            assert runs[0] == run
    with bench.open(board) as session:
        profile = session.profile(X)
        assert session.run(X)[0].tobytes() == expected(X.tobytes())
    names = [layer.name for layer in profile.layers]
    assert names == ["layer0", "layer1", DISPATCH]
    counts = [layer.instructions for layer in profile.layers]
    assert profile.instructions == sum(c for c in counts if c)
    assert all(c is not None and c > 0 for c in counts)
    assert profile.stack_bytes is not None
    assert 0 < profile.stack_bytes < 1024


@pytest.mark.parametrize("board", [b for b in EMULATED if b.startswith("cortex")])
def test_instructions_are_counted_exactly(bench: Bench, board: str) -> None:
    """movs, then 100 times (nop, nop, subs, bne): 401 instructions more than an empty step."""
    loop = (
        '    __asm__ volatile("movs r3, #100\\n1: nop\\n nop\\n subs r3, r3, #1\\n bne 1b" ::: "r3", "cc");\n'
        "    (void)arena;"
    )
    assert _second_step(bench, board, loop) - _second_step(bench, board, "    (void)arena;") == 401


def test_instructions_are_counted_exactly_on_riscv(bench: Bench) -> None:
    loop = (
        '    __asm__ volatile("li t0, 100\\n1: nop\\n addi t0, t0, -1\\n bnez t0, 1b" ::: "t0");\n'
        "    (void)arena;"
    )
    board = "rv32imc-emulated"
    assert _second_step(bench, board, loop) - _second_step(bench, board, "    (void)arena;") == 301


def _second_step(bench: Bench, board: str, body: str) -> int:
    # an empty function would be dropped: keep something in both
    with bench.open(board, '    __asm__ volatile("" ::: "memory");\n' + body) as session:
        count = session.profile(X).layers[1].instructions
    assert count is not None
    return count


@pytest.mark.parametrize("board", EMULATED)
def test_floating_point_works(bench: Bench, board: str) -> None:
    """Where the core has an FPU, start-up has to switch it on."""
    body = (
        "    for (int32_t i = 0; i < 16; i++) { arena[64 + i] = (uint8_t)((float)arena[i] * 0.5f + 0.25f); }"
    )
    with bench.open(board, body) as session:
        assert session.run(X)[0].tolist() == [int(v * 0.5 + 0.25) for v in X.tolist()]


@pytest.mark.parametrize("board", [M4, "rv32imc-emulated"])
def test_a_fault_says_where(bench: Bench, board: str) -> None:
    body = "    *(volatile uint32_t *)0x60000000u = arena[0];"
    with bench.open(board, body) as session, pytest.raises(BoardFaultError) as caught:
        session.run(X)
    text = str(caught.value)
    for part in ("write to 0x60000000", "layer 1 layer1", "tiny_step_01 model.c:", "pc 0x", board):
        assert part in text, text


def test_an_endless_loop_ends_in_time(bench: Bench) -> None:
    body = '    for (;;) { __asm__ volatile("" ::: "memory"); }\n    (void)arena;'
    with bench.open(M4, body) as session:
        start = time.monotonic()
        with pytest.raises(BoardTimeoutError, match=r"layer 1 layer1.*no answer within 0\.3 s"):
            session.run(X, timeout_s=0.3)
        assert time.monotonic() - start < 30


def test_a_session_is_good_again_after_a_fault_or_a_timeout(bench: Bench) -> None:
    """The core was somewhere in the middle: it has to start over, not go on from there."""
    body = f"""    if (arena[0] == 1) {{ *(volatile uint32_t *)0x60000000u = 1; }}
    if (arena[0] == 2) {{ for (;;) {{ __asm__ volatile("" ::: "memory"); }} }}
{COPY}"""
    good, bad, endless = X, X + 1, X + 2
    with bench.open(M4, body, count_runs=True) as session:
        for given, error in ((bad, BoardFaultError), (endless, BoardTimeoutError)):
            with pytest.raises(error):
                session.run(given.astype(np.uint8), timeout_s=0.2)
            y, runs = session.run(good)
            assert y.tobytes() == expected(good.tobytes())
            assert runs[0] == 1


@pytest.mark.parametrize("timeout_s", [0, -1, 0.0])
def test_a_timeout_is_positive(bench: Bench, timeout_s: float) -> None:
    with bench.open(M4) as session, pytest.raises(UsageError, match="more than 0"):
        session.run(X, timeout_s=timeout_s)


@pytest.mark.parametrize("board", [M4, "rv32imc-emulated"])
def test_flash_cannot_be_written(bench: Bench, board: str) -> None:
    flash = load_board(board).flash
    assert flash is not None
    body = f"    *(volatile uint32_t *){flash.start + 64:#x}u = arena[0];"
    with bench.open(board, body) as session, pytest.raises(BoardFaultError, match="write to"):
        session.run(X)


def test_a_stack_overflow_is_noticed(bench: Bench) -> None:
    board = load_board(M4)
    assert board.ram is not None
    small = replace(board, ram=Region(board.ram.start, board.ram.start + 4096))
    body = (
        "    volatile uint8_t local[3900];\n"
        "    for (int32_t i = 0; i < 3900; i++) { local[i] = arena[i % 16]; }\n"
        "    arena[64] = local[arena[0]];"
    )
    bench.build(small, body)
    with (
        open_session(report(M4), bench.folder, small) as session,
        pytest.raises(BoardFaultError, match="stack"),
    ):
        session.run(X)


def test_stack_is_measured(bench: Bench) -> None:
    big = (
        "    volatile uint8_t local[4000];\n"
        "    for (int32_t i = 0; i < 4000; i++) { local[i] = arena[i % 16]; }\n"
        "    arena[64] = local[arena[0]];"
    )
    with bench.open(M4, big) as session:
        stack = session.profile(X).stack_bytes
    with bench.open(M4) as session:
        usual = session.profile(X).stack_bytes
    assert stack is not None
    assert usual is not None
    assert 4000 <= stack - usual < 4100


def test_inputs_are_checked(bench: Bench) -> None:
    with bench.open(M4) as session:
        with pytest.raises(InputError, match=r"shape is \[3\].*the model reads \[16\]"):
            session.run(X[:3])
        with pytest.raises(InputError, match="dtype is float32"):
            session.run(X.astype(np.float32))
        with pytest.raises(InputError, match="2 inputs given, the model has 1"):
            session.run(X, X)


@pytest.mark.parametrize(("memory", "kib"), [("flash", 1), ("ram", 2)])
def test_what_does_not_fit_says_by_how_much(bench: Bench, memory: str, kib: int) -> None:
    board = load_board(M4)
    region = getattr(board, memory)
    small = replace(board, **{memory: Region(region.start, region.start + kib * 1024)})
    extra = "#include <stdint.h>\nstatic const uint8_t big[5000] = {1};\nstatic uint8_t filled[5000];\n"
    body = COPY + "\n    filled[arena[1]] = big[arena[0]];\n    arena[127] = filled[arena[2]];"
    with pytest.raises(DoesNotFitError, match=rf"bytes too many for the {kib * 1024:,} of {memory}"):
        bench.build(small, body, extra)


def test_same_bytes_wherever_it_is_compiled(tmp_path: Path) -> None:
    images = []
    for name in ("a", "another folder"):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name)
        bench.build(load_board(M4))
        images.append((tmp_path / name / "firmware.elf").read_bytes())
    assert images[0] == images[1]


def test_a_compiler_error_is_one_line(bench: Bench) -> None:
    with pytest.raises(ToolError, match=r"the C compiler failed: .*model\.c:\d+") as caught:
        bench.build(load_board(M4), "    this is no C;")
    assert "\n" not in str(caught.value)


def test_missing_zig(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="zig compiler is missing") as caught:
        bench.build(load_board(M4))
    assert caught.value.hint == "pip install ziglang"


def test_a_profile_of_a_run_that_differs_is_refused(bench: Bench) -> None:
    """Here because the model counts its runs; as much would be seen if the hooks changed what code does."""
    with bench.open(M4, count_runs=True) as session, pytest.raises(BoardFaultError, match="profiled run"):
        session.profile(X)


IT_READS = """
    .pushsection .text.reads, "ax", %progbits
    .p2align 12
    .space 4096 - {before_page_end}
    .thumb_func
    .globl reads
    .type reads, %function
reads:
    cmp r0, r0
    itttt eq
    ldreq r3, [r0]
    ldreq r3, [r0]
    ldreq r3, [r0]
    ldreq r3, [r0]
    cmp r0, #255
    b 1f
1:  movs r0, #5
    bx lr
    .popsection
"""


@pytest.mark.parametrize("before_page_end", [64, 4, 6, 8, 10])
def test_flash_is_read_in_an_it_block(bench: Bench, before_page_end: int) -> None:
    """Unicorn leaves the state of an IT block behind when a hook is called for a read within it: the block
    of code that follows then ran as if it were conditional. Here that would skip the last movs. Nor does it
    matter where the IT block is translated in two, as it is at the end of a page.
    """
    code = json.dumps(IT_READS.format(before_page_end=before_page_end))
    extra = f"#include <stdint.h>\n__asm__({code});\nint32_t reads(const void *from);\n"
    body = """    int32_t got = reads(table);
    for (int32_t i = 0; i < 16; i++) { arena[64 + i] = (uint8_t)got; }"""
    with bench.open(M4, body, extra) as session:
        assert session.run(X)[0].tolist() == [5] * 16
        profile = session.profile(X)
    assert profile.wait_cycles > 0
