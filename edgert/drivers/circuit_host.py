"""A circuit on this machine: what its commands mean, in NumPy; and the C of the layers at its two ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgert.codegen.hls import folder as files
from edgert.codegen.hls import interpret
from edgert.codegen.hls.design import Design
from edgert.drivers.host import HostSession
from edgert.drivers.session import Array, Profile, Session
from edgert.errors import UsageError

Compute = Callable[[Sequence[bytes]], Sequence[Array]]


class CircuitHostSession(Session):
    """The interpreter of the circuit's commands: the same bytes, no time."""

    def __init__(self, report: Mapping[str, Any], folder: Path) -> None:
        super().__init__(report)
        self._design = files.read(folder)
        self._ends = Ends(report, folder, self._design)

    def _run(self, inputs: Sequence[bytes], timeout_s: float) -> list[Array]:
        design = self._design
        return self._ends.around(inputs, lambda given: interpret.run(design, as_arrays(design, given)))

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        raise UsageError(
            "the host has no profile",
            rule="its time is not the circuit's",
            hint="profile it on the circuit's board",
        )


class Ends:
    """What the host computes before the circuit and behind it."""

    def __init__(self, report: Mapping[str, Any], folder: Path, design: Design) -> None:
        host = report["fpga"]["host"]
        self._before, self._behind = (
            _Part(host[side], folder / "host" / side) if side in host else None
            for side in ("before", "behind")
        )
        self._ports = report["inputs"], report["outputs"]
        self._design = design

    def around(self, inputs: Sequence[bytes], compute: Compute) -> list[Array]:
        """The network's outputs. compute: the circuit."""
        ports_in, ports_out = self._ports
        tensors = {port["name"]: data for port, data in zip(ports_in, inputs, strict=True)}
        if self._before:
            tensors |= self._before.bytes_of(tensors)
        made = compute([tensors[port.name] for port in self._design.inputs])
        tensors |= {port.name: y.tobytes() for port, y in zip(self._design.outputs, made, strict=True)}
        if self._behind:
            tensors |= self._behind.bytes_of(tensors)
        return [np.frombuffer(tensors[p["name"]], p["dtype"]).reshape(p["shape"]).copy() for p in ports_out]


class _Part(HostSession):
    """C of some layers, as a shared library of this machine."""

    def bytes_of(self, tensors: Mapping[str, bytes]) -> dict[str, bytes]:
        made = self._run([tensors[port["name"]] for port in self.report["inputs"]], 1.0)
        return {port["name"]: y.tobytes() for port, y in zip(self.report["outputs"], made, strict=True)}


def as_arrays(design: Design, inputs: Sequence[bytes]) -> list[Array]:
    """Bytes of each of the circuit's inputs."""
    return [np.frombuffer(x, np.uint8).reshape(p.shape) for p, x in zip(design.inputs, inputs, strict=True)]
