"""A profile as text: totals, then one row per layer with its share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgert.report.tables import Column, label, number, percent, text

if TYPE_CHECKING:
    from edgert.drivers.session import LayerProfile, Profile


def profile_text(report: Mapping[str, Any], profile: Profile, board: str | None = None) -> str:
    """Totals and the table of layers. board: where it ran, by default what the report was compiled for."""
    return f"{_headline(report, profile, board)}\n\n{profile_table(profile)}"


_NOTHING = ("", "-", "0")  # a column of these says nothing


def profile_table(profile: Profile) -> str:
    """One row per layer; share: of the cycles, or of the instructions without a model.

    waits: cycles for flash, part of the cycles. read: inputs, weights and tables, each once; both in bytes.
    """
    columns = (
        Column("#", True), Column("layer", max_width=20), Column("kernel", max_width=44),
        Column("MAC", True), Column("instr", True), Column("/MAC", True), Column("cycles", True),
        Column("waits", True), Column("read", True), Column("written", True), Column("share", True),
    )  # fmt: skip
    whole = sum(cost(layer) for layer in profile.layers)
    rows = [_row(i, layer, whole) for i, layer in enumerate(profile.layers)]
    said = [i for i in range(len(columns)) if any(row[i] not in _NOTHING for row in rows)]
    return text([columns[i] for i in said], [[row[i] for i in said] for row in rows])


def cost(layer: LayerProfile) -> int:
    return layer.cycles or layer.instructions or 0


def _row(index: int, layer: LayerProfile, whole: int) -> tuple[str, ...]:
    each = f"{layer.instructions / layer.macs:.2f}" if layer.macs and layer.instructions else "-"
    return (
        str(index), label(layer.name), f"{layer.op.removesuffix('_s8')} {layer.variant}",
        number(layer.macs or None), number(layer.instructions), each, number(layer.cycles),
        number(layer.wait_cycles), number(layer.read_bytes), number(layer.written_bytes),
        percent(cost(layer), whole),
    )  # fmt: skip


def _headline(report: Mapping[str, Any], profile: Profile, board: str | None) -> str:
    lines = [f"{report['name']} on {board or report['board']}"]
    per_mac = f" ({cost_per_mac(profile, report['macs'])} per MAC)" if report["macs"] else ""
    if profile.instructions is not None:
        lines.append(f"  instructions  {number(profile.instructions)}, counted exactly")
    if profile.cycles:
        clock = (
            f" = {profile.milliseconds:.2f} ms at {profile.clock_hz / 1e6:g} MHz" if profile.clock_hz else ""
        )
        lines.append(f"  cycles        {number(profile.cycles)}{per_mac}, {profile.cycles_kind}{clock}")
        lines += [f"  wait states   {_waits(profile)}"] if profile.cycles_kind == "modelled" else []
        lines += [f"  median of     {profile.repetitions} runs"] if profile.repetitions > 1 else []
    lines += [f"  notes         {profile.notes}"] if profile.notes else []
    stack = f", stack {number(profile.stack_bytes)} bytes" if profile.stack_bytes is not None else ""
    if "fpga" in report:
        of = report["fpga"]["machine"]["scratch_bytes"]
        lines.append(f"  scratchpad    {report['arena_bytes']:,} of {of:,} bytes")
    else:
        lines.append(f"  RAM           arena {report['arena_bytes']:,} bytes{stack}")
    if report["flash_bytes"]:
        lines.append(f"  flash         {report['flash_bytes']:,} bytes, the whole firmware")
    return "\n".join(lines)


def _waits(profile: Profile) -> str:
    if profile.wait_states is None:
        return "not modelled: flash answers at once"
    if profile.wait_states == 0:
        return "0, as the board's memory"
    waited = f"{number(profile.wait_cycles)} cycles, {percent(profile.wait_cycles, profile.cycles or 0)}"
    return f"{profile.wait_states} for each flash read that misses its cache: {waited}"


def cost_per_mac(profile: Profile, macs: int) -> str:
    return f"{(profile.cycles or profile.instructions or 0) / macs:.2f}"
