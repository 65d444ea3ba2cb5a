"""Every design the FPGA back end is judged by: its bytes in each back end, its cycles in each model of time.

    python tools/measure_circuits.py [MODELS] [--inputs 100] [--only NAME] [--jobs 2]     (goes on)
    python tools/measure_circuits.py [MODELS] --place [--only NAME]
    python tools/measure_circuits.py --report [--write]

Bytes: the outputs of the NumPy interpreter of the commands, of the HLS C++ and of the Verilog against those
of the reference interpreter (LiteRT's plain kernels), or against the scores that came with a binary network;
on random inputs, and on real images where the network reads such. Cycles: modelled, of the timed C++, of the
Verilog under Verilator. --place: what Yosys and nextpnr make of the designs for the small ECP5, the clock of
three placements; minutes of a processor each, and cached. Rows are kept in build/circuits.jsonl; --write puts
them into docs/circuits.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import edgert
from edgert.board import load_board
from edgert.cache import write_aside
from edgert.cli.reference import Reference
from edgert.codegen.hls import folder as files
from edgert.codegen.hls import interpret
from edgert.codegen.hls.design import Design
from edgert.codegen.program import Array
from edgert.drivers.circuit_host import Ends, as_arrays
from edgert.models import kernels
from edgert.part import load_part
from edgert.rtl import circuit, csim
from edgert.rtl.synth import synth_circuit

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "build" / "circuits.jsonl"
RESULT = ROOT / "docs" / "circuits.json"
COMMAND = (
    "python tools/measure_circuits.py MODELS && python tools/measure_circuits.py MODELS --place && "
    "python tools/measure_circuits.py --report --write"
)
PLACED = ("kws-25f", "mlp-25f")
SEEDS = (1, 2, 3)
IMAGES = 10  # real ones, of a network that reads images
Example = tuple[Array, Array]  # input, output
Measure = Callable[[str, Path, int], dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """model: a file's name in MODELS, or its bytes. batch: rows of an input that are inputs of their own."""

    board: str
    model: str | Callable[[], bytes]
    batch: int = 1


def _fbnet() -> bytes:
    """Inverted residuals: FBNet for 32x32 images, of random weights."""
    import torch

    from edgert.codegen.frontends.torch import from_module
    from edgert.models.zoo import build
    from edgert.network import Network
    from edgert.search.lower import with_assumed_ranges

    torch.manual_seed(0)
    net: Any = build("fbnet_32").eval()
    relax = from_module(net, torch.zeros(1, 3, 32, 32), "fbnet_32", channels_last=True)
    return Network("fbnet_32", with_assumed_ranges(relax)).to_tflite()


SUBJECTS = {
    "kws": Subject("ulx3s", "kws_int8.tflite"),
    "kws-25f": Subject("ulx3s-25f", "kws_int8.tflite"),
    "ic": Subject("ulx3s", "ic_resnet8_int8.tflite"),
    "cnv-w1a1": Subject("ulx3s", "cnv_w1a1.npz"),
    "fbnet": Subject("ulx3s", _fbnet),
    "mlp": Subject("ulx3s", kernels.mlp, batch=16),
    "mlp-25f": Subject("ulx3s-25f", lambda: kernels.mlp((64, 256, 512, 64)), batch=16),
    "autoencoder": Subject("ulx3s", kernels.autoencoder, batch=16),
    "gating": Subject("ulx3s", kernels.gating, batch=16),
    **{
        name: Subject("ulx3s", kernels.KERNELS[name])
        for name in ("cnn", "attention", "inverted_residual", "residual", "separable")
    },
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, nargs="?", default=ROOT.parent / "shared" / "models")
    parser.add_argument("--inputs", type=int, default=100, help="random ones, of each design")
    parser.add_argument("--only", action="append", choices=SUBJECTS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--place", action="store_true", help="clocks instead of cycles")
    parser.add_argument("--report", action="store_true", help="what was measured")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.place:
        _keep(_placed, args.only or PLACED, args, jobs=1)
        return 0
    if not args.report:
        _keep(
            _row, args.only or [name for name, row in _rows().items() if "cycles" not in row], args, args.jobs
        )
        return 0
    rows = {name: row for name, row in _rows().items() if "cycles" in row}
    result = {"command": COMMAND, **summary(rows), "designs": rows}
    if args.write:
        write_aside(RESULT, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result, indent=1))
    return 0


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The largest errors of the two models of time, in percent of the Verilog's cycles."""
    return {
        "inputs": min(row["inputs"] for row in rows.values()),
        "wrong_outputs": sum(sum(row["wrong"].values()) for row in rows.values()),
        "largest_error_percent": {
            kind: max((row["error_percent"][kind] for row in rows.values()), key=abs)
            for kind in ("modelled", "c++")
        },
    }


def _rows() -> dict[str, dict[str, Any]]:
    """What was measured last of each design."""
    if not ROWS.is_file():
        return {name: {} for name in SUBJECTS}
    found: dict[str, dict[str, Any]] = {name: {} for name in SUBJECTS}
    for line in ROWS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["name"]] |= row
    return found


def _keep(measure: Measure, names: Sequence[str], args: argparse.Namespace, jobs: int) -> None:
    ROWS.parent.mkdir(exist_ok=True)
    with ProcessPoolExecutor(jobs) as pool:
        for row in pool.map(measure, names, [args.models] * len(names), [args.inputs] * len(names)):
            with ROWS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), file=sys.stderr, flush=True)


def _row(name: str, models: Path, inputs: int) -> dict[str, Any]:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        path, artifact = _compiled(name, models, Path(scratch))
        design = files.read(artifact.folder)
        batch = SUBJECTS[name].batch
        examples = list(_examples(path, artifact, -(-inputs // batch)))
        wrong, cycles = _compared(artifact, design, examples, Path(scratch))
    fpga = artifact.report["fpga"]
    return {
        "name": name, "board": artifact.report["board"], "model": path.name, "macs": artifact.report["macs"],
        "inputs": batch * len(examples), "wrong": wrong,
        "cycles": {"modelled": fpga["cycles_modelled"], **cycles},
        "error_percent": {
            "modelled": _percent(fpga["cycles_modelled"], cycles["verilog"]),
            "c++": _percent(cycles["c++"], cycles["verilog"]),
        },
        "multipliers_busy": {
            unit: round(share * fpga["cycles_modelled"] / cycles["verilog"], 3)
            for unit, share in fpga["multipliers"].items()
        },
        "traffic_bytes": fpga["traffic"], "resources": fpga["resources"],
        "seconds": round(time.monotonic() - start),
    }  # fmt: skip


def _compiled(name: str, models: Path, scratch: Path) -> tuple[Path, edgert.Artifact]:
    """The model's file and its circuit."""
    subject = SUBJECTS[name]
    path = models / subject.model if isinstance(subject.model, str) else scratch / f"{name}.tflite"
    if not isinstance(subject.model, str):
        path.write_bytes(subject.model())
    return path, edgert.compile(path, board=subject.board)


def _placed(name: str, models: Path, _: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        _path, artifact = _compiled(name, models, Path(scratch))
        board = load_board(artifact.report["board"])
        found = synth_circuit(artifact, board, seeds=SEEDS)
    used = {kind: count for kind, count, _ in found.usage(load_part(board.target))}
    return {
        "name": name, "synthesised": used, "clock_mhz": found.median_mhz,
        "clock_mhz_of_seeds": found.fmax_mhz, "slowest": found.slowest, "tools": found.tools,
    }  # fmt: skip


def _percent(found: float, of: float) -> float:
    return round(100 * (found / of - 1), 2)


def _examples(model: Path, artifact: edgert.Artifact, inputs: int) -> Iterator[Example]:
    """Random inputs with the reference's outputs, then real images; a golden file has images only."""
    if model.suffix == ".npz":
        with np.load(model.with_name(f"{model.stem}_golden.npz")) as golden:
            images, scores = golden["images"][:inputs], golden["scores"][:inputs]
        yield from ((image[None], score[None]) for image, score in zip(images, scores, strict=True))
        return
    reference = Reference(model.read_bytes())
    draw = np.random.default_rng(len(model.name))
    shape = artifact.report["inputs"][0]["shape"]
    for _ in range(inputs):
        x = draw.integers(-128, 128, shape).astype(np.int8)
        yield x, reference.run([x])[0]
    archive = model.parents[1] / "data" / "cifar10_jpeg.tar.xz"
    if model.name.startswith("ic_") and archive.is_file():
        from edgert.models.data import load

        for image in islice(load(archive).test_images, IMAGES):
            x = (image.astype(np.int16) - 128).astype(np.int8)[None]
            yield x, reference.run([x])[0]


def _compared(
    artifact: edgert.Artifact, design: Design, examples: Sequence[Example], scratch: Path
) -> tuple[dict[str, int], dict[str, int]]:
    """How many outputs of each back end are not the reference's; the cycles of those that have any."""
    ends = Ends(artifact.report, artifact.folder, design)
    simulator, program = circuit.simulator(design), csim.build(design, scratch / "hls")
    machine = design.machine
    timed = {"bus_bytes": machine.bus_bytes, "latency_cycles": machine.latency_cycles}
    cycles: dict[str, int] = {}

    def verilog(given: list[Array]) -> list[Array]:
        run = simulator.run(design, given)
        cycles["verilog"] = run.cycles
        return run.outputs

    def cpp(given: list[Array]) -> list[Array]:
        run = csim.run(design, given, program, **timed)
        cycles["c++"] = run.cycles
        return run.outputs

    backends = {"interpreter": lambda given: interpret.run(design, given), "c++": cpp, "verilog": verilog}
    wrong = dict.fromkeys(backends, 0)
    for x, wanted in examples:
        for name, run in backends.items():
            (y,) = ends.around([x.tobytes()], lambda given, run=run: run(as_arrays(design, given)))
            wrong[name] += not np.array_equal(y.reshape(-1), wanted.reshape(-1))
    return wrong, cycles


if __name__ == "__main__":
    raise SystemExit(main())
