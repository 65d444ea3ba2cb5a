"""One exception tree. Every error a user can cause says: what, got, rule, next step.

The CLI prints `edgert: {where}: {what} - {rule}` and `  hint: {hint}`, and exits with `exit_code`;
the codes are part of the interface and never reused (docs/errors.md).
"""

from __future__ import annotations


class EdgertError(Exception):
    """Base of every error that a user's input can cause.

    what: the fact, with the offending value in it. where: file, layer or board it happened at.
    rule: what would have been right. hint: the next step, a command where there is one.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", rule: str = "", hint: str = "") -> None:
        self.what, self.where, self.rule, self.hint = what, where, rule, hint
        super().__init__(self.one_line())

    def one_line(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head} - {self.rule}" if self.rule else head

    def render(self) -> str:
        """The text shown to the user: one line, and the hint on a second."""
        text = "edgert: " + " ".join(self.one_line().split())
        return f"{text}\n  hint: {self.hint}" if self.hint else text


class UsageError(EdgertError):
    """An argument is wrong or missing."""

    exit_code = 2


class ModelError(EdgertError):
    """The file is not a model that we can read (truncated, random bytes, inconsistent)."""

    exit_code = 3


class UnsupportedOperatorError(EdgertError):
    """The model is well formed, but neither a kernel nor TVM can do one of its operators."""

    exit_code = 4


class InputError(EdgertError):
    """An input tensor has the wrong shape, dtype or number."""

    exit_code = 5


class DoesNotFitError(EdgertError):
    """The model needs more RAM or flash than the board has."""

    exit_code = 6


class DescriptorError(EdgertError):
    """An unknown board or target, or a descriptor file that breaks a rule."""

    exit_code = 7


class ToolError(EdgertError):
    """A compiler or another tool is missing, or refused our input."""

    exit_code = 8


class BoardFaultError(EdgertError):
    """The firmware faulted: says which fault, and the function, line and layer it happened in."""

    exit_code = 9


class BoardTimeoutError(EdgertError):
    """The board did not finish within the time allowed."""

    exit_code = 10


class LinkError(EdgertError):
    """The connection to the board broke, or what came over it is no answer."""

    exit_code = 11


class WrongFirmwareError(EdgertError):
    """The board does not run the firmware of this artifact: no firmware of ours, or another model's."""

    exit_code = 12
