"""HTTP client provider `httpx`."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from typing import Any

import httpx

from oneiric import component
from oneiric.adapters._common.finish import finish
from oneiric.adapters.http._calls import HttpCalls
from oneiric.adapters.http._exchanges import OWN, Exchange
from oneiric.adapters.http._request import Request

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


@component(
    "adapter",
    "http",
    provider="httpx",
    priority=0,
    stack_level=-15,
    capabilities=("http", "stream"),
    port="oneiric.adapters.http:HttpClient",
)
class HTTPXClient(HttpCalls):
    """HTTP/1.1 by httpx.

    Needs the extra `http-httpx`.

    Each connection is a transport of its own, dropped with whatever broke: a pool of httpcore loses connections for
    good when a call is cancelled. Nor is there a client of httpx, with its redirects, cookies and logs of addresses.
    The settings are those of `HttpCalls`.
    """

    _provider = "httpx"
    _idle: list[tuple[str, httpx.AsyncHTTPTransport]] | None = None  # with their origins, last used last

    async def _open(self, context: ssl.SSLContext) -> None:
        self._ssl = context
        self._idle = []

    async def _send(self, request: Request, headers: Mapping[str, str]) -> Exchange:
        origin = request.target.origin
        transport = self._idle_one(origin) or httpx.AsyncHTTPTransport(verify=self._ssl, trust_env=False, limits=_ONE)
        try:
            sent = httpx.Request(request.method, request.target.url, headers={**OWN, **headers}, content=request.body)
            response = await transport.handle_async_request(sent)
        except BaseException:
            await finish(transport.aclose())
            raise
        return _Exchange(response, transport, partial(self._keep, origin, transport))

    async def _close(self) -> None:
        idle, self._idle = self._idle, None
        for _, transport in idle or ():
            await transport.aclose()

    def _idle_one(self, origin: str) -> httpx.AsyncHTTPTransport | None:
        idle = self._idle or []
        for place in range(len(idle) - 1, -1, -1):
            if idle[place][0] == origin:
                return idle.pop(place)[1]
        return None

    async def _keep(self, origin: str, transport: httpx.AsyncHTTPTransport) -> None:
        if self._idle is None:
            await transport.aclose()
            return
        self._idle.append((origin, transport))
        if len(self._idle) > self._max_connections:
            await self._idle.pop(0)[1].aclose()


class _Exchange:
    def __init__(
        self,
        response: httpx.Response,
        transport: httpx.AsyncHTTPTransport,
        keep: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._transport = transport
        self._keep = keep
        codings = response.headers.get_list("content-encoding", split_commas=True)
        self._pieces = response.aiter_bytes() if len(codings) < 2 else response.aiter_raw()  # a bomb in a bomb
        self._is_whole = False
        self.status = response.status_code
        self.headers: Collection[tuple[str, str]] = response.headers.multi_items()

    async def piece(self) -> bytes:
        piece = await anext(self._pieces, b"")
        self._is_whole = not piece
        return piece

    async def close(self) -> None:
        await (self._keep() if self._is_whole else finish(self._transport.aclose()))
