"""The root error, the mistake, and the exit codes.

Every error that Inward raises on purpose is an `InwardError`: a stable `code` for programs, a text for people
(lower case, no full stop, user input in backticks) and a `hint` that says what to do. Each package has its own
subclass. A `Mistake` is one thing wrong in a person's files; all of them are reported together, as one
`InvalidSystemError`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class ExitCode(enum.IntEnum):
    """What a command's exit status means."""

    SUCCESS = 0
    FAILURE = 1
    REFUSED = 2  # a call was refused, or there is a finding
    BAD_INPUT = 3


class InwardError(Exception):
    """Root of every error that Inward raises on purpose."""

    code = "error"
    exit_code = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def advice(self) -> str:
        """The message, and in brackets what to do about it."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadInputError(InwardError):
    """What a person gave (an argument, a file) cannot be used."""

    code = "bad_input"
    exit_code = ExitCode.BAD_INPUT


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands: a file (from the system folder, with slashes) and a line from 1; 0 is the whole file."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong in a person's files: where, what (lower case, no full stop), and what to do about it."""

    place: Place
    what: str
    hint: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.place}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class InvalidSystemError(BadInputError):
    """A system folder has mistakes; it carries all of them, in the order of files and lines."""

    code = "invalid_system"

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))
