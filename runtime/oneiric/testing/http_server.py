"""An HTTP server that does as its addresses say, well and badly, for tests of HTTP clients.

    python -m oneiric.testing.http_server PORT [AUTHORIZATION]

With an authorization it answers 401 to requests without that header.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any

from aiohttp import web

HOST = "127.0.0.1"


class HttpServer:
    """Such a server on a free port of 127.0.0.1, in a thread and loop of its own.

    `counts` is how many requests each `{name}` in an address had.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None, authorization: str | None = None) -> None:
        self.host, self.port = HOST, 0
        self.counts: Counter[str] = Counter()
        self._scheme = "http" if context is None else "https"
        self._context = context
        self._authorization = authorization
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="http server", daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}:{self.port}"

    def __enter__(self) -> HttpServer:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        app = application(self.counts, self._authorization)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, 0, ssl_context=self._context).start()
        self.port = self._runner.addresses[0][1]

    async def _end(self) -> None:
        await self._runner.cleanup()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def application(counts: Counter[str], authorization: str | None) -> web.Application:
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if authorization is not None and request.headers.get("authorization") != authorization:
            return web.Response(status=401, text=f"not {request.headers.get('authorization')}")
        if "name" in request.match_info:
            counts[request.match_info["name"]] += 1
        return await handler(request)

    async def fails_at_first(request: web.Request) -> web.Response:
        """`times` failures with `status`, then 200."""
        if counts[request.match_info["name"]] > int(request.query["times"]):
            return web.Response(text="at last")
        headers = {"retry-after": request.query["after"]} if "after" in request.query else {}
        return web.Response(status=int(request.query["status"]), headers=headers, text="not yet")

    app = web.Application(middlewares=[guard], client_max_size=0)
    app.router.add_route("*", "/fails-at-first/{name}", fails_at_first)
    for path, handler in _HANDLERS.items():
        app.router.add_route("*", path, handler)
    return app


async def fine(request: web.Request) -> web.Response:
    return web.Response(text="fine")


async def told(request: web.Request) -> web.Response:
    """What the server saw."""
    body = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "headers": [[name.lower(), value] for name, value in request.headers.items()],
            "body": base64.b64encode(body).decode(),
        }
    )


async def echo(request: web.Request) -> web.Response:
    """The body that was sent."""
    return web.Response(body=await request.read(), content_type=request.content_type)


async def echo_as_it_comes(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for piece in request.content.iter_any():
        await response.write(piece)
    return response


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]), text="as you wish")


async def fields(request: web.Request) -> web.Response:
    response = web.Response(text="caf\xe9", charset="latin-1")
    for value in ("a=1; Path=/", "b=2; Path=/"):
        response.headers.add("Set-Cookie", value)
    response.headers["X-Note"] = "seen"
    return response


async def zeros(request: web.Request) -> web.StreamResponse:
    """So many bytes, in pieces."""
    response, left = web.StreamResponse(), int(request.match_info["size"])
    await response.prepare(request)
    while left:
        await response.write(bytes(min(left, 65536)))
        left -= min(left, 65536)
    return response


async def redirect(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]), headers={"location": request.query["to"]})


async def redirect_often(request: web.Request) -> web.Response:
    left = int(request.match_info["times"])
    return web.Response(status=302, headers={"location": f"/redirects/{left - 1}" if left > 1 else "/told"})


async def compressed(request: web.Request) -> web.Response:
    return web.Response(body=gzip.compress(b"zipped " * 1000), headers={"content-encoding": "gzip"})


async def badly_compressed(request: web.Request) -> web.Response:
    return web.Response(body=b"no gzip at all", headers={"content-encoding": "gzip"})


async def compressed_twice(request: web.Request) -> web.Response:
    body = gzip.compress(gzip.compress(b"zipped " * 1000))
    return web.Response(body=body, headers={"content-encoding": "gzip, gzip"})


async def bomb(request: web.Request) -> web.Response:
    """Small, and 80 MiB once decompressed."""
    return web.Response(body=gzip.compress(bytes(80 * 1024 * 1024), 1), headers={"content-encoding": "gzip"})


async def half(request: web.Request) -> web.StreamResponse:
    """Announces 1000 bytes, sends 500 and breaks the connection."""
    response = web.StreamResponse(headers={"content-length": "1000"})
    await response.prepare(request)
    await response.write(bytes(500))
    await asyncio.sleep(0.05)
    _transport(request).close()
    return response


async def stuck(request: web.Request) -> web.StreamResponse:
    """Announces 1000 bytes, sends 500 and no more."""
    response = web.StreamResponse(headers={"content-length": "1000"})
    await response.prepare(request)
    await response.write(bytes(500))
    await asyncio.sleep(3600)
    return response


async def drops(request: web.Request) -> web.StreamResponse:
    """A byte every now and then, for ever."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.05)


async def silent(request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


async def gone(request: web.Request) -> web.Response:
    """Breaks the connection without an answer."""
    _transport(request).abort()
    return web.Response()


async def garbage(request: web.Request) -> web.Response:
    _transport(request).write(b"\xff\xfe\xfdNo HTTP\r\n\r\n")
    _transport(request).close()
    return web.Response()


def _transport(request: web.Request) -> asyncio.Transport:
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    return transport


_HANDLERS: dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]] = {
    "/": fine,
    "/told{tail:.*}": told,
    "/base/told{tail:.*}": told,
    "/echo": echo,
    "/echo-as-it-comes": echo_as_it_comes,
    "/status/{status}": status,
    "/status/{status}/{name}": status,
    "/fields": fields,
    "/zeros/{size}": zeros,
    "/redirect/{status}": redirect,
    "/redirects/{times}": redirect_often,
    "/compressed": compressed,
    "/badly-compressed": badly_compressed,
    "/compressed-twice": compressed_twice,
    "/bomb": bomb,
    "/half": half,
    "/half/{name}": half,
    "/stuck": stuck,
    "/drops": drops,
    "/silent": silent,
    "/silent/{name}": silent,
    "/gone/{name}": gone,
    "/garbage": garbage,
}


def main(port: str, authorization: str | None = None) -> None:
    app = application(Counter(), authorization)
    web.run_app(app, host=HOST, port=int(port), print=None, access_log=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
