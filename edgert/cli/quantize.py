"""edgert quantize: a float model to an int8 one, and which layers it hurts."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from edgert.cli.console import Progress, add_json, emit, emit_json, say
from edgert.report.tables import Column, label, number, text

_COLUMNS = (
    Column("layer"), Column("operator"), Column("scale", right=True), Column("zero", right=True),
    Column("signal/noise dB", right=True), Column("lost here dB", right=True),
)  # fmt: skip
_HURTS_DB = 3.0  # a layer that loses more than half of the signal to noise


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a float .tflite, .onnx or .pt2")
    parser.add_argument("--data", required=True, metavar="PATH", help="a folder of images, or .npy [n, ...]")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="default: MODEL_int8.tflite")
    parser.add_argument("--count", type=int, default=200, metavar="N", help="inputs to use; default 200")
    parser.add_argument("--seed", type=int, default=0, help="which of them; default 0")
    parser.add_argument("--mean", type=float, nargs="+", default=[0.0], help="of pixels 0-255; default 0")
    parser.add_argument("--std", type=float, nargs="+", default=[255.0], help="of pixels 0-255; default 255")
    parser.add_argument(
        "--channels-last", action="store_true", help="the new model reads NHWC, whatever this one does"
    )
    parser.add_argument(
        "--ranges", choices=("auto", "mse", "percentile", "minmax"), default="auto", help="default: auto"
    )
    parser.add_argument(
        "--percentile", type=float, default=99.99, help="with --ranges percentile; default 99.99"
    )
    parser.add_argument(
        "--equalize", action="store_true", help="balance the weights of neighbouring layers first"
    )
    parser.add_argument("--no-bias-correction", action="store_true")
    parser.add_argument("--float-interface", action="store_true", help="inputs and outputs stay float32")
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    from edgert.calibration import read
    from edgert.network import load

    with Progress(f"reading {Path(args.model).name}"):
        network = load(args.model, channels_last=args.channels_last)
    shape = network.input_shapes[0]
    with Progress(f"reading {args.data}"):
        data = read(args.data, shape, count=args.count, seed=args.seed, mean=args.mean, std=args.std)
    with Progress("quantizing") as progress:
        quantized = network.quantize(
            data, progress=progress.step, ranges=args.ranges, percentile=args.percentile,
            equalize=args.equalize, correct_bias=not args.no_bias_correction,
            float_interface=args.float_interface,
        )  # fmt: skip
    output = args.output or Path(args.model).with_name(f"{Path(args.model).stem}_int8.tflite")
    quantized.save(output)
    rows = [_row(layer) for layer in quantized.layers]
    if args.json:
        emit_json({"output": str(output), "inputs": len(data), "ranges": quantized.ranges, "layers": rows})
        return 0
    emit(text(_COLUMNS, [_cells(row) for row in rows]))
    hurt = [label(row["name"]) for row in rows if row["lost_db"] > _HURTS_DB]
    say(f"edgert: wrote {output}, from {len(data)} inputs, ranges by {quantized.ranges}")
    if hurt:
        say(f"edgert: most is lost in {', '.join(hurt[:5])}; keep_float= in Python leaves a layer in float32")
    return 0


def _row(layer: Any) -> dict[str, Any]:
    snr = None if math.isinf(layer.snr_db) else round(layer.snr_db, 1)
    return {
        "name": layer.name, "op": layer.op, "scale": layer.scale, "zero_point": layer.zero_point,
        "snr_db": snr, "lost_db": round(layer.lost_db, 1),
    }  # fmt: skip


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        label(row["name"]), row["op"], f"{row['scale']:.6f}", str(row["zero_point"]),
        number(row["snr_db"], 1), number(row["lost_db"], 1),
    ]  # fmt: skip
