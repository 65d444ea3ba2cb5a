"""MailboxSession: one Session for every board that runs our firmware, whatever the link to it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import median
from typing import Any

from edgert.board import Board
from edgert.drivers.link import Link
from edgert.drivers.mailbox import (
    IDENTITY,
    NOTES_BYTES,
    REQUEST,
    UNKNOWN,
    Answer,
    Command,
    Identity,
    Region,
    Result,
    answer_bytes,
    has_outputs,
    parse_answer,
    request,
    text,
)  # fmt: skip
from edgert.drivers.session import (
    DISPATCH,
    Array,
    LayerProfile,
    Profile,
    Session,
    check_inputs,
    port_bytes,
    read_outputs,
)  # fmt: skip
from edgert.errors import BoardFaultError, LinkError, WrongFirmwareError
from edgert.firmware import shapes

_TRIES = 4
_QUICK_S, _SELF_TEST_S = 10.0, 60.0


class MailboxSession(Session):
    """See Session. Checks the firmware's identity before anything else, and every answer against its CRC.

    Raises WrongFirmwareError, LinkError, BoardTimeoutError.
    """

    def __init__(self, report: Mapping[str, Any], link: Link, board: Board) -> None:
        super().__init__(report)
        self._link, self._board = link, board
        self._number = 0
        self._ready = False
        try:
            self._prepare()
        except BaseException:
            link.close()
            raise

    def _prepare(self) -> None:
        """Nothing of a firmware runs before it has said that it is ours."""
        self._link.reset()
        self.identity = self._identify()
        self._link.start()
        self._ready = True

    def _identify(self) -> Identity:
        """Read twice: nothing protects this read but itself."""
        nbytes = IDENTITY.size + len(shapes(self.report)) + 1
        for _ in range(_TRIES):
            data = self._link.read(Region.IDENTITY, 0, nbytes)
            if data == self._link.read(Region.IDENTITY, 0, nbytes):
                identity = Identity.parse(data)
                self._check(identity)
                return identity
        raise LinkError("the board's identity reads differently every time", where=self._board.id)

    def _check(self, identity: Identity) -> None:
        wanted = (self.report["name"][:31], self.report.get("build_sha256") or "0" * 64)
        if (identity.model, identity.build) == wanted:
            return
        other = "another build of it" if identity.model == wanted[0] else f"the model {identity.model!r}"
        raise WrongFirmwareError(
            f"the board runs {other} (build {identity.build[:12]}, shapes {identity.shapes})",
            where=self._board.id,
            rule=f"this artifact is {wanted[0]!r}, build {wanted[1][:12]}",
            hint="flash it: edgert flash",
        )

    def run_bytes(self, inputs: Sequence[bytes], timeout_s: float) -> list[Array]:
        """run(), the inputs already the model's bytes."""
        return self._arrays(self._request(Command.RUN, timeout_s, inputs))

    _run = run_bytes

    def _arrays(self, answer: Answer) -> list[Array]:
        ports = self.report["outputs"]
        return read_outputs(ports, {p["offset"]: data for p, data in zip(ports, answer.outputs, strict=True)})

    def _profile(self, inputs: Sequence[bytes], timeout_s: float, repetitions: int) -> Profile:
        runs = [self._request(Command.PROFILE, timeout_s, inputs) for _ in range(repetitions)]
        whole = median(self._request(Command.RUN, timeout_s, inputs).cycles for _ in range(repetitions))
        rows = [_row(layer, [run.layer_cycles[i] for run in runs])
                for i, layer in enumerate(self.report["layers"])]  # fmt: skip
        known = sum(row.cycles or 0 for row in rows)
        rows.append(LayerProfile(DISPATCH, "-", "-", 0, None, max(0, round(whole) - known)))
        how = "measured" if self._board.verified == "hardware" else "emulated"
        return Profile(
            tuple(rows), f"{how}: {runs[0].counter}", self.stack_bytes(),
            runs[0].counter_hz or self._board.clock_hz, repetitions=repetitions,
        )  # fmt: skip

    def time(self, *inputs: Array, repetitions: int, timeout_s: float) -> int:
        """Cycles of `repetitions` runs in a row, as the board counts them; the data of all but the first
        is what the run before left in the arena. Raises as run()."""
        data = check_inputs(self.report["inputs"], inputs)
        return self._request(Command.RUN, timeout_s, data, argument=repetitions).cycles

    def stack_bytes(self) -> int | None:
        """The deepest that the stack has been since the board was reset."""
        value = self._request(Command.MEMORY, _QUICK_S).value
        return None if value == UNKNOWN else value

    def self_test(self) -> int | None:
        """CRC-32 of the flash as the board reads it; None where it has none. Tests the arena's RAM, too.

        Raises BoardFaultError if a cell of the arena does not hold what was written there.
        """
        value = self._request(Command.SELF_TEST, _SELF_TEST_S).value
        return None if value == UNKNOWN else value

    def notes(self) -> str:
        """What the board says of how it runs: its CPU, governor and frequency on Linux; else nothing."""
        return text(self._link.read(Region.NOTES, 0, NOTES_BYTES)) if self._board.linux else ""

    def _request(
        self, command: Command, timeout_s: float, inputs: Sequence[bytes] = (), argument: int = 1
    ) -> Answer:
        """One request, sent again where the link spoiled it. Every answer that is returned is whole."""
        deadline = time.monotonic() + timeout_s
        if not self._ready:
            self._prepare()
        self._ready = False  # until it has ended well
        for _ in range(_TRIES):
            self._send(command, argument, inputs)
            self._link.execute(max(0.001, deadline - time.monotonic()))
            answer = self._receive(command)
            if answer is not None and answer.result != Result.BAD_CRC:
                self._judge(answer)
                self._ready = True
                return answer
        raise LinkError(
            f"{_TRIES} requests in a row were not answered intact", where=self._board.id,
            hint="check the cable, or a lower speed; the session resets the board at its next use",
        )  # fmt: skip

    def _send(self, command: Command, argument: int, inputs: Sequence[bytes]) -> None:
        self._number = self._number % UNKNOWN + 1
        for port, data in zip(self.report["inputs"], inputs, strict=False):
            self._link.write(Region.ARENA, port["offset"], data)
        self._link.write(Region.MAILBOX, 0, request(command, argument, self._number, inputs))

    def _receive(self, command: Command) -> Answer | None:
        """The answer to the last request; None if it has not come, or not whole."""
        nbytes = answer_bytes(len(self.report["layers"]))
        for _ in range(_TRIES):
            data = self._link.read(Region.MAILBOX, REQUEST.size, nbytes)
            outputs = self._outputs() if has_outputs(command, data) else ()
            with suppress(ValueError):  # spoiled on the way: read again
                return parse_answer(data, self._number, outputs)
        return None

    def _outputs(self) -> tuple[bytes, ...]:
        ports = self.report["outputs"]
        return tuple(self._link.read(Region.ARENA, p["offset"], port_bytes(p)) for p in ports)

    def _judge(self, answer: Answer) -> None:
        """Raises unless the result is OK."""
        if answer.result == Result.OK:
            return
        where = self._board.id
        if answer.result == Result.FAULT:
            what = f"the core faulted (cause {answer.fault.cause:#x})"
            if answer.fault.address:
                what = f"the core faulted at an access to {answer.fault.address:#010x}"
            raise BoardFaultError(
                what, where=self._link.place(answer.fault), hint="look at that line of model.c or its kernel"
            )
        if answer.result == Result.STACK:
            raise BoardFaultError(
                "the stack overflowed into the static data", where=where, hint="choose a board with more RAM"
            )
        if answer.result == Result.MEMORY:
            raise BoardFaultError(
                f"byte {answer.value} of the arena does not hold what was written", where=where,
                hint="the memory map of the board is wrong, or its RAM is broken",
            )  # fmt: skip
        raise LinkError(f"the firmware refused the request: {answer.result.name}", where=where)

    def close(self) -> None:
        self._link.close()


def _row(layer: Mapping[str, Any], cycles: Sequence[int | None]) -> LayerProfile:
    known = [c for c in cycles if c is not None]
    return LayerProfile(
        layer["name"], layer["op"], layer["variant"], layer["macs"], None,
        round(median(known)) if known else None, 0, layer.get("read_bytes", 0), layer.get("written_bytes", 0),
        (min(known), max(known)) if known else None,
    )  # fmt: skip
