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
from edgert.drivers.access import Access, Registers
from edgert.drivers.debug_link import DebugLink
from edgert.drivers.elf import Elf, load_firmware
from edgert.drivers.flash import CoreCaches, Flash, waiting_memory
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.pipeline import cost_model
from edgert.drivers.session import DISPATCH, Array, LayerProfile, Profile, Session
from edgert.errors import BoardFaultError, UsageError
from edgert.target import Target, load_target

_PAGE = 0x1000
_PRIVATE_PAGES = (0xE000E000, 0xE0001000)  # Armv7-M ARM, B3.2 and C1.8: registers that the firmware touches
_NOWHERE = 0xFFFF_FFFE
_OUTSIDE = -2  # the layer of code that is not the model's
_ARM = (arm_const.UC_ARM_REG_PC, arm_const.UC_ARM_REG_SP, arm_const.UC_ARM_REG_LR)
_RISCV = (riscv_const.UC_RISCV_REG_PC, riscv_const.UC_RISCV_REG_SP, riscv_const.UC_RISCV_REG_RA)
_EPSR_IT = 0x0600_FC00  # Armv7-M ARM, B1.4.2
_ARM_CPUS = {
    "cortex-m0": arm_const.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm_const.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm_const.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm_const.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm_const.UC_CPU_ARM_CORTEX_M33,
}
_ACCESS_WORDS = {
    unicorn.UC_MEM_READ_UNMAPPED: "read of", unicorn.UC_MEM_WRITE_UNMAPPED: "write to",
    unicorn.UC_MEM_FETCH_UNMAPPED: "jump to", unicorn.UC_MEM_WRITE_PROT: "write to",
}  # fmt: skip


def open_session(report: Mapping[str, Any], folder: Path, board: Board, address: str = "") -> Session:
    """Any board whose core Unicorn has can be opened, whatever its own driver. Raises UsageError."""
    elf = load_firmware(folder, board)
    return UnicornSession(report, elf, board)


class UnicornAccess(Access):
    """See Access. Time stands still between `resume` and `wait`: the core runs in `wait`."""

    def __init__(self, elf: Elf, board: Board) -> None:
        self._elf, self._board = elf, board
        self._target = load_target(board.target)
        self._arm = not self._target.arch.startswith("rv")
        self._pc, self._sp, self._link = _ARM if self._arm else _RISCV
        self._stop_at = 0
        self._bad_access = ""
        self._core()

    def _core(self) -> None:
        """A core with the firmware in its flash; everything else of it is new."""
        assert self._board.flash is not None and self._board.ram is not None
        self.uc = _new_core(self._target, self._board)
        for region, access in (
            (self._board.flash, unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC),
            (self._board.ram, unicorn.UC_PROT_ALL),
        ):
            self.uc.mem_map(region.start, -(-region.nbytes // _PAGE) * _PAGE, access)
        uart = (self._board.uart.base & -_PAGE,) if self._board.uart else ()  # reads as zero: nobody is there
        for page in (*(_PRIVATE_PAGES if self._arm else ()), *uart):
            self.uc.mem_map(page, _PAGE)
        for address, data in self._elf.segments:
            self.uc.mem_write(address, data)
        self.uc.hook_add(unicorn.UC_HOOK_MEM_INVALID, self._on_bad_access)

    def reset(self) -> None:
        self._core()
        if not self._arm:
            self.uc.reg_write(self._pc, self._elf.entry)
            return
        vectors = self._elf.symbols["ert_flash_start"]
        stack, entry = (int.from_bytes(self.read(vectors + 4 * i, 4), "little") for i in range(2))
        self.uc.reg_write(self._sp, stack)
        self.uc.reg_write(self._pc, entry)

    def read(self, address: int, nbytes: int) -> bytes:
        try:
            return bytes(self.uc.mem_read(address, nbytes))
        except unicorn.UcError as error:
            raise BoardFaultError(f"there is no memory at {address:#010x}", where=self._board.id) from error

    def write(self, address: int, data: bytes) -> None:
        try:
            self.uc.mem_write(address, data)
        except unicorn.UcError as error:
            raise BoardFaultError(f"there is no memory at {address:#010x}", where=self._board.id) from error

    def registers(self) -> Registers:
        return Registers(*(self.uc.reg_read(r) for r in (self._pc, self._sp, self._link)))

    def halt(self) -> None:
        return None  # it runs in `wait` only

    def resume(self, stop_at: int) -> None:
        self._stop_at = stop_at

    def wait(self, timeout_s: float) -> bool:
        try:
            if self._here() == self._stop_at:
                self._run(count=1)
            self._run(self._stop_at, timeout_s)
        except unicorn.UcError as error:
            what = self._bad_access or f"the core stopped: {error}"
            self._bad_access = ""
            raise BoardFaultError(what, where=self._board.id) from error
        return self._here() == self._stop_at

    def _run(self, until: int = _NOWHERE, timeout_s: float = 0.0, count: int = 0) -> None:
        start = self.uc.reg_read(self._pc) | (1 if self._arm else 0)
        timeout_us = max(1, int(timeout_s * 1e6)) if timeout_s else 0
        self.uc.emu_start(start, until, timeout=timeout_us, count=count)

    def _here(self) -> int:
        return int(self.uc.reg_read(self._pc)) & ~1

    def _on_bad_access(
        self, _uc: object, access: int, address: int, size: int, _value: int, _data: object
    ) -> bool:
        what = _ACCESS_WORDS.get(access, "access to")
        self._bad_access = f"{what} {address:#010x} ({size} bytes), which is no memory"
        return False


@dataclass
class _Trace:
    """What the hooks saw. Key of blocks, and of how often each ended in a taken branch: layer, address, size.

    waited: layer -> cycles that reads of flash waited. conditional: whether
    some of the block that runs may be in an IT block.
    """

    blocks: dict[tuple[int, int, int], int] = field(default_factory=dict)
    taken: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    waited: Counter[int] = field(default_factory=Counter)
    layer: int = _OUTSIDE
    last: tuple[int, int, int] = (_OUTSIDE, 0, 0)
    expected: int = 0
    conditional: bool = False


class UnicornSession(MailboxSession):
    """See Session. Profiles are counted and modelled, not read from the core: it has no cycles."""

    def __init__(self, report: Mapping[str, Any], elf: Elf, board: Board) -> None:
        self._elf, self._access = elf, UnicornAccess(elf, board)
        self._target = load_target(board.target)
        self._arm = not self._target.arch.startswith("rv")
        self._with_it: dict[tuple[int, int], bool] = {}
        super().__init__(report, DebugLink(lambda: self._access, elf, report, board), board)

    @property
    def _uc(self) -> unicorn.Uc:
        return self._access.uc

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        """repetitions: all would be the same."""
        if self._target.timing is None and self._target.pipeline is None:
            raise UsageError(f"nobody knows the timing of {self._target.id}", where=self._board.id)
        self._run(inputs, timeout_s)  # so that a core that has to be reset is reset before it gets the hooks
        trace = _Trace()
        memory = waiting_memory(self._board)
        hooks = [self._uc.hook_add(unicorn.UC_HOOK_BLOCK, self._block_hook(trace, memory))]
        if memory:
            region = memory.region
            on_read = _read_hook(trace, memory)
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

    def _block_hook(self, trace: _Trace, memory: Flash | CoreCaches | None) -> Callable[..., None]:
        entries = {self._elf.symbols[layer["symbol"]] & ~1: layer["index"] for layer in self.report["layers"]}
        invoke = self._function(f"{self.report['name']}_invoke")
        runtime = self._function("ert_mailbox_answer")

        def on_block(_uc: object, address: int, size: int, _data: object) -> None:
            follows = address == trace.expected
            trace.expected = address + size
            if not follows:
                trace.taken[trace.last] += 1
            if invoke[0] <= address < invoke[1]:
                trace.layer = -1
            elif runtime[0] <= address < runtime[1]:
                trace.layer = _OUTSIDE
            elif trace.layer != _OUTSIDE:
                trace.layer = entries.get(address, trace.layer)
            trace.last = key = (trace.layer, address, size)
            trace.blocks[key] = trace.blocks.get(key, 0) + 1
            # an IT block that crosses a page is translated in two: the second has no IT instruction
            trace.conditional = self._conditional(address, size) or (follows and trace.conditional)
            if memory and (waits := memory.fetch(address, size)):
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
        model = cost_model(self._target)
        costs = {
            (address, size): model.cost(bytes(self._uc.mem_read(address, size)), address)
            for layer, address, size in trace.blocks
            if layer != _OUTSIDE
        }
        layers = {layer["index"]: layer for layer in self.report["layers"]}
        layers[-1] = {"name": DISPATCH, "op": "-", "variant": "-", "macs": 0}
        instructions, cycles = dict.fromkeys(layers, 0), dict.fromkeys(layers, 0.0)
        for key, times in trace.blocks.items():
            layer, taken = key[0], trace.taken[key]
            if layer == _OUTSIDE:
                continue
            cost = costs[key[1:]]
            instructions[layer] += times * cost.instructions
            cycles[layer] += times * cost.cycles + taken * cost.taken + (times - taken) * cost.passed
        for layer in layers:
            cycles[layer] += trace.waited[layer]
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
        return Profile(rows, "modelled", self.stack_bytes(), self._board.clock_hz, wait_states)


def _read_hook(trace: _Trace, memory: Flash | CoreCaches) -> Callable[..., None]:
    """Counts waits.

    In an IT block, Unicorn 2.1.4 writes the block's state to the core before it calls the hook, and leaves it
    there: the next block of code would start in the middle of an IT block that is over. So it is cleared.
    """

    def on_read(uc: unicorn.Uc, _access: int, address: int, size: int, _value: int, _data: object) -> None:
        if waits := memory.read(address, size):
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


def _new_core(target: Target, board: Board) -> unicorn.Uc:
    if target.arch.startswith("rv"):
        bits = unicorn.UC_MODE_RISCV64 if target.arch == "rv64" else unicorn.UC_MODE_RISCV32
        return unicorn.Uc(unicorn.UC_ARCH_RISCV, bits)
    if target.emulator not in _ARM_CPUS:
        raise UsageError(
            f"Unicorn has no {target.name}", where=board.id, hint="use a QEMU board: edgert boards"
        )
    core = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    core.ctl_set_cpu_model(_ARM_CPUS[target.emulator])
    return core
