"""The port `http`: requests to servers that speak HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from oneiric.errors import AdapterError, Closed, Misconfigured, Refused, Unavailable

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a body that `request` reads, at most, after decompression. `stream` has no limit."""
MAX_TIMEOUT = 24 * 3600.0
"""Seconds a call may be given, at most."""

Params: TypeAlias = Mapping[str, str | int | Sequence[str | int]]
"""The query of an address by name; several values of one name are a sequence."""
Body: TypeAlias = bytes | AsyncIterable[bytes]
"""What is sent: at once, or piece by piece as it becomes ready."""

_CHARSET = re.compile(r';\s*charset="?([\w.:+-]+)', re.IGNORECASE)


class HttpError(AdapterError):
    """Anything an HTTP client raises."""

    key = "http"


class HttpClosed(HttpError, Closed):
    """The client was closed, or not started yet."""


class HttpUnavailable(HttpError, Unavailable):
    """The server does not answer, not in time, not with HTTP or not to the end, or failed too often just now.

    What was asked of it may have happened or not; trying again later may help.
    """


class HttpRefused(HttpError, Refused):
    """The server's certificate is not trusted, or its health check turns the component's credentials away."""


class HttpMisconfigured(HttpError, Misconfigured, ValueError):
    """Settings that are malformed or contradict each other; `setting` is one of them."""


class InvalidRequest(HttpError):
    """A method, address, header, body or timeout of a wrong type or outside the limits of the port."""


class InvalidResponse(HttpError):
    """An answer that cannot be used: larger than `MAX_BODY`, or not the JSON it is taken for."""


class HttpStatus(HttpError):
    """`raise_for_status` met an answer of 400 or above: this `response`."""

    def __init__(self, response: Answer) -> None:
        self.response = response
        super().__init__(f"the server answered {response.status}")


class Headers(Mapping[str, str]):
    """Header fields in the order they came. Names are found in any case, and listed in lower case.

    A field that came several times is joined by `, `; `all` has its values one by one.
    """

    def __init__(self, fields: Collection[tuple[str, str]]) -> None:
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        if found := self.all(name):
            return ", ".join(found)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._fields))

    def __len__(self) -> int:
        return len(set(self))

    def __repr__(self) -> str:
        return f"Headers({', '.join(self)})"

    def all(self, name: str) -> list[str]:
        """The values of a field; none if it did not come."""
        name = name.lower()
        return [value for each, value in self._fields if each.lower() == name]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """How a server answered. `url` is the address that did, after redirects."""

    status: int
    url: str = field(repr=False)
    headers: Headers

    def raise_for_status(self) -> None:
        """Raise `HttpStatus` if the status is 400 or above."""
        if self.status >= 400:
            raise HttpStatus(self)


@dataclass(frozen=True, slots=True, eq=False)
class Response(Answer):
    """An answer with all of its body, decompressed."""

    body: bytes = field(repr=False)

    def text(self) -> str:
        """The body in the charset that its content type names, else UTF-8; what does not fit becomes U+FFFD."""
        named = _CHARSET.search(self.headers.get("content-type", ""))
        try:
            return self.body.decode(named[1] if named else "utf-8", "replace")
        except LookupError:
            return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON. Raises `InvalidResponse`."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise InvalidResponse("the body is not JSON") from None


@dataclass(frozen=True, slots=True, eq=False)
class StreamedResponse(Answer):
    """An answer whose `body` comes piece by piece, decompressed, while it is read."""

    body: AsyncIterator[bytes] = field(repr=False)


class HttpClient(Protocol):
    """Sends requests over kept connections. A status of 400 and above is an answer, no error: `raise_for_status`.

    An address is `http://…` or `https://…`, or with the setting `base_url` a path below it (`users/7`; a leading `/`
    makes no difference). Parts `.` and `..`, users and passwords are refused in it, other characters escaped where
    they have to be. Names and values of headers are printable ASCII. No cookies are kept, and the environment's
    proxies are not used. What was compressed more than once stays as it came.

    `timeout` is in seconds, at most `MAX_TIMEOUT`, and None means that of the component. It is for all of a call:
    waiting for a connection, redirects, and attempts; in a stream for all until the headers, then for each piece.

    GET, HEAD, OPTIONS, TRACE, PUT and DELETE are tried again when the server does not answer, or answers 429, 502,
    503 or 504, unless their body is a stream; when that does not help, the last answer or error counts. After
    too many failures in a row an origin is not asked for a while. Redirects are followed as browsers do, unless they
    would lead from https to http or need a streamed body again: then they are the answer. A header of the call or
    the component goes to no other origin than the first, and the component's only to `base_url`'s if it has one.
    """

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
        """The whole answer. Send either `body`, or `json` and its content type."""
        ...

    async def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        """The whole answer to a GET."""
        ...

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
        """The whole answer to a POST of either `body`, or `json`."""
        ...

    def stream(
        self,
        method: str,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        json: object = None,
        timeout: float | None = None,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """The answer as soon as its headers are here, for an `async with` block; its body may be left unread."""
        ...
