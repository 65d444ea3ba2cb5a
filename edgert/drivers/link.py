"""Link: what a session needs of the way to a firmware. debug_link.py and frames.py have one each."""

from __future__ import annotations

from abc import ABC, abstractmethod

from edgert.drivers.mailbox import Fault, Region


class Link(ABC):
    """Moves bytes between the host and the regions of a firmware, and lets it answer."""

    @abstractmethod
    def read(self, region: Region, offset: int, nbytes: int) -> bytes:
        """Raises LinkError."""

    @abstractmethod
    def write(self, region: Region, offset: int, data: bytes) -> None:
        """Raises LinkError."""

    @abstractmethod
    def execute(self, timeout_s: float) -> None:
        """Give the firmware time to answer the request in its mailbox; it may have answered another.

        Raises BoardTimeoutError, BoardFaultError, LinkError; then `reset` and `start` are needed.
        """

    @abstractmethod
    def reset(self) -> None:
        """Reset the board: from here on its identity can be read. Raises LinkError, BoardTimeoutError."""

    @abstractmethod
    def start(self) -> None:
        """Let the firmware start, until it serves. Raises as execute does."""

    @abstractmethod
    def place(self, fault: Fault) -> str:
        """Board, layer, function, line and address of a fault."""

    def close(self) -> None:
        """Let go of the board. Safe to call twice."""
        return None
