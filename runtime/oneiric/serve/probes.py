"""Is it alive, is it ready, what is it doing: read only, for orchestrators and people."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from oneiric.serve.gate import error_answer
from oneiric.serve.sockets import LOOPBACK
from oneiric.serve.status import Status

_HOSTS = frozenset((LOOPBACK, "localhost"))
_MISDIRECTED = 421


def outside(status: Status) -> web.Application:
    """`/healthz`: the process answers. `/readyz`: 200 while it runs and what it is for is well, as far as is known
    without asking, else 503. Nothing else: anyone may ask."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def readyz(_: web.Request) -> web.Response:
        ready = status.state == "running" and not status.failing()
        return web.json_response({"ok": ready, "state": status.state}, status=200 if ready else 503)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app


def inside(status: Status) -> web.Application:
    """The same for clients on this machine, and `/status`: as `oneiric status`."""

    async def whole(_: web.Request) -> web.Response:
        return web.json_response(await status.whole())

    app = outside(status)
    app.middlewares.append(_this_machine)
    app.add_routes([web.get("/status", whole)])
    return app


@web.middleware
async def _this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests under any other host name: a web page must not reach the port through a name of its own."""
    if request.host.partition(":")[0] not in _HOSTS:
        return error_answer(_MISDIRECTED, "ask for 127.0.0.1 or localhost")
    return await handler(request)
