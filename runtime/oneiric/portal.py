"""Synchronous code's way into a runtime."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, ParamSpec, Self, TypeVar

from oneiric.errors import PortalError, RuntimeClosed

if TYPE_CHECKING:
    from oneiric.host import Host
    from oneiric.runtime import Runtime
    from oneiric.wiring import Wiring

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound="Wiring")

_LOOK = 1.0  # seconds between two looks at whether the loop still runs


class Portal(Generic[W]):
    """`with runtime.portal() as portal`: calls async functions in the runtime's loop, from any other thread.

    A runtime that does not run yet is entered, in a loop in a daemon thread, and closed on exit; one that runs
    is used where it runs and left as it is.
    """

    def __init__(self, runtime: Runtime[W], host: Host) -> None:
        self.runtime = runtime
        self._host = host
        self._started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._closed: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._stop: asyncio.Event | None = None
        self._serving: asyncio.Task[None] | None = None
        self._given_up = False
        self._open = False

    def __enter__(self) -> Self:
        """Raises what entering the runtime raises."""
        self._host.check_fork()
        if self._host.status != "running":
            thread = threading.Thread(target=self._run, name="oneiric portal", daemon=True)
            thread.start()
            try:
                self._started.result()
            except BaseException:
                self._give_up()
                thread.join()
                raise
        self._open = True
        return self

    def __exit__(self, *error: object) -> None:
        """Raises what leaving the runtime raises."""
        self._open = False
        if self._stop is not None and self._host.loop is not None:
            self._host.loop.call_soon_threadsafe(self._stop.set)
            try:
                self._closed.result()
            except KeyboardInterrupt:
                self._give_up()  # wait for no lease, and for the rest all the same
                concurrent.futures.wait((self._closed,))
                raise

    def call(self, function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call an async function in the runtime's loop, with the caller's context, and wait for its result.

        Raises what it raises; `PortalError` from the loop's own thread or outside `with`; `RuntimeClosed`
        when the loop ends meanwhile; `RuntimeForked` in a child process.
        """
        self._host.check_fork()
        loop = self._host.loop
        if not self._open or loop is None:
            raise PortalError("a portal is open inside its `with` block only")
        if threading.get_ident() == self._host.thread:
            raise PortalError("a portal cannot be called from its own loop: it would wait for itself")

        async def run() -> R:
            return await function(*args, **kwargs)

        work = run()
        try:
            future = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:
            work.close()
            raise RuntimeClosed("the runtime's loop has ended") from None
        return self._wait(future, loop)

    def _wait(self, future: concurrent.futures.Future[R], loop: asyncio.AbstractEventLoop) -> R:
        try:
            while not concurrent.futures.wait((future,), timeout=_LOOK).done:
                if loop.is_closed():
                    raise RuntimeClosed("the runtime's loop has ended")
            return future.result()
        except concurrent.futures.CancelledError:
            raise self._host.refusal() or PortalError("the call was cancelled") from None
        finally:
            future.cancel()

    def _give_up(self) -> None:
        """Leave the runtime at once: nobody waits for it any longer."""
        self._given_up = True
        if self._serving is not None:
            with suppress(RuntimeError):  # its loop has ended meanwhile
                self._serving.get_loop().call_soon_threadsafe(self._serving.cancel)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            outcome = self._closed if self._started.done() else self._started
            outcome.set_exception(error)
        else:
            self._closed.set_result(None)

    async def _serve(self) -> None:
        self._serving = asyncio.current_task()
        if self._given_up:
            return
        async with self.runtime:
            self._stop = asyncio.Event()
            self._started.set_result(None)
            await self._stop.wait()
