"""The `oneiric` command."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from oneiric_compiler.cli.errors import CommandError


def main() -> None:
    """Runs the command line and exits: 0 fine, 1 a finding, 2 invalid input or usage."""
    from oneiric_compiler.cli import bash

    if bash.asked():
        bash.completing(lambda: answering(_run))
    else:
        answering(_run)


def _run() -> None:
    from oneiric_compiler.cli.app import app
    from oneiric_compiler.cli.usage import hoisted

    sys.exit(app(hoisted(sys.argv[1:]), prog_name="oneiric", standalone_mode=False) or 0)


def answering(run: Callable[[], object]) -> None:
    """Runs something that exits by itself when it is done; answers what goes wrong as every command does."""
    try:
        _answering(run)
    except KeyboardInterrupt:
        sys.exit(130)


def _answering(run: Callable[[], object]) -> None:
    from oneiric.report import ReportError

    from oneiric_compiler.cli.errors import CommandError

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    from oneiric_compiler.cli.usage import answer

    try:
        run()
    except CommandError as error:
        _fail(error)
    except ReportError as error:
        _fail(CommandError(str(error), help=error.help, code="ONE504"))
    except OSError as error:
        _fail(CommandError.of_system(error))
    except RecursionError:
        _fail(CommandError("what was read is nested deeper than anything that Oneiric writes"))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        if (told := answer(error)) is not None:
            _fail(told)
    sys.exit(2)


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
