"""Exceptions of this package. Each text says what was found, where, and what is expected."""

from __future__ import annotations

from dataclasses import dataclass


class Error(Exception):
    """Base of all exceptions of this package."""


@dataclass(frozen=True)
class Diagnostic:
    """An error in a scene.

    Attributes:
        file: The file as it was given; ``None`` where the message has the place.
        line: Line, from 1; 0 where there is none.
        column: Column, from 1, in characters; 0 where there is none.
        message: What was found, what was expected, and the nearest name.
    """

    file: str | None
    line: int
    column: int
    message: str


class SceneError(Error, ValueError):
    """A scene, or a file that it names, is wrong.

    Attributes:
        diagnostics: All errors that were found, in the order of the text.
    """

    def __init__(
        self, text: str, found: list[tuple[str | None, int, int, str]] | None = None
    ) -> None:
        super().__init__(text)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(Diagnostic(*one) for one in found or [])

    def __reduce__(self) -> tuple[object, ...]:
        found = [(d.file, d.line, d.column, d.message) for d in self.diagnostics]
        return (type(self), (str(self), found))

    @property
    def file(self) -> str | None:
        """File of the first error."""
        return self.diagnostics[0].file if self.diagnostics else None

    @property
    def line(self) -> int:
        """Line of the first error, from 1; 0 where there is none."""
        return self.diagnostics[0].line if self.diagnostics else 0

    @property
    def column(self) -> int:
        """Column of the first error, from 1; 0 where there is none."""
        return self.diagnostics[0].column if self.diagnostics else 0


class RunError(Error, RuntimeError):
    """A run has failed: a system returned an error, or a recording is incomplete."""


class CallbackError(RunError):
    """A function in Python has raised an exception, which is the cause of this one, with its traceback; or has returned
    something else than numbers or a request.

    Attributes:
        name: The agent, or the sensor, of the function.
    """

    def __init__(self, text: str, name: str = "") -> None:
        super().__init__(text)
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (str(self), self.name))


class UnknownName(Error, LookupError):
    """No sensor, agent, place or state has this name; the text lists those that are there."""


class Refused(Error, RuntimeError):
    """An agent cannot follow a request; the text says why."""


class Closed(Error, RuntimeError):
    """The simulation was closed."""


class RecordingError(Error, ValueError):
    """A recording or a table cannot be read or written."""


class AnalysisError(Error, ValueError):
    """``becomingone analyze`` refuses its input; the text is its own."""


class SweepError(Error, ValueError):
    """``becomingone sweep`` refuses what is asked for; the text is its own."""


class Unavailable(Error, ImportError):
    """Something is not in this build or not on this machine; the text says what to install."""
