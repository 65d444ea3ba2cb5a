"""CMSIS-NN in the sweep: the same layer through the library, as its users call it, on the same emulated core.

Nothing of the library is kept here. Its sources are those inside the PyPI package `bakenn` (CMSIS-NN 4.0.0),
where that is X
"""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sweep_shapes import Layer

from edgert.board import Board
from edgert.codegen.program import Array, Attr
from edgert.drivers.unicorn_board import open_session
from edgert.target import load_target
from edgert.toolchain import compile_firmware, zig_cc

TIMEOUT_S = 20.0
_PACKAGED = Path("backend", "cmsis_nn", "vendor")
_FOLDERS = ("ConvolutionFunctions", "FullyConnectedFunctions", "NNSupportFunctions")
# A hosted -O3, so that fixed-size copies become loads as in any ordinary build; memcpy by words, as newlib's.
_FLAGS = ("-std=c11", "-O3", "-w", "-ffunction-sections", "-fno-sanitize=all", "-fno-stack-protector",
          "-fomit-frame-pointer", "-Dmemcpy=peer_memcpy_", "-Dmemset=peer_memset_")  # fmt: skip
_STRING_H = """#include <stddef.h>
void *peer_memcpy(void *to, const void *from, size_t count);
void *peer_memset(void *to, int value, size_t count);
#define peer_memcpy_(to, from, n) \\
    (__builtin_constant_p(n) && (n) <= 8 ? __builtin_memcpy(to, from, n) : peer_memcpy(to, from, n))
#define peer_memset_(to, value, n) peer_memset(to, value, n)
"""
_MEMORY_C = """#include <stddef.h>
#include <stdint.h>
typedef struct { uint32_t word; } __attribute__((packed, may_alias)) word_t;
__attribute__((no_builtin("memcpy"))) void *peer_memcpy(void *to, const void *from, size_t count)
{
    char *y = to;
    const char *x = from;
    for (; count >= 16; count -= 16, x += 16, y += 16) {
        for (int i = 0; i < 4; i++) {
            ((word_t *)y)[i].word = ((const word_t *)x)[i].word;
        }
    }
    for (; count >= 4; count -= 4, x += 4, y += 4) {
        ((word_t *)y)->word = ((const word_t *)x)->word;
    }
    while (count-- > 0) {
        *y++ = *x++;
    }
    return to;
}
__attribute__((no_builtin("memset"))) void *peer_memset(void *to, int value, size_t count)
{
    char *y = to;
    uint32_t word = 0x01010101u * (uint8_t)value;
    for (; count >= 16; count -= 16, y += 16) {
        for (int i = 0; i < 4; i++) {
            ((word_t *)y)[i].word = word;
        }
    }
    while (count-- > 0) {
        *y++ = (char)value;
    }
    return to;
}
"""
_HEADER = """#include <stdint.h>
void peer_invoke(uint8_t *arena);
"""
# The library's parameter blocks are runs of int32_t, so no header of it is needed to call it.
_CALL = """#include "model.h"
typedef const void *block;
int {function}(block context, block params, block quant, block x_dims, const uint8_t *x, block w_dims,
    const int8_t *w, block b_dims, const int32_t *b, block y_dims, uint8_t *y);
{constants}
static const struct {{ const int32_t *multiplier, *shift; }} quant = {{ multiplier, shift }};
__attribute__((noinline)) void peer_step_00(uint8_t *arena);
__attribute__((noinline)) void peer_step_00(uint8_t *arena)
{{
    const struct {{ void *buffer; int32_t bytes; }} context = {{ arena + {buffer_at}, {buffer_bytes} }};
    (void)quant;
    (void){function}(&context, params, {quant}, x_dims, arena, w_dims, weights, b_dims, bias, y_dims,
        arena + {y_at});
}}
void peer_invoke(uint8_t *arena)
{{
    peer_step_00(arena);
}}
extern void (*const peer_steps[1])(uint8_t *arena);
void (*const peer_steps[1])(uint8_t *arena) = {{ peer_step_00 }};
"""
_FUNCTION = {
    "conv": "arm_convolve_wrapper_s8",
    "depthwise": "arm_depthwise_conv_wrapper_s8",
    "dense": "arm_fully_connected_s8",
}


@dataclass(frozen=True)
class PeerRun:
    """instructions: counted. cycles: modelled. buffer_bytes: what the library asks the caller for."""

    instructions: int
    cycles: int
    buffer_bytes: int
    output: Array


def find_sources() -> Path | None:
    """The library inside an installed `bakenn`, or None."""
    spec = importlib.util.find_spec("bakenn")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / _PACKAGED


def compile_library(sources: Path, board: Board, build: Path) -> list[Path]:
    """Object files of the library under `sources` (Source, Include and a cmsis_compiler.h anywhere in it).

    Raises FileNotFoundError, subprocess.CalledProcessError.
    """
    build.mkdir(parents=True, exist_ok=True)
    (build / "string.h").write_text(_STRING_H)
    (build / "math.h").write_text("")
    (build / "memory.c").write_text(_MEMORY_C)
    headers = {next(iter(sources.rglob(name))).parent for name in ("arm_nnfunctions.h", "cmsis_compiler.h")}
    files = [p for folder in _FOLDERS for p in sorted(sources.rglob(f"Source/{folder}/*_s8*.c"))]
    files += [*sources.rglob("arm_q7_to_q15_with_offset.c"), build / "memory.c"]
    if len(files) < len(_FOLDERS):
        raise FileNotFoundError(f"no CMSIS-NN sources under {sources}")
    objects = []
    base = [*zig_cc(load_target(board.target)), *_FLAGS, f"-I{build}", *(f"-I{h}" for h in sorted(headers))]
    for file in files:
        objects.append(build / f"{file.stem}.o")
        subprocess.run([*base, "-c", str(file), "-o", str(objects[-1])], check=True)
    return objects


def buffer_bytes(layer: Layer) -> int:
    """What the library's *_get_buffer_size functions return on a core with the DSP extension.

    Source: arm_convolve_wrapper_s8.c, arm_convolve_s8.c, arm_depthwise_conv_s8_opt.c of CMSIS-NN 4.0.0.
    """
    if layer.kind == "dense" or (layer.kind == "conv" and layer.kernel == (1, 1)):
        return 0
    columns = 2 if layer.kind == "conv" else 1
    return columns * layer.in_c * layer.kernel[0] * layer.kernel[1] * 2


def run(
    layer: Layer,
    attrs: Mapping[str, Attr],
    constants: Mapping[str, Array],
    x: Array,
    objects: Sequence[Path],
    board: Board,
    folder: Path,
) -> PeerRun:
    """Compile the call, run it once, and count the layer's instructions, the wrapper's among them."""
    folder.mkdir(parents=True, exist_ok=True)
    y_shape = [1, layer.out_h, layer.out_w, layer.out_c]
    y_at = _aligned(x.size)
    buffer_at = y_at + _aligned(int(np.prod(y_shape)))
    (folder / "model.h").write_text(_HEADER)
    (folder / "model.c").write_text(_call(layer, attrs, constants, y_at, buffer_at))
    arena_bytes = buffer_at + _aligned(buffer_bytes(layer) + 4)
    step = {"index": 0, "name": "peer", "op": layer.kind, "variant": "-", "macs": layer.macs}
    report = {
        "name": "peer",
        "arena_bytes": arena_bytes,
        "inputs": [{"name": "x", "shape": list(x.shape), "dtype": "int8", "offset": 0}],
        "outputs": [{"name": "y", "shape": y_shape, "dtype": "int8", "offset": y_at}],
        "layers": [{**step, "symbol": "peer_step_00"}],
    }
    compile_firmware(folder, report, board, folder / "firmware.elf", "speed", objects)
    with open_session(report, folder, board) as session:
        (output,) = session.run(x, timeout_s=TIMEOUT_S)
        cost = session.profile(x, timeout_s=TIMEOUT_S).layers[0]
    assert cost.instructions is not None and cost.cycles is not None
    return PeerRun(cost.instructions, cost.cycles, buffer_bytes(layer), output)


def _aligned(count: int) -> int:
    return -(-count // 16) * 16


def _call(
    layer: Layer, attrs: Mapping[str, Attr], constants: Mapping[str, Array], y_at: int, buffer_at: int
) -> str:
    params, dims = _blocks(layer, attrs)
    arrays = [_array(name, constants[name]) for name in ("weights", "bias", "multiplier", "shift")]
    arrays += [_array(f"{name}_dims", np.array(value, np.int32)) for name, value in dims.items()]
    arrays.append(_array("params", np.array(params, np.int32)))
    first = f"(const int32_t[]){{ {constants['multiplier'][0]}, {constants['shift'][0]} }}"
    return _CALL.format(
        function=_FUNCTION[layer.kind],
        constants="\n".join(arrays),
        quant=first if layer.kind == "dense" else "&quant",
        y_at=y_at,
        buffer_at=buffer_at,
        buffer_bytes=buffer_bytes(layer),
    )


def _blocks(layer: Layer, attrs: Mapping[str, Attr]) -> tuple[list[Attr], dict[str, list[int]]]:
    """The parameter block and the dimensions (n, h, w, c), field by field as in arm_nn_types.h."""
    clamp, offsets = [-128, 127], [-attrs["x_zero"], attrs["y_zero"]]
    dims = {
        "x": [1, layer.in_h, layer.in_w, layer.in_c],
        "b": [1, 1, 1, layer.out_c],
        "y": [1, layer.out_h, layer.out_w, layer.out_c],
    }
    if layer.kind == "dense":
        return [offsets[0], 0, offsets[1], *clamp], {**dims, "w": [layer.in_c, 1, 1, layer.out_c]}
    window = [attrs[a] for a in ("stride_w", "stride_h", "pad_left", "pad_top", "dilation_w", "dilation_h")]
    if layer.kind == "conv":
        return [*offsets, *window, *clamp], {**dims, "w": [layer.out_c, *layer.kernel, layer.in_c]}
    return [*offsets, 1, *window, *clamp], {**dims, "w": [1, *layer.kernel, layer.out_c]}


def _array(name: str, values: Array) -> str:
    numbers = ",".join(map(str, values.ravel().tolist()))
    kind = "int8_t" if values.dtype == np.int8 else "int32_t"
    return f"static const {kind} {name}[] = {{{numbers}}};"
