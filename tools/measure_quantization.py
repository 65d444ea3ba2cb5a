"""MLPerf Tiny's float image classification network, quantized by us: accuracy on the 10,000 test images.

The float network is judged by LiteRT, the int8 ones by the C that edgert makes of them. The way to choose
ranges is found by edgert, from the same 200 training images; beside it, what the others would have given.

    python tools/measure_quantization.py MODELS DATA [--write]

MODELS: the folder with ic_resnet8_fp32.tflite and ic_resnet8_int8.tflite. DATA: CIFAR-10, see
edgert.models.data. --write puts the result into docs/quantization.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import edgert
from edgert.cache import write_aside
from edgert.codegen.quantize.options import RANGES
from edgert.codegen.quantize.ranges import to_int8
from edgert.models.data import Array, Data, load
from edgert.network import Network

ROOT = Path(__file__).parents[1]
IMAGES, SEED = 200, 0
FLOAT = {"dtype": "float32"}
Run = Callable[[Array], Array]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("data")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    data = load(args.data)
    order = np.random.default_rng(SEED).permutation(len(data.train_images))
    calibration = list(data.train_images[np.sort(order[:IMAGES])].astype(np.float32))
    float_network = edgert.load(args.models / "ic_resnet8_fp32.tflite")
    quantized = float_network.quantize(calibration)
    ways = {
        way: {
            "output_snr_db": round(quantized.tried[way], 2),
            "test_images": _of_c(
                way, float_network.quantize(calibration, ranges=way), data, args.test_images
            ),
        }
        for way in RANGES
    }
    theirs = edgert.load(args.models / "ic_resnet8_int8.tflite")
    float_file = (args.models / "ic_resnet8_fp32.tflite").read_bytes()
    rows = {
        "float32": _accuracy("float32", _interpreted(float_file), FLOAT, data, args.test_images),
        "int8 that came with it": _of_c("theirs", theirs, data, args.test_images),
        "int8 by edgert": ways[quantized.ranges]["test_images"],
    }
    result = {
        "command": "python tools/measure_quantization.py MODELS DATA --write",
        "calibration_images": IMAGES, "seed": SEED, "test_images": args.test_images, "accuracy": rows,
        "ranges": quantized.ranges, "tried": ways,
        "least_snr_db": round(min(layer.snr_db for layer in quantized.layers), 1),
    }  # fmt: skip
    text = json.dumps(result, indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "quantization.json", text.encode())
    print(text, end="")
    return 0


def _interpreted(model: bytes) -> Run:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    (x,), (y,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run(values: Array) -> Array:
        interpreter.set_tensor(x["index"], values)
        interpreter.invoke()
        result: Array = interpreter.get_tensor(y["index"])
        return result

    return run


def _of_c(name: str, network: Network, data: Data, count: int) -> float:
    artifact = edgert.compile(network, board="host")
    with edgert.connect(artifact) as session:
        return _accuracy(name, lambda x: session.run(x)[0], artifact.report["inputs"][0], data, count)


def _accuracy(name: str, run: Run, port: Mapping[str, Any], data: Data, count: int) -> float:
    right = 0
    for number, (image, label) in enumerate(zip(data.test_images[:count], data.test_labels, strict=False)):
        right += int(run(_input(image, port)).argmax() == label)
        if number % 1000 == 999:
            print(f"{name}: {right} of {number + 1}", file=sys.stderr, flush=True)
    return right / count


def _input(image: Array, port: Mapping[str, Any]) -> Array:
    """The network reads pixels."""
    real = image.astype(np.float32)[None]
    if port["dtype"] == "float32":
        return real
    return to_int8(real, port["scale"], port["zero_point"])


if __name__ == "__main__":
    raise SystemExit(main())
