"""Flask: a runtime in each process that serves an application, and what requests see of it.

init_app(app, lambda: Runtime(Wiring))
app.register_blueprint(health)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Flask, Request, Response, current_app, has_request_context, jsonify, request

from oneiric.errors import RuntimeNotRunning
from oneiric.integrations._process import Process
from oneiric.runtime import Runtime

P = ParamSpec("P")
T = TypeVar("T")

_NAME = "oneiric"


def init_app(
    app: Flask, make: Callable[[], Runtime[Any]], *, tenant: Callable[[Request], str | None] | None = None
) -> None:
    """Have an application served with a runtime, which `make` gives once in each process, also in one that was forked.

    It runs from the first use on, or from `start`, in a loop of its own. `tenant` says whose a request is; None is the
    base.
    """
    app.extensions[_NAME] = Process(make, tenant)


def start(app: Flask) -> None:
    """Enter the runtime of this process now, such as in `post_worker_init` of gunicorn. Raises what entering raises."""
    _of(app).start()


def stop(app: Flask) -> None:
    """Close the runtime of this process, such as in `worker_exit` of gunicorn; the end of a process does that as well.
    Raises `ShutdownError`."""
    _of(app).stop()


def wiring() -> Any:
    """The wiring as the tenant of the request sees it; the base's outside of a request. Raises `UnknownTenant`."""
    return _of(current_app).wiring(_request())


def live(key: str) -> Any:
    """The live handle of a key, `domain:key`, as the tenant of the request sees it; the key is activated. Its functions
    are for `call`. Raises `UnknownKey`, `UnknownTenant`, `ActivationError`."""
    return _of(current_app).live(key, _request())


def call(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """What an async function of a live handle comes to: `call(orders.payment, number)`."""
    return _of(current_app).call(function, *args, **kwargs)


health = Blueprint("oneiric_health", __name__)
"""`/healthz`: the process answers, whatever its components do. `/readyz`: 200 while what is eager, and what that needs,
says that it is well, else 503. Nothing else: anyone may ask."""


@health.get("/healthz")
def _healthz() -> Response:
    return jsonify(ok=True)


@health.get("/readyz")
def _readyz() -> tuple[Response, int]:
    ready = _of(current_app).ready()
    return jsonify(ok=ready), 200 if ready else 503


def _request() -> Request | None:
    return request if has_request_context() else None


def _of(app: Flask) -> Process[Request]:
    process: Process[Request] | None = app.extensions.get(_NAME)
    if process is None:
        raise RuntimeNotRunning("the application has no runtime: `init_app(app, make)` gives it one")
    return process
