"""A netlist whose every port is a register away from three pins, so that it can be placed alone."""

from __future__ import annotations

from typing import Any

Netlist = dict[str, Any]
_FF = {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"}
_XOR = "0110011001100110"  # of A and B


def behind_registers(netlist: Netlist, top: str) -> tuple[Netlist, int]:
    """Yosys's JSON of an ECP5 module -> the same with a shift register into its inputs and one out of its
    outputs, and how many LUTs that adds.

    A module has more ports than a package has pins, and paths from pins would not count for the clock. Here
    every path counts, and nothing is optimised away. Ports that clock something stay as they are; a module
    without a clock gets one, for the registers.
    """
    module = netlist["modules"][top]
    chain = _Chain(module)
    ports = module["ports"]
    clocks = {name: port for name, port in ports.items() if chain.clocked & set(port["bits"])}
    new: Netlist = clocks or {"ert_clock": {"direction": "input", "bits": [chain.fresh()]}}
    clock = next(iter(new.values()))["bits"][0]
    inputs = [
        port["bits"] for name, port in ports.items() if port["direction"] == "input" and name not in new
    ]
    outputs = [port["bits"] for port in ports.values() if port["direction"] == "output"]
    first = last = chain.fresh()
    for bit in (bit for bits in inputs for bit in bits):
        chain.register(clock, last, bit)
        last = bit
    driven = [bit for bits in outputs for bit in bits if isinstance(bit, int)]
    for bit in driven:
        kept, mixed, out = chain.fresh(), chain.fresh(), chain.fresh()
        chain.register(clock, bit, kept)
        chain.xor(last, kept, mixed)
        chain.register(clock, mixed, out)
        last = out
    new |= {
        "ert_in": {"direction": "input", "bits": [first]},
        "ert_out": {"direction": "output", "bits": [last]},
    }
    changed = {**module, "ports": new, "cells": {**module["cells"], **chain.cells}}
    changed["netnames"] = {**module["netnames"], **chain.names}
    return {**netlist, "modules": {top: changed}}, len(driven)


class _Chain:
    """New cells and nets for a module."""

    def __init__(self, module: Netlist) -> None:
        self.cells: Netlist = {}
        self.names: Netlist = {}
        self.clocked: set[int] = set()
        highest = 1
        for cell in module["cells"].values():
            for pin, bits in cell["connections"].items():
                known = [bit for bit in bits if isinstance(bit, int)]
                highest = max([highest, *known])
                if pin.startswith("CLK") or pin == "WCK":
                    self.clocked.update(known)
        for thing in (*module["ports"].values(), *module["netnames"].values()):
            highest = max([highest, *(bit for bit in thing["bits"] if isinstance(bit, int))])
        self._next = highest

    def fresh(self) -> int:
        self._next += 1
        self.names[f"ert_net_{self._next}"] = {"hide_name": 1, "bits": [self._next], "attributes": {}}
        return self._next

    def register(self, clock: int, d: int, q: int) -> None:
        self._cell("TRELLIS_FF", _FF, {"CLK": clock, "DI": d, "LSR": "0"}, {"Q": q})

    def xor(self, a: int, b: int, z: int) -> None:
        self._cell("LUT4", {"INIT": _XOR}, {"A": a, "B": b, "C": "0", "D": "0"}, {"Z": z})

    def _cell(self, kind: str, parameters: Netlist, inputs: Netlist, outputs: Netlist) -> None:
        self.cells[f"ert_pin_{len(self.cells)}"] = {
            "hide_name": 0,
            "type": kind,
            "parameters": parameters,
            "attributes": {},
            "port_directions": {**dict.fromkeys(inputs, "input"), **dict.fromkeys(outputs, "output")},
            "connections": {pin: [bit] for pin, bit in {**inputs, **outputs}.items()},
        }
