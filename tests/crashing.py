"""A process that dies in the middle of its work."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable


def in_child(act: Callable[[], object], kill_after: float | None = None) -> None:
    """Runs `act` in a forked process, killed after that many seconds if it is still at it."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def stop_at(step: str, count: int) -> None:
    """Makes the process die in place of the `count`th call of a step that changes the disk."""
    left = [count]
    module = tempfile if step == "mkstemp" else os
    real = getattr(module, step)

    def dying(*arguments: object, **named: object) -> object:
        left[0] -= 1
        if not left[0]:
            os._exit(1)
        return real(*arguments, **named)

    setattr(module, step, dying)
