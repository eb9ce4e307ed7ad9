"""One exchange with a server by an SDK: a permit, a deadline, a body in one piece or as it comes; its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import NoReturn, Protocol

from oneiric import Secret
from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeout, Timeouts
from oneiric.adapters.http import MAX_BODY, Headers, HttpClosed, HttpError, HttpUnavailable, InvalidResponse
from oneiric.adapters.http._request import Request, StreamedBody

OWN = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "oneiric"}
"""Headers of every request, unless something else is given."""


class Exchange(Protocol):
    """What an SDK has of an answer once its headers are here."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Collection[tuple[str, str]]: ...

    def piece(self) -> Awaitable[bytes]:
        """The next piece of the body, decompressed; nothing at its end."""
        ...

    async def close(self) -> None:
        """Give the connection back, or drop it if the body is not at its end."""
        ...


class Reply:
    """What became of a request: with all of its `body`, or on an `exchange` that still has it and a permit."""

    __slots__ = ("body", "exchange", "headers", "request", "status")

    def __init__(self, request: Request, exchange: Exchange, body: bytes | None) -> None:
        self.request = request
        self.exchange = exchange if body is None else None
        self.status = exchange.status
        self.headers = Headers(exchange.headers)
        self.body = body or b""


class Call:
    """Until when a call may take, in seconds of the loop's clock; and whether its body is wanted in one piece."""

    __slots__ = ("deadline", "timeout", "whole")

    def __init__(self, timeout: float, *, whole: bool) -> None:
        self.timeout = timeout
        self.deadline = asyncio.get_running_loop().time() + timeout
        self.whole = whole


class Exchanges:
    """Sends requests with `send`, at most `max_connections` at once, and with `headers` to whom they are meant for.

    `base_origin` is that of the setting `base_url`, the only one that is given the headers if there is one.
    """

    def __init__(
        self,
        send: Callable[[Request, Mapping[str, str]], Awaitable[Exchange]],
        faults: Faults,
        base_origin: str | None,
        headers: Mapping[str, str],
        secret_headers: Mapping[str, Secret],
        max_connections: int,
    ) -> None:
        self._send = send
        self._faults = faults
        self._base_origin = base_origin
        self._headers = headers
        self._secret_headers = secret_headers
        self._has_headers = bool(headers or secret_headers)
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()
        self.is_open = False

    def close(self) -> None:
        """End what is under way, and let nothing begin."""
        self.is_open = False
        self._timeouts.end_all()

    async def answer(self, call: Call, request: Request) -> Reply:
        """Send a request once. The answer has its body, or else the exchange and a permit until it is `done`."""
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", call.timeout, call.deadline)
        exchange: Exchange | None = None
        try:
            if not self.is_open:
                raise HttpClosed("the client is not open", provider=self._faults.provider)
            with Timeout(self._timeouts, call.deadline):
                headers = self._headers_of(request) if self._has_headers else request.headers
                exchange = await self._send(request, headers)
                body = await _whole(exchange) if call.whole else None
        except BaseException as error:
            await self._end(exchange)
            if isinstance(error, Exception):
                self._raise(request, error, call.timeout)
            raise
        if call.whole:
            await self._end(exchange)
        return Reply(request, exchange, body)

    async def pieces(self, call: Call, answer: Reply) -> AsyncGenerator[bytes, None]:
        """The body of an answer that is not done, each piece within the time of the call."""
        if answer.exchange is None:
            return
        piece = answer.exchange.piece
        while True:
            try:
                with self._timeouts.within(call.timeout):
                    data = await piece()
            except Exception as error:
                self._raise(answer.request, error, call.timeout)
            if not data:
                return
            yield data

    async def done(self, answer: Reply) -> None:
        """Give back the exchange and its permit, if that is not done."""
        exchange, answer.exchange = answer.exchange, None
        if exchange is not None:
            await self._end(exchange)

    def unavailable(self, request: Request, what: str, setting: str | None) -> HttpUnavailable:
        """The error that says this of the server."""
        return HttpUnavailable(f"{request.target.origin}: {what}", provider=self._faults.provider, setting=setting)

    async def _end(self, exchange: Exchange | None) -> None:
        try:
            if exchange is not None:
                await exchange.close()
        finally:
            self._permits.give_back()

    def _headers_of(self, request: Request) -> Mapping[str, str]:
        if not request.is_own or self._base_origin not in (None, request.target.origin):
            return request.headers
        secret = {name.lower(): value.reveal() for name, value in self._secret_headers.items()}
        return {**self._headers, **secret, **request.headers}

    def _raise(self, request: Request, error: Exception, timeout: float) -> NoReturn:
        """Raise the port's error for what came of a request, or what its caller did wrong."""
        if isinstance(error, HttpError):
            raise error
        if isinstance(request.body, StreamedBody) and request.body.failure is not None:
            raise request.body.failure from None
        if not self.is_open:
            raise HttpClosed("the client was closed meanwhile", provider=self._faults.provider) from None
        if isinstance(error, TimeoutError):
            raise self.unavailable(request, f"no answer in {timeout:g} s", "timeout") from None
        what = told(error, *self._secret_headers.values())
        if is_about_certificates(error):
            raise self._faults.no_entry(f"{request.target.origin}: {what}", "ca_file") from None
        setting = "base_url" if request.target.origin == self._base_origin else None
        raise self.unavailable(request, what, setting) from None


async def _whole(exchange: Exchange) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := await exchange.piece():
        size += len(piece)
        if size > MAX_BODY:
            raise InvalidResponse(f"the body is larger than {MAX_BODY} bytes")
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
