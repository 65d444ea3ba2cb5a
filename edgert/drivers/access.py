"""Access: memory and run control of one core, as a debug probe gives them. Emulators give the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Registers:
    """What it takes to say where a core is: program counter, stack pointer, link register."""

    pc: int
    sp: int
    link: int


class Access(ABC):
    """Addresses and sizes in bytes. Memory and registers may be touched only while the core is halted.

    Every method raises LinkError if the other side is gone or answers nonsense.
    """

    @abstractmethod
    def read(self, address: int, nbytes: int) -> bytes:
        """Raises BoardFaultError if there is no such memory."""

    @abstractmethod
    def write(self, address: int, data: bytes) -> None:
        """Raises BoardFaultError if there is no such memory."""

    @abstractmethod
    def registers(self) -> Registers: ...

    @abstractmethod
    def halt(self) -> None:
        """Stop the core where it is. It may be halted already."""

    @abstractmethod
    def resume(self, stop_at: int) -> None:
        """Let the core go on from where it is; it halts when it reaches `stop_at` (again)."""

    @abstractmethod
    def wait(self, timeout_s: float) -> bool:
        """Wait until the core has halted by itself; False if it still runs after timeout_s seconds.

        Raises BoardFaultError where the core cannot go on.
        """

    @abstractmethod
    def reset(self) -> None:
        """Leave the core halted at the first instruction of the firmware in its memory."""

    def close(self) -> None:
        """Let go of the core. Safe to call twice."""
        return None
