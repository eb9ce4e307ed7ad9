"""The loopback port: is it alive, is it ready, what is it doing. Read only, for orchestrators and people."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from oneiric.serve.status import Status

LOOPBACK = "127.0.0.1"
_HOSTS = frozenset((LOOPBACK, "localhost"))


@web.middleware
async def _this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests under any other host name: a web page must not reach the port through a name of its own."""
    if request.host.partition(":")[0] not in _HOSTS:
        return web.json_response({"error": "ask for 127.0.0.1 or localhost"}, status=421)
    return await handler(request)


def application(status: Status) -> web.Application:
    """`/healthz`: the process answers. `/readyz`: 200 while it runs, else 503. `/status`: as `oneiric status`."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_: web.Request) -> web.Response:
        return web.json_response({"ok": status.ready, "state": status.state}, status=200 if status.ready else 503)

    async def whole(_: web.Request) -> web.Response:
        return web.json_response(status.document())

    app = web.Application(middlewares=[_this_machine])
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/status", whole)])
    return app
