"""`python -m oneiric_compiler.child`: the compiler for a process that swaps a component, ended with that process.

Its standard input is a pipe that its parent holds and never writes to: when that is closed, however the parent ended,
nobody is left who could use the output or stop a compile that hangs.
"""

from __future__ import annotations

import os
import threading

from oneiric_compiler.cli import answering


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


def _swap() -> None:
    from oneiric_compiler.cli.swapping import swap  # which takes the compiler along: an import may hang as well

    swap()


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    answering(_swap)
