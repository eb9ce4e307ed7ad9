"""Celery: a runtime in each process of a worker, and what tasks see of it.

connect(app, lambda: Runtime(Wiring))
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from celery import Celery, current_task
from celery.app import app_or_default
from celery.app.task import Context
from celery.signals import worker_process_init, worker_process_shutdown, worker_shutdown

from oneiric.errors import RuntimeNotRunning
from oneiric.integrations._process import Process
from oneiric.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

_connected: WeakKeyDictionary[Celery, Process[Context]] = WeakKeyDictionary()


def connect(
    app: Celery, make: Callable[[], Runtime[Any]], *, tenant: Callable[[Context], str | None] | None = None
) -> None:
    """Have the workers of an application run with a runtime, which `make` gives once in each process.

    It runs from the start of each process of a pool on, else from the first use, in a loop of its own. `tenant` says
    whose a task is, by the request that it came with; None is the base.
    """
    _connected[app] = Process(make, tenant)

    def begin(**_: object) -> None:
        _of(app).start()

    def end(**_: object) -> None:
        _of(app).stop()

    worker_process_init.connect(begin, weak=False)
    worker_process_shutdown.connect(end, weak=False)
    worker_shutdown.connect(end, weak=False)


def stop(app: Celery) -> None:
    """Close the runtime of this process, such as after tests whose tasks are called where they are sent. Workers do
    that themselves. Raises `ShutdownError`."""
    _of(app).stop()


def wiring() -> Any:
    """The wiring as the tenant of the task sees it; the base's outside of a task. Raises `UnknownTenant`."""
    return _current().wiring(_request())


def live(key: str) -> Any:
    """The live handle of a key, `domain:key`, as the tenant of the task sees it; the key is activated. Its functions
    are for `call`. Raises `UnknownKey`, `UnknownTenant`, `ActivationError`."""
    return _current().live(key, _request())


def call(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What an async function of a live handle comes to: `call(orders.payment, number)`."""
    return _current().call(function, *args, **kwargs)


def _request() -> Context | None:
    return current_task.request if current_task else None


def _current() -> Process[Context]:
    return _of(current_task.app if current_task else app_or_default())


def _of(app: Celery) -> Process[Context]:
    process = _connected.get(app)
    if process is None:
        raise RuntimeNotRunning("the application has no runtime: `connect(app, make)` gives its workers one")
    return process
