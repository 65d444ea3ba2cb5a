"""The grid on which schedules are compared, fixed before anything was measured.

Workloads x on-chip sizes x bandwidths. Sizes were chosen for the run time of a simulation: weights and maps
are a fraction of those in InTAR's paper. Every point has the same circuit: 8 cores of 8 lanes, 1,024 words of
weights (8 KB) in each, 4 banks. On-chip bytes are those of the scratchpad. Bandwidth: bytes a cycle of the
external bus, both ways together; latency 40 cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgert.codegen.hls.isa import Machine
from edgert.models import kernels

SCRATCH_BYTES = (16 * 1024, 32 * 1024, 128 * 1024)
BUS_BYTES = (1.0, 2.0, 8.0)
ARMS = ("sequential", "sequential-naive", "dataflow", "intar", "edgert")
WORKLOADS: dict[str, Callable[[], bytes]] = {
    "mlp": lambda: kernels.mlp((64, 128, 256, 64), rows=64),
    "cnn": kernels.cnn,
    "autoencoder": lambda: kernels.autoencoder((128, 64, 16, 64, 128), rows=128),
    "gating": lambda: kernels.gating(64, 128, rows=128),
    "attention": kernels.attention,
    "inverted_residual": kernels.inverted_residual,
    "residual": kernels.residual,
    "separable": kernels.separable,
}


@dataclass(frozen=True)
class Point:
    workload: str
    scratch_bytes: int
    bus_bytes: float
    arm: str

    @property
    def key(self) -> str:
        return f"{self.workload} {self.scratch_bytes} {self.bus_bytes:g} {self.arm}"


def points() -> list[Point]:
    """Workload by workload, so that a run that is stopped has whole rows."""
    return [
        Point(workload, scratch, bus, arm)
        for workload in WORKLOADS for scratch in SCRATCH_BYTES for bus in BUS_BYTES for arm in ARMS
    ]  # fmt: skip


def machine(scratch_bytes: int, bus_bytes: float) -> Machine:
    return Machine(
        cores=8, scratch_bytes=scratch_bytes, weight_words=1024, param_entries=512, softmax=1, banks=4,
        bus_bytes=bus_bytes, latency_cycles=40,
    )  # fmt: skip
