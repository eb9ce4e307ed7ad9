"""The calls of an HTTP client over the exchanges of an SDK: deadlines, turns, redirects, attempts, breakers.

An SDK sends one request and gives what comes back. All else is here, so that clients do not differ.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NoReturn, Protocol

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential_jitter,
)

from oneiric import Secret
from oneiric.adapters._network import Faults, is_about_certificates, told
from oneiric.adapters.http import (
    MAX_BODY,
    Body,
    Headers,
    HttpClosed,
    HttpError,
    HttpMisconfigured,
    HttpRefused,
    HttpUnavailable,
    InvalidRequest,
    InvalidResponse,
    Params,
    Response,
    StreamedResponse,
)
from oneiric.adapters.http._breakers import Breakers
from oneiric.adapters.http._request import (
    REDIRECTS,
    Request,
    StreamedBody,
    Target,
    check_timeout,
    checked_headers,
    request_of,
    target_of,
)

_DOWN = frozenset((502, 503, 504))
_TOO_MANY = 429
_TURNED_AWAY = frozenset((401, 403, 407))
_BACKOFF = wait_exponential_jitter(multiplier=0.1, max=5.0, jitter=0.1)
OWN = {"accept": "*/*", "accept-encoding": "gzip, deflate", "user-agent": "oneiric"}
"""Headers of every request, unless something else is given."""


class Exchange(Protocol):
    """What an SDK has of an answer once its headers are here."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> Collection[tuple[str, str]]: ...

    def pieces(self) -> AsyncIterator[bytes]:
        """The body, decompressed."""
        ...

    async def close(self) -> None:
        """Give the connection back, or drop it if the body is not at its end."""
        ...


class _Answer:
    """What became of a request: with all of its body, or on an `exchange` that still has it and a turn."""

    __slots__ = ("body", "exchange", "headers", "request", "status")

    def __init__(self, request: Request, exchange: Exchange) -> None:
        self.request = request
        self.exchange: Exchange | None = exchange
        self.status = exchange.status
        self.headers = Headers(exchange.headers)
        self.body = b""


class _Call:
    """Until when a call may take, in seconds of the loop's clock; and whether its body is wanted in one piece."""

    __slots__ = ("deadline", "timeout", "whole")

    def __init__(self, timeout: float, whole: bool) -> None:
        self.timeout = timeout
        self.deadline = asyncio.get_running_loop().time() + timeout
        self.whole = whole


class HttpCalls(ABC):
    """The port `HttpClient` and its settings, over what `_open`, `_send` and `_close` do with an SDK.

    `base_url`: where addresses without `http://` or `https://` go.
    `timeout`: seconds for a call that does not say.
    `verify`: look at certificates; `false` is for experiments.
    `ssl_ca_certs`: a file of certificates to trust, instead of those the system trusts.
    `headers`: sent with each request, if the call does not say otherwise.
    `secret_headers`: the same with secrets, such as `Authorization: Bearer ${ONEIRIC_SECRET_API_TOKEN}`.
    `healthcheck_path`: what a start and a health check ask for below `base_url`; with `null` they do not ask.
    `healthcheck_timeout`: seconds for a health check, and that of the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `max_redirects`: how many redirects are followed in one call; with 0 a redirect is the answer.
    `retries`: how many further attempts a call has, with growing waits or as `retry-after` says.
    `breaker_failures`: after so many failures in a row an origin is left alone.
    `breaker_seconds`: for how many seconds an origin is left alone.
    """

    _provider: str

    def __init__(
        self,
        *,
        base_url: str | None = None,
        timeout: float = 10.0,
        verify: bool = True,
        ssl_ca_certs: Path | None = None,
        headers: dict[str, str] | None = None,
        secret_headers: dict[str, Secret] | None = None,
        healthcheck_path: str | None = "/",
        healthcheck_timeout: float = 2.0,
        max_connections: int = 100,
        max_redirects: int = 5,
        retries: int = 2,
        breaker_failures: int = 5,
        breaker_seconds: float = 30.0,
    ) -> None:
        self._faults = faults = Faults(self._provider, HttpUnavailable, HttpRefused, HttpMisconfigured)
        faults.check_above_zero(
            max_connections=max_connections, breaker_failures=breaker_failures, breaker_seconds=breaker_seconds
        )
        for setting, amount in (("max_redirects", max_redirects), ("retries", retries)):
            if amount < 0:
                raise faults.no_sense(f"{amount} is below 0", setting)
        if ssl_ca_certs is not None and not verify:
            raise faults.no_sense("is given, and verify is off", "ssl_ca_certs")
        if ssl_ca_certs is not None and not ssl_ca_certs.is_file():
            raise faults.no_sense(f"{ssl_ca_certs} is no file", "ssl_ca_certs")
        self._base_url = base_url
        self._base_origin: str | None = None
        if base_url is not None:
            with self._blamed("base_url"):
                self._base_origin = _base_origin(base_url)
        self._health: Target | None = None
        if base_url is not None and healthcheck_path is not None:
            with self._blamed("healthcheck_path"):
                self._health = target_of(base_url, f"/{healthcheck_path}")
        self._timeout = timeout
        with self._blamed("timeout"):
            check_timeout(timeout)
        self._healthcheck_timeout = healthcheck_timeout
        with self._blamed("healthcheck_timeout"):
            check_timeout(healthcheck_timeout)
        with self._blamed("headers"):
            self._headers = checked_headers(headers or {})
        self._secret_headers = secret_headers or {}
        with self._blamed("secret_headers"):
            checked_headers({name: value.reveal() for name, value in self._secret_headers.items()})
        self._verify = verify
        self._ssl_ca_certs = ssl_ca_certs
        self._max_connections = max_connections
        self._max_redirects = max_redirects
        self._retries = retries
        self._breakers = Breakers(breaker_failures, breaker_seconds)
        self._is_open = False
        self._free = asyncio.Semaphore(max_connections)
        self._under_way: set[asyncio.Timeout] = set()

    # what a provider does

    @abstractmethod
    async def _open(self, context: ssl.SSLContext) -> None:
        """Make the SDK's client, with room for more than `_max_connections` and without timeouts of its own."""

    @abstractmethod
    async def _send(self, request: Request, headers: Mapping[str, str]) -> Exchange:
        """Send one request with these headers and `OWN`, without following anything. Raises the SDK's errors."""

    @abstractmethod
    async def _close(self) -> None:
        """Drop the SDK's client and all connections."""

    # the life of a component

    async def start(self) -> None:
        await self.aclose()
        with self._blamed("ssl_ca_certs"):
            context = await asyncio.to_thread(self._context)
        await self._open(context)
        self._is_open = True
        if self._health is not None:
            await self._ask_health(self._health)

    async def health(self) -> bool:
        try:
            if self._health is not None:
                await self._ask_health(self._health)
        except HttpError:
            return False
        return self._is_open

    async def aclose(self) -> None:
        self._is_open = False
        for timeout in self._under_way:
            if not timeout.expired():
                timeout.reschedule(asyncio.get_running_loop().time())
        await self._close()

    # the port

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: object = None,
        timeout: float | None = None,
    ) -> Response:
        request = request_of(method, target_of(self._base_url, url, params), headers, body, json)
        answer = await self._followed(self._call(timeout, whole=True), request)
        return Response(answer.status, answer.request.target.url, answer.headers, answer.body)

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        return await self.request("GET", url, params=params, headers=headers, timeout=timeout)

    async def post(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: object = None,
        timeout: float | None = None,
    ) -> Response:
        return await self.request("POST", url, params=params, headers=headers, body=body, json=json, timeout=timeout)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: object = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[StreamedResponse, None]:
        request = request_of(method, target_of(self._base_url, url, params), headers, body, json)
        call = self._call(timeout, whole=False)
        answer = await self._followed(call, request)
        pieces = self._pieces(call, answer)
        try:
            yield StreamedResponse(answer.status, answer.request.target.url, answer.headers, pieces)
        finally:
            await pieces.aclose()
            await self._done(answer)

    # how

    def _call(self, timeout: float | None, *, whole: bool) -> _Call:
        if timeout is not None:
            check_timeout(timeout)
        return _Call(self._timeout if timeout is None else timeout, whole)

    async def _followed(self, call: _Call, request: Request) -> _Answer:
        """The answer at the end of the redirects."""
        for _ in range(self._max_redirects + 1):
            answer = await self._tried(call, request)
            if answer.status not in REDIRECTS or not self._max_redirects:
                return answer
            onward = request.redirected(answer.status, answer.headers.get("location", ""))
            if onward is None:
                return answer
            await self._done(answer)
            request = onward
        raise self._faults.no_answer(f"more than {self._max_redirects} redirects", "max_redirects")

    async def _tried(self, call: _Call, request: Request) -> _Answer:
        """What came of the last attempt."""
        first = await self._outcome(call, request)
        if not (self._retries and request.is_repeatable and _may_pass(first)):
            return _settled(first)
        known = iter((first,))  # made without the library, which takes longer than a near server

        async def attempt() -> _Answer | HttpUnavailable:
            return next(known, None) or await self._outcome(call, request)

        async def forget(state: RetryCallState) -> None:
            outcome = _last(state)
            if isinstance(outcome, _Answer):
                await self._done(outcome)

        left = call.deadline - asyncio.get_running_loop().time()
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._retries + 1) | stop_before_delay(max(left, 0)),
            wait=_wait,
            retry=retry_if_result(_may_pass),
            before_sleep=forget,
            retry_error_callback=_last,
        )
        return _settled(await retrying(attempt))

    async def _outcome(self, call: _Call, request: Request) -> _Answer | HttpUnavailable:
        """What comes of one attempt, unless the origin failed too often just now."""
        origin = request.target.origin
        if self._breakers.is_open(origin):
            raise self._unavailable(request, "it failed too often just now and is left alone", "breaker_seconds")
        try:
            answer = await self._attempt(call, request)
        except HttpUnavailable as error:
            if error.setting == "max_connections" or not self._is_open:
                raise
            self._breakers.failed(origin)
            return error
        if answer.status in _DOWN:
            self._breakers.failed(origin)
        else:
            self._breakers.answered(origin)
        return answer

    async def _attempt(self, call: _Call, request: Request) -> _Answer:
        """Send a request once. The answer has its body, or else the exchange and a turn until it is done."""
        await self._take_turn(call)
        exchange: Exchange | None = None
        timeout = asyncio.timeout_at(call.deadline)
        self._under_way.add(timeout)
        try:
            async with timeout:
                exchange = await self._send(request, self._headers_of(request))
                answer = _Answer(request, exchange)
                if call.whole:
                    answer.body = await _whole(exchange)
        except BaseException as error:
            try:
                if exchange is not None:
                    await exchange.close()
            finally:
                self._free.release()
            if isinstance(error, Exception):
                self._raise(request, error, call.timeout)
            raise
        finally:
            self._under_way.discard(timeout)
        if call.whole:
            await self._done(answer)
        return answer

    async def _pieces(self, call: _Call, answer: _Answer) -> AsyncGenerator[bytes, None]:
        if answer.exchange is None:
            return
        pieces = answer.exchange.pieces()
        clock = asyncio.get_running_loop().time
        while True:
            timeout = asyncio.timeout_at(clock() + call.timeout)
            self._under_way.add(timeout)
            try:
                async with timeout:
                    piece = await anext(pieces, b"")
            except Exception as error:
                self._raise(answer.request, error, call.timeout)
            finally:
                self._under_way.discard(timeout)
            if not piece:
                return
            yield piece

    async def _done(self, answer: _Answer) -> None:
        """Give back the exchange and its turn, if that is not done."""
        exchange, answer.exchange = answer.exchange, None
        if exchange is not None:
            try:
                await exchange.close()
            finally:
                self._free.release()

    async def _take_turn(self, call: _Call) -> None:
        """Wait until one more connection may be open."""
        if self._free.locked():
            try:
                async with asyncio.timeout_at(call.deadline):
                    await self._free.acquire()
            except TimeoutError:
                what = f"all {self._max_connections} connections were busy for {call.timeout:g} s"
                raise self._faults.no_answer(what, "max_connections") from None
        else:
            await self._free.acquire()
        if not self._is_open:
            self._free.release()
            raise HttpClosed("the client is not open", provider=self._provider)

    def _headers_of(self, request: Request) -> Mapping[str, str]:
        if not request.is_own or self._base_origin not in (None, request.target.origin):
            return request.headers
        if not self._secret_headers:
            return {**self._headers, **request.headers} if self._headers else request.headers
        secret = {name.lower(): value.reveal() for name, value in self._secret_headers.items()}
        return {**self._headers, **secret, **request.headers}

    async def _ask_health(self, target: Target) -> None:
        request = Request("GET", target, {}, None)
        answer = await self._attempt(_Call(self._healthcheck_timeout, whole=False), request)
        await self._done(answer)
        if answer.status in _TURNED_AWAY:
            raise self._faults.no_entry(f"{target.origin} answers {answer.status}", "secret_headers")
        if answer.status >= 500:
            raise self._unavailable(request, f"answers {answer.status}", "healthcheck_path")

    def _raise(self, request: Request, error: Exception, timeout: float) -> NoReturn:
        """Raise the port's error for what came of a request, or what its caller did wrong."""
        if isinstance(error, HttpError):
            raise error
        if isinstance(request.body, StreamedBody) and request.body.failure is not None:
            raise request.body.failure from None
        if not self._is_open:
            raise HttpClosed("the client was closed meanwhile", provider=self._provider) from None
        if isinstance(error, TimeoutError):
            raise self._unavailable(request, f"no answer in {timeout:g} s", "timeout") from None
        what = told(error, *self._secret_headers.values())
        if is_about_certificates(error):
            raise self._faults.no_entry(f"{request.target.origin}: {what}", "ssl_ca_certs") from None
        setting = "base_url" if request.target.origin == self._base_origin else None
        raise self._unavailable(request, what, setting) from None

    def _unavailable(self, request: Request, what: str, setting: str | None) -> HttpUnavailable:
        return HttpUnavailable(f"{request.target.origin}: {what}", provider=self._provider, setting=setting)

    def _context(self) -> ssl.SSLContext:
        """Reads the certificates to trust; takes milliseconds."""
        try:
            context = ssl.create_default_context(cafile=self._ssl_ca_certs)
        except OSError:
            raise InvalidRequest(f"{self._ssl_ca_certs} cannot be read as certificates") from None
        if not self._verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    @contextmanager
    def _blamed(self, setting: str) -> Generator[None, None, None]:
        """What is wrong in the block is wrong with this setting."""
        try:
            yield
        except InvalidRequest as error:
            raise self._faults.no_sense(error.what, setting) from None


def _base_origin(base_url: str) -> str:
    if "?" in base_url or "#" in base_url:
        raise InvalidRequest("has a query or a fragment")
    return target_of(None, base_url).origin


def _may_pass(outcome: _Answer | HttpUnavailable) -> bool:
    """Whether another attempt may go better."""
    return isinstance(outcome, HttpUnavailable) or outcome.status in _DOWN or outcome.status == _TOO_MANY


def _settled(outcome: _Answer | HttpUnavailable) -> _Answer:
    if isinstance(outcome, HttpUnavailable):
        raise outcome
    return outcome


def _last(state: RetryCallState) -> _Answer | HttpUnavailable:
    assert state.outcome is not None
    outcome: _Answer | HttpUnavailable = state.outcome.result()
    return outcome


def _wait(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asks for, else ever more."""
    outcome = _last(state)
    asked = outcome.headers.get("retry-after", "") if isinstance(outcome, _Answer) else ""
    return float(asked) if asked.isascii() and asked.isdigit() else _BACKOFF(state)


async def _whole(exchange: Exchange) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in exchange.pieces():
        size += len(piece)
        if size > MAX_BODY:
            raise InvalidResponse(f"the body is larger than {MAX_BODY} bytes")
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
