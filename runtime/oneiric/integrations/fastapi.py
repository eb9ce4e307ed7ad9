"""FastAPI: dependencies that give what a request needs of a runtime, which runs in the application's lifespan.

@router.get("/orders/{number}")
async def payment(number: str, orders: Annotated[Orders, Depends(live("service:orders"))]) -> str: ...
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import HTTPConnection

from oneiric.integrations import starlette
from oneiric.integrations.starlette import health_routes, lifespan
from oneiric.portal import Portal

__all__ = ["health_routes", "lifespan", "live", "portal", "wiring"]


def live(key: str) -> Callable[[HTTPConnection], Awaitable[Any]]:
    """A dependency: the live handle of a key, `domain:key`, as the tenant of the request sees it. The key is activated.

    It raises `UnknownKey`, `UnknownTenant`, `ActivationError`.
    """

    async def handed(connection: HTTPConnection) -> Any:
        return await starlette.live(connection, key)

    return handed


async def wiring(connection: HTTPConnection) -> Any:
    """A dependency: the wiring as the tenant of the request sees it. Raises `UnknownTenant`."""
    return starlette.wiring(connection)


async def portal(connection: HTTPConnection) -> Portal[Any]:
    """A dependency of endpoints that are not async: `portal.call(orders.payment, number)`."""
    return starlette.portal(connection)
