"""A server of HTTP on loopback, and actions that ask it by a real client."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from oneiric.adapters.http.aiohttp import AioHTTPClient
from oneiric.testing.contracts import started

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


class Server:
    """Keeps what it is asked; answers `/status/N` with N, `/then/N` with N once and 200 after that, `/as?type=T&body=B`
    with a body of that type, `/hang` never, `/large` with many bytes, `/away` with a redirect to `/status/200`, and
    all else with 200 and JSON."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.asked.append((request.method, request.path_qs, dict(request.headers), body))
        first, _, rest = request.path.lstrip("/").partition("/")
        if first == "status":
            return web.Response(status=int(rest))
        if first == "then":
            again = sum(each[1] == request.path_qs for each in self.asked) > 1
            return web.Response(status=200 if again else int(rest))
        if first == "as":
            return web.Response(
                body=base64.b64decode(request.query["body"]), headers={"content-type": request.query["type"]}
            )
        if first == "hang":
            await asyncio.sleep(60)
        if first == "large":
            return web.Response(body=b"x" * 100_000, content_type="text/plain")
        if first == "away":
            raise web.HTTPFound("/status/200")
        return web.json_response({"method": request.method, "body": body.decode(errors="replace")})


@asynccontextmanager
async def served() -> AsyncGenerator[Server]:
    """A server, for the block."""
    server = Server()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asking(make: Callable[..., Any], **settings: Any) -> AsyncGenerator[tuple[Any, Server]]:
    """An action on a client of its own, and what it may ask."""
    retries = settings.pop("retries", 0)
    async with served() as server, started(AioHTTPClient(base_url=server.url, retries=retries)) as client:
        server.asked.clear()  # how the client is
        yield make(http=client, **settings), server
