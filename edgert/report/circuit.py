"""What `edgert compile` says of a circuit: its time, its traffic, what it takes of the part, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgert.board import load_board
from edgert.part import RESOURCES
from edgert.report.tables import Column, label, number, percent, shape, text

Report = Mapping[str, Any]


def summary(report: Report) -> str:
    """The verdict without the layers."""
    board, fpga = load_board(report["board"]), report["fpga"]
    cycles, clock = fpga["cycles_modelled"], board.clock_hz or 0
    lines = [
        f"{report['name']} for {board.id} ({board.target}, {clock / 1e6:g} MHz): fits",
        f"  time     {cycles:,} cycles, modelled = {1e3 * cycles / clock:.2f} ms",
        f"  work     {report['macs']:,} MAC in {len(report['layers'])} layers; {_multipliers(fpga)}",
        f"  chip     {_cores(fpga)}",
        f"           activations {report['arena_bytes']:,} {_memories(fpga)}",
        f"  memory   {_traffic(fpga)}",
        f"  part     {_resources(fpga)}",
    ]
    if fpga["host_steps"]:
        lines.append(f"  on the host: {', '.join(label(name) for name in fpga['host_steps'])}")
    return "\n".join(lines)


def layer_table(report: Report) -> str:
    """One row per layer, its cycles as modelled: layers that run together share them."""
    columns = (
        Column("#", True), Column("stage", True), Column("layer", max_width=36), Column("operator"),
        Column("how"), Column("output"), Column("MAC", True), Column("const bytes", True),
        Column("cycles", True), Column("share", True),
    )  # fmt: skip
    whole = report["fpga"]["cycles_modelled"]
    rows = [
        (
            layer["index"], "-" if layer["stage"] is None else layer["stage"], label(layer["name"]),
            layer["op"], layer["variant"], shape(layer["output_shape"]), number(layer["macs"]),
            number(layer["weights_bytes"]),
            number(layer["cycles_modelled"]), percent(layer["cycles_modelled"], whole),
        )
        for layer in report["layers"]
    ]  # fmt: skip
    return text(columns, rows)


def reasons(report: Report) -> str:
    """Each segment of the schedule, its layers, and what else they would take."""
    lines = [
        "Cycles of each stage alone, modelled; in the whole, its weights come while the one before computes."
    ]
    for number_, segment in enumerate(report["fpga"]["schedule"]):
        layers = ", ".join(label(name) for name in segment["layers"])
        lines.append(f"stage {number_}: {layers}\n  {segment['why']}")
    return "\n".join(lines)


def _multipliers(fpga: Mapping[str, Any]) -> str:
    words = {"core": "multipliers", "binary core": "binary lanes"}
    return ", ".join(
        f"{words[unit]} {percent(share, 1)} in use" for unit, share in fpga["multipliers"].items()
    )


def _cores(fpga: Mapping[str, Any]) -> str:
    machine = fpga["machine"]
    units = [f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''} of 8 MACs"]
    units += [f"{machine['binary_cores']} binary of 512 bits"] if machine["binary_cores"] else []
    units += ["a softmax unit"] if machine["softmax"] else []
    return ", ".join(units)


def _memories(fpga: Mapping[str, Any]) -> str:
    used = fpga["on_chip"]
    return (
        f"of {fpga['machine']['scratch_bytes']:,} bytes; of each core weights "
        f"{used['weight_words']['used']:,} of {used['weight_words']['of']:,} words, parameters "
        f"{used['param_entries']['used']:,} of {used['param_entries']['of']:,}"
    )


def _traffic(fpga: Mapping[str, Any]) -> str:
    traffic = fpga["traffic"]
    spilled = f"; {len(fpga['spilled'])} tensors between layers go there" if fpga["spilled"] else ""
    return (
        f"{sum(traffic.values()):,} bytes to and from outside: weights {traffic['weights']:,}, "
        f"read {traffic['read']:,}, written {traffic['written']:,}{spilled}"
    )


def _resources(fpga: Mapping[str, Any]) -> str:
    rest = (
        "" if "luts" in fpga["resources"] else "; LUTs are not predicted for this family: edgert synth counts"
    )
    return ", ".join(_usage(fpga)) + rest


def _usage(fpga: Mapping[str, Any]) -> Iterator[str]:
    for name, found in fpga["resources"].items():
        used, there = found["used"], found["of"]
        yield f"{RESOURCES[name]} {used:,.0f} of {there:,} ({percent(used, there)})"
