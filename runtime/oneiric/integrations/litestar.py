"""Litestar: a plugin that runs a runtime with an application, and dependencies that give what a request needs of it.

app = Litestar([place, *health_handlers], dependencies={"orders": live("service:orders")}, plugins=[Oneiric(runtime)])
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from litestar import Request, Response, get
from litestar.app import Litestar
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.plugins import InitPlugin
from litestar.types import Scope

from oneiric.errors import RuntimeNotRunning
from oneiric.integrations._views import Views
from oneiric.runtime import Runtime

Connection: TypeAlias = ASGIConnection[Any, Any, Any, Any]

_STATE = "oneiric"


class Oneiric(InitPlugin):
    """Enters a runtime before the first request and leaves it after the last.

    `tenant` says whose a request is, by its headers, path or `state`; None is the base.
    """

    def __init__(self, runtime: Runtime[Any], *, tenant: Callable[[Connection], str | None] | None = None) -> None:
        self._views = Views(runtime, tenant)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """What the application calls when it is made."""
        app_config.state[_STATE] = self._views
        app_config.lifespan.insert(0, self._entered)  # pyright: ignore[reportUnknownMemberType]
        return app_config

    @asynccontextmanager
    async def _entered(self, _: Litestar) -> AsyncGenerator[None]:
        async with self._views.runtime:
            yield


def wiring(connection: Connection) -> Any:
    """The wiring as the tenant of the request or WebSocket sees it. Raises `UnknownTenant`."""
    return _views(connection).wiring(connection)


def live(key: str) -> Provide:
    """A dependency: the live handle of a key, `domain:key`, as the tenant of the request sees it. The key is activated.

    It raises `UnknownKey`, `UnknownTenant`, `ActivationError`.
    """

    async def handed(scope: Scope) -> Any:
        connection = Connection(scope)
        return await _views(connection).live(key, connection)

    return Provide(handed)


@get("/healthz", include_in_schema=False)
async def _healthz() -> dict[str, bool]:
    return {"ok": True}


@get("/readyz", include_in_schema=False)
async def _readyz(request: Request[Any, Any, Any]) -> Response[dict[str, bool]]:
    ready = await _views(request).ready()
    return Response({"ok": ready}, status_code=200 if ready else 503)


health_handlers = (_healthz, _readyz)
"""`/healthz`: the process answers, whatever its components do. `/readyz`: 200 while what is eager, and what that needs,
says that it is well, else 503. Nothing else: anyone may ask."""


def _views(connection: Connection) -> Views[Connection]:
    views: Views[Connection] | None = connection.app.state.get(_STATE)
    if views is None:
        raise RuntimeNotRunning("the application has no runtime: the plugin `Oneiric` gives it one")
    return views
