"""Bundles what a search found: writes edgert/demo/.

    edgert search --board cortex-m4-emulated --data cifar10_jpeg.tar.xz ... -o found/
    python tools/make_demo.py found/ --data cifar10_jpeg.tar.xz --command "edgert search ..."

Adds a softmax to the network that was trained, quantizes it, counts right answers and writes the card.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import edgert
from edgert.cache import write_aside
from edgert.models.data import Array, load
from edgert.models.fbnet import FBNet
from edgert.models.train import accuracy
from edgert.search.candidate import measured, quantized
from edgert.search.space import space

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "edgert" / "demo"
FILE = "cifar10_small.tflite"
BOARD = "cortex-m4-emulated"
SELF = "python tools/make_demo.py found/ --data cifar10_jpeg.tar.xz --command ..."
CARD = """\
# {file}

{summary}. Input: int8 [1, 32, 32, 3], pixel - 128. Output: int8 [1, 10], probability = (q + 128) / 256.

| | |
| --- | --- |
| data | CIFAR-10 (A. Krizhevsky, 2009), JPEG copies; {test_images:,} test images |
| accuracy, float32 | {float_accuracy:.2%} |
| accuracy, int8, this file | {int8_accuracy:.2%} |
| cycles on {board}, modelled | {cycles:,} |
| SRAM, flash of the firmware there | {arena_bytes:,}, {flash_bytes:,} bytes |
| drawn pictures in images.npz that it gets right | {drawn_right} of {drawn} |
| file | {file_bytes:,} bytes |
| pictures made by | `python tools/make_demo_images.py`: drawn by us, none left out |

Found by our own search, within {limits}, and trained for {epochs} epochs
with seed {seed}. The test images had no say in it:

```sh
{made_by}
```

Architecture: {blocks}; average pool, dense,
softmax. Quantization: after training, with 200 training images, ranges by {ranges}.
Limits: a demonstration, trained on two cores. Not for any use where a wrong answer matters.
"""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("found", type=Path, help="the folder that edgert search wrote")
    parser.add_argument("--data", required=True)
    parser.add_argument("--command", required=True, help="how it was found, for the card")
    args = parser.parse_args()
    data = load(args.data)
    found = json.loads((args.found / "card.json").read_text(encoding="utf-8"))
    searched = space(found["space"])
    blocks = searched.blocks(found["result"]["choice"].split())
    net = FBNet(blocks, searched.classes)
    net.load_state_dict(torch.load(args.found / "final.pt", weights_only=True)["net"])
    whole = nn.Sequential(net, nn.Softmax(-1)).eval()
    network = quantized(whole, data, "demo", seed=found["recipe"]["seed"])
    model = network.to_tflite()
    artifact = edgert.compile(model, board=BOARD, name="demo")
    cycles, _ = measured(artifact)
    right = right_answers(model, data.test_images, data.test_labels)
    with np.load(DEMO / "images.npz") as drawn:
        drawn_right = right_answers(model, drawn["images"], drawn["labels"])
    parameters = sum(p.numel() for p in net.parameters())
    facts: dict[str, Any] = {
        "file": FILE,
        "summary": f"CIFAR-10, 32x32x3, {parameters:,} parameters, {artifact.report['macs'] / 1e6:.2f} M MAC",
        "classes": list(data.classes), "parameters": parameters, "macs": artifact.report["macs"],
        "file_bytes": len(model),
        "float_accuracy": round(accuracy(net, data.test_images, data.test_labels), 4),
        "int8_accuracy": round(float(right.mean()), 4), "int8_right_of_first_1000": int(right[:1000].sum()),
        "test_images": len(right), "board": BOARD, "cycles": cycles,
        "arena_bytes": artifact.arena_bytes, "flash_bytes": artifact.flash_bytes,
        "ranges": network.ranges, "drawn": len(drawn_right), "drawn_right": int(drawn_right.sum()),
        "limits": found["limits"], "choice": found["result"]["choice"],
        "seed": found["recipe"]["seed"], "epochs": found["recipe"]["epochs"],
        "made_by": f"{args.command}\n{SELF}",
    }  # fmt: skip
    write_aside(DEMO / FILE, model)
    write_aside(DEMO / "card.json", (json.dumps(facts, indent=1) + "\n").encode())
    limits = ", ".join(
        f"{value:,} {name.replace('_', ' ')}" for name, value in found["limits"].items() if value
    )
    text = CARD.format(**{**facts, "limits": limits, "blocks": ", ".join(b.text() for b in blocks)})
    write_aside(DEMO / "card.md", text.encode())
    print(json.dumps(facts, indent=1))
    return 0


def right_answers(model: bytes, images: Array, labels: Array) -> Array:
    """Which images the compiled model gets right, run as C on this machine."""
    with edgert.connect(edgert.compile(model, board="host", name="demo")) as session:
        inputs = (images.astype(np.int16) - 128).astype(np.int8)
        scores = [session.run(image[None])[0] for image in inputs]
    return np.array([int(np.argmax(s)) == label for s, label in zip(scores, labels, strict=True)])


if __name__ == "__main__":
    raise SystemExit(main())
