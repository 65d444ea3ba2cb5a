"""The mailbox of our firmware, as bytes: who it is, what it is asked, what it answers.

The layout and the rules are those of csrc/runtime/ert_mailbox.h.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from edgert.errors import WrongFirmwareError

MAGIC = 0x4D545245
VERSION = 1
UNKNOWN = 0xFFFF_FFFF
NOTES_BYTES = 128  # as csrc/port/linux.c has them; nothing on bare metal
IDENTITY = struct.Struct("<6I32s32s32s")
REQUEST = struct.Struct("<4I")
_ANSWER = struct.Struct("<15I")
_COVERED = 8  # `ready` and `answer_crc` come before what the CRC covers


class Region(IntEnum):
    """What a link can reach; only the arena and the request in the mailbox can be written."""

    IDENTITY = 0
    MAILBOX = 1
    ARENA = 2
    NOTES = 3


class Command(IntEnum):
    RUN = 1
    PROFILE = 2
    MEMORY = 3
    SELF_TEST = 4
    RESET = 5


class Result(IntEnum):
    OK = 0
    BAD_CRC = 1
    BAD_COMMAND = 2
    FAULT = 3
    STACK = 4
    MEMORY = 5


COUNTERS = {0: "", 1: "DWT CYCCNT", 2: "SysTick", 3: "mcycle", 4: "CNTVCT", 5: "the system's clock"}


@dataclass(frozen=True)
class Fault:
    """What the core knew when it faulted; 0: unknown. address: that could not be accessed."""

    cause: int
    pc: int
    link: int
    sp: int
    address: int


@dataclass(frozen=True)
class Identity:
    """Which firmware a board runs. Hashes as hexadecimal digits."""

    version: int
    layers: int
    arena_bytes: int
    mailbox_bytes: int
    build: str
    model_sha256: str
    model: str
    shapes: str

    @classmethod
    def parse(cls, data: bytes) -> Identity:
        """Raises WrongFirmwareError if it is not ours, or not of this version."""
        magic, version, layers, arena, mailbox, _frame, build, model, name = IDENTITY.unpack_from(data)
        if magic != MAGIC:
            raise WrongFirmwareError(
                "the board runs no edgert firmware",
                rule=f"its identity starts with {MAGIC:#x}, got {magic:#x}",
                hint="flash it: edgert flash",
            )  # fmt: skip
        if version != VERSION:
            raise WrongFirmwareError(
                f"the firmware's mailbox has version {version}", rule=f"this edgert speaks version {VERSION}",
                hint="compile and flash again",
            )  # fmt: skip
        rest = data[IDENTITY.size :]
        return cls(
            version, layers, arena, mailbox, build.hex(), model.hex(), text(name), text(rest)
        )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What the firmware answered. cycles: of the whole run; layer_cycles: None where they overflowed."""

    result: Result
    value: int
    counter: str
    counter_hz: int
    cycles: int
    fault: Fault
    layer_cycles: tuple[int | None, ...]
    outputs: tuple[bytes, ...] = ()


def request(command: Command, argument: int, number: int, inputs: Sequence[bytes] = ()) -> bytes:
    """The four words that ask for something; inputs: what is in the arena for it."""
    words = struct.pack("<3I", command, argument, number)
    return words + struct.pack("<I", zlib.crc32(b"".join([words, *inputs])))


def answer_bytes(layers: int) -> int:
    """Bytes of the answer, which stands right behind the request."""
    return _ANSWER.size + 4 * layers


def has_outputs(command: Command, data: bytes) -> bool:
    """Whether an answer, as it was read, comes with outputs."""
    return command in (Command.RUN, Command.PROFILE) and _ANSWER.unpack_from(data)[3] == Result.OK


def parse_answer(data: bytes, number: int, outputs: tuple[bytes, ...]) -> Answer | None:
    """The answer to request `number`, None if it is another's. Raises ValueError where it is not whole."""
    ready, crc, answered, result, value, counter, hz, _overhead, low, high, *fault = _ANSWER.unpack_from(data)
    if ready != MAGIC or crc != zlib.crc32(b"".join([data[_COVERED:], *outputs])):
        raise ValueError("the CRC does not fit")
    if answered != number:
        return None
    layers = struct.unpack_from(f"<{(len(data) - _ANSWER.size) // 4}I", data, _ANSWER.size)
    return Answer(
        Result(result) if result in list(Result) else Result.BAD_COMMAND,
        value,
        COUNTERS.get(counter, "?"),
        hz,
        high << 32 | low,
        Fault(*fault),
        tuple(None if n == UNKNOWN else n for n in layers),
        outputs,
    )


def text(data: bytes) -> str:
    """Characters up to a zero."""
    return data.split(b"\0")[0].decode(errors="replace")
