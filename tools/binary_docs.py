"""The generated parts of docs/binary.md, from docs/binary.json, docs/trees.json and docs/unrolled.json."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgert.report.tables import Column, markdown, number

ROOT = Path(__file__).resolve().parents[1]


def instructions() -> str:
    """Per binary MAC, board by board: the default kernel, words counted, and our int8 kernels."""
    layers = result("binary.json")["instructions_per_mac"]
    boards = [name for name in layers[0] if name != "layer"]
    columns = (Column("3x3 layer"), *(Column(board, True) for board in boards))
    rows = [(r["layer"].removeprefix("3x3, "), *(_beside(r[board]) for board in boards)) for r in layers]
    key = "Instructions per binary MAC: default; words counted (`xnor`); int8, and how many times as many."
    return f"{markdown(columns, rows)}\n\n{key}"


def _beside(counts: dict[str, float]) -> str:
    int8 = f"{counts['int8']:.2f}, {counts['int8_over_binary']:.1f}x"
    return f"{counts['binary']:.3f}; {counts['xnor']:.3f}; {int8}"


def cnv() -> str:
    found = result("binary.json")
    network, host = found["cnv_w1a1"], found["host"]
    columns = (
        Column("CNV-W1A1, Cortex-M4"),
        Column("MAC", True),
        Column("instructions", True),
        Column("per MAC", True),
    )
    rows = [
        (r["layer"], number(r["macs"]), number(r["instructions"]), f"{r.get('instructions_per_mac', 0):.3f}")
        for r in network["layers"]
        if r["macs"]
    ]
    rows.append(
        ("network", number(sum(r["macs"] for r in network["layers"])), number(network["instructions"]), "")
    )
    sizes = f"arena {number(network['arena_bytes'])} bytes, flash {number(network['flash_bytes'])}"
    times = ", ".join(f"{name} {ms:.3f} ms" for name, ms in host["ms"].items())
    bound = "exclusive or, population count and add alone, over as many words in the first cache"
    return (
        f"{markdown(columns, rows)}\n\nMean of {network['images']} images; {sizes}.\n\n"
        f"On an x86 host, {host['layer']} ({number(host['macs'])} MAC): {times}; "
        f"{bound}: {host['bound_ms']:.3f} ms."
    )


def trees() -> str:
    found = result("binary.json")
    columns = (Column("words that differ", True), Column("instructions per MAC by the tree", True))
    rows = [(f"{r['share_of_words']:.0%}", f"{r['tree']:.3f}") for r in found["trees"]["rows"]]
    dense = found["instructions_per_mac"][0]["cortex-m4-emulated"]
    return (
        f"{markdown(columns, rows)}\n\n{found['trees']['layer']}, {found['trees']['board']}; dense "
        f"{dense['binary']:.3f}, words counted {dense['xnor']:.3f}."
    )


def logic() -> str:
    found = result("unrolled.json")
    families = list(found["luts"]["dense"])
    columns = (Column(found["layer"]), Column("bits", True), *(Column(f"LUTs, {f}", True) for f in families))
    return markdown(columns, [
        (how, f"{found['share_of_bits'][how]:.1%}", *(number(found["luts"][how][f]) for f in families))
        for how in found["luts"]
    ])  # fmt: skip


def training() -> str:
    found = result("trees.json")
    columns = (
        Column("loss"), Column("seeds", True), Column("accuracy", True), Column("bits left", True),
        Column("words left", True), Column("default", True), Column("words counted", True),
        Column("tree", True),
    )  # fmt: skip
    rows = [
        (
            arm.replace("-", ", strength "), str(of["seeds"]), f"{of['accuracy']:.2f} %", f"{of['bits']:.1%}",
            f"{of['words']:.1%}", *(number(n) for n in of["instructions"].values()),
        )
        for arm, of in found["arms"].items()
    ]  # fmt: skip
    what = f"{found['network']}, {found['epochs']} epochs of {number(found['images'])} images of CIFAR-10"
    key = "bits with complements, weighted by the positions of each map"
    counted = "Instructions on the Cortex-M4 for the five inner layers of seed 0, kernel by kernel."
    return f"{markdown(columns, rows)}\n\n{what}; {key}. {counted}"


def result(name: str) -> dict[str, Any]:
    """What a tool wrote; nothing where it was not run yet."""
    found: dict[str, Any] = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))
    return found


GENERATORS: dict[str, Callable[[], str]] = {
    "binary-instructions": instructions,
    "binary-cnv": cnv,
    "binary-trees": trees,
    "binary-logic": logic,
    "binary-training": training,
}
