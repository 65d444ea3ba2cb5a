"""A tiny real model in hand-written C, so that boards are tested without the compiler."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgert.board import Board, list_boards, load_board
from edgert.drivers import open_session
from edgert.drivers.session import Session
from edgert.toolchain import Firmware, compile_firmware

EMULATED = [b for b in list_boards() if load_board(b).driver == "unicorn"]
ELEMENTS = 16

MODEL_H = """#include <stdint.h>
#define TINY_ARENA_BYTES 128
void tiny_invoke(uint8_t *arena);
"""
STEPS = """#include "model.h"
#define STEP static __attribute__((noinline))
static const int8_t table[4] = {1, 2, 3, 4};
static int32_t offset = 7;    /* .data: copied from flash at reset */
static int32_t runs;          /* .bss: zero at reset */
STEP void tiny_step_00(uint8_t *arena)
{
    for (int32_t i = 0; i < 16; i++) {
        arena[32 + i] = (uint8_t)(arena[i] * table[i % 4] + offset);
    }
}
STEP void tiny_step_01(uint8_t *arena)
{
SECOND
}
void tiny_invoke(uint8_t *arena)
{
    runs++;
    tiny_step_00(arena);
    tiny_step_01(arena);
    arena[80] = (uint8_t)runs;
}
extern void (*const tiny_steps[2])(uint8_t *arena);
void (*const tiny_steps[2])(uint8_t *arena) = {tiny_step_00, tiny_step_01};
"""
COPY = "    for (int32_t i = 0; i < 16; i++) { arena[64 + i] = arena[32 + i]; }"


def expected(x: bytes) -> bytes:
    """What the two steps compute."""
    return bytes((v * (i % 4 + 1) + 7) % 256 for i, v in enumerate(x))


def report(board: str, *, count_runs: bool = False) -> dict[str, Any]:
    """count_runs: how often it ran is an output, too; a profile of such a model is refused."""
    port = {"dtype": "uint8", "scale": None, "zero_point": None}
    layers = [
        {
            "index": i,
            "name": f"layer{i}",
            "op": "test",
            "variant": "c",
            "symbol": f"tiny_step_0{i}",
            "macs": 0,
        }
        for i in range(2)
    ]
    return {
        "name": "tiny", "board": board, "arena_bytes": 128, "layers": layers,
        "inputs": [{**port, "name": "x", "shape": [ELEMENTS], "offset": 0}],
        "outputs": [
            {**port, "name": "y", "shape": [ELEMENTS], "offset": 64},
            *([{**port, "name": "runs", "shape": [1], "offset": 80}] if count_runs else []),
        ],
    }  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Builds the tiny model for a board, with any second step, and opens it."""

    folder: Path

    def build(
        self, board: Board, second: str = COPY, extra: str = "", *, count_runs: bool = False
    ) -> Firmware:
        (self.folder / "model.h").write_text(MODEL_H)
        (self.folder / "model.c").write_text(extra + STEPS.replace("SECOND", second))
        described = report(board.id, count_runs=count_runs)
        return compile_firmware(self.folder, described, board, self.folder / "firmware.elf")

    def open(
        self, board_id: str, second: str = COPY, extra: str = "", *, count_runs: bool = False
    ) -> Session:
        board = load_board(board_id)
        self.build(board, second, extra, count_runs=count_runs)
        return open_session(report(board_id, count_runs=count_runs), self.folder, board)
