"""Running one step of a lifecycle under a deadline, wherever it has to run."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from contextvars import copy_context
from types import ModuleType
from typing import Any, NoReturn

_GRACE = 1.0  # seconds a cancelled task may take to end before it is left to itself
_ROUND, _SHARE = 0.005, 0.0005  # seconds; of each round a thread has this share, where the loop never rests
_RESTLESS = 0.9  # of the time: a loop that works for more than this never rests
_LONGEST = 60.0  # seconds: by then nobody waits for the thread


class Failed(Exception):
    """A step did not do what it is for; the text says it in words of our own, after the step's name."""


class Late(Failed):
    """The step's deadline passed."""


class Returned:
    """What a thread's function came to: a value or an error."""

    __slots__ = ("error", "value")

    def __init__(self, value: Any = None, error: BaseException | None = None) -> None:
        self.value = value
        self.error = error

    def get(self) -> Any:
        if self.error is not None:
            raise_safely(self.error)
        return self.value


def raise_safely(error: BaseException) -> NoReturn:
    """Raise what a component's code came to, as `Failed` where it is not an error that code after it may rely on: one
    that ends the interpreter, a coroutine or an iterator, or whose text cannot be had."""
    if issubclass(type(error), Exception) and not issubclass(type(error), (StopIteration, StopAsyncIteration)):
        try:
            str(error)
        except BaseException:
            raise Failed(f"raised {type(error).__name__}") from error
        raise error
    raise Failed(f"raised {type(error).__name__}") from error


def in_thread(
    function: Callable[..., Any], *arguments: Any, unclaimed: Callable[[Any], object] | None = None
) -> asyncio.Future[Returned]:
    """Run a function in a daemon thread with the caller's context.

    `unclaimed` gets the value, in that thread, when the loop has ended before it could be told.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Returned] = loop.create_future()
    context = copy_context()
    told = threading.Event()

    def tell(returned: Returned) -> None:
        told.set()
        if not future.done():
            future.set_result(returned)

    def run() -> Returned:
        try:
            return Returned(context.run(function, *arguments))
        except BaseException as error:
            return Returned(error=error)

    def work() -> None:
        returned = run()
        if not _told(loop, told, tell, returned) and unclaimed is not None and returned.error is None:
            unclaimed(returned.value)

    try:
        threading.Thread(target=work, name=f"oneiric {_name(function)}", daemon=True).start()
    except RuntimeError:
        if threading.main_thread().is_alive():
            raise
        tell(run())  # while the interpreter ends, Python 3.12 begins no thread
    else:
        _Sharing(loop, future)
    return future


class _Sharing:
    """Until a thread's future is done, has a loop that never rests give some of its time to the thread.

    Such a loop lets go of the interpreter's lock at each turn, for a moment that is too short for a thread to wake
    up, and long enough for it not to insist: it only does after `sys.getswitchinterval` without such a moment. So a
    thread that reads a few files could take many seconds.
    """

    __slots__ = ("_began", "_end", "_loop", "_timer", "_worked")

    def __init__(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]) -> None:
        self._loop = loop
        self._end = time.monotonic() + _LONGEST
        self._go_on()
        future.add_done_callback(self._stop)

    def _go_on(self) -> None:
        self._began, self._worked = time.monotonic(), time.thread_time()
        self._timer = self._loop.call_later(_ROUND, self._give)

    def _give(self) -> None:
        if time.thread_time() - self._worked > _RESTLESS * (time.monotonic() - self._began):
            time.sleep(_SHARE)
        if self._began < self._end:
            self._go_on()

    def _stop(self, _: object) -> None:
        self._timer.cancel()


def _told(
    loop: asyncio.AbstractEventLoop, told: threading.Event, tell: Callable[[Returned], None], returned: Returned
) -> bool:
    """Whether the loop got it. A loop can end between taking a callback and running it."""
    try:
        loop.call_soon_threadsafe(tell, returned)
    except RuntimeError:
        return False
    while not told.wait(0.1):
        if loop.is_closed():
            return told.is_set()
    return True


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)


async def bounded(future: asyncio.Future[Any], seconds: float, late: Callable[[Any], object] | None = None) -> Any:
    """The future's result. Past the deadline, or when cancelled, a task is cancelled and given a moment to
    end; whatever the future still comes to goes to `late`. Raises `Failed`."""
    try:
        done, _ = await asyncio.wait((future,), timeout=seconds)
    except asyncio.CancelledError:
        await _abandon(future, late)
        raise
    if not done:
        await _abandon(future, late)
        raise Late(f"took longer than {seconds:g} seconds")
    if future.cancelled():
        raise Failed("cancelled itself")
    result = future.result()
    return result.get() if isinstance(result, Returned) else result


async def outlast(
    futures: Iterable[asyncio.Future[Any]], hurry: asyncio.Future[None] | None = None
) -> asyncio.CancelledError | None:
    """Wait for all of them, also when cancelled, which only is a reason to `hurry`; the last cancellation."""
    cancelled: asyncio.CancelledError | None = None
    waiting: list[asyncio.Future[Any]] = [each for each in futures if not each.done()]
    while waiting:
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError as error:
            cancelled = error
            if hurry is not None and not hurry.done():
                hurry.set_result(None)
        waiting = [each for each in waiting if not each.done()]
    return cancelled


async def _abandon(future: asyncio.Future[Any], late: Callable[[Any], object] | None) -> None:
    def came(done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            return
        result = done.result()
        returned = result if isinstance(result, Returned) else Returned(result)
        if returned.error is None and late is not None:
            late(returned.value)

    future.add_done_callback(came)
    if isinstance(future, asyncio.Task):
        future.cancel()
        await asyncio.wait((future,), timeout=_GRACE)


def lifecycle(instance: Any, name: str) -> Callable[[], Any] | None:
    """The instance's `start`, `health` or the like; None where it has none. A class or module has none. One that
    cannot be looked up raises when it is called."""
    if has_no_lifecycle(instance):
        return None
    try:
        method = getattr(instance, name, None)
    except BaseException as error:
        failed = error

        def raising() -> NoReturn:
            raise failed

        return raising
    return method if callable(method) else None


def has_no_lifecycle(instance: object) -> bool:
    """Whether it is a class or a module, whose attributes are not those of a component."""
    return issubclass(type(instance), (type, ModuleType))  # without asking the instance, which may say anything


async def call(method: Callable[[], Any], *, blocking: bool) -> Any:
    """Call a lifecycle method: on the loop where it is async, or not `blocking`, else in a daemon thread."""
    return await contained(_call(method, blocking))


async def _call(method: Callable[[], Any], blocking: bool) -> Any:
    result = await begun(method, blocking=blocking)
    return await result if inspect.isawaitable(result) else result


async def begun(method: Callable[[], Any], *, blocking: bool) -> Any:
    """What the call of a method gives at first, which may be awaitable."""
    in_loop = not blocking or inspect.iscoroutinefunction(method)
    return method() if in_loop else (await in_thread(method)).get()


async def contained(work: Awaitable[Any]) -> Any:
    """What a component's coroutine comes to, or an `Exception`: asyncio lets what would end the interpreter out of a
    task into its loop, which stops with everything open, and no caller expects an error that is not an `Exception`."""
    try:
        return await work
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        if isinstance(error, GeneratorExit) and _closed_unfinished():
            raise
        raise_safely(error)


def _closed_unfinished() -> bool:
    """Whether a coroutine ends since its loop has ended, and not by what the component did."""
    try:
        return asyncio.current_task() is None
    except RuntimeError:
        return True
