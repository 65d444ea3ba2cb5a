"""An emulated board: a real firmware image, from its reset vector, on Unicorn's model of the core.

Exactly the board's flash and RAM are mapped, so anything else faults. The firmware is not instrumented:
layers are found by the symbols of their functions, instructions by the basic blocks that were executed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import unicorn
from unicorn import arm_const, riscv_const

from edgert.board import Board
from edgert.drivers.elf import Elf
from edgert.drivers.flash import Flash
from edgert.drivers.session import (
    DISPATCH,
    Array,
    LayerProfile,
    Profile,
    Session,
    port_bytes,
    read_outputs,
)
from edgert.drivers.timing import CostModel
from edgert.errors import BoardFaultError, BoardTimeoutError, UsageError
from edgert.target import Target, load_target

_PAGE = 0x1000
_SYSTEM_CONTROL_SPACE = 0xE000E000  # Armv7-M ARM, B3.2: registers that start-up code touches
_PAINT = 0xA5
_GUARD = bytes([_PAINT]) * 32  # at the end of the stack: gone if the stack went past it
_START_TIMEOUT_S = 10.0
_EPSR_IT = 0x0600_FC00  # Armv7-M ARM, B1.4.2
_ARM_CPUS = {
    "cortex-m0": arm_const.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm_const.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm_const.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm_const.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm_const.UC_CPU_ARM_CORTEX_M33,
}


@dataclass(frozen=True)
class _Registers:
    pc: int
    sp: int
    link: int


_ARM = _Registers(arm_const.UC_ARM_REG_PC, arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR)
_RISCV = _Registers(riscv_const.UC_RISCV_REG_PC, riscv_const.UC_RISCV_REG_SP, riscv_const.UC_RISCV_REG_RA)


def open_session(report: Mapping[str, Any], folder: Path, board: Board) -> Session:
    elf = folder / "firmware.elf"
    if not elf.is_file():
        raise UsageError(f"{folder} has no firmware.elf", hint=f"compile the model with --board {board.id}")
    return UnicornSession(report, Elf(elf), board)


@dataclass
class _Trace:
    """What the hooks saw. Key of blocks: (layer, address, size).

    taken: layer -> taken branches; waited: layer -> cycles that reads of flash waited. conditional: whether
    some of the block that runs may be in an IT block.
    """

    blocks: dict[tuple[int, int, int], int] = field(default_factory=dict)
    taken: Counter[int] = field(default_factory=Counter)
    waited: Counter[int] = field(default_factory=Counter)
    layer: int = -1
    expected: int = 0
    conditional: bool = False


class UnicornSession(Session):
    """See Session. The core is reset when the session opens, and after a run that did not end well."""

    def __init__(self, report: Mapping[str, Any], elf: Elf, board: Board) -> None:
        super().__init__(report)
        self._elf, self._board = elf, board
        self._target = load_target(board.target)
        self._arm = self._target.arch != "rv32"
        self._regs = _ARM if self._arm else _RISCV
        self._thumb = 1 if self._arm else 0
        self._bad_access = ""
        self._with_it: dict[tuple[int, int], bool] = {}
        self._arena = elf.symbols["ert_arena"]
        self._wait = elf.symbols["ert_wait"] & ~1
        self._stack_limit = elf.symbols["ert_stack_limit"]
        self._start()

    def _start(self) -> None:
        """A core out of reset, run until it waits for input."""
        self._uc = _core(self._target)
        self._load()
        self._resume(self._reset(), _START_TIMEOUT_S)

    def _load(self) -> None:
        assert self._board.flash is not None and self._board.ram is not None
        for region, access in (
            (self._board.flash, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC),
            (self._board.ram, unicorn.UC_PROT_ALL),
        ):
            self._uc.mem_map(region.start, -(-region.nbytes // _PAGE) * _PAGE, access)
        if self._arm:
            self._uc.mem_map(_SYSTEM_CONTROL_SPACE, _PAGE)
        for address, data in self._elf.segments:
            self._uc.mem_write(address, data)
        self._uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_bad_access)

    def _reset(self) -> int:
        """Set the stack as the core does; returns the address of the first instruction."""
        if not self._arm:
            return self._elf.entry
        assert self._board.flash is not None
        stack, entry = (
            int.from_bytes(self._uc.mem_read(self._board.flash.start + 4 * i, 4), "little") for i in range(2)
        )
        self._uc.reg_write(self._regs.sp, stack)
        return entry

    def _run(self, inputs: Sequence[bytes], timeout_s: float) -> list[Array]:
        if not self._ready:
            self._start()
        self._uc.mem_write(self._stack_limit, _GUARD)
        for port, data in zip(self.report["inputs"], inputs, strict=True):
            self._uc.mem_write(self._arena + port["offset"], data)
        # ert_wait is empty: going on after it is returning from it
        self._resume(self._uc.reg_read(self._regs.link), timeout_s)
        self._check_stack()
        ports = self.report["outputs"]
        found = {
            p["offset"]: bytes(self._uc.mem_read(self._arena + p["offset"], port_bytes(p))) for p in ports
        }
        return read_outputs(ports, found)

    def _check_stack(self) -> None:
        if self._uc.mem_read(self._stack_limit, len(_GUARD)) == _GUARD:
            return
        self._ready = False
        raise BoardFaultError(
            "the stack overflowed into the static data",
            where=self._board.id,
            rule=f"it has {self._elf.symbols['ert_stack_top'] - self._stack_limit:,} bytes",
            hint="choose a board with more RAM",
        )

    def _resume(self, address: int, timeout_s: float) -> None:
        """Run until the firmware waits for input again; what ends otherwise leaves the core to be reset."""
        self._ready = False
        try:
            self._uc.emu_start(address | self._thumb, self._wait, timeout=max(1, int(timeout_s * 1e6)))
        except unicorn.UcError as error:
            raise self._fault(error) from error
        if self._uc.reg_read(self._regs.pc) & ~1 != self._wait:
            raise BoardTimeoutError(
                f"no answer within {timeout_s:g} s", where=self._place(), hint="give it more time (--timeout)"
            )
        self._ready = True

    def _profile(self, inputs: Sequence[bytes], timeout_s: float) -> Profile:
        trace = _Trace()
        flash = self._flash()
        self._paint()
        hooks = [self._uc.hook_add(unicorn.UC_HOOK_BLOCK, self._block_hook(trace, flash))]
        if flash:
            region = flash.region
            on_read = _read_hook(trace, flash)
            hooks.append(
                self._uc.hook_add(unicorn.UC_HOOK_MEM_READ, on_read, begin=region.start, end=region.end - 1)
            )
        self._uc.ctl_flush_tb()  # code translated before the hooks were there does not call them
        try:
            watched = self._run(inputs, timeout_s)
        finally:
            for hook in hooks:
                self._uc.hook_del(hook)
            self._uc.ctl_flush_tb()
        profile = self._summary(trace)
        self._check_same(watched, self._run(inputs, timeout_s))
        return profile

    def _check_same(self, watched: Sequence[Array], free: Sequence[Array]) -> None:
        """That watching the run did not change it: or else its counts are of another."""
        if any(not np.array_equal(a, b) for a, b in zip(watched, free, strict=True)):
            raise BoardFaultError(
                "the outputs of the profiled run are not those of a plain run",
                where=self._board.id,
                rule="a profile counts the run that users get",
                hint="report this with the model: the emulator's hooks changed what the code did",
            )

    def _flash(self) -> Flash | None:
        """The flash to simulate, its caches empty; None where no read of it waits."""
        timing = self._board.flash_timing
        if timing is None or timing.wait_states == 0:
            return None
        assert self._board.flash is not None
        return Flash(self._board.flash, timing)

    def _block_hook(self, trace: _Trace, flash: Flash | None) -> Callable[..., None]:
        entries = {self._elf.symbols[layer["symbol"]] & ~1: layer["index"] for layer in self.report["layers"]}
        invoke = self._function(f"{self.report['name']}_invoke")

        def on_block(_uc: object, address: int, size: int, _data: object) -> None:
            follows = address == trace.expected
            if not follows:
                trace.taken[trace.layer] += 1
            trace.layer = entries.get(address, -1 if invoke[0] <= address < invoke[1] else trace.layer)
            key = (trace.layer, address, size)
            trace.blocks[key] = trace.blocks.get(key, 0) + 1
            trace.expected = address + size
            # an IT block that crosses a page is translated in two: the second has no IT instruction
            trace.conditional = self._conditional(address, size) or (follows and trace.conditional)
            if flash and (waits := flash.fetch(address, size)):
                trace.waited[trace.layer] += waits

        return on_block

    def _conditional(self, address: int, size: int) -> bool:
        """Whether a block of code has an IT instruction (Armv7-M ARM, A7.7.37)."""
        if not self._arm:
            return False
        known = self._with_it.get((address, size))
        if known is None:
            known = _has_it(bytes(self._uc.mem_read(address, size)))
            self._with_it[address, size] = known
        return known

    def _function(self, name: str) -> tuple[int, int]:
        start = self._elf.symbols[name] & ~1
        found = self._elf.function_at(start)
        return (start, found.end if found else start)

    def _summary(self, trace: _Trace) -> Profile:
        model = CostModel(self._target)
        costs = {
            (address, size): model.cost(bytes(self._uc.mem_read(address, size)), address)
            for _, address, size in trace.blocks
        }
        layers = {layer["index"]: layer for layer in self.report["layers"]}
        layers[-1] = {"name": DISPATCH, "op": "-", "variant": "-", "macs": 0}
        instructions, cycles = dict.fromkeys(layers, 0), dict.fromkeys(layers, 0.0)
        for (layer, address, size), times in trace.blocks.items():
            instructions[layer] += times * costs[address, size].instructions
            cycles[layer] += times * costs[address, size].cycles
        for layer in layers:
            cycles[layer] += trace.taken[layer] * model.branch_taken + trace.waited[layer]
        rows = tuple(
            LayerProfile(
                what["name"], what["op"], what["variant"], what["macs"], instructions[layer],
                round(cycles[layer]), trace.waited[layer],
                what.get("read_bytes", 0), what.get("written_bytes", 0),
            )
            for layer, what in layers.items()
        )  # fmt: skip
        timing = self._board.flash_timing
        wait_states = timing.wait_states if timing else None
        return Profile(rows, "modelled", self._stack_bytes(), self._board.clock_hz, wait_states)

    def _paint(self) -> None:
        limit, sp = self._elf.symbols["ert_stack_limit"], self._uc.reg_read(self._regs.sp)
        self._uc.mem_write(limit, bytes([_PAINT]) * (sp - limit))

    def _stack_bytes(self) -> int:
        """From the top of the stack to the lowest byte that is no longer painted."""
        limit, top = self._elf.symbols["ert_stack_limit"], self._elf.symbols["ert_stack_top"]
        found = bytes(self._uc.mem_read(limit, top - limit))
        untouched = len(found) - len(found.lstrip(bytes([_PAINT])))
        return top - limit - untouched

    def _on_bad_access(
        self, _uc: object, access: int, address: int, size: int, _value: int, _data: object
    ) -> bool:
        kinds = {
            unicorn.UC_MEM_READ_UNMAPPED: "read of", unicorn.UC_MEM_WRITE_UNMAPPED: "write to",
            unicorn.UC_MEM_FETCH_UNMAPPED: "jump to", unicorn.UC_MEM_WRITE_PROT: "write to",
        }  # fmt: skip
        self._bad_access = (
            f"{kinds.get(access, 'access to')} {address:#010x} ({size} bytes), which is no memory"
        )
        return False

    def _fault(self, error: unicorn.UcError) -> BoardFaultError:
        what = self._bad_access or f"the core stopped: {error}"
        self._bad_access = ""
        return BoardFaultError(
            what, where=self._place(), hint="look at that line of model.c or its kernel header"
        )

    def _place(self) -> str:
        """Board, layer, function, line and address of where the core is."""
        pc, link = (self._uc.reg_read(r) & ~1 for r in (self._regs.pc, self._regs.link))
        function = self._elf.function_at(pc)
        symbols = {layer["symbol"]: layer for layer in self.report["layers"]}
        names = [f.name for f in (function, self._elf.function_at(link)) if f]
        layer = next((symbols[name] for name in names if name in symbols), None)
        parts = [self._board.id]
        if layer:
            parts.append(f"layer {layer['index']} {layer['name']}")
        parts.append(
            f"{function.name if function else 'outside the firmware'} {self._elf.line_at(pc)}".strip()
        )
        return ", ".join([*parts, f"pc {pc:#010x}"])


def _read_hook(trace: _Trace, flash: Flash) -> Callable[..., None]:
    """Counts waits.

    In an IT block, Unicorn 2.1.4 writes the block's state to the core before it calls the hook, and leaves it
    there: the next block of code would start in the middle of an IT block that is over. So it is cleared.
    """

    def on_read(uc: unicorn.Uc, _access: int, address: int, size: int, _value: int, _data: object) -> None:
        if waits := flash.read(address, size):
            trace.waited[trace.layer] += waits
        if trace.conditional:
            state = uc.reg_read(arm_const.UC_ARM_REG_EPSR)
            if state & _EPSR_IT:
                uc.reg_write(arm_const.UC_ARM_REG_EPSR, state & ~_EPSR_IT)

    return on_read


def _has_it(code: bytes) -> bool:
    """Thumb code with an IT instruction: 0xBF followed by a mask that is not zero."""
    at = 0
    while at < len(code):
        half = int.from_bytes(code[at : at + 2], "little")
        if half >> 8 == 0xBF and half & 0xF:
            return True
        at += 4 if half >> 11 >= 0b11101 else 2
    return False


def _core(target: Target) -> unicorn.Uc:
    if target.arch == "rv32":
        return unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
    core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    assert target.emulator is not None
    core.ctl_set_cpu_model(_ARM_CPUS[target.emulator])
    return core
