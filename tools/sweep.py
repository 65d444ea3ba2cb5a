"""Every layer shape of sweep_shapes.py through edgert and through CMSIS-NN, on an emulated board.

    python tools/sweep.py [--limit N] [--peer DIR | --no-peer] [--write]

One layer is one Program: it takes the way of every model (prune, bounds, kernels, arena, C, firmware), runs
under the emulator, and its output is compared byte for byte with the `ref` kernel on this machine. Prints
JSON; a summary goes to stderr. --write refreshes docs/sweep.json and docs/sweep.md.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import sweep_peer
from sweep_shapes import MAX_MACS, MAX_WEIGHTS, Layer, layers

import edgert
from edgert.api import compile_program
from edgert.board import load_board
from edgert.codegen.contracts import CONTRACTS
from edgert.codegen.fixedpoint import quantize_multiplier
from edgert.codegen.program import Array, Attr, Program, Quant, Step, Tensor
from edgert.errors import BoardFaultError, BoardTimeoutError
from edgert.toolchain import compile_host

ROOT = Path(__file__).resolve().parents[1]
BOARD = "cortex-m4-emulated"
JOBS = 2
WORST = 5
CONTRACT = {"conv": "conv2d_s8", "depthwise": "depthwise_conv2d_s8", "dense": "fully_connected_s8"}
X_ZERO, Y_ZERO = -128, -10  # what follows a ReLU, into what precedes none
Y_SPREAD = 40  # standard deviation of the outputs, in steps
Record = dict[str, Any]


def layer_program(layer: Layer) -> tuple[Program, Array]:
    """A Program of this one layer, and an input for it. Seeded by the layer's name.

    Weights are normal with a largest magnitude of 127 in every channel, as trained and quantized ones are.
    """
    rng = np.random.default_rng(zlib.crc32(layer.name.encode()))
    weights, multiplier, shift = _weights(layer, rng)
    constants = {
        "weights": weights,
        "bias": rng.integers(-2000, 2000, layer.out_c).astype(np.int32),
        "multiplier": multiplier,
        "shift": shift,
    }
    attrs = _attrs(layer)
    image = layer.kind != "dense"
    x_shape = (1, layer.in_h, layer.in_w, layer.in_c) if image else (1, layer.in_c)
    y_shape = (1, layer.out_h, layer.out_w, layer.out_c) if image else (1, layer.out_c)
    tensors = {
        "x": Tensor("x", x_shape, "int8", Quant(0.05, X_ZERO)),
        "y": Tensor("y", y_shape, "int8", Quant(0.1, Y_ZERO)),
    }
    step = Step(
        layer.name,
        CONTRACT[layer.kind],
        ("x",),
        ("y",),
        attrs,
        {role: role for role in constants},
        layer.macs,
    )
    program = Program("layer", tensors, constants, (step,), ("x",), ("y",))
    return program, rng.integers(-128, 128, x_shape).astype(np.int8)


def _weights(layer: Layer, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Weights in the contract's layout, multipliers and shifts; one scale for all of a dense layer."""
    real = rng.normal(size=(layer.out_c, layer.taps))
    peaks = np.abs(real).max(axis=None if layer.kind == "dense" else 1, keepdims=True)
    rows = np.rint(real * 127 / peaks).astype(np.int8)
    spread = np.sqrt(layer.taps) * rows.std() * 148  # 148: root mean square of x - X_ZERO, x uniform
    scales = np.full(layer.out_c, Y_SPREAD / spread)
    if layer.kind != "dense":
        scales *= rng.uniform(0.7, 1.4, layer.out_c)
    pairs = [quantize_multiplier(float(scale)) for scale in scales]
    multiplier, shift = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    if layer.kind == "depthwise":
        return np.ascontiguousarray(rows.T).reshape(*layer.kernel, layer.out_c), multiplier, shift
    shape = (layer.out_c, layer.in_c) if layer.kind == "dense" else (layer.out_c, *layer.kernel, layer.in_c)
    return rows.reshape(shape), multiplier, shift


def _attrs(layer: Layer) -> dict[str, Attr]:
    """The contract's attrs; "same" padding, the odd row or column at the bottom and right."""
    pads = [
        max(0, (out - 1) * stride + kernel - side) // 2
        for out, stride, kernel, side in (
            (layer.out_h, layer.stride[0], layer.kernel[0], layer.in_h),
            (layer.out_w, layer.stride[1], layer.kernel[1], layer.in_w),
        )
    ]
    known: dict[str, Attr] = {
        "batch": 1, "in_h": layer.in_h, "in_w": layer.in_w, "in_c": layer.in_c,
        "out_h": layer.out_h, "out_w": layer.out_w, "out_c": layer.out_c,
        "kernel_h": layer.kernel[0], "kernel_w": layer.kernel[1],
        "stride_h": layer.stride[0], "stride_w": layer.stride[1], "dilation_h": 1, "dilation_w": 1,
        "pad_top": pads[0], "pad_left": pads[1], "groups": 1, "depth_multiplier": 1,
        "x_zero": X_ZERO, "y_zero": Y_ZERO, "y_min": -128, "y_max": 127,
    }  # fmt: skip
    return {name: known[name] for name in CONTRACTS[CONTRACT[layer.kind]].attrs}


@cache
def _reference_library(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))


def compile_reference(folder: Path) -> Path:
    """A shared library with the `ref` kernel of each contract, told its layer at run time."""
    text = []
    for contract in (CONTRACTS[name] for name in CONTRACT.values()):
        roles = range(2, 2 + len(contract.constants))
        arguments = ", ".join(["a[0]", "a[1]", *(f"a[{n}]" for n in roles)])
        declared = f"void {contract.name}(void *const *a, const void *g)"
        text.append(
            f'#include "kernels/{contract.folder}/{contract.name}.h"\n{declared};\n'
            f"{declared}\n{{ ert_{contract.name}__ref({arguments}, (const ert_{contract.name}_t *)g); }}\n"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with as_file(files("edgert.csrc")) as csrc:
        for part in csrc.iterdir():
            if part.is_dir():
                shutil.copytree(part, folder / part.name, dirs_exist_ok=True)
    (folder / "model.c").write_text("".join(text))
    return compile_host(folder, folder / "reference.so")


def _reference(library: Path, program: Program, x: Array) -> Array:
    (step,) = program.steps
    y = np.zeros(program.tensors["y"].shape, np.int8)
    arrays = [x, y, *(program.constants[role] for role, _, _ in CONTRACTS[step.op].constants)]
    pointers = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
    geometry = np.array(list(step.attrs.values()), np.int32).tobytes()
    getattr(_reference_library(library), step.op)(pointers, ctypes.c_char_p(geometry))
    return y


def measure(build: Path, board_id: str, peer: Sequence[Path], layer: Layer) -> Record:
    """Compile and run one layer; peer: the other library's objects, or none."""
    program, x = layer_program(layer)
    expected = _reference(build / "reference" / "reference.so", program, x)
    with tempfile.TemporaryDirectory(dir=build) as scratch:
        artifact = compile_program(program, Path(scratch) / "ours", board=board_id)
        with edgert.connect(artifact) as session:
            same = bool((session.run(x)[0] == expected).all())
            cost = session.profile(x).layers[0]
        assert cost.instructions is not None
        record: Record = {
            "name": layer.name,
            "kind": layer.kind,
            "network": layer.network,
            "shrunk_from": layer.shrunk_from,
            "macs": layer.macs,
            "variant": cost.variant,
            "instructions": cost.instructions,
            "instructions_per_mac": round(cost.instructions / layer.macs, 3),
            "modelled_cycles": cost.cycles,
            "scratch_bytes": artifact.report["layers"][0]["scratch_bytes"],
            "arena_bytes": artifact.report["arena_bytes"],
            "same_as_reference": same,
        }
        if peer:
            folder = Path(scratch) / "peer"
            record |= _compare(cost.instructions, layer, program, x, expected, peer, board_id, folder)
    return record


def _compare(
    instructions: int,
    layer: Layer,
    program: Program,
    x: Array,
    expected: Array,
    peer: Sequence[Path],
    board_id: str,
    folder: Path,
) -> Record:
    """The library's numbers and the ratio; where it faults on the emulated board, the fault."""
    attrs, board = program.steps[0].attrs, load_board(board_id)
    try:
        other = sweep_peer.run(layer, attrs, program.constants, x, peer, board, folder)
    except (BoardFaultError, BoardTimeoutError) as error:
        return {"peer_fault": str(error)}
    return {
        "peer": {
            "instructions": other.instructions,
            "modelled_cycles": other.cycles,
            "buffer_bytes": other.buffer_bytes,
            "ram_bytes": x.size + expected.size + other.buffer_bytes,
            "same_as_reference": bool((other.output.ravel() == expected.ravel()).all()),
        },
        "ratio": round(instructions / other.instructions, 3),
    }


def sweep(
    chosen: Sequence[Layer], board_id: str, sources: Path | None, progress: Callable[[], None]
) -> Record:
    """Measure all of them, in JOBS processes."""
    with tempfile.TemporaryDirectory(prefix="edgert-sweep-") as folder:
        build = Path(folder)
        compile_reference(build / "reference")
        objects: list[Path] = []
        if sources is not None:
            objects = sweep_peer.compile_library(sources, load_board(board_id), build / "peer")
        with ProcessPoolExecutor(JOBS) as pool:
            records = []
            for record in pool.map(partial(measure, build, board_id, objects), chosen):
                records.append(record)
                progress()
    return {"board": board_id, "summary": summary(records), "layers": records}


def summary(records: Sequence[Record]) -> Record:
    """The numbers to publish: overall and per kind."""
    kinds = sorted({r["kind"] for r in records})
    return {"all": _group(records), **{k: _group([r for r in records if r["kind"] == k]) for k in kinds}}


def _group(records: Sequence[Record]) -> Record:
    densest = sorted(records, key=lambda r: -r["instructions_per_mac"])[:WORST]
    group: Record = {
        "layers": len(records),
        "all_same_as_reference": all(r["same_as_reference"] for r in records),
        "mean_instructions_per_mac": _mean([r["instructions_per_mac"] for r in records]),
        "worst_instructions_per_mac": [[r["name"], r["instructions_per_mac"]] for r in densest],
    }
    compared = sorted((r for r in records if "ratio" in r), key=lambda r: -r["ratio"])
    if compared:
        group |= {
            "compared": len(compared),
            "mean_ratio": _mean([r["ratio"] for r in compared]),
            "mean_cycle_ratio": _mean(
                [r["modelled_cycles"] / r["peer"]["modelled_cycles"] for r in compared]
            ),
            "worst_ratio": compared[0]["ratio"],
            "worst": [[r["name"], r["ratio"]] for r in compared[:WORST]],
            "above_half": sum(r["ratio"] > 0.5 for r in compared),
            "above_one": sum(r["ratio"] > 1 for r in compared),
            "peer_same_as_reference": sum(r["peer"]["same_as_reference"] for r in compared),
            "mean_ram_ratio": _mean([r["arena_bytes"] / r["peer"]["ram_bytes"] for r in compared]),
            "worst_ram_ratio": round(max(r["arena_bytes"] / r["peer"]["ram_bytes"] for r in compared), 3),
            "largest_scratch_bytes": max(r["scratch_bytes"] for r in compared),
            "largest_peer_buffer_bytes": max(r["peer"]["buffer_bytes"] for r in compared),
            "more_scratch_than_peer": sum(r["scratch_bytes"] > r["peer"]["buffer_bytes"] for r in compared),
        }
    return group


def _mean(ratios: Sequence[float]) -> float:
    """Geometric."""
    return round(math.exp(sum(map(math.log, ratios)) / len(ratios)), 3)


def to_json(result: Mapping[str, Any]) -> str:
    """One line per layer."""
    rows = ",\n".join(f"  {json.dumps(record)}" for record in result["layers"])
    frame = json.dumps({**result, "layers": []}, indent=1)
    return frame.replace('"layers": []', f'"layers": [\n{rows}\n ]') + "\n"


def markdown(result: Mapping[str, Any]) -> str:
    """docs/sweep.md."""
    groups: Mapping[str, Record] = result["summary"]
    compared = "mean_ratio" in groups["all"]
    shrunk = sum(bool(r["shrunk_from"]) for r in result["layers"])
    lines = [
        "# Layers of networks that the kernels were not written for",
        "",
        "Written by `python tools/sweep.py --write`; every layer is in [sweep.json](sweep.json).",
        "",
        f"{len(result['layers'])} distinct layer shapes of MobileNet, MobileNetV2, ResNet, DS-CNN, FBNet and",
        f"MCUNet-like networks, with made-up weights, on {result['board']}. {shrunk} of them are smaller",
        f"images than in their networks, to stay near {MAX_MACS:,} multiply-accumulates;",
        f"{len(result['left_out'])} with more than {MAX_WEIGHTS:,} bytes of weights are left out.",
        "Instructions are counted exactly, of the layer alone.",
        "",
    ]
    head = ["layers", "same bytes as `ref`", "instructions per MAC, mean", "worst"]
    if compared:
        head += ["ratio to CMSIS-NN, mean", "worst", "above 0.5", "modelled cycles, mean ratio"]
        lines += [
            "The ratio is our instructions to those of CMSIS-NN (`arm_convolve_wrapper_s8`,",
            "`arm_depthwise_conv_wrapper_s8`, `arm_fully_connected_s8`), version 4.0.0, from the same",
            "compiler at -O3. Means are geometric.",
            "",
        ]
    lines += [_row(["", *head]), _row(["---"] * (len(head) + 1))]
    lines += [_row([kind, *_cells(group, compared)]) for kind, group in groups.items()]
    if compared:
        lines += [
            "",
            f"The {WORST} worst ratios of each kind:",
            "",
            _row(["layer", "ratio"]),
            _row(["---"] * 2),
        ]
        kinds = [group for kind, group in groups.items() if kind != "all"]
        lines += [_row([name, f"{ratio:.3f}"]) for group in kinds for name, ratio in group["worst"]]
        every = groups["all"]
        lines += [
            "",
            f"RAM with input and output: {every['mean_ram_ratio']:.3f} of the library's in the mean,",
            f"{every['worst_ram_ratio']:.3f} in the worst layer. Of it, ours is at most"
            f" {every['largest_scratch_bytes']:,} bytes of scratch,",
            f"theirs {every['largest_peer_buffer_bytes']:,} of context buffer; our scratch is the larger in",
            f"{every['more_scratch_than_peer']} of {every['compared']} layers; the library's own run",
            f"faulted in the emulator in {every['layers'] - every['compared']}, which the ratios leave out.",
        ]
    return "\n".join(lines) + "\n"


def _cells(group: Record, compared: bool) -> list[str]:
    same = "all" if group["all_same_as_reference"] else "no"
    worst = group["worst_instructions_per_mac"][0][1]
    cells = [str(group["layers"]), same, f"{group['mean_instructions_per_mac']:.2f}", f"{worst:.2f}"]
    if compared:
        cells += [f"{group['mean_ratio']:.3f}", f"{group['worst_ratio']:.3f}", str(group["above_half"])]
        cells.append(f"{group['mean_cycle_ratio']:.3f}")
    return cells


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--board", default=BOARD, help=f"an emulated board ({BOARD})")
    parser.add_argument("--limit", type=int, help="only about N layers, spread over the list")
    parser.add_argument("--only", default="", help="only layers whose name contains this")
    parser.add_argument("--peer", type=Path, help="CMSIS-NN sources; otherwise those in an installed bakenn")
    parser.add_argument("--no-peer", action="store_true", help="leave the comparison out")
    parser.add_argument("--write", action="store_true", help="refresh docs/sweep.json and docs/sweep.md")
    given = parser.parse_args()
    wanted, left_out = layers()
    chosen = [layer for layer in wanted if given.only in layer.name]
    if given.limit:
        chosen = chosen[:: max(1, len(chosen) // given.limit)]
    sources = None if given.no_peer else given.peer or sweep_peer.find_sources()
    if sources is None:
        print("no CMSIS-NN: its columns are left out (pip install bakenn==1.0.0)", file=sys.stderr)
    result = sweep(chosen, given.board, sources, lambda: print(".", end="", file=sys.stderr, flush=True))
    result["left_out"] = [layer.name for layer in left_out]
    text = markdown(result)
    print(f"\n{text}", file=sys.stderr)
    data = to_json(result)
    print(data, end="")
    if given.write:
        (ROOT / "docs" / "sweep.json").write_text(data)
        (ROOT / "docs" / "sweep.md").write_text(text)
    return 0 if result["summary"]["all"]["all_same_as_reference"] else 1


if __name__ == "__main__":
    sys.exit(main())
