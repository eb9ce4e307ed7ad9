"""An HTTP client over the exchanges of an SDK: its settings, its life, and the calls of the port.

An SDK sends one request and gives what comes back. All else is here and in the modules below, so that clients do not
differ.
"""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from oneiric import Secret
from oneiric.adapters._common.network import Faults
from oneiric.adapters.http import (
    Body,
    HttpError,
    HttpMisconfigured,
    HttpRefused,
    HttpUnavailable,
    InvalidRequest,
    Params,
    Response,
    StreamedResponse,
)
from oneiric.adapters.http._attempts import Attempts
from oneiric.adapters.http._breakers import Breakers
from oneiric.adapters.http._exchanges import Call, Exchange, Exchanges
from oneiric.adapters.http._request import Request, Target, checked_headers, checked_timeout, request_of, target_of

_TURNED_AWAY = frozenset((401, 403, 407))


class HttpCalls(ABC):
    """The port `HttpClient` and its settings, over what `_open`, `_send` and `_close` do with an SDK.

    `base_url`: where addresses without `http://` or `https://` go.
    `timeout`: seconds for a call that does not say.
    `verify`: look at certificates; `false` is for experiments.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `headers`: sent with each request, if the call does not say otherwise.
    `secret_headers`: the same with secrets, such as `Authorization: Bearer ${ONEIRIC_SECRET_API_TOKEN}`.
    `healthcheck_path`: what a start and a health check ask for below `base_url`; with `null` they do not ask.
    `healthcheck_timeout`: seconds for a health check, and that of the start.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `max_redirects`: how many redirects are followed in one call; with 0 a redirect is the answer.
    `retries`: how many further attempts a call has, with growing waits or as `retry-after` says.
    `breaker_failures`: after so many failures in a row an origin is left alone.
    `breaker_recovery`: for how many seconds an origin is left alone.
    """

    _provider: str

    def __init__(
        self,
        *,
        base_url: str | None = None,
        timeout: float = 10.0,
        verify: bool = True,
        ca_file: Path | None = None,
        headers: dict[str, str] | None = None,
        secret_headers: dict[str, Secret] | None = None,
        healthcheck_path: str | None = "/",
        healthcheck_timeout: float = 2.0,
        max_connections: int = 100,
        max_redirects: int = 5,
        retries: int = 2,
        breaker_failures: int = 5,
        breaker_recovery: float = 30.0,
    ) -> None:
        self._faults = faults = Faults(self._provider, HttpUnavailable, HttpRefused, HttpMisconfigured)
        faults.check_above_zero(
            max_connections=max_connections, breaker_failures=breaker_failures, breaker_recovery=breaker_recovery
        )
        for setting, amount in (("max_redirects", max_redirects), ("retries", retries)):
            if amount < 0:
                raise faults.no_sense(f"{amount} is below 0", setting)
        if ca_file is not None and not verify:
            raise faults.no_sense("is given, and verify is off", "ca_file")
        if ca_file is not None and not ca_file.is_file():
            raise faults.no_sense(f"{ca_file} is not a file", "ca_file")
        self._base_url = base_url
        base_origin: str | None = None
        if base_url is not None:
            with self._blamed("base_url"):
                base_origin = _base_origin(base_url)
        self._health: Target | None = None
        if base_url is not None and healthcheck_path is not None:
            with self._blamed("healthcheck_path"):
                self._health = target_of(base_url, f"/{healthcheck_path}")
        with self._blamed("timeout"):
            self._timeout = checked_timeout(timeout)
        with self._blamed("healthcheck_timeout"):
            self._healthcheck_timeout = checked_timeout(healthcheck_timeout)
        with self._blamed("headers"):
            own = checked_headers(headers or {})
        secret = secret_headers or {}
        with self._blamed("secret_headers"):
            checked_headers({name: value.reveal() for name, value in secret.items()})
        self._verify = verify
        self._ca_file = ca_file
        self._max_connections = max_connections
        self._exchanges = Exchanges(self._send, faults, base_origin, own, secret, max_connections)
        breakers = Breakers(breaker_failures, breaker_recovery)
        self._attempts = Attempts(self._exchanges, faults, breakers, max_redirects, retries)

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
        with self._blamed("ca_file"):
            context = await asyncio.to_thread(self._context)
        await self._open(context)
        self._exchanges.is_open = True
        if self._health is not None:
            await self._ask_health(self._health)

    async def health(self) -> bool:
        try:
            if self._health is not None:
                await self._ask_health(self._health)
        except HttpError:
            return False
        return self._exchanges.is_open

    async def aclose(self) -> None:
        self._exchanges.close()
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
        call = Call(self._timeout if timeout is None else checked_timeout(timeout), whole=True)
        answer = await self._attempts.answer(call, request)
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
        call = Call(self._timeout if timeout is None else checked_timeout(timeout), whole=False)
        answer = await self._attempts.answer(call, request)
        pieces = self._exchanges.pieces(call, answer)
        try:
            yield StreamedResponse(answer.status, answer.request.target.url, answer.headers, pieces)
        finally:
            await self._exchanges.done(answer)
            with suppress(RuntimeError):  # another task reads, and finds that the exchange is done
                await pieces.aclose()

    async def _ask_health(self, target: Target) -> None:
        request = Request("GET", target, {}, None)
        answer = await self._exchanges.answer(Call(self._healthcheck_timeout, whole=False), request)
        await self._exchanges.done(answer)
        if answer.status in _TURNED_AWAY:
            raise self._faults.no_entry(f"{target.origin} answers {answer.status}", "secret_headers")
        if answer.status >= 500:
            raise self._exchanges.unavailable(request, f"answers {answer.status}", "healthcheck_path")

    def _context(self) -> ssl.SSLContext:
        """Reads the certificates to trust; takes milliseconds."""
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except OSError:
            raise InvalidRequest(f"{self._ca_file} cannot be read as certificates") from None
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
