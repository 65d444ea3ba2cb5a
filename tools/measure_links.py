"""What the links to a board do and cost, as JSON: `python tools/measure_links.py MODELS [--write]`.

boards: every QEMU board and Linux program, each model that fits: whether the outputs are the reference's.
counts: instructions per layer, QEMU's against Unicorn's. overhead: what driving a run adds to the model's own
time, and how fast tensors move. faults: results under bit flips, lost, repeated and inserted bytes.
MODELS: the folder of the MLPerf Tiny models. --write: into docs/links.json and docs/links.md, too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from faulty_stream import FaultyStream

import edgert
from edgert.board import list_boards, load_board
from edgert.cli.console import say
from edgert.cli.inputs import random_input
from edgert.cli.reference import Reference
from edgert.drivers.mailbox import Region
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.stream import Stream, start_process
from edgert.errors import DoesNotFitError, EdgertError
from edgert.report.tables import Column, markdown

ROOT = Path(__file__).resolve().parents[1]
JSON, MARKDOWN = ROOT / "docs" / "links.json", ROOT / "docs" / "links.md"
MODELS = ("kws_int8.tflite", "ic_resnet8_int8.tflite", "vww_int8.tflite", "ad01_int8.tflite")
SERIAL = ("mps2-an386", "virt-rv32")
INPUTS = 5
COUNTED = "mps2-an386"
REPEATED = 20
FAULTS = (("gdb", 0.05, 7500), ("serial", 0.02, 2600))  # link, probability in each chunk, how many
BLOCK_BYTES = 8192


def emulated_boards() -> list[tuple[str, str]]:
    """(board, link) of all that a program on this machine stands in for."""
    boards = [load_board(name) for name in list_boards()]
    drivers = [(b.id, b.driver) for b in boards if b.driver in ("gdb", "linux") and b.verified == "emulated"]
    return [*drivers, *((name, "serial") for name in SERIAL)]


def check_board(board: str, link: str, model: Path) -> dict[str, Any]:
    """Whether a model's outputs are the reference's, for some random inputs."""
    say(f"{model.name} on {board} by {link}")
    row: dict[str, Any] = {"board": board, "link": link, "model": model.name}
    try:
        artifact = edgert.compile(model, board=board)
    except DoesNotFitError as error:
        return {**row, "refused": error.what}
    reference = Reference(model.read_bytes())
    with edgert.connect(artifact, link=link) as session:
        same = 0
        for seed in range(INPUTS):
            inputs = [random_input(port, seed) for port in artifact.report["inputs"]]
            pairs = zip(session.run(*inputs), reference.run(inputs), strict=True)
            same += all(np.array_equal(a, b) for a, b in pairs)
    return {**row, "inputs": INPUTS, "same_bytes": same}


def compare_counts(model: Path) -> dict[str, Any]:
    artifact = edgert.compile(model, board=COUNTED)
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    counts = []
    for link in ("gdb", "unicorn"):
        with edgert.connect(artifact, link=link) as session:
            counts.append([layer.instructions for layer in session.profile(*inputs).layers])
    return {
        "board": COUNTED,
        "model": model.name,
        "qemu": sum(c or 0 for c in counts[0]),
        "unicorn": sum(c or 0 for c in counts[1]),
        "layers": len(counts[0]),
        "layers_equal": sum(a == b for a, b in zip(*counts, strict=True)),
    }


def measure_overhead(model: Path, board: str, link: str) -> dict[str, Any]:
    """The model's own time is the slope over many runs in a row; the medians of several tries."""
    artifact = edgert.compile(model, board=board)
    inputs = [random_input(port, 0) for port in artifact.report["inputs"]]
    with edgert.connect(artifact, link=link) as session:
        assert isinstance(session, MailboxSession)
        session.run(*inputs)

        def timed(repetitions: int) -> float:
            start = time.monotonic()
            session.time(*inputs, repetitions=repetitions, timeout_s=60)
            return time.monotonic() - start

        own = np.median([(timed(1 + REPEATED) - timed(1)) / REPEATED for _ in range(5)])
        whole = []
        for _ in range(11):
            start = time.monotonic()
            session.run(*inputs)
            whole.append(time.monotonic() - start)
        moved = transfer(session)
    return {
        "model": model.name, "board": board, "link": link,
        "run_ms": round(1e3 * float(np.median(whole)), 2), "model_ms": round(1e3 * float(own), 2),
        "overhead_ms": round(1e3 * float(np.median(whole) - own), 2), **moved,
    }  # fmt: skip


def transfer(session: MailboxSession) -> dict[str, int]:
    """Bytes a second into and out of the arena."""
    link = session._link
    nbytes = min(BLOCK_BYTES, session.report["arena_bytes"])
    data = bytes(range(256)) * (nbytes // 256)
    start = time.monotonic()
    link.write(Region.ARENA, 0, data)
    middle = time.monotonic()
    assert link.read(Region.ARENA, 0, len(data)) == data
    end = time.monotonic()
    return {
        "write_bytes_per_s": round(len(data) / (middle - start)),
        "read_bytes_per_s": round(len(data) / (end - middle)),
    }


def inject_faults(model: Path, link: str, probability: float, faults: int) -> dict[str, Any]:
    """Run a model over a spoiled link until there were so many faults; no result may be wrong."""
    say(f"{faults} faults on {link}")
    artifact = edgert.compile(model, board=COUNTED)
    reference = Reference(model.read_bytes())
    streams: list[FaultyStream] = []

    def start(argv: list[str]) -> Stream:
        streams.append(FaultyStream(start_process(argv), len(streams), 0.0))
        return streams[-1]

    right = wrong = 0
    errors: Counter[str] = Counter()
    driver = {"gdb": "gdb_board", "serial": "serial_board"}[link]
    with (
        patch(f"edgert.drivers.{driver}.start_process", start),
        edgert.connect(artifact, link=link) as session,
    ):
        while sum(sum(s.faults.values()) for s in streams) < faults:
            streams[-1].probability = probability  # the firmware is loaded over a good line
            inputs = [random_input(port, right + wrong) for port in artifact.report["inputs"]]
            try:
                pairs = zip(session.run(*inputs, timeout_s=5), reference.run(inputs), strict=True)
                same = all(np.array_equal(a, b) for a, b in pairs)
                right, wrong = right + same, wrong + (not same)
            except EdgertError as error:
                errors[type(error).__name__] += 1
    kinds = sum((s.faults for s in streams), Counter[str]())
    return {
        "link": link, "model": model.name, "faults": sum(kinds.values()), "kinds": dict(kinds),
        "chunks": sum(s.chunks for s in streams), "results_right": right, "results_wrong": wrong,
        "errors": dict(errors),
    }  # fmt: skip


def measure(models: Path, faults: int) -> dict[str, Any]:
    paths = [models / name for name in MODELS]
    return {
        "command": "python tools/measure_links.py MODELS --write",
        "boards": [check_board(b, link, path) for b, link in emulated_boards() for path in paths],
        "counts": [compare_counts(path) for path in paths],
        "overhead": [
            measure_overhead(paths[0], board, link)
            for board, link in ((COUNTED, "gdb"), (COUNTED, "serial"), ("virt-rv32", "gdb"))
        ],
        "faults": [
            inject_faults(paths[3], link, probability, min(count, faults))
            for link, probability, count in FAULTS
        ],
    }


def document(found: dict[str, Any]) -> str:
    """docs/links.md, from the figures."""
    boards: dict[tuple[str, str], list[str]] = {}
    for row in found["boards"]:
        cell = row.get("refused") or f"{row['same_bytes']} of {row['inputs']}"
        boards.setdefault((row["board"], row["link"]), []).append(cell)
    short = [name.split("_")[0].removesuffix("01") for name in MODELS]
    tables = [
        markdown(
            [Column("board"), Column("link"), *map(Column, short)], [[*k, *v] for k, v in boards.items()]
        ),
        _table(found["counts"]),
        _table(found["overhead"]),
        _table(
            [
                {**row, "kinds": _words(row["kinds"]), "errors": _words(row["errors"])}
                for row in found["faults"]
            ]
        ),
    ]
    return _TEXT.format(*tables)


def _table(rows: list[dict[str, Any]]) -> str:
    columns = [Column(key.replace("_", " "), not isinstance(rows[0][key], str)) for key in rows[0]]
    return markdown(columns, [[_cell(value) for value in row.values()] for row in rows])


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{key} {value:,}" for key, value in counts.items()) or "none"


_TEXT = """# Links, measured

Written by `python tools/measure_links.py MODELS --write`; the figures are in [links.json](links.json).

## Every emulated board, every model that fits
How many of the random inputs gave the bytes of the reference interpreter.

{}

## Instructions: QEMU's against Unicorn's
The same firmware; QEMU counts with a plugin, Unicorn by blocks. Per layer.

{}

## What driving a run adds
`run ms`: a whole `session.run` from Python. `model ms`: the model alone, the slope over runs in a row.

{}

## A link that spoils what goes over it
Each fault flips up to 4 bits of a chunk, drops, repeats or inserts up to 4 bytes, or loses it whole, either
way. A result is what `run` returned; an error is one that it raised.

{}
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--faults", type=int, default=1 << 30, help="at most, for each link")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, patch.dict("os.environ", {"EDGERT_CACHE": scratch}):
        found = measure(args.models, args.faults)
    text = json.dumps(found, indent=1) + "\n"
    if args.write:
        JSON.write_text(text, encoding="utf-8")
        MARKDOWN.write_text(document(found), encoding="utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
