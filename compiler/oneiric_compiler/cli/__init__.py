"""The `oneiric` command."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Runs the command line and exits: 0 fine, 1 a finding, 2 invalid input or usage."""
    from oneiric.report import ReportError

    from oneiric_compiler.cli.errors import CommandError
    from oneiric_compiler.cli.output import log

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        from oneiric_compiler.cli.app import app

        app(prog_name="oneiric")
    except CommandError as error:
        log(error.lines())
        sys.exit(error.exit)
    except ReportError as error:
        log(CommandError(str(error), help=error.help, code="ONE504").lines())
    except OSError as error:
        log(CommandError.of_system(error).lines())
    except RecursionError:
        log(CommandError("what was read is nested deeper than anything that Oneiric writes").lines())
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(2)
