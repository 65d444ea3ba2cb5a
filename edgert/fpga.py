"""What the descriptor of an FPGA board says beyond a Board's: the machine we put on it, and its memory."""

from __future__ import annotations

from dataclasses import dataclass

from edgert.part import Part

CORE_DSPS = 12  # multipliers of 18 x 18 bits in a core: 8 lanes, and 4 to requantize
PARAM_ENTRIES = 4096  # that a command can address
BUS_BYTES = 8  # the external bus carries a word of 64 bits a cycle at most


@dataclass(frozen=True)
class Fpga:
    """The machine of docs/fpga.md. cores: of 8 lanes; binary_cores: XNOR and count; softmax: 0 or 1 units.

    scratch_bytes: of the shared scratchpad, in `banks` (a power of 2). weight_words: 64-bit words of weight
    memory, param_entries: entries of parameter memory, of each core. A network that needs binary cores has as
    many cores beside them as the part has room for.
    """

    cores: int
    banks: int
    scratch_bytes: int
    weight_words: int
    param_entries: int
    binary_cores: int = 0
    softmax: int = 0


@dataclass(frozen=True)
class External:
    """The external memory as it is simulated. bytes_per_cycle: both ways together, of the design's clock.

    latency_cycles: from a request to its first word.
    """

    source: str
    bytes_per_cycle: float
    latency_cycles: int


def broken_rules(fpga: Fpga, external: External, part: Part) -> list[str]:
    """What of the two tables cannot be, in words; empty if all is well."""
    memories = (fpga.scratch_bytes // fpga.banks if fpga.banks else 0, fpga.weight_words, fpga.param_entries)
    rules = {
        "there is a core": fpga.cores > 0 and fpga.binary_cores >= 0,
        f"{fpga.cores} cores need {CORE_DSPS * fpga.cores} DSPs, {part.id} has {part.dsps}": CORE_DSPS
        * fpga.cores
        <= part.dsps,
        "banks is a power of 2": fpga.banks > 0 and fpga.banks.bit_count() == 1,
        f"param_entries is at most {PARAM_ENTRIES:,}": fpga.param_entries <= PARAM_ENTRIES,
        "softmax is 0 or 1": fpga.softmax in (0, 1),
        "a bank's bytes, weight_words and param_entries are multiples of 64": all(
            n > 0 and n % 64 == 0 for n in memories
        ),
        f"bytes_per_cycle is above 0 and at most {BUS_BYTES}": 0 < external.bytes_per_cycle <= BUS_BYTES,
        "latency_cycles is 1 or more": external.latency_cycles >= 1,
    }
    return [rule for rule, holds in rules.items() if not holds]
