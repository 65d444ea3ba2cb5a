"""A binary network trained without and with trees in its loss: accuracy against work, in bits and in words.

    python tools/compare_trees.py --data DATA -o FOLDER --seed 0 [--only bits-0.5]
    python tools/compare_trees.py -o FOLDER --report [--write]

The first trains every arm for a seed, which takes hours, and goes on where it was stopped; the second says
what is there.

With --report, the inner layers of each network of seed 0 are also counted on the emulated Cortex-M4: by the
default kernel, by counting equal bits of all words, and by the word tree, whether that pays or not.
The network is Cnv of a half width. --write puts the report into docs/trees.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edgert.cache import write_aside

ROOT = Path(__file__).parents[1]
BOARD = "cortex-m4-emulated"
WIDTH, EPOCHS, IMAGES, RATE = 32, 20, 10_000, 0.4
ARMS: tuple[tuple[str, float], ...] = (
    ("bits", 0.0), ("bits", 0.25), ("bits", 0.4), ("bits", 0.5), ("bits", 2.0), ("bits", 8.0),
    ("words", 1.0), ("words", 4.0), ("words", 16.0),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="arms, as bits-2")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    if not args.report:
        for unit, strength in ARMS:
            if not args.only or f"{unit}-{strength:g}" in args.only:
                _run(args.data, args.output, args.seed, unit, strength)
    if args.report:
        for path in sorted(args.output.glob("*-0.json")):
            _count(path)
    text = json.dumps(_report(args.output), indent=1) + "\n"
    if args.write:
        write_aside(ROOT / "docs" / "trees.json", text.encode())
    print(text, end="")
    return 0


def _run(source: str, folder: Path, seed: int, unit: str, strength: float) -> None:
    import torch

    from edgert.models.bnn.export import check, save_npz
    from edgert.models.bnn.nets import Cnv
    from edgert.models.bnn.trees import TreeLoss
    from edgert.models.data import load
    from edgert.models.train import Recipe, accuracy, train

    name = f"{unit}-{strength:g}-{seed}"
    made = folder / f"{name}.json"
    if made.is_file():
        return
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    data = load(source)
    net = Cnv(width=WIDTH)
    recipe = Recipe(epochs=EPOCHS, peak_rate=RATE, weight_decay=0.0, images=IMAGES, seed=seed)
    train(
        net, data, recipe, checkpoint=folder / f"{name}.pt",
        loss=TreeLoss(net, strength, unit),  # type: ignore[arg-type]  # one of its two
        say=lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True),
    )  # fmt: skip
    path = folder / f"{name}.npz"
    save_npz(net, path)
    check(net, path, data.test_images[:100])
    row = {"arm": f"{unit}-{strength:g}", "seed": seed, "unit": unit, "strength": strength} | _works(path)
    row["accuracy"] = round(100 * accuracy(net, data.test_images, data.test_labels), 2)
    write_aside(made, json.dumps(row).encode())


def _count(path: Path) -> None:
    """Into the row: instructions of the inner layers on the emulated Cortex-M4, kernel by kernel."""
    import tempfile

    from edgert import api
    from edgert.codegen.kernels import binary_tree
    from edgert.codegen.pipeline import compile_to_program

    row = json.loads(path.read_text())
    if "instructions" in row:
        return
    program = compile_to_program(path.with_suffix(".npz").read_bytes(), "net")
    names = [step.name for step in program.steps if step.op == "conv2d_b1"][:5]
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    binary_tree.MARGIN = 1e9  # also where it does not pay
    row["instructions"] = {}
    for label in ("sliced32", "xnor", "tree"):
        labels = dict.fromkeys(names, label)
        with tempfile.TemporaryDirectory() as folder:
            artifact = api.compile_program(
                program, Path(folder), board=BOARD, labels=labels, optimize="speed"
            )
            with api.connect(artifact) as session:
                layers = {layer.name: layer for layer in session.profile(image).layers}
        row["instructions"][label] = [layers[name].instructions for name in names]
    write_aside(path, json.dumps(row).encode())


def _works(path: Path) -> dict[str, Any]:
    """Work that trees leave of the inner layers' dense work, weighted by the positions of a map."""
    from edgert.codegen.kernels.bits import pack_bits
    from edgert.codegen.mst import distances, spanning_tree, word_distances

    with np.load(path) as archive:
        arrays = dict(archive)
    total = {"bits": [0, 0], "words": [0, 0]}
    each: dict[str, list[float]] = {"bits": [], "words": []}
    for i, positions in zip(range(1, 6), (28**2, 12**2, 10**2, 3**2, 1), strict=True):
        kernel, cin, cout = (int(arrays[key][i]) for key in ("kernel", "cin", "cout"))
        taps = kernel * kernel * cin
        bits = np.unpackbits(arrays[f"w{i}"], axis=1, bitorder="little", count=taps)
        words = pack_bits(bits.reshape(cout, kernel, kernel, cin)).reshape(cout, -1)
        differ, turned = distances(bits)
        for unit, tree, whole in (
            ("bits", spanning_tree(differ, taps, turned), taps),
            ("words", spanning_tree(word_distances(words), words.shape[1]), words.shape[1]),
        ):
            each[unit].append(round(tree.cost / (whole * cout), 4))
            total[unit][0] += tree.cost * positions
            total[unit][1] += whole * cout * positions
    return {
        unit: {"layers": each[unit], "network": round(done / dense, 4)}
        for unit, (done, dense) in total.items()
    }


def _report(folder: Path) -> dict[str, Any]:
    rows = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    rows.sort(key=lambda row: (row["unit"], row["strength"], row["seed"]))
    arms = {}
    for arm in dict.fromkeys(row["arm"] for row in rows):
        of = [row for row in rows if row["arm"] == arm]
        arms[arm] = {
            "seeds": len(of),
            "accuracy": round(float(np.mean([row["accuracy"] for row in of])), 2),
            "bits": round(float(np.mean([row["bits"]["network"] for row in of])), 4),
            "words": round(float(np.mean([row["words"]["network"] for row in of])), 4),
            "instructions": {
                label: sum(counts) for row in of for label, counts in row.get("instructions", {}).items()
            },
        }
    return {
        "command": "python tools/compare_trees.py -o FOLDER --report --write, after one run for each seed",
        "network": f"cnv, width {WIDTH}", "epochs": EPOCHS, "images": IMAGES, "arms": arms, "runs": rows,
    }  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
