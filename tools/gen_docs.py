"""Write the generated parts of README.md and docs/: `make docs`. With --check, only say what is stale.

Between `<!-- NAME -->` and `<!-- /NAME -->` a document holds what GENERATORS[NAME] returns. The measured
table comes from docs/measured.json, which --measure DIR (the MLPerf Tiny models) writes first.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import binary_docs
import fpga_docs
from binary_docs import result

from edgert import errors
from edgert.board import Board, list_boards, load_board
from edgert.cli.boards import LINKS
from edgert.codegen.contracts import CONTRACTS, Contract
from edgert.codegen.kernels import VARIANTS
from edgert.report.tables import Column, markdown, number

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (
    "README.md", "docs/operators.md", "docs/errors.md", "docs/measured.md", "docs/quantization.md",
    "docs/search.md", "docs/binary.md", "docs/fpga.md",
)  # fmt: skip
MEASURED = ROOT / "docs" / "measured.json"
MEASURED_BOARDS = tuple(
    f"{core}-emulated"
    for core in (
        "cortex-m4",
        "cortex-m4-one-bank",
        "cortex-m7",
        "cortex-m33",
        "cortex-m3",
        "cortex-m0plus",
        "rv32imc",
    )
)
SHORT = (
    "cortex-m4-emulated",
    "cortex-m7-emulated",
    "cortex-m0plus-emulated",
    "rv32imc-emulated",
)  # in the README
LEVELS = ("speed", "balanced", "size")
DTYPE_WORDS = {"s8": "int8", "s16": "int16", "f32": "float32", "b1": "bits"}
MODEL_WORDS = {
    "kws_int8.tflite": "keyword spotting (DS-CNN)",
    "ic_resnet8_int8.tflite": "image classification (ResNet-8)",
    "vww_int8.tflite": "visual wake words (MobileNetV1 0.25)",
    "ad01_int8.tflite": "anomaly detection (autoencoder)",
}


def dtype_words(contract: Contract) -> str:
    """'conv2d_s8' -> 'int8'; 'quantize_f32_s8' -> 'float32 to int8'; data movers take anything."""
    found = [DTYPE_WORDS[part] for part in contract.name.split("_") if part in DTYPE_WORDS]
    return " to ".join(found) or "any of 1, 2 or 4 bytes"


def variant_words(contract: str) -> str:
    """'`dsp` (arm-dsp; pixels, parts), `ref`': what a kernel needs, and its tunables."""
    words: dict[str, str] = {}
    for v in VARIANTS:
        if v.contract == contract:
            tunables = ", ".join(name for name, _ in v.arguments)
            notes = "; ".join(part for part in (_needs(contract, v.name), tunables) if part)
            words.setdefault(v.name, f"`{v.name}` ({notes})" if notes else f"`{v.name}`")
    return ", ".join(words.values()) or "none"


def _needs(contract: str, name: str) -> str:
    """The features that every variant of this name needs."""
    needs = [v.requires for v in VARIANTS if (v.contract, v.name) == (contract, name)]
    return ", ".join(sorted(frozenset.intersection(*needs)))


def kernels() -> str:
    """The operator x dtype x variant matrix, from codegen.contracts and codegen.kernels.VARIANTS."""
    columns = (Column("contract"), Column("dtype"), Column("kernels, most preferred first (needs; tunables)"))
    rows = [
        (
            f"`{contract.name}`",
            dtype_words(contract),
            variant_words(contract.name),
        )
        for contract in CONTRACTS.values()
    ]
    return markdown(columns, rows)


def exit_codes() -> str:
    """One row per class of the exception tree."""
    rows = [
        (str(kind.exit_code), f"`{kind.__name__}`", _first_line(kind)) for kind in _tree(errors.EdgertError)
    ]
    return markdown((Column("code", True), Column("exception"), Column("when")), sorted(rows, key=_code))


def _code(row: tuple[str, str, str]) -> int:
    return int(row[0])


def _tree(root: type[errors.EdgertError]) -> Iterator[type[errors.EdgertError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == "edgert.errors":
            yield from _tree(child)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n")[0]


def boards() -> str:
    columns = (
        Column("board"), Column("target"), Column("clock MHz", True), Column("flash KiB", True),
        Column("RAM KiB", True), Column("reached by"), Column("verified"), Column("what"),
    )  # fmt: skip
    described = [load_board(name) for name in list_boards()]
    rows = [
        (f"`{b.id}`", f"`{b.target}`", f"{b.clock_hz / 1e6:g}" if b.clock_hz else "-", _kib(b.flash_bytes),
         _kib(b.fpga.scratch_bytes if b.fpga else b.ram_bytes), ", ".join(_links(b)), b.verified, b.name)
        for b in described
    ]  # fmt: skip
    return markdown(columns, rows)


def _links(board: Board) -> list[str]:
    """The driver, and what else it can be reached by."""
    others = [link for link in LINKS if getattr(board, link) is not None and link != board.driver]
    return [board.driver, *others]


def _kib(nbytes: int | None) -> str:
    return "-" if not nbytes else number(nbytes / 1024)


def measured() -> str:
    """One row per model: sizes and work on the first board, time on several. From docs/measured.json."""
    suites = {board: _suites()[board] for board in SHORT}
    first = SHORT[0]
    columns = [
        Column("model"), Column("arena bytes (TFLM)", True), Column("flash bytes", True),
        Column(f"instructions, {_core(first)} (TFLM)", True), Column("cycles per nominal MAC", True),
        Column("best closed stack", True),
        *(Column(f"ms, {_core(b)} at {suites[b]['clock_hz'] / 1e6:g} MHz", True) for b in suites),
    ]  # fmt: skip
    rows = [
        (
            MODEL_WORDS[row["model"]],
            f"{number(row['arena_bytes'])} ({number(row['peer']['arena_bytes'])})",
            number(row["flash_bytes"]),
            f"{number(row['instructions'])} ({number(row['peer']['instructions'])})",
            number(row["peer"]["cycles_per_nominal_mac_modelled"], 2),
            number(row["peer"]["best_closed_stack_measured"], 2),
            *(number(suite["models"][i]["milliseconds"], 1) for suite in suites.values()),
        )
        for i, row in enumerate(suites[first]["models"])
    ]  # fmt: skip
    return markdown(columns, rows)


def levels() -> str:
    """What each level of --optimize costs on the first board."""
    columns = (
        Column("model"), Column("--optimize"), Column("instructions", True), Column("flash bytes", True),
        Column("weights", True), Column("tables", True), Column("kernel code", True), Column("rest", True),
    )  # fmt: skip
    found = json.loads(MEASURED.read_text(encoding="utf-8"))["levels"]
    rows = [
        (
            f"`{row['model']}`", level, number(row["instructions"]), number(row["flash_bytes"]),
            *(number(row["flash_split"][k]) for k in ("weights", "tables", "kernels", "rest")),
        )
        for i in range(4)
        for level, row in ((level, found[level][i]) for level in LEVELS)
    ]  # fmt: skip
    return markdown(columns, rows)


def measured_all() -> str:
    """Every figure of every model on every board."""
    columns = (
        Column("model"), Column("board"), Column("MAC", True), Column("instructions", True),
        Column("of TFLM's", True), Column("cycles (modelled)", True), Column("waits", True),
        Column("ms", True), Column("arena bytes", True),
        Column("stack bytes", True), Column("flash bytes", True),
    )  # fmt: skip
    suites = _suites()
    return markdown(columns, [_measured_row(suites[board], i) for i in range(4) for board in suites])


def _suites() -> dict[str, Any]:
    suites: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))["boards"]
    return suites


def _core(board: str) -> str:
    return board.removesuffix("-emulated")


def _measured_row(suite: dict[str, Any], index: int) -> tuple[str, ...]:
    row = suite["models"][index]
    return (
        f"`{row['model']}`", f"`{suite['board']}`", number(row["macs"]), number(row["instructions"]),
        number((row["peer"] or {}).get("instructions_ratio"), 3), number(row["cycles"]),
        number(row["wait_cycles"]), number(row["milliseconds"], 1), number(row["arena_bytes"]),
        number(row["stack_bytes"]), number(row["flash_bytes"]),
    )  # fmt: skip


def quantization() -> str:
    """The float network and its two int8 ones."""
    found = result("quantization.json")
    columns = (Column("ic_resnet8"), Column("right of 10,000 test images", True))
    return markdown(columns, [(name, f"{value:.2%}") for name, value in found["accuracy"].items()])


def costs() -> str:
    """The table's predictions, board by board."""
    columns = (
        Column("board"), Column("networks", True), Column("Kendall tau", True), Column("within 5 %", True),
        Column("largest error", True), Column("SRAM exact, planned", True), Column("from the table", True),
        Column("flash off by, planned", True), Column("from the table", True),
    )  # fmt: skip
    rows = []
    for path in sorted((ROOT / "docs" / "search").glob("costs-*.json")):
        f = result(f"search/{path.name}")
        rows.append((
            path.stem.removeprefix("costs-"), str(f["networks"]), f"{f['kendall_tau']:.3f}",
            f"{f['within_5_percent']:.1%}", f"{f['largest_error_percent']:.1f} %",
            str(f["planned_arena_exact"]), str(f["table_arena_exact"]),
            _span(f["planned_flash_error_percent"]), _span(f["table_flash_error_percent"]),
        ))  # fmt: skip
    return markdown(columns, rows)


def _span(errors_percent: list[float]) -> str:
    low, _, high = errors_percent
    return f"{low:+.1f} to {high:+.1f} %"


def compare() -> str:
    """Mean accuracy over the seeds, and its lowest and highest, for each limit."""
    found = result("search/compare.json")
    seeds, limits = len(found["seeds"]), found["limits_cycles"]
    headings = (Column(f"{limit / 1e6:.1f} M cycles", True) for limit in limits)
    columns = (Column(f"{seeds} seeds"), *headings)
    rows = [(arm, *(_reached(cell) for cell in cells)) for arm, cells in found["table"].items()]
    gains = "; ".join(
        f"{arm} {gain['mean']:+.2%} over random search, better in {gain['better_in']}"
        for arm, gain in found["gain_over_random"].items()
        if gain["mean"] is not None
    )
    above = "; ".join(
        f"{arm} {front['mean']:+.2%} (spread {front['standard_deviation']:.2%}, {front['above']} above)"
        for arm, front in found["above_random_front"].items()
        if arm != "random" and front["mean"] is not None
    )
    return (
        f"{markdown(columns, rows)}\n\nAt the same limit and seed: {gains}.\n"
        f"At the same latency, against random search's line of accuracy over log(cycles): {above}."
    )


def _reached(cell: dict[str, Any]) -> str:
    return f"{cell['accuracy']:.1%} ({cell['lowest']:.1%} - {cell['highest']:.1%})" if cell else "-"


GENERATORS: dict[str, Callable[[], str]] = {
    "kernels": kernels,
    "exit-codes": exit_codes,
    "boards": boards,
    "measured": measured,
    "measured-all": measured_all,
    "levels": levels,
    "quantization": quantization,
    "costs": costs,
    "compare": compare,
    **binary_docs.GENERATORS,
    **fpga_docs.GENERATORS,
}


def refreshed(text: str) -> str:
    """The document with every marked part generated anew."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"<!-- {name} -->\n{GENERATORS[name]()}\n<!-- /{name} -->"

    return re.sub(r"<!-- ([a-z-]+) -->\n.*?<!-- /\1 -->", fill, text, flags=re.DOTALL)


def stale() -> list[str]:
    """The documents that `make docs` would change."""
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}
    return [name for name, text in texts.items() if refreshed(text) != text]


def measure(models: Path) -> None:
    """Run the suite on every emulated board and write docs/measured.json."""
    from edgert.cli.bench import SUITES
    from edgert.cli.bench import measure as measure_suite

    suite = [(task, models / file) for task, file in SUITES["mlperf-tiny"]]
    document: dict[str, Any] = {"boards": {}, "levels": {}}
    first = load_board(MEASURED_BOARDS[0])
    for level in LEVELS:
        document["levels"][level] = measure_suite(suite, first, level)
    for name in MEASURED_BOARDS:
        board = load_board(name)
        rows = measure_suite(suite, board)
        document["boards"][name] = {"board": name, "clock_hz": board.clock_hz, "models": rows}
    MEASURED.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--measure", type=Path, metavar="DIR")
    args = parser.parse_args()
    if args.measure:
        measure(args.measure)
    behind = stale()
    if args.check:
        print("\n".join(f"{name} is stale: run make docs" for name in behind), file=sys.stderr)
        return 1 if behind else 0
    for name in behind:
        path = ROOT / name
        path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
