"""Running a process's loop to its end, also where a task of a component wants to end the interpreter."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NoReturn, TypeAlias
from weakref import WeakSet

Exit: TypeAlias = "SystemExit | KeyboardInterrupt"
_INTERRUPTED = 130
_GRACE = 5.0
"""Seconds for tasks and threads that are left when everything is closed."""
_LOOPS: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def _leave_to_the_parent() -> None:
    """A child that goes on with the loop would take what is sent to its parent: both wait at the same descriptors."""
    for loop in list(_LOOPS):
        if not loop.is_closed():
            loop.call_soon(_exit, 1)


os.register_at_fork(after_in_child=_leave_to_the_parent)


def run(main: Coroutine[Any, Any, int], exits: Callable[[Exit], object]) -> int:
    """Run a coroutine, which closes what it has when it is cancelled; its exit code.

    SystemExit and KeyboardInterrupt, which asyncio lets out of any task at once and with everything open, cancel it
    too, the second one while it closes; the code is then that of the first, which `exits` is told.

    A forked child closes nothing, and takes no turn of the loop: all of it is its parent's.
    """
    process = os.getpid()
    loop = asyncio.new_event_loop()
    _LOOPS.add(loop)
    executor = ThreadPoolExecutor(thread_name_prefix="asyncio")
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)
    task = loop.create_task(main)
    first: Exit | None = None
    seen: set[int] = set()
    try:
        while not task.done():
            try:
                loop.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt) as error:
                if os.getpid() != process:
                    _exit(exit_code(error))
                if id(error) not in seen:  # who awaits the task that raised it lets the same one out once more
                    task.cancel()
                    seen.add(id(error))
                if first is None:
                    first = error
                    exits(error)
        code = task.result() if first is None else exit_code(first)
    finally:
        _close(loop)
        executor.shutdown(wait=False, cancel_futures=True)
    _leave_threads(code)
    return code


def exit_code(error: Exit) -> int:
    """What the interpreter would exit with."""
    if isinstance(error, KeyboardInterrupt):
        return _INTERRUPTED
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    return 1


def _close(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    with suppress(SystemExit, KeyboardInterrupt):
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=_GRACE))
        loop.run_until_complete(loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    loop.close()


def _leave_threads(code: int) -> None:
    """Exit at once where a component's thread goes on: the interpreter would wait for it for ever."""
    until = time.monotonic() + _GRACE
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                _exit(code)


def _exit(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
