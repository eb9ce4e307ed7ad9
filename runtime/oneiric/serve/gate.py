"""What a connection may take of a process: so many seconds for its request, so many at once, one request each."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler

MOST = 128
"""Connections in one state; of more, the one that is in it for longest is ended."""
SECONDS = 5.0
"""How long a connection may be in a state. Who asks sends its request at once, and reads the answer."""
_BACKLOG = MOST // 4
"""Connections taken in one turn of the loop: a request takes up to three turns until it is seen."""
_OWN_BACKLOG = 128
"""The same of its own user, who may ask often while nobody answers."""
_ANSWERING = 2.0
"""Seconds for requests that are being answered when everything else is over."""


class Gate:
    """The connections of one server, by state: those whose request is not whole, and those that are being answered.
    Where `patient`, an answer may take as long as it takes."""

    def __init__(self, server: Callable[[], asyncio.Protocol], *, patient: bool) -> None:
        self._server = server
        self._patient = patient
        self._asking: dict[_Connection, None] = {}
        self._answered: dict[_Connection, None] = {}
        self._by_transport: dict[asyncio.BaseTransport, _Connection] = {}

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        return _Connection(self, self._server())

    def came(self, connection: _Connection) -> None:
        """A connection was made."""
        self._by_transport[connection.transport] = connection
        self._enter(self._asking, connection)

    def asked(self, transport: asyncio.BaseTransport | None) -> None:
        """The request of a connection is whole."""
        connection = None if transport is None else self._by_transport.get(transport)
        if connection in self._asking:
            del self._asking[connection]
            connection.timer.cancel()
            if not self._patient:
                self._enter(self._answered, connection)

    def went(self, connection: _Connection) -> None:
        """A connection is over."""
        connection.timer.cancel()
        self._by_transport.pop(connection.transport, None)
        self._asking.pop(connection, None)
        self._answered.pop(connection, None)

    def _enter(self, state: dict[_Connection, None], connection: _Connection) -> None:
        state[connection] = None
        connection.timer = asyncio.get_running_loop().call_later(SECONDS, connection.transport.abort)
        if len(state) > MOST:
            oldest = next(iter(state))
            del state[oldest]
            oldest.transport.abort()


class _Connection(asyncio.Protocol):
    """Passes everything on to aiohttp's protocol, and tells the gate."""

    transport: asyncio.Transport
    timer: asyncio.TimerHandle

    def __init__(self, gate: Gate, inner: asyncio.Protocol) -> None:
        self._gate = gate
        self._inner = inner
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._gate.came(self)
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.went(self)
        self._inner.connection_lost(exc)


@asynccontextmanager
async def answering(app: web.Application, listening: socket.socket, *, patient: bool = False) -> AsyncGenerator[None]:
    """Answer requests at a socket, which is closed at the end. What is not a request, or too large, is a 400 or 413
    with a sentence, and so is every other refusal."""

    @web.middleware
    async def door(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            await request.read()
            gate.asked(request.transport)
            response = await handler(request)
        except web.HTTPException as error:
            response = error_answer(error.status, error.reason)
        except (HttpProcessingError, aiohttp.ClientPayloadError, web.RequestPayloadError):
            response = error_answer(400, "the body of the request cannot be read")
        response.force_close()
        return response

    app.middlewares.insert(0, door)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_ANSWERING, logger=_quiet())
    await runner.setup()
    assert runner.server is not None
    gate = Gate(runner.server, patient=patient)
    server = await asyncio.get_running_loop().create_server(
        gate, sock=listening, backlog=_OWN_BACKLOG if patient else _BACKLOG
    )
    try:
        yield
    finally:
        server.close()
        await runner.cleanup()


def _quiet() -> logging.Logger:
    """What aiohttp says of each request that is none, with a traceback: whoever connects could fill the logs."""
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL)
    return logger


def error_answer(status: int, text: str) -> web.Response:
    """A refusal, with a sentence."""
    return web.json_response({"error": text}, status=status)
