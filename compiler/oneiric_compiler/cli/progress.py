"""What a terminal shows while something takes longer than a moment; pipes and who asked for JSON get none of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Thread

from oneiric_compiler.cli import asks_for_json

MOMENT = 0.7
"""Seconds that nothing is shown for: most commands are over by then."""


def wanted() -> bool:
    """Whether somebody is watching. NO_COLOR is about colours alone."""
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return terminal and not asks_for_json(sys.argv[1:])


def spinner() -> str:
    """The spinner that the terminal's encoding has the characters of."""
    return "dots" if sys.stderr.encoding.lower().startswith("utf") else "line"


@contextmanager
def working(what: str) -> Generator[None]:
    """Shows a spinner and `what`, which is gone afterwards. The block itself writes nothing."""
    if not wanted():
        yield
        return
    over = Event()
    thread = Thread(target=_spin, args=(what, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _spin(what: str, over: Event) -> None:
    if over.wait(MOMENT):
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(stderr=True)
    shown = Spinner(spinner(), text=Text(what))
    with Live(shown, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
        over.wait()
