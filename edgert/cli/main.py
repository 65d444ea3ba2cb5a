"""The `edgert` command: finds the subcommand, and turns every exception into a message and an exit code.

Only the module of the command that was asked for is imported, so that help and lists start at once.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from edgert import __version__
from edgert.cli.console import Parser, emit, nearest, say
from edgert.errors import EdgertError, UsageError

EXIT_OUR_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_INTERRUPTED = 130  # 128 + SIGINT
EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE


@dataclass(frozen=True)
class Command:
    """module of edgert.cli: has add_arguments(parser) and main(args) -> exit code."""

    name: str
    module: str
    summary: str


GROUPS: tuple[tuple[str, tuple[Command, ...]], ...] = (
    (
        "Try it",
        (
            Command("demo", "demo", "the bundled network on an emulated Cortex-M4, start to end"),
            Command(
                "doctor", "doctor", "what is installed, what is missing, and the command that installs it"
            ),
        ),
    ),
    (
        "From a model to a board",
        (
            Command("quantize", "quantize", "a float network to an int8 one, with calibration data"),
            Command("compile", "compile", "a model to C and firmware: does it fit, and what takes the space"),
            Command("export", "export", "a project for CMake, Zephyr, Arduino, ESP-IDF or PlatformIO"),
            Command("flash", "flash", "put a model's firmware on a board, or into an image file"),
            Command("run", "run", "run a model on a board and print its outputs"),
            Command("profile", "profile", "instructions, modelled cycles and memory of every layer"),
            Command("synth", "synth", "what a circuit takes of its FPGA, and how fast it may run"),
            Command("check", "check", "what a board runs, its memory tested, its stack"),
            Command("search", "search", "a network for a board and its limits: found, trained, compiled"),
            Command("tune", "tune", "measure every kernel of every layer; compile then takes the fastest"),
        ),
    ),
    (
        "What there is",
        (
            Command("boards", "boards", "the boards, real and emulated; all of one; a new one of yours"),
            Command("targets", "targets", "the CPUs and FPGA parts that boards are made of"),
        ),
    ),
    ("Compare", (Command("bench", "bench", "a suite of known models on one board, as a table or JSON"),)),
)
COMMANDS = {command.name: command for _, commands in GROUPS for command in commands}


def usage() -> str:
    """The text of `edgert --help`."""
    lines = ["usage: edgert COMMAND [options]      (edgert COMMAND --help tells more)", ""]
    lines += ["Compile a trained int8 network to C for a microcontroller, run it there, measure it there."]
    for title, commands in GROUPS:
        lines += ["", f"{title}:", *(f"  {c.name:<9} {c.summary}" for c in commands)]
    lines += ["", "Options:", "  --version  print the version", "  --help     print this"]
    lines += ["", "Exit codes: 0 done, 2 wrong argument, 3 to 10 see docs/errors.md, 70 our own bug."]
    return "\n".join(lines)


def run(argv: Sequence[str]) -> int:
    """Run one command. Raises whatever the command raises."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        emit(usage())
        return 0 if argv else UsageError.exit_code
    if argv[0] in ("-V", "--version", "version"):
        emit(f"edgert {__version__}")
        return 0
    command = COMMANDS.get(argv[0])
    if command is None:
        raise UsageError(f"no command {argv[0]!r}{nearest(argv[0], COMMANDS)}", hint="see: edgert --help")
    module = import_module(f"edgert.cli.{command.module}")
    summary = f"{command.summary[0].upper()}{command.summary[1:]}."
    parser = Parser(prog=f"edgert {command.name}", description=summary)
    parser.set_defaults(command=command.name)
    module.add_arguments(parser)
    return int(module.main(parser.parse_args(argv[1:])))


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the `edgert` script; returns the exit code and never lets an exception out."""
    try:
        code = run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
        return code
    except EdgertError as error:
        say(error.render())
        return error.exit_code
    except KeyboardInterrupt:
        say("edgert: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader went away (edgert boards | head -1): nothing to say, and nobody to flush to at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except SystemExit as leaving:  # argparse after --help
        return leaving.code if isinstance(leaving.code, int) else 0
    except Exception as error:
        return _our_bug(error)


def _our_bug(error: Exception) -> int:
    if os.environ.get("EDGERT_DEBUG") == "1":
        traceback.print_exc()
    what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    say(f"edgert: internal error: {what} - this is a bug in edgert {__version__}, not in your input")
    say("  hint: run it again with EDGERT_DEBUG=1 and report the traceback with the command and the model")
    return EXIT_OUR_BUG


if __name__ == "__main__":
    sys.exit(main())
