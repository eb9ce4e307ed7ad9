"""Results to stdout, everything else to stderr; colours on a terminal only."""

from __future__ import annotations

import errno
import json
import os
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

import typer

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.text.paint import Line, paint

READER_GONE = 141


def result(lines: Iterable[Line]) -> None:
    """Lines for the person who asked."""
    result_text(paint(lines, styled=styled(sys.stdout), width=columns(sys.stdout)))


def result_text(text: str) -> None:
    """A whole text, such as one JSON document."""
    _write(sys.stdout, text)


def result_json(document: object) -> None:
    """The one JSON document of a command."""
    result_text(json.dumps(document, indent=2) + "\n")


def log(lines: Iterable[Line]) -> None:
    """What is not a result: progress, warnings, errors."""
    log_text(paint(lines, styled=styled(sys.stderr), width=columns(sys.stderr)))


def log_text(text: str) -> None:
    _write(sys.stderr, text)


def warn(message: str) -> None:
    log([[("warning", "yellow"), (f": {message}", "plain")]])


def styled(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal that shows colours, and its user wants them (NO_COLOR)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream is not None and stream.isatty()


def columns(stream: TextIO | None) -> int | None:
    """How wide a terminal is; None for a pipe or a file, whose lines are left whole."""
    return max(40, shutil.get_terminal_size().columns) if stream is not None and stream.isatty() else None


def source_width() -> int:
    """The columns that a source line may take: those of the terminal, or 100."""
    return max(40, shutil.get_terminal_size((107, 24)).columns - 7) if sys.stderr and sys.stderr.isatty() else 100


def _write(stream: TextIO | None, text: str) -> None:
    """Writes and flushes; a stream that cannot take it is given up, so that the exit is quiet."""
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if error.errno == errno.EPIPE:
            raise typer.Exit(READER_GONE) from error
        raise CommandError(f"the output cannot be written: {error.strerror}") from error
