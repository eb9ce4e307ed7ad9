"""A runtime in each process of a framework whose code is not async: in a loop of its own, made again after a fork."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Generic, ParamSpec, TypeVar

from oneiric.integrations._views import Views
from oneiric.portal import Portal
from oneiric.runtime import Runtime

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Process(Generic[R]):
    """What `make` gives runs from the first use in a process on, or from `start`, until `stop` or the end of it.

    `tenant` says whose a request is; None, and no request, are the base. What a child process finds is not its own: it
    has one made for itself. Raises what entering the runtime raises; the next use then tries once more.
    """

    def __init__(self, make: Callable[[], Runtime[Any]], tenant: Callable[[R], str | None] | None) -> None:
        self._make = make
        self._tenant = tenant
        self.forget()
        _processes.append(self)
        atexit.register(self.stop)

    def forget(self) -> None:
        """Have nothing, without closing anything."""
        self._lock = threading.Lock()
        self._running: Portal[Any] | None = None

    def start(self) -> Portal[Any]:
        """The portal of this process, which is open from now on."""
        running = self._running
        if running is None:
            with self._lock:
                running = self._running = self._running or self._make().portal().__enter__()
        return running

    def stop(self) -> None:
        """Close the runtime of this process, if it runs. Raises `ShutdownError`."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None:
            running.__exit__(None, None, None)

    def call(self, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """What an async function comes to in the runtime's loop."""
        return self.start().call(function, *args, **kwargs)

    def wiring(self, request: R | None) -> Any:
        """The wiring as the tenant sees it."""
        return self._views().wiring(request)

    def live(self, key: str, request: R | None) -> Any:
        """The live handle of a full key, activated."""
        return self.call(self._views().live, key, request)

    def ready(self) -> bool:
        """Whether the application runs and is well."""
        return self.call(self._views().ready)

    def _views(self) -> Views[R]:
        return Views(self.start().runtime, self._tenant)


_processes: list[Process[Any]] = []


def _forget_all() -> None:
    """In a child process: what runs is its parent's, and another thread of that may have had the lock."""
    for each in _processes:
        each.forget()


os.register_at_fork(after_in_child=_forget_all)
