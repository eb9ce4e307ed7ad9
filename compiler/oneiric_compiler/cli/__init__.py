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
        from oneiric_compiler.cli.usage import answer, hoisted

        sys.exit(app(hoisted(sys.argv[1:]), prog_name="oneiric", standalone_mode=False) or 0)
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
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        if (told := answer(error)) is not None:
            log(told.lines())
    sys.exit(2)
