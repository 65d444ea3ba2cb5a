"""What a firmware's ELF tells: what to load where, which function and which line an address is in."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from elftools.elf.elffile import ELFFile

from edgert.board import Board
from edgert.errors import UsageError

FIRMWARE = "firmware.elf"


@dataclass(frozen=True, order=True)
class Function:
    start: int
    end: int
    name: str


class Elf:
    """Segments as (address to load at, bytes); symbols by name; functions by address."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as stream:
            elf = ELFFile(stream)
            self.entry = int(elf["e_entry"])
            self.segments = [
                (int(s["p_paddr"]), s.data())
                for s in elf.iter_segments()
                if s["p_type"] == "PT_LOAD" and s["p_filesz"]
            ]
            table = elf.get_section_by_name(".symtab")
            rows = [(s.name, s["st_value"], s["st_size"], s["st_info"]["type"]) for s in table.iter_symbols()]
        self.symbols = {name: int(value) for name, value, _, _ in rows if name}
        self.functions = sorted(
            Function(int(v) & ~1, (int(v) & ~1) + int(size), name)
            for name, v, size, t in rows
            if t == "STT_FUNC"
        )

    def function_at(self, address: int) -> Function | None:
        """The function that an instruction address belongs to."""
        index = bisect_right(self.functions, (address & ~1), key=lambda f: f.start) - 1
        found = self.functions[index] if index >= 0 else None
        return found if found and found.start <= address < found.end else None

    def line_at(self, address: int) -> str:
        """`file.c:12` of an instruction address, or an empty string."""
        index = bisect_right(self._lines, address, key=lambda row: row[0]) - 1
        return self._lines[index][1] if index >= 0 else ""

    @cached_property
    def _lines(self) -> list[tuple[int, str]]:
        rows: list[tuple[int, str]] = []
        with self.path.open("rb") as stream:
            elf = ELFFile(stream)
            if not elf.has_dwarf_info():
                return []
            dwarf = elf.get_dwarf_info()
            for unit in dwarf.iter_CUs():
                program = dwarf.line_program_for_CU(unit)
                if program is None:
                    continue
                base = 0 if program.header.version >= 5 else 1
                names = [entry.name.decode() for entry in program.header.file_entry]
                for entry in program.get_entries():
                    state = entry.state
                    if state is not None and not state.end_sequence:
                        index = state.file - base
                        name = names[index] if 0 <= index < len(names) else "?"
                        rows.append((state.address, f"{Path(name).name}:{state.line}"))
        return sorted(rows)


def load_firmware(folder: Path, board: Board) -> Elf:
    """The firmware of an artifact's folder. Raises UsageError if there is none."""
    path = folder / FIRMWARE
    if not path.is_file():
        raise UsageError(f"{folder} has no {FIRMWARE}", hint=f"compile the model with --board {board.id}")
    return Elf(path)
