"""`python -m edgert.rtl.vexriscv FIRMWARE.elf`: the VexRiscv core with our firmware, its byte port on stdio.

Built by Verilator when first asked for, and kept in the cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path

from edgert import cache
from edgert.errors import EdgertError, ToolError

PACKAGE = "pythondata-cpu-vexriscv"
CORE = "VexRiscv_Full.v"
BUILD_TIMEOUT_S = 600
_FLAGS = (
    "--cc", "--exe", "--build", "--top-module", "VexRiscv", "-O3", "--x-assign", "fast",
    "--x-initial", "fast", "--noassert", "-Wno-fatal", "-Wno-lint", "-Wno-style", "-CFLAGS", "-O2",
)  # fmt: skip


def simulator() -> Path:
    """The program that simulates the core. Raises ToolError: what is missing, and how to install it."""
    verilog = _core()
    verilator = shutil.which("verilator")
    if verilator is None:
        raise ToolError("verilator is missing", hint="apt-get install verilator g++ make")
    with as_file(files("edgert.rtl") / "vexriscv.cpp") as harness:
        program = cache.root() / "rtl" / _key(verilog, harness, verilator) / "vexriscv"
        if not program.is_file():
            _build(verilator, verilog, harness, program)
    return program


def _core() -> Path:
    found = find_spec("pythondata_cpu_vexriscv")
    if found is None or found.origin is None:
        raise ToolError(f"{PACKAGE} is missing", hint="pip install 'edgert[rtl]'")
    return Path(found.origin).parent / "verilog" / CORE


def _key(verilog: Path, harness: Path, verilator: str) -> str:
    digest = hashlib.sha256(harness.read_bytes() + verilog.read_bytes() + " ".join(_FLAGS).encode())
    said = subprocess.run([verilator, "--version"], capture_output=True, check=False, timeout=60).stdout
    return hashlib.sha256(digest.digest() + said).hexdigest()[:40]


def _build(verilator: str, verilog: Path, harness: Path, program: Path) -> None:
    """Aside, then renamed: half a simulator is never seen."""
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        command = [
            verilator, *_FLAGS, "--Mdir", scratch, "-o", "vexriscv", str(verilog), str(harness),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=BUILD_TIMEOUT_S,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ToolError(f"verilator does not get done: {error}") from error
        if done.returncode != 0:
            first = next((line for line in done.stderr.splitlines() if "rror" in line), done.stderr[-300:])
            raise ToolError(f"verilator failed: {first.strip()}", hint="apt-get install verilator g++ make")
        (Path(scratch) / "vexriscv").rename(program)


def core_version() -> str | None:
    """Version of the package that has the core; None without it."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


def main() -> int:
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python -m edgert.rtl.vexriscv FIRMWARE.elf\n")
        return 2
    try:
        program = simulator()
    except EdgertError as error:
        sys.stderr.write(error.render() + "\n")
        return error.exit_code
    os.execv(program, [str(program), sys.argv[1]])


if __name__ == "__main__":
    sys.exit(main())
