"""HTTP client provider `aiohttp`."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Collection, Mapping
from functools import lru_cache, partial
from io import BytesIO

import aiohttp
from multidict import istr
from yarl import URL

from oneiric import component
from oneiric.adapters.http._calls import HttpCalls
from oneiric.adapters.http._exchanges import OWN, Exchange
from oneiric.adapters.http._request import Request

_url = lru_cache(maxsize=512)(partial(URL, encoded=True))
_CONTENT_TYPE = ("content-type",)
_AT_ONCE = 512 * 1024  # bytes that may be given to a socket without a pause


@component(
    "adapter",
    "http",
    provider="aiohttp",
    priority=0,
    stack_level=-10,
    capabilities=("http", "stream", "duplex"),
    port="oneiric.adapters.http:HttpClient",
)
class AioHTTPClient(HttpCalls):
    """HTTP/1.1 by aiohttp, the quicker of the two.

    A streamed body is still sent while the answer is read already. The settings are those of `HttpCalls`.
    """

    _provider = "aiohttp"
    _session: aiohttp.ClientSession | None = None

    async def _open(self, context: ssl.SSLContext) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={istr(name): value for name, value in OWN.items()},  # which aiohttp is quicker with
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        )
        # it would send what may be repeated twice, besides the attempts that the settings allow
        self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]

    async def _send(self, request: Request, headers: Mapping[str, str]) -> Exchange:
        assert self._session is not None
        body = request.body
        data = BytesIO(body) if isinstance(body, bytes) and len(body) > _AT_ONCE else body
        skipped = None if data is None else _CONTENT_TYPE
        response = await self._session.request(
            request.method,
            _url(request.target.url),
            headers=headers,
            data=data,
            skip_auto_headers=skipped,
            allow_redirects=False,
        )
        return _Exchange(response)

    async def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


class _Exchange:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Collection[tuple[str, str]] = response.headers.items()

    def piece(self) -> Awaitable[bytes]:
        return self._response.content.readany()

    async def close(self) -> None:
        self._response.release()
