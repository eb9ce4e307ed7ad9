"""The `oneiric` command."""

from __future__ import annotations

import io
import sys
from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from oneiric_compiler.cli.errors import CommandError


def main() -> None:
    """Runs the command line and exits: 0 fine, 1 a finding, 2 invalid input or usage."""
    if sys.argv[1:] == ["--version"] and _told_release():
        return
    from oneiric_compiler.cli import bash

    if bash.asked():
        bash.completing(lambda: answering(_run))
    else:
        answering(_run)


def _told_release() -> bool:
    """Tells it before anything is imported; whether that went well: whatever did not is answered as ever."""
    from oneiric_compiler.release import __version__

    try:
        sys.stdout.write(f"oneiric {__version__}\n")
        sys.stdout.flush()
    except (OSError, AttributeError):  # full, gone, or closed from the start
        return False
    return True


def _run() -> None:
    from oneiric_compiler.cli.app import application
    from oneiric_compiler.cli.usage import hoisted

    arguments = hoisted(sys.argv[1:])
    sys.exit(application(arguments)(arguments, prog_name="oneiric", standalone_mode=False) or 0)


def answering(run: Callable[[], object]) -> None:
    """Runs something that exits by itself when it is done; answers what goes wrong as every command does."""
    try:
        _answering(run)
    except KeyboardInterrupt:
        sys.exit(130)


def _answering(run: Callable[[], object]) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        run()
    except Exception as error:
        if (told := _answer(error)) is not None:
            _fail(told)
    sys.exit(2)


def _answer(error: Exception) -> CommandError | None:
    """The answer to what ended a command; None where all is told. Raises `error` where it is a fault of ours."""
    from oneiric.report import ReportError

    from oneiric_compiler.cli.errors import CommandError
    from oneiric_compiler.cli.usage import answer

    match error:
        case CommandError():
            return error
        case ReportError():
            return CommandError(str(error), help=error.help, code="ONE504")
        case OSError():
            return CommandError.of_system(error)
        case RecursionError():
            return CommandError("what was read is nested deeper than anything that Oneiric writes")
        case _:
            if not hasattr(error, "format_message"):
                raise error
            return answer(error)


def _fail(error: CommandError) -> NoReturn:
    """Shows the error that ends a command: as a document where one was asked for."""
    from oneiric_compiler.cli.output import log, result_json

    if asks_for_json(sys.argv[1:]):
        result_json(error.document())
    else:
        log(error.lines())
    sys.exit(error.exit)


def asks_for_json(arguments: list[str]) -> bool:
    """Whether a command line asks for one JSON document, also where it cannot be read."""
    return "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
