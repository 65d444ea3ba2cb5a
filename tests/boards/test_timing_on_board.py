"""One instruction class at a time, executed on the emulated boards: modelled cycles are the manuals'.

Every snippet is a layer of one firmware, repeated so and so often; the cycles of one are the difference
between many and few.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import tiny

from edgert.board import Board, load_board
from edgert.codegen.c.emit import steps_table
from edgert.drivers import open_session
from edgert.drivers.flash import ReadCache
from edgert.drivers.session import LayerProfile, Profile
from edgert.report.profile import profile_text
from edgert.toolchain import compile_firmware

FEW, MANY = 16, 48
MORE = MANY - FEW

# Registers: r0, r1, r2 the arena, which holds its own address; r3 = 8. 8: and 9: are functions.
ANY = {
    "one cycle": "adds r4, r4, r5",
    "load, then no memory": "ldr r4, [r1]; nop",
    "loads in a row": "ldr r4, [r1]; ldr r5, [r2, #4]",
    "a load from a loaded address": "ldr r0, [r0]",
    "a load from a computed address": "adds r4, r1, #4; ldr r5, [r4]",
    "a load beside a computed value": "adds r4, r4, #4; ldr r5, [r1]",
    "a load after a compare of its base": "cmp r1, r4; ldr r5, [r1]",
    "store": "str r4, [r1, #4]",
    "store by a register": "str r4, [r1, r3]",
    "load, then store": "ldr r4, [r1]; str r4, [r2, #4]",
    "load, then store by a register": "ldr r4, [r1]; str r5, [r2, r3]",
    "load, then store there": "ldr r0, [r0]; str r5, [r0, #4]",
    "load multiple": "mov r6, r1; nop; ldm r6!, {r4, r5}",
    "push, pop": "push {r4, r5}; pop {r4, r5}",
    "multiply": "muls r4, r5, r4",
    "branch taken": "b 1f; nop; 1:",
    "branch not taken": "cmp r0, r0; bne 1f; nop; 1:",
    "call, return by bx": "bl 9f",
    "call, return by pop": "bl 8f",
}
WIDE = {
    "load pair": "ldrd r4, r5, [r1]",
    "load pair after a load": "ldr r6, [r2]; ldrd r4, r5, [r1]",
    "store pair": "strd r4, r5, [r1, #8]",
    "load multiple of four": "ldm r1, {r4-r7}",
    "load and count up": "ldr r4, [r1], #0; ldr r5, [r1], #0",
    "multiply-accumulate": "mla r4, r5, r6, r4",
    "multiply long": "smull r4, r5, r6, r7",
    "multiply-accumulate long": "smlal r4, r5, r6, r7",
    "address from a long multiply": "smull r6, r4, r3, r3; ldrb r5, [r1, r4]",
    "divide": "sdiv r4, r5, r6",
    "conditional": "it eq; moveq r4, r5",
    "compare and branch, not taken": "cbz r3, 1f; nop; 1:",
    "table branch": "movs r4, #0; tbb [pc, r4]; 1: .byte (2f - 1b) / 2, 0; 2:",
}
DSP = {
    "two multiply-accumulates": "smlad r4, r5, r6, r4",
    "saturate": "ssat r4, #8, r5",
    "extend pairs": "sxtb16 r4, r5",
}
FLOAT = {
    "float add": "vadd.f32 s0, s1, s2",
    "float multiply-accumulate": "vmla.f32 s0, s1, s2",
    "float divide": "vdiv.f32 s0, s1, s1",
    "float load": "vldr s0, [r1]",
    "float store": "vstr s0, [r1, #4]",
}
ANY_M4 = (1, 3, 2, 2, 4, 3, 3, 1, 2, 3, 3, 3, 5, 6, 1, 3, 3, 6, 11)
WIDE_M4 = (3, 5, 3, 5, 2, 1, 1, 1, 4, 7, 2, 2, 5)
WIDE_M3 = (3, 5, 3, 5, 2, 2, 5, 7, 8, 7, 2, 2, 5)
ANY_M0PLUS = (1, 3, 4, 2, 3, 3, 3, 2, 2, 4, 4, 4, 5, 6, 1, 2, 3, 5, 11)
CORES = {
    "cortex-m4-emulated": (ANY | WIDE | DSP | FLOAT, (*ANY_M4, *WIDE_M4, 1, 1, 1, 1, 3, 14, 2, 2)),
    "cortex-m3-emulated": (ANY | WIDE, (*ANY_M4, *WIDE_M3)),
    "cortex-m0plus-emulated": (ANY, ANY_M0PLUS),
}


def _function(index: int, body: str, times: int) -> str:
    """Aligned so that none crosses a page, where the emulator cuts a block of code in two."""
    name = f"tiny_step_{index:02}"
    lines = (
        ".syntax unified", ".thumb", f".section .text.{name}, \\\"ax\\\", %progbits", f".global {name}",
        f".type {name}, %function", ".p2align 10", ".thumb_func", f"{name}:", "push {r4-r7, lr}",
        "str r0, [r0]", "mov r1, r0", "mov r2, r0", "movs r3, #8", "ldr r6, 7f", ".p2align 3",
        f".rept {times}", body.replace("; ", "\\n"), ".endr", "pop {r4-r7, pc}",
        "8: push {r4, lr}", "pop {r4, pc}", "9: bx lr", ".p2align 2", "7: .word table",
        f".size {name}, . - {name}",
    )  # fmt: skip
    return '__asm__("' + "\\n".join(lines) + '\\n");\n'


@dataclass(frozen=True)
class Layers:
    """Builds one firmware with a layer per (body, times) and profiles it.

    The last layer is not called in tail position: what follows the model would count as its own.
    """

    folder: Path

    def profile(self, board: Board, bodies: list[tuple[str, int]]) -> Profile:
        count = range(len(bodies))
        declared = "".join(f"void tiny_step_{i:02}(uint8_t *arena);\n" for i in count)
        called = "".join(f"    tiny_step_{i:02}(arena);\n" for i in count)
        (self.folder / "model.h").write_text(tiny.MODEL_H)
        (self.folder / "model.c").write_text(
            '#include "model.h"\nextern const int32_t table[256];\nconst int32_t table[256] = {1};\n'
            + declared
            + "".join(_function(i, *what) for i, what in enumerate(bodies))
            + f'void tiny_invoke(uint8_t *arena)\n{{\n{called}    __asm__ volatile("");\n}}\n'
            + steps_table("tiny", [f"tiny_step_{i:02}" for i in count])
        )
        report = tiny.report(board.id)
        report["layers"] = [
            {**report["layers"][0], "index": i, "symbol": f"tiny_step_{i:02}", "name": what[0]}
            for i, what in enumerate(bodies)
        ]
        compile_firmware(self.folder, report, board, self.folder / "firmware.elf")
        with open_session(report, self.folder, board) as session:
            return session.profile(np.zeros(tiny.ELEMENTS, dtype=np.uint8))

    def difference(self, board: Board, body: str) -> tuple[int, int]:
        """What MORE of a body cost: (cycles, of them waits), the caches empty at first."""
        few, many = (self.profile(board, [(body, times)]).layers[0] for times in (FEW, MANY))
        return _cycles(many) - _cycles(few), many.wait_cycles - few.wait_cycles


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return Layers(tmp_path)


@pytest.mark.parametrize("board_id", CORES)
def test_every_class_costs_what_the_manual_says(layers: Layers, board_id: str) -> None:
    snippets, expected = CORES[board_id]
    board = replace(load_board(board_id), flash_timing=None)
    profile = layers.profile(board, [(s, n) for s in snippets.values() for n in (FEW, MANY)])
    costs = [_cycles(layer) for layer in profile.layers[:-1]]
    each = {
        name: (many - few) / MORE for name, few, many in zip(snippets, costs[::2], costs[1::2], strict=True)
    }
    assert each == dict(zip(snippets, expected, strict=True))
    assert (profile.wait_states, profile.wait_cycles) == (None, 0)


def test_code_waits_once_for_every_flash_read(layers: Layers) -> None:
    """32 more 16-bit instructions are 64 bytes: 8 reads of 8 bytes, 5 wait states each."""
    assert layers.difference(load_board("cortex-m4-emulated"), "nop") == (MORE + 40, 40)


def test_a_loop_waits_in_its_first_round_only(layers: Layers) -> None:
    loop = "movs r4, #{}; 1: nop; subs r4, r4, #1; bne 1b"
    board = load_board("cortex-m4-emulated")
    short, long = layers.profile(board, [(loop.format(10), 1), (loop.format(110), 1)]).layers[:2]
    assert (_cycles(long) - _cycles(short), long.wait_cycles - short.wait_cycles) == (100 * 5, 0)


def test_data_waits_for_flash_and_not_for_ram(layers: Layers) -> None:
    """r6 is a table in flash, of which two words are a read of 8 bytes."""
    board = load_board("cortex-m4-emulated")
    code = MORE * 4 // 8 * 5
    assert layers.difference(board, "ldr r4, [r6]; adds r6, #4")[1] == code + MORE // 2 * 5
    assert layers.difference(board, "ldr r4, [r1]; adds r4, #4")[1] == code


def test_wait_states_change_neither_instructions_nor_the_rest(layers: Layers) -> None:
    board = load_board("cortex-m4-emulated")
    bodies = [("ldr r4, [r6]; adds r6, #4", MANY), ("b 1f; nop; 1:", MANY)]
    waits = layers.profile(board, bodies)
    none = layers.profile(replace(board, flash_timing=None), bodies)
    assert waits.instructions == none.instructions
    assert waits.wait_states == 5
    assert waits.cycles is not None and waits.cycles - waits.wait_cycles == none.cycles
    assert waits.to_json()["wait_states"] == 5
    report = {**tiny.report(board.id), "macs": 0, "flash_bytes": 0}
    assert "wait states   5 for each flash read that misses" in profile_text(report, waits)
    assert "wait states   not modelled" in profile_text(report, none)


def test_the_cache_drops_what_was_used_least_recently() -> None:
    cache = ReadCache(nbytes=16, read_bytes=8)
    assert [cache.misses(a, 4) for a in (0, 4, 8, 0, 16, 0, 8)] == [1, 0, 1, 0, 1, 0, 1]


def test_a_read_across_two_units_may_miss_twice() -> None:
    assert ReadCache(nbytes=64, read_bytes=8).misses(6, 4) == 2


def test_code_longer_than_the_cache_never_stays() -> None:
    cache = ReadCache(nbytes=16, read_bytes=8)
    assert [cache.misses(0, 24) for _ in range(3)] == [3, 3, 3]


def _cycles(layer: LayerProfile) -> int:
    assert layer.cycles is not None
    return layer.cycles
