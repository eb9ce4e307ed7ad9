"""The bytes behind an address, over https or from a file, within a source's limits of size, time and place.

A server that is down, slow or broken is `Unreachable`; one that answers what no server may is `Refused`. No message
holds a secret, nor any text of a server but the host that a redirect names.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import circuitbreaker  # pyright: ignore[reportMissingTypeStubs]
import httpx
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, stop_before_delay, wait_exponential_jitter

ATTEMPTS = 3
FIRST_WAIT, LONGEST_WAIT = 0.5, 5.0
"""Seconds until the second attempt, and at most between two: doubled each time, with up to as much again of jitter."""
WINDOW = 3.0
"""Seconds over which the minimum rate is measured."""
MAX_REDIRECTS = 5
LEAST_SECRET = 8
MAX_HOST = 253
"""The most characters of a name in DNS."""
BREAKER_FAILURES, BREAKER_SECONDS = 5, 60.0
"""After so many failed attempts in a row a host is left alone for so long."""

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with a name, the bytes received so far, and how many are announced."""

_SECRET = re.compile(r"\$\{(ONEIRIC_SECRET_[A-Za-z0-9_]+)\}")
_AGAIN = frozenset((408, 425, 429))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))


class FetchError(Exception):
    """Nothing was fetched: the rule it failed by, what is wrong and what to do."""

    def __init__(self, rule: str, message: str, help: str) -> None:
        super().__init__(rule)
        self.rule, self.message, self.help = rule, message, help

    def __str__(self) -> str:
        return self.message


class Unreachable(FetchError):
    """The address does not answer as it should: no failure of trust. `again`: another attempt may go better."""

    def __init__(self, rule: str, message: str, help: str, *, again: bool = False) -> None:
        super().__init__(rule, message, help)
        self.again = again


class Refused(FetchError):
    """The answer breaks a rule that no answer may break."""


class MissingSecret(Exception):
    """An environment variable that the auth header refers to is not set, or cannot be a header."""


class BadEnvironment(Exception):
    """What the environment says of certificates or proxies cannot be used; the message names the variables."""


@dataclass(frozen=True, slots=True)
class Auth:
    """A header for one origin, `https://host:port`. `secrets` are the parts of it that nobody may see."""

    origin: str
    header: str
    value: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def hide(self, text: str) -> str:
        """The text with the secrets masked, however their letters were changed."""
        for secret in self.secrets:
            text = re.sub(re.escape(secret), "****", text, flags=re.IGNORECASE)
        return text

    def stands_in(self, data: bytes) -> bool:
        """Whether a secret does, of those so long that this is no coincidence."""
        return any(len(secret) >= LEAST_SECRET and secret.encode() in data for secret in self.secrets)


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for, under which name progress is told, and within what: bytes, seconds, bytes a second, hosts."""

    name: str
    address: str
    max_bytes: int
    connect: float
    total: float
    minimum_rate: int
    redirects: tuple[str, ...] = ()
    auth: Auth | None = None
    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """The body, None where it is not another than the one asked about; what the next request may ask about."""

    data: bytes | None
    etag: str | None = None
    last_modified: str | None = None


def origin(address: str | httpx.URL) -> str:
    """`https://host:port` of an address, the port always told. Raises `Refused` for what is not an https address."""
    try:
        url = httpx.URL(address)
        host, port = url.host, 443 if url.port is None else url.port
    except (httpx.InvalidURL, UnicodeError):  # the latter of a host that cannot be an internationalised name
        raise _no_url() from None
    if url.scheme != "https" or not host:
        raise Refused("scheme", "an address that is not https", "manifests and artifacts travel over https alone")
    if url.userinfo:
        raise Refused("address", "an address with a user or password in it", "use `auth` with a secret reference")
    if len(host) > MAX_HOST or not 0 < port < 1 << 16:
        raise _no_url()
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def joined(base: str | httpx.URL, reference: str) -> httpx.URL:
    """An address that may be relative to another one. Raises `Refused`."""
    try:
        return httpx.URL(base).join(reference)
    except (httpx.InvalidURL, ValueError):
        raise _no_url() from None


def auth_for(address: str, header: str, value: str, environ: Mapping[str, str]) -> Auth:
    """The header for an address's own origin, with its secrets from the environment. Raises `MissingSecret`."""
    secrets: list[str] = []
    for name in _SECRET.findall(value):
        secret = environ.get(name, "")
        if not secret:
            raise MissingSecret(f"{name} is not set")
        if not (secret.isascii() and secret.isprintable()):
            raise MissingSecret(f"{name} holds characters that no header can")
        secrets.append(secret)
    whole = _SECRET.sub(lambda found: environ[found[1]], value)
    return Auth(origin(address), header, whole, tuple(sorted(set(secrets), key=len, reverse=True)))


def read_file(root: Path, roots: Iterable[str], address: str, max_bytes: int) -> bytes:
    """A file inside one of the `roots` of the project, symbolic links followed first.

    Raises `Refused` for one outside or too large, `Unreachable` for one that cannot be read.
    """
    base = root.resolve()
    try:
        inside = [folder for each in roots if (folder := (base / each).resolve()).is_relative_to(base)]
        path = (base / address).resolve()
        if not any(path.is_relative_to(folder) for folder in inside):
            help = "put it into one of the `roots` of settings/remote.yml"
            raise Refused("roots", f"{address} lies outside the folders that manifests may be read from", help)
        if not path.is_file():
            raise Unreachable("file", f"{address} is not a file", "put the file there")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "no usable path"
        raise Unreachable("file", f"{address} cannot be read: {reason}", "put the file there") from error
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    return data


class Fetcher:
    """A client for any number of fetches; remembers which hosts are down. Use it as an async context manager.

    To enter it raises `BadEnvironment`.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._breakers: dict[str, Any] = {}  # by origin, of a library without types

    async def __aenter__(self) -> Fetcher:
        # nothing is ever decoded: what is small when it comes stays small
        headers = {"accept-encoding": "identity", "user-agent": "oneiric"}
        try:
            self._client = httpx.AsyncClient(headers=headers, follow_redirects=False)
        except OSError as error:
            raise BadEnvironment(f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR: {error.strerror}") from error
        except (httpx.InvalidURL, ValueError, ImportError):  # they show the address, which may hold a password
            raise BadEnvironment("HTTPS_PROXY, ALL_PROXY or NO_PROXY: no usable address of a proxy") from None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def fetch(self, ask: Ask) -> Fetched:
        """What is behind the address. Raises `Unreachable`, `Refused`; neither shows a secret of `ask`."""
        try:
            async with asyncio.timeout(ask.total):
                async for attempt in _attempts(ask.total):
                    with attempt:
                        return await self._guarded(ask)
        except TimeoutError:
            help = "the mirror is slow or far: give it a larger `total`, or use another address"
            raise Unreachable("deadline", f"not fetched within {ask.total:g} seconds", help) from None
        except FetchError as error:
            if ask.auth:
                error.message, error.help = ask.auth.hide(error.message), ask.auth.hide(error.help)
            raise
        raise AssertionError("an attempt either answers or raises")

    def breaker(self, address: str) -> str:
        """How the breaker of an address's host stands: closed, open, half_open."""
        with suppress(Refused):
            if (breaker := self._breakers.get(origin(address))) is not None:
                return str(breaker.state)
        return "closed"

    async def _guarded(self, ask: Ask) -> Fetched:
        """One attempt, unless the host failed too often just now."""
        here = origin(ask.address)
        breaker = self._breakers.get(here)
        if breaker is None:
            breaker = circuitbreaker.CircuitBreaker(BREAKER_FAILURES, BREAKER_SECONDS, _is_down)
            self._breakers[here] = breaker
        if breaker.opened:
            help = f"it is asked again {BREAKER_SECONDS:g} seconds after its last failure"
            raise Unreachable("breaker", f"{here} failed {BREAKER_FAILURES} times in a row", help)
        with breaker, _told(ask, here):
            return await self._get(ask, here)

    async def _get(self, ask: Ask, own: str) -> Fetched:
        url = httpx.URL(ask.address)
        timeout = httpx.Timeout(ask.total, connect=ask.connect)
        for _ in range(MAX_REDIRECTS + 1):
            headers = _headers(ask, origin(url))
            async with self._client.stream("GET", url, headers=headers, timeout=timeout) as response:
                if response.status_code not in _REDIRECTS:
                    return await self._taken(ask, response)
                url = _redirected(response, own, ask.redirects)
        raise Refused("redirect", f"more than {MAX_REDIRECTS} redirects", "name the address it leads to")

    async def _taken(self, ask: Ask, response: httpx.Response) -> Fetched:
        status = response.status_code
        if status == 304 and (ask.etag or ask.last_modified):
            return Fetched(None, ask.etag, ask.last_modified)
        if status != 200:
            help = "check the token" if status in (401, 403) else "check the address; the server may be in trouble"
            again = status >= 500 or status in _AGAIN
            raise Unreachable("status", f"the server answered {status}", help, again=again)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            help = "let the server send it as it is: nothing is decompressed"
            raise Refused("encoding", "a compressed answer, though none was asked for", help)
        data = await self._body(ask, response)
        if ask.auth and ask.auth.stands_in(data):
            raise Refused(
                "echo", "the answer repeats the secret it was asked with", "change the secret: others have seen it"
            )
        return Fetched(data, _tag(ask, response, "etag"), _tag(ask, response, "last-modified"))

    async def _body(self, ask: Ask, response: httpx.Response) -> bytes:
        """The body, as long as it is small enough and comes fast enough."""
        announced = response.headers.get("content-length", "")
        expected = int(announced) if announced.isdecimal() else None
        if expected is not None and expected > ask.max_bytes:
            raise _too_large(ask.max_bytes)
        loop, data, counted = asyncio.get_running_loop(), bytearray(), 0
        try:
            async with asyncio.timeout(WINDOW) as window:
                async for chunk in response.aiter_raw():
                    data += chunk
                    if len(data) > ask.max_bytes:
                        raise _too_large(ask.max_bytes)
                    if len(data) - counted >= ask.minimum_rate * WINDOW:
                        counted = len(data)
                        window.reschedule(loop.time() + WINDOW)
                    if self._progress:
                        self._progress(ask.name, len(data), expected)
        except TimeoutError:
            message = f"it arrived slower than {ask.minimum_rate} bytes a second"
            raise Unreachable(
                "rate", message, "set a lower `minimum_rate`, or use another mirror", again=True
            ) from None
        return bytes(data)


def _attempts(total: float) -> AsyncRetrying:
    return AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(total),
        wait=wait_exponential_jitter(multiplier=FIRST_WAIT, max=LONGEST_WAIT, jitter=FIRST_WAIT),
        retry=retry_if_exception(lambda error: isinstance(error, Unreachable) and error.again),
        reraise=True,
    )


def _is_down(kind: type[BaseException], error: BaseException) -> bool:
    """Whether a host that led to this may be down, rather than answer what it was not asked for."""
    return error.again if isinstance(error, Unreachable) else not isinstance(error, FetchError)


def _no_url() -> Refused:
    return Refused("address", "an address that is not a URL", "write https://HOST/PATH")


def _headers(ask: Ask, here: str) -> dict[str, str]:
    """Of one hop: the auth header goes to no other origin than its own."""
    headers = {"if-none-match": ask.etag, "if-modified-since": ask.last_modified}
    if ask.auth is not None and ask.auth.origin == here:
        headers[ask.auth.header] = ask.auth.value
    return {name: value for name, value in headers.items() if value is not None}


def _redirected(response: httpx.Response, own: str, allowed: Collection[str]) -> httpx.URL:
    """Where it leads, if it may. `own` and those of `allowed` are the origins it may lead to."""
    try:
        url = joined(response.url, response.headers.get("location", ""))
        there = origin(url)
    except Refused as error:
        raise Refused("redirect", f"a redirect to {error.message}", "name another address") from None
    if there not in {own, *(origin(f"https://{host}") for host in allowed)}:
        host = there.removeprefix("https://")
        help = f"name the address it leads to, or add `{host.removesuffix(':443')}` to `redirects` of the source"
        raise Refused("redirect", f"a redirect to another host, {host}", help)
    return url


def _tag(ask: Ask, response: httpx.Response, name: str) -> str | None:
    """A header that the next request can send back, and that may be stored until then."""
    value = response.headers.get(name, "")
    secret = ask.auth is not None and ask.auth.stands_in(value.encode())
    return value if value and value.isascii() and value.isprintable() and not secret else None


def _too_large(limit: int) -> Refused:
    return Refused(
        "size", f"larger than {limit} bytes", "it may be the wrong file; if it is not, raise its limit in `caps`"
    )


@contextmanager
def _told(ask: Ask, here: str) -> Generator[None]:
    """The client's errors in words of this module: its own may repeat what a server sent."""
    help = "check whether the mirror is up; what is pinned stays"
    try:
        yield
    except httpx.ConnectTimeout:
        raise Unreachable("connect", f"no connection within {ask.connect:g} seconds", help, again=True) from None
    except httpx.ConnectError as error:
        raise _not_connected(error, here, help) from None
    except httpx.TimeoutException:
        raise Unreachable("deadline", "the server stopped answering", help, again=True) from None
    except (httpx.ReadError, httpx.WriteError, httpx.CloseError):
        raise Unreachable("protocol", "the connection broke", help, again=True) from None
    except httpx.RemoteProtocolError:
        message = "the server closed the connection, or does not speak HTTP"
        raise Unreachable("protocol", message, help, again=True) from None
    except httpx.ProxyError:
        raise Unreachable("proxy", "the proxy does not let it through", "check HTTPS_PROXY", again=True) from None
    except (httpx.TransportError, httpx.InvalidURL, ValueError) as error:  # the last of a Location that it looked at
        raise Unreachable("protocol", f"the request failed ({type(error).__name__})", help) from None


def _not_connected(error: BaseException, here: str, help: str) -> FetchError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            words = f"its certificate is not valid: {cause.verify_message.rstrip('.')}"
            return Refused(
                "certificate", words, "someone may be intercepting it; for a CA of your own set SSL_CERT_FILE"
            )
        if isinstance(cause, ssl.SSLError):
            return Unreachable("protocol", f"{here} does not speak TLS correctly", help, again=True)
        if isinstance(cause, socket.gaierror):
            return Unreachable("connect", f"the name of {here} is not known", help, again=True)
        if isinstance(cause, OSError) and cause.strerror:
            return Unreachable("connect", f"{here} cannot be connected to: {cause.strerror}", help, again=True)
        cause = cause.__cause__ or cause.__context__
    return Unreachable("connect", f"{here} cannot be connected to", help, again=True)
