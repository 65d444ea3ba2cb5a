"""Instructions per binary multiply-accumulate, beside our own int8 kernels on the same shapes.

    python tools/measure_binary.py [--models MODELS] [--write]

Bits are drawn at random, half of them +1, which is the most work that the default kernel can have. MODELS:
the folder with cnv_w1a1.npz, whose layers are then profiled on real images. --write puts the result into
docs/binary.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import edgert
from edgert import api
from edgert.artifact import Artifact
from edgert.cache import write_aside
from edgert.codegen.kernels import binary_tree
from edgert.codegen.program import Array, Program, Step, Tensor, bit_words
from edgert.codegen.quantize_math import conv_multipliers

ROOT = Path(__file__).parents[1]
BOARDS = ("cortex-m4-emulated", "rv32imc-emulated", "virt-rv32-zbb", "aarch64-user")
SHAPES = ((64, 64, 8), (64, 128, 8), (128, 128, 6), (128, 256, 5), (256, 256, 5))  # in_c, out_c, side of x
HOST_SHAPE = (256, 256, 30)
IMAGES = 5
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0)
MARGIN = binary_tree.MARGIN


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    result: dict[str, Any] = {"command": "python tools/measure_binary.py --models MODELS --write"}
    result["instructions_per_mac"] = [_row(rng, shape) for shape in SHAPES]
    result["trees"] = _trees(rng)
    result["host"] = _host(rng)
    if args.models:
        result["cnv_w1a1"] = _cnv(args.models)
    text = json.dumps(result, indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "binary.json", text.encode())
    print(text, end="")
    return 0


def _row(rng: np.random.Generator, shape: tuple[int, int, int]) -> dict[str, Any]:
    """3x3, no border, on every board: the default kernel, plain XNOR and population count, and int8."""
    in_c, out_c, side = shape
    row: dict[str, Any] = {"layer": f"3x3, {in_c} to {out_c} channels, {side}x{side}"}
    for board in BOARDS:
        counts = {
            "binary": _per_mac(rng, shape, board, "conv2d_b1", None),
            "xnor": _per_mac(rng, shape, board, "conv2d_b1", "xnor"),
            "int8": _per_mac(rng, shape, board, "conv2d_s8", None),
        }
        row[board] = counts | {"int8_over_binary": round(counts["int8"] / counts["binary"], 2)}
        print(row["layer"], board, row[board], file=sys.stderr, flush=True)
    return row


def _per_mac(
    rng: np.random.Generator, shape: tuple[int, int, int], board: str, op: str, label: str | None
) -> float:
    return _count(rng, _layer(rng, shape, op), shape, board, label)


def _count(
    rng: np.random.Generator, program: Program, shape: tuple[int, int, int], board: str, label: str | None
) -> float:
    labels = {"layer": label} if label else {}
    with tempfile.TemporaryDirectory() as folder:
        artifact = api.compile_program(
            program, Path(folder), board=board, labels=labels if label else None, optimize="speed"
        )
        with edgert.connect(artifact) as session:
            profile = session.profile(_image(rng, shape))
    row = next(r for r in profile.layers if r.name == "layer")
    assert row.instructions is not None
    return round(row.instructions / program.macs, 4)


def _trees(rng: np.random.Generator) -> dict[str, Any]:
    """The same layer by its word tree, against how many words differ: also where that does not pay."""
    binary_tree.MARGIN = 1e9
    program = _layer(rng, SHAPES[0], "conv2d_b1")
    rows = []
    for share in SHARES:
        weights = _alike(rng, program.constants["weights"], share)
        alike = replace(program, constants={**program.constants, "weights": weights})
        plan = binary_tree.plan(weights)
        rows.append(
            {
                "share_of_words": round(plan.share, 3),
                "tree": _count(rng, alike, SHAPES[0], "cortex-m4-emulated", "tree"),
                "estimated": round(plan.by_tree * 36 / program.macs, 4),
            }
        )
        print("tree", rows[-1], file=sys.stderr, flush=True)
    binary_tree.MARGIN = MARGIN
    return {"layer": "3x3, 64 to 64 channels, 8x8", "board": "cortex-m4-emulated", "rows": rows}


def _alike(rng: np.random.Generator, weights: Array, share: float) -> Array:
    """As many words as that of each channel differ from those of the first one."""
    drawn = rng.random(weights.shape[:3]) < share
    words = np.stack([drawn, rng.random(weights.shape[:3]) < share], axis=-1).repeat(32, -1)
    return np.where(words, weights, weights[:1])


def _image(rng: np.random.Generator, shape: tuple[int, int, int]) -> Array:
    return rng.integers(-128, 128, (1, shape[2], shape[2], shape[0])).astype(np.int8)


def _layer(rng: np.random.Generator, shape: tuple[int, int, int], op: str) -> Program:
    """One convolution; a binary one reads the signs of int8 inputs, and its words of bits are the output."""
    in_c, out_c, side = shape
    out = side - 2
    geometry = {
        "batch": 1, "in_h": side, "in_w": side, "in_c": in_c, "out_h": out, "out_w": out, "out_c": out_c,
        "kernel_h": 3, "kernel_w": 3, "stride_h": 1, "stride_w": 1, "dilation_h": 1, "dilation_w": 1,
        "pad_top": 0, "pad_left": 0,
    }  # fmt: skip
    macs = out * out * out_c * 9 * in_c
    tensors = {"x": Tensor("x", (1, side, side, in_c), "int8")}
    if op == "conv2d_s8":
        multipliers, shifts = conv_multipliers(0.05, [0.01] * out_c, 1.0)
        constants: dict[str, Array] = {
            "weights": rng.integers(-127, 128, (out_c, 3, 3, in_c)).astype(np.int8),
            "bias": rng.integers(-1000, 1000, out_c).astype(np.int32),
            "multiplier": np.array(multipliers, np.int32), "shift": np.array(shifts, np.int32),
        }  # fmt: skip
        attrs = geometry | {"groups": 1, "x_zero": 0, "y_zero": 0, "y_min": -128, "y_max": 127}
        tensors["y"] = Tensor("y", (1, out, out, out_c), "int8")
        step = Step("layer", op, ("x",), ("y",), attrs, {role: role for role in constants}, macs)
        return Program("one", tensors, constants, (step,), ("x",), ("y",))
    constants = {
        "zero": np.zeros(in_c, np.int32), "flip": np.zeros(in_c, bool),
        "weights": np.where(rng.random((out_c, 3, 3, in_c)) < 0.5, 1, -1).astype(np.int8),
        "threshold": rng.integers(-40, 40, out_c).astype(np.int32),
    }  # fmt: skip
    tensors["bits"] = Tensor("bits", (1, side, side, in_c), "b1")
    tensors["y"] = Tensor("y", (1, out, out, bit_words(out_c)), "uint32")
    sign = Step(
        "sign", "sign_s8_b1", ("x",), ("bits",), {"outer": side * side, "channels": in_c},
        {"threshold": "zero", "flip": "flip"},
    )  # fmt: skip
    roles = {"weights": "weights", "threshold": "threshold"}
    step = Step("layer", op, ("bits",), ("y",), geometry | {"pad_value": -1}, roles, macs)
    return Program("one", tensors, constants, (sign, step), ("x",), ("y",))


def _host(rng: np.random.Generator) -> dict[str, Any]:
    """Time of one layer on this machine, beside XOR, population count and add alone.

    These are what a kernel that counts equal bits word by word cannot do without: the bound is the time of a
    loop of nothing else, over as many words, all in the first cache, as wide as the compiler makes it.
    """
    program = _layer(rng, HOST_SHAPE, "conv2d_b1")
    seconds: dict[str, float] = {}
    for label in (None, "xnor"):
        with tempfile.TemporaryDirectory() as folder:
            artifact = api.compile_program(
                program, Path(folder), board="host", labels={"layer": label} if label else None
            )
            seconds[label or "binary"] = _fastest(artifact, _image(rng, HOST_SHAPE))
    bound = _popcount_bound(program.macs)
    return {
        "layer": "3x3, {} to {} channels, {}x{}".format(*HOST_SHAPE[:2], HOST_SHAPE[2], HOST_SHAPE[2]),
        "macs": program.macs,
        "ms": {name: round(1e3 * s, 3) for name, s in seconds.items()},
        "bound_ms": round(1e3 * bound, 3),
        "macs_per_ns": round(program.macs / seconds["binary"] / 1e9, 1),
    }


def _fastest(artifact: Artifact, x: Array, runs: int = 30) -> float:
    with edgert.connect(artifact) as session:
        session.run(x)
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            session.run(x)
            times.append(time.perf_counter() - start)
    return min(times)


BOUND = """
#include <stdint.h>
uint64_t bound(const uint64_t *x, const uint64_t *w, long rounds);
uint64_t bound(const uint64_t *x, const uint64_t *w, long rounds)
{
    uint64_t sum = 0;
    for (long k = 0; k < rounds; k++) {
        for (int i = 0; i < 512; i++) {
            sum += (uint64_t)__builtin_popcountll(x[i] ^ w[i]);
        }
    }
    return sum;
}
"""


def _popcount_bound(macs: int) -> float:
    """Seconds of XOR, population count and add for so many binary MACs."""
    import ctypes

    from edgert import toolchain

    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "bound.c", Path(folder) / "bound.so"
        source.write_text(BOUND)
        toolchain.compile_shared([source], library, ("-O3", "-march=native", "-funroll-loops"))
        function = ctypes.CDLL(str(library)).bound
        function.restype = ctypes.c_uint64
        x, w = (np.arange(512, dtype=np.uint64) * k for k in (7, 11))
        times = []
        for _ in range(20):
            start = time.perf_counter()
            function(
                x.ctypes.data_as(ctypes.c_void_p),
                w.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_long(macs // 64 // 512),
            )
            times.append(time.perf_counter() - start)
    return min(times)


def _cnv(models: Path) -> dict[str, Any]:
    """CNV-W1A1 on the emulated Cortex-M4: the mean of some images."""
    artifact = edgert.compile(models / "cnv_w1a1.npz", board="cortex-m4-emulated")
    with np.load(models / "cnv_w1a1_golden.npz") as golden:
        images = golden["images"][:IMAGES]
    with edgert.connect(artifact) as session:
        profiles = [session.profile(image[None]) for image in images]
    rows: list[dict[str, Any]] = []
    for layers in zip(*(p.layers for p in profiles), strict=True):
        instructions = float(np.mean([row.instructions for row in layers]))
        macs = layers[0].macs
        rows.append(
            {"layer": layers[0].name, "macs": macs, "instructions": round(instructions)}
            | ({"instructions_per_mac": round(instructions / macs, 4)} if macs else {})
        )
    return {
        "board": "cortex-m4-emulated", "images": IMAGES, "arena_bytes": artifact.arena_bytes,
        "flash_bytes": artifact.flash_bytes, "instructions": sum(r["instructions"] for r in rows),
        "layers": rows,
    }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
