"""One firmware, every link: QEMU's boards over GDB's protocol and a serial line, Linux programs, Unicorn.

What goes wrong ends in a clear error within its time, leaves the session usable, and nothing behind.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_stream import FaultyStream
from tiny import COPY, Bench, expected, report

from edgert.artifact import Artifact
from edgert.board import Board, Gdb, load_board
from edgert.cli.check import flash_crc
from edgert.drivers import gdb_board, open_session, serial_board
from edgert.drivers.elf import load_firmware
from edgert.drivers.mailbox_session import MailboxSession
from edgert.drivers.session import Session
from edgert.drivers.stream import Stream, start_process
from edgert.errors import BoardFaultError, BoardTimeoutError, EdgertError, LinkError, WrongFirmwareError
from edgert.pool import Job, Pool

X = np.arange(16, dtype=np.uint8) * 11
M4, RV32 = "mps2-an386", "virt-rv32"
QEMU = (
    "mps2-an385", M4, "mps2-an500", "mps2-an505", "mps3-an547", "microbit", RV32, "virt-rv64",
)  # fmt: skip
LINKS = (
    *((board, "gdb") for board in QEMU),
    (M4, "serial"), ("mps2-an385", "serial"), (RV32, "serial"), ("virt-rv64", "serial"),
    ("aarch64-user", "linux"), ("armv7a-user", "linux"), ("riscv64-user", "linux"),
    (M4, "unicorn"), (RV32, "unicorn"), ("microbit", "unicorn"),
)  # fmt: skip
each_link = pytest.mark.parametrize(("board", "link"), LINKS)
BOTH = (("gdb", gdb_board), ("serial", serial_board))
NOWHERE = {"mps": "0xE0100000u", "microbit": "0x60000001u", "virt": "0x0u", "user": "0x10u"}


def needed_tool(board: Board, link: str) -> str:
    table = getattr(board, link, None)
    command = getattr(table, "server", ()) or getattr(table, "run", ())
    return command[0] if command else ""


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., tuple[Path, Board]]:
    """Builds the tiny model for a board; skips where the program that stands in for the board is missing."""

    def build(board_id: str, link: str, second: str = COPY, **more: Any) -> tuple[Path, Board]:
        board = load_board(board_id)
        tool = needed_tool(board, link)
        if tool and shutil.which(tool) is None:
            pytest.skip(f"no {tool}: see edgert doctor")
        Bench(tmp_path).build(board, second, **more)
        return tmp_path, board

    return build


def opened(built: Any, board_id: str, link: str, second: str = COPY) -> Session:
    folder, board = built(board_id, link, second)
    return open_session(report(board_id), folder, board, link)


def good(session: Session, x: Any = X) -> bool:
    return session.run(x)[0].tobytes() == expected(x.tobytes())


@each_link
def test_runs(built: Any, board: str, link: str) -> None:
    with opened(built, board, link) as session:
        assert isinstance(session, MailboxSession)
        assert good(session)
        assert good(session, X[::-1].copy())
        assert session.identity.model == "tiny"
        assert session.identity.shapes == "uint8[16] -> uint8[16]"
        stack = session.stack_bytes()
        assert (stack is None) == (link == "linux")
        assert stack is None or 0 < stack < 1024
        assert good(session)


@each_link
def test_self_test(built: Any, board: str, link: str) -> None:
    """The board reads in its flash what we put there; and its RAM holds what is written."""
    folder, described = built(board, link)
    with open_session(report(board), folder, described, link) as session:
        assert isinstance(session, MailboxSession)
        found = session.self_test()
        assert good(session)
    if link == "linux":
        assert found is None
        return
    assert found == flash_crc(load_firmware(folder, described))


@each_link
def test_a_fault_says_where_and_the_session_is_good_again(built: Any, board: str, link: str) -> None:
    nowhere = next(address for part, address in NOWHERE.items() if part in board)
    if link == "unicorn":
        nowhere = "0x60000000u"
    body = f"    if (arena[0] == 1) {{ *(volatile uint32_t *){nowhere} = arena[0]; }}\n{COPY}"
    bad = X + 1
    with opened(built, board, link, body) as session:
        for _ in range(2):
            with pytest.raises(BoardFaultError) as caught:
                session.run(bad.astype(np.uint8))
            text = str(caught.value)
            assert all(p in text for p in (board, "layer 1 layer1", "tiny_step_01 model.c:", "pc 0x")), text
            assert good(session)


@each_link
def test_an_endless_run_ends_in_time(built: Any, board: str, link: str) -> None:
    body = '    while (arena[0] == 1) { __asm__ volatile("" ::: "memory"); }\n' + COPY
    with opened(built, board, link, body) as session:
        start = time.monotonic()
        with pytest.raises(BoardTimeoutError, match="no answer within"):
            session.run((X + 1).astype(np.uint8), timeout_s=0.5)
        assert time.monotonic() - start < 5
        assert good(session)


@pytest.mark.parametrize(("board", "link"), [(M4, "gdb"), (M4, "serial"), (RV32, "gdb")])
def test_a_stack_overflow_is_noticed(built: Any, board: str, link: str, tmp_path: Path) -> None:
    body = (
        """    volatile uint8_t local[6000];
    for (int32_t i = 0; arena[0] == 1 && i < 6000; i++) { local[i] = arena[i % 16]; }
"""
        + COPY
    )
    folder, described = built(board, link)
    assert described.ram is not None
    small = replace(described, ram=replace(described.ram, end=described.ram.start + 6 * 1024))
    Bench(folder).build(small, body)
    with open_session(report(board), folder, small, link) as session:
        with pytest.raises((BoardFaultError, BoardTimeoutError), match=r"overflowed|faulted|no answer"):
            session.run((X + 1).astype(np.uint8), timeout_s=2)  # it may take the mailbox with it
        assert good(session)


@pytest.mark.parametrize("board", ["mps2-an385", M4, "mps2-an505", RV32])
def test_qemu_counts_as_unicorn_does(built: Any, board: str) -> None:
    """Every layer, to the last instruction, of the same firmware."""
    folder, described = built(board, "gdb")
    counts = []
    for link in ("gdb", "unicorn"):
        with open_session(report(board), folder, described, link) as session:
            profile = session.profile(X)
        counts.append([layer.instructions for layer in profile.layers])
        assert (profile.cycles is None) == (link == "gdb")
    assert counts[0] == counts[1]
    assert all(counts[0])


@pytest.mark.parametrize(
    ("board", "counter"), [(M4, "SysTick"), (RV32, "mcycle"), ("aarch64-user", "CNTVCT")]
)
def test_cycles_of_a_counter(built: Any, board: str, counter: str) -> None:
    """Median and spread of the repetitions, and which counter it was."""
    link = "linux" if board == "aarch64-user" else "serial"
    with opened(built, board, link) as session:
        profile = session.profile(X, repetitions=5)
    assert profile.cycles_kind == f"emulated: {counter}"
    assert profile.repetitions == 5
    for layer in profile.layers[:-1]:
        assert layer.cycles is not None and layer.spread is not None
        assert layer.spread[0] <= layer.cycles <= layer.spread[1]


# ---- what goes wrong


@pytest.mark.parametrize(("link", "driver"), BOTH, ids=["gdb", "serial"])
def test_nothing_spoiled_becomes_a_result(
    built: Any, monkeypatch: pytest.MonkeyPatch, link: str, driver: Any
) -> None:
    """Bits flip, bytes are dropped, repeated, inserted, whole chunks lost, both ways; every result is right.

    tools/measure_links.py does the same with over 10,000 faults.
    """
    folder, board = built(M4, link)
    streams: list[FaultyStream] = []

    def start(argv: list[str]) -> Stream:
        streams.append(FaultyStream(start_process(argv), len(streams), 0.1 if link == "gdb" else 0.01))
        return streams[-1]

    monkeypatch.setattr(driver, "start_process", start)
    random, runs, errors = np.random.default_rng(0), 0, 0
    with open_session(report(M4), folder, board, link) as session:
        while sum(sum(s.faults.values()) for s in streams) < 300:
            x = random.integers(0, 256, 16, dtype=np.uint8)
            try:
                assert good(session, x)
                runs += 1
            except EdgertError:
                errors += 1
    assert runs > 20 * errors


@pytest.mark.parametrize("link", ["gdb", "serial"])
def test_the_board_is_gone(built: Any, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    """QEMU dies in mid-run: an error that says so, and the next run starts a new one."""
    driver = dict(BOTH)[link]
    folder, board = built(M4, link)
    processes: list[Stream] = []

    def start(argv: list[str]) -> Stream:
        processes.append(start_process(argv))
        return processes[-1]

    monkeypatch.setattr(driver, "start_process", start)
    with open_session(report(M4), folder, board, link) as session:
        assert good(session)
        kill_behind(processes[-1])
        with pytest.raises(LinkError, match="closed"):
            session.run(X)
        assert good(session)
        assert len(processes) == 2
    assert all(p._behind.keeper.poll() is not None for p in processes)  # type: ignore[attr-defined]


def kill_behind(stream: Any) -> None:
    """Kill the program at the other end of a stream, not its keeper."""
    subprocess.run(["pkill", "-KILL", "-P", str(stream._behind.keeper.pid)], check=True)


def children_of(pid: int) -> str:
    return subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    """Neither when a stream is closed, nor when the whole of the host's process is killed."""
    stream: Any = start_process(["sleep", "60"])
    child = children_of(stream._behind.keeper.pid)
    assert child
    stream.close()
    assert not Path(f"/proc/{child.strip()}").exists()
    code = (
        "import sys, time; from edgert.drivers.stream import start_process\n"
        "s = start_process(['sleep', '61']); print(s._behind.keeper.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        keeper = int(host.stdout.readline())
        time.sleep(0.2)
        child = children_of(keeper).strip()
        assert child
        host.kill()
    for _ in range(50):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    pytest.fail("it runs on")


@pytest.fixture
def server(built: Any) -> Iterator[tuple[Path, Board, str]]:
    """A QEMU that runs already, as a debug probe's server does; yields its address."""
    folder, board = built(M4, "gdb")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    assert board.gdb is not None
    command = [*board.gdb.server[:-1], f"tcp:localhost:{port}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("localhost", port)) == 0:
                    break
            time.sleep(0.05)
        yield folder, board, f"gdb:localhost:{port}"
        process.kill()


def test_a_server_that_runs_already(server: tuple[Path, Board, str]) -> None:
    folder, board, link = server
    for _ in range(2):
        with open_session(report(M4), folder, board, link) as session:
            assert good(session)


def test_two_hosts_at_once(server: tuple[Path, Board, str]) -> None:
    """QEMU serves one at a time: the second waits in vain, and the first does not notice."""
    folder, board, link = server
    with open_session(report(M4), folder, board, link) as first:
        assert good(first)
        start = time.monotonic()
        with pytest.raises(LinkError, match="no answer"):
            open_session(report(M4), folder, board, link)
        assert time.monotonic() - start < 20
        assert good(first)


def test_firmware_of_another_model(server: tuple[Path, Board, str], tmp_path: Path) -> None:
    folder, board, link = server
    assert board.gdb is not None
    with open_session(report(M4), folder, board, link) as session:
        assert good(session)
    other = report(M4) | {"name": "other"}
    loaded = replace(board, gdb=Gdb(board.gdb.address, board.gdb.server, load=False, reset=board.gdb.reset))
    with pytest.raises(WrongFirmwareError, match=r"runs the model 'tiny'.*this artifact is 'other'"):
        open_session(other, folder, loaded, link)
    rebuilt = report(M4) | {"build_sha256": "ab" * 32}
    with pytest.raises(WrongFirmwareError, match="another build of it"):
        open_session(rebuilt, folder, loaded, link)


def test_an_empty_board(server: tuple[Path, Board, str]) -> None:
    """It is not even started."""
    folder, board, link = server
    assert board.gdb is not None
    empty = replace(board, gdb=replace(board.gdb, load=False))
    with pytest.raises(WrongFirmwareError, match="the board runs no edgert firmware"):
        open_session(report(M4), folder, empty, link)


def test_firmware_of_another_size(server: tuple[Path, Board, str], tmp_path: Path) -> None:
    """Whatever the other model is, its identity is where we look: right behind the vectors."""
    folder, board, link = server
    assert board.gdb is not None
    with open_session(report(M4), folder, board, link) as session:
        assert good(session)
    bigger = tmp_path / "bigger"
    bigger.mkdir()
    code = "    for (int32_t i = 0; i < 16; i++) { arena[64 + i] = (uint8_t)(arena[i] * arena[15 - i] / 3); }"
    Bench(bigger).build(board, code)
    other = report(M4) | {"name": "other"}
    loaded = replace(board, gdb=replace(board.gdb, load=False))
    with pytest.raises(WrongFirmwareError, match=r"runs the model 'tiny'.*this artifact is 'other'"):
        open_session(other, bigger, loaded, link)


def test_the_board_resets_in_mid_run(built: Any) -> None:
    """Nobody says so over a serial line: the answer that never comes is what is noticed."""
    body = (
        """    if (arena[0] == 1) { *(volatile uint32_t *)0xE000ED0Cu = 0x05FA0004u; for (;;) { } }
"""
        + COPY
    )
    for link in ("gdb", "serial"):
        with opened(built, M4, link, body) as session:
            start = time.monotonic()
            with pytest.raises((BoardTimeoutError, LinkError)):
                session.run((X + 1).astype(np.uint8), timeout_s=2)
            assert time.monotonic() - start < 10
            assert good(session)


def test_nobody_at_the_address(built: Any) -> None:
    folder, board = built(M4, "gdb")
    with pytest.raises(LinkError, match="nothing answers at localhost:1"):
        open_session(report(M4), folder, board, "gdb:localhost:1")
    with pytest.raises(LinkError, match="cannot open /dev/nothing"):
        open_session(report(M4), folder, board, "serial:/dev/nothing")


@pytest.mark.parametrize("what", [b"garbage\n" * 20, b"", b"$#00$#00"])
def test_somebody_else_at_the_address(built: Any, what: bytes) -> None:
    """Not a GDB server: it says something else, or nothing."""
    folder, board = built(M4, "gdb")
    listener = socket.create_server(("localhost", 0))

    def talk() -> None:
        peer, _ = listener.accept()
        with peer:
            for _ in range(40):
                try:
                    peer.sendall(what)
                except OSError:
                    return
                time.sleep(0.05)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    start = time.monotonic()
    with listener, pytest.raises(LinkError):
        open_session(report(M4), folder, board, f"gdb:localhost:{listener.getsockname()[1]}")
    assert time.monotonic() - start < 20
    thread.join(10)


def test_a_serial_line_over_a_socket(built: Any) -> None:
    """pyserial's socket://, as a terminal server or QEMU offers it; a second host takes over, in the open."""
    folder, board = built(M4, "serial")
    assert board.serial is not None
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    firmware = str(folder / "firmware.elf")
    command = [part.replace("{firmware}", firmware) for part in board.serial.server]
    command[command.index("stdio")] = f"tcp:localhost:{port},server=on,wait=off"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            time.sleep(0.5)
            link = f"serial:socket://localhost:{port}"
            with open_session(report(M4), folder, board, link) as session:
                assert good(session)
            with open_session(report(M4), folder, board, link) as session:
                assert good(session)
        finally:
            process.kill()


def test_a_serial_line_at_a_pty(built: Any) -> None:
    """As a USB adapter is: a device with a name."""
    folder, board = built(M4, "serial")
    assert board.serial is not None
    firmware = str(folder / "firmware.elf")
    command = [part.replace("{firmware}", firmware) for part in board.serial.server]
    command[command.index("stdio")] = "pty"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            device = next(word for word in process.stdout.readline().split() if word.startswith("/dev/"))
            with open_session(report(M4), folder, board, f"serial:{device}") as session:
                assert good(session)
        finally:
            process.kill()


def test_a_pool_survives_a_board(built: Any) -> None:
    """Three QEMUs, one killed under way: all the work is done, and the lost one is named."""
    folder, board = built(M4, "gdb")
    lost: list[str] = []

    def opener(name: str) -> Callable[[Any], Session]:
        def connect(_artifact: Any) -> Session:
            session = open_session(report(M4), folder, board, "gdb")
            if name == "bad":
                link = session._link  # type: ignore[attr-defined]
                kill_behind(link.access._stream)
                link._connect = lambda: (_ for _ in ()).throw(LinkError("the cable is gone", where=name))
                lost.append(name)
            return session

        return connect

    names = ("a", "bad", "c")
    pool = Pool({name: opener(name) for name in names})
    artifact = Artifact(folder, {"name": "tiny"})
    groups = [[Job(artifact, good), Job(artifact, good)] for _ in range(6)]
    outcomes = pool.run(groups)
    assert all(o.result is True for group in outcomes for o in group)
    assert all(len({o.board for o in group}) == 1 for group in outcomes)
    assert lost and list(pool.quarantined) == ["bad"]
