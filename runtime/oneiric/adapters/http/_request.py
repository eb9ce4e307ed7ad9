"""What is asked of a server, checked: the address, the headers, the body."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

from oneiric.adapters.http import MAX_TIMEOUT, Body, InvalidRequest, Params

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORTS = {"http": 80, "https": 443}
_REPEATABLE = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
REDIRECTS = frozenset((301, 302, 303, 307, 308))


class Target(NamedTuple):
    """An address as it is sent, with only ASCII in it; `origin` is its scheme, host and port."""

    url: str
    origin: str


class StreamedBody:
    """A body that comes piece by piece, of `length` bytes where that was announced.

    `failure` is what its source raised: the caller's error, not the server's.
    """

    def __init__(self, source: AsyncIterable[bytes], length: int | None) -> None:
        self._source = source
        self._length = length
        self.failure: Exception | None = None

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        sent = 0
        try:
            async for piece in self._source:
                if not isinstance(piece, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise InvalidRequest(f"a piece of a body is bytes, not {type(piece).__name__}")
                sent += len(piece)
                if self._length is not None and sent > self._length:
                    break
                if piece:
                    yield piece
            if self._length not in (None, sent):
                raise InvalidRequest(f"the body does not have the {self._length} bytes of its content-length")
        except Exception as error:
            self.failure = error
            raise


@dataclass(slots=True)
class Request:
    """One request of a call. `headers` are the caller's; `is_own` while it goes to the origin first asked."""

    method: str
    target: Target
    headers: Mapping[str, str]
    body: bytes | StreamedBody | None
    is_own: bool = True

    @property
    def is_repeatable(self) -> bool:
        """Whether it may be sent again, as by RFC 9110, 9.2.2, and can be."""
        return self.method in _REPEATABLE and not isinstance(self.body, StreamedBody)

    def redirected(self, status: int, location: str) -> Request | None:
        """The request that a redirect with this status asks for; None for one that is not to be sent."""
        if not location:
            return None
        try:
            target = target_of(None, urljoin(self.target.url, location))
        except (InvalidRequest, ValueError):
            return None
        if self.target.url.startswith("https:") and not target.url.startswith("https:"):
            return None
        is_own = self.is_own and target.origin == self.target.origin
        if (status == 303 and self.method != "HEAD") or (status in (301, 302) and self.method == "POST"):
            kept = {name: value for name, value in self.headers.items() if not name.startswith("content-")}
            return Request("GET", target, kept if is_own else {}, None, is_own)
        if isinstance(self.body, StreamedBody):
            return None
        kept = {name: value for name, value in self.headers.items() if is_own or name == "content-type"}
        return Request(self.method, target, kept, self.body, is_own)


def request_of(
    method: str,
    target: Target,
    headers: Mapping[str, str] | None,
    body: Body | None,
    content: object,
) -> Request:
    """The request, with `content` as JSON unless it is None. Raises `InvalidRequest`."""
    if method not in _REPEATABLE and not (_TOKEN.fullmatch(method) and method.isupper() and method != "CONNECT"):
        raise InvalidRequest(f"{method!r} is not a method: capital letters are expected, and not CONNECT")
    given = {} if headers is None else checked_headers(headers)
    if content is not None:
        if body is not None:
            raise InvalidRequest("body and json exclude each other")
        given.setdefault("content-type", "application/json")
        body = _encoded(content)
    length = given.get("content-length")
    if body is None or isinstance(body, bytes):
        if length is not None and length != str(len(body or b"")):
            raise InvalidRequest("content-length is not the length of the body")
        return Request(method, target, given, body)
    if not isinstance(body, AsyncIterable):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequest(f"a body is bytes or an asynchronous iterable of bytes, not {type(body).__name__}")
    if length is not None and not re.fullmatch("[0-9]{1,18}", length):
        raise InvalidRequest("content-length is not a number")
    return Request(method, target, given, StreamedBody(body, None if length is None else int(length)))


def target_of(base: str | None, url: str, params: Params | None = None) -> Target:
    """Where a call goes: `url`, or that below `base`. Raises `InvalidRequest`."""
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequest(f"an address is text, not {type(url).__name__}")
    target = _target(base, url)
    if not params:
        return target
    try:
        query = urlencode(params, doseq=True)
    except (TypeError, ValueError):
        raise InvalidRequest("params are text and numbers by name, or sequences of them") from None
    return target._replace(url=f"{target.url}{'&' if '?' in target.url else '?'}{query}")


@lru_cache(maxsize=512)
def _target(base: str | None, url: str) -> Target:
    if base is not None and not _SCHEME.match(url):
        url = f"{base.rstrip('/')}/{url.lstrip('/')}"
    if not url.isprintable():
        raise InvalidRequest("the address has control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        path = quote(_LONE_PERCENT.sub("%25", parts.path) or "/", safe="/%:@!$&'()*+,;=~")
        query = quote(_LONE_PERCENT.sub("%25", parts.query), safe="/%:@!$&'()*+,;=~?")
        host = _ascii(parts.hostname or "")
    except ValueError:
        raise InvalidRequest("the address is not a URL") from None
    if parts.scheme not in _PORTS or not host:
        raise InvalidRequest("the address does not begin with http://HOST or https://HOST")
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest("the address names a user or password: use a header")
    if not {".", ".."}.isdisjoint(path.split("/")):
        raise InvalidRequest("the address has parts . or ..")
    origin = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}"
    if port is not None and port != _PORTS[parts.scheme]:
        origin += f":{port}"
    return Target(origin + path + (f"?{query}" if query else ""), origin)


def _ascii(host: str) -> str:
    if host.isascii():
        if "%" in host or " " in host:
            raise ValueError
        return host
    import idna  # which both clients need; international names are rare

    return idna.encode(host, uts46=True).decode()


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers by lower-case name. Raises `InvalidRequest`, which shows no value."""
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequest(f"{name!r} is not a valid header name")
        if not isinstance(value, str) or not _VALUE.fullmatch(value):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidRequest(f"the header {name} is not printable ASCII")
        if name.lower() in ("transfer-encoding", "connection", "host"):
            raise InvalidRequest(f"the header {name} is the client's own")
        checked[name.lower()] = value
    return checked


def checked_timeout(timeout: float) -> float:
    """The timeout. Raises `InvalidRequest` unless it is a number of seconds within the limits."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidRequest(f"a timeout is a number of seconds, not {type(timeout).__name__}")
    if not (isfinite(timeout) and 0 < timeout <= MAX_TIMEOUT):
        raise InvalidRequest(f"a timeout is above 0 and at most {MAX_TIMEOUT:g} seconds")
    return timeout


def _encoded(content: object) -> bytes:
    try:
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"json: {error}") from None
