"""An FPGA board: its circuit in Verilog, simulated cycle by cycle by Verilator; the host at the two ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgert.board import Board
from edgert.codegen.hls import folder as files
from edgert.codegen.hls.attribution import active_cycles, layer_cycles
from edgert.codegen.hls.isa import BINARY_LANE_BITS, LANES
from edgert.drivers.circuit_host import Ends, as_arrays
from edgert.drivers.session import DISPATCH, Array, LayerProfile, Profile, Session
from edgert.errors import BoardFaultError, BoardTimeoutError, ToolError, UsageError
from edgert.report.tables import percent
from edgert.rtl import circuit
from edgert.rtl.tools import ToolTimeoutError

CYCLES_KIND = "simulated: Verilator"
_BINARY = ("conv2d_b1", "max_pool2d_b1")  # on binary cores


def open_session(report: Mapping[str, Any], folder: Path, board: Board, address: str = "") -> Session:
    """Builds the simulator of the board's machine, if it is not in the cache. Raises ToolError."""
    if "fpga" not in report or board.fpga is None:
        raise UsageError(
            f"{folder} holds no circuit",
            rule="Verilator runs circuits",
            hint="compile it for an FPGA board: --board ulx3s",
        )
    return VerilatorSession(report, folder, board)


class VerilatorSession(Session):
    """timeout_s: of the simulation, in seconds of this machine."""

    def __init__(self, report: Mapping[str, Any], folder: Path, board: Board) -> None:
        super().__init__(report)
        self._board = board
        self._design = files.read(folder)
        self._ends = Ends(report, folder, self._design)
        self._simulator = circuit.simulator(self._design)

    def _run(self, inputs: Sequence[bytes], timeout_s: float) -> list[Array]:
        return self._ends.around(inputs, lambda given: self._simulated(given, timeout_s).outputs)

    def _simulated(self, inputs: Sequence[bytes], timeout_s: float) -> circuit.Run:
        try:
            return self._simulator.run(self._design, as_arrays(self._design, inputs), timeout_s=timeout_s)
        except ToolTimeoutError as error:
            raise BoardTimeoutError(
                f"the simulation did not end within {timeout_s:g} s", where=self._board.id,
                rule="it takes time of this machine, not of the board", hint="edgert run --timeout S",
            ) from error  # fmt: skip
        except ToolError as error:
            raise BoardFaultError(error.what, where=self._board.id) from error

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        """A simulation takes the same cycles each time: it is run once."""
        runs: list[circuit.Run] = []

        def run(given: Sequence[bytes]) -> list[Array]:
            runs.append(self._simulated(given, timeout_s))
            return runs[0].outputs

        self._ends.around(inputs, run)
        return Profile(
            layers=tuple(self._layers(runs[0])), cycles_kind=CYCLES_KIND, stack_bytes=None,
            clock_hz=self._board.clock_hz, repetitions=1, notes=self._notes(runs[0]),
        )  # fmt: skip

    def _layers(self, run: circuit.Run) -> list[LayerProfile]:
        """busy: the share of their MACs that all units of the kind do while any of them has the layer."""
        cycles = layer_cycles(self._design, run.spans, run.cycles)
        active = active_cycles(self._design, run.spans)
        machine = self._design.machine
        rows = []
        for layer in self.report["layers"]:
            taken = cycles.pop(layer["name"], 0)
            binary = layer["op"] in _BINARY
            lanes = LANES * (BINARY_LANE_BITS * machine.binary_cores if binary else machine.cores)
            most = active.get(layer["name"], 0) * lanes
            busy = f", {percent(layer['macs'], most)} busy" if layer["macs"] and most else ""
            rows.append(
                LayerProfile(
                    layer["name"], layer["op"], f"{layer['variant']}{busy}", layer["macs"], None, taken,
                    read_bytes=layer["read_bytes"], written_bytes=layer["written_bytes"],
                )
            )  # fmt: skip
        # What is left is the start and the transfers of no layer.
        return [*rows, LayerProfile(DISPATCH, "", "", 0, None, sum(cycles.values()))]

    def _notes(self, run: circuit.Run) -> str:
        machine = self._design.machine
        busy = sum(run.busy[: machine.cores])
        words = f"cores multiply in {percent(busy, run.cycles * machine.cores)} of the cycles"
        host = self.report["fpga"]["host_steps"]
        return words + (f"; on the host, not counted: {', '.join(host)}" if host else "")
