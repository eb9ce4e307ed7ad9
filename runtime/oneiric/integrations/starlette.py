"""Starlette: a runtime in the lifespan of an application, and what requests and WebSockets see of it.

app = Starlette(routes=[Route("/", home), *health_routes], lifespan=lifespan(Runtime(Wiring)))
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, TypeAlias

from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from oneiric.errors import RuntimeNotRunning
from oneiric.integrations._views import Views
from oneiric.portal import Portal
from oneiric.runtime import Runtime

TenantOf: TypeAlias = Callable[[HTTPConnection], str | None]
Lifespan: TypeAlias = Callable[[object], AbstractAsyncContextManager[dict[str, Any]]]

_STATE = "oneiric"


class _Served(NamedTuple):
    views: Views[HTTPConnection]
    portal: Portal[Any]


def lifespan(runtime: Runtime[Any], *, tenant: TenantOf | None = None) -> Lifespan:
    """The lifespan of an application that runs with a runtime: entered before the first request, left after the last.

    `tenant` says whose a request is, by its headers, path or `state`; None is the base. What the lifespan yields is in
    the `state` of each request, also in applications that are mounted; a lifespan around it yields that as well.
    """

    @asynccontextmanager
    async def entered(_: object) -> AsyncGenerator[dict[str, Any]]:
        async with runtime:
            with runtime.portal() as portal:
                yield {_STATE: _Served(Views(runtime, tenant), portal)}

    return entered


def wiring(connection: HTTPConnection) -> Any:
    """The wiring as the tenant of the request sees it. Raises `UnknownTenant`."""
    return _served(connection).views.wiring(connection)


async def live(connection: HTTPConnection, key: str) -> Any:
    """The live handle of a key, `domain:key`, as the tenant of the request sees it; the key is activated.

    Raises `UnknownKey`, `UnknownTenant`, `ActivationError`.
    """
    return await _served(connection).views.live(key, connection)


def portal(connection: HTTPConnection) -> Portal[Any]:
    """For endpoints that are not async, and run in threads: `portal(request).call(async_function, …)`."""
    return _served(connection).portal


async def _healthz(_: Request) -> JSONResponse:
    return JSONResponse({"ok": True})


async def _readyz(request: Request) -> JSONResponse:
    ready = await _served(request).views.ready()
    return JSONResponse({"ok": ready}, status_code=200 if ready else 503)


health_routes = (Route("/healthz", _healthz), Route("/readyz", _readyz))
"""`/healthz`: the process answers, whatever its components do. `/readyz`: 200 while what is eager, and what that needs,
says that it is well, else 503. Nothing else: anyone may ask."""


def _served(connection: HTTPConnection) -> _Served:
    served: _Served | None = connection.scope.get("state", {}).get(_STATE)
    if served is None:
        raise RuntimeNotRunning("the application has no `lifespan` of oneiric, or was called without being started")
    return served
