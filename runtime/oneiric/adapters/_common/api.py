"""The API of a server that speaks HTTP, for providers without an SDK: kept connections, deadlines, errors by kind."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from io import BytesIO
from math import inf
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.connector import Connection
from yarl import URL

from oneiric import Secret
from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeout, Timeouts
from oneiric.errors import AdapterError

MAX_BODY = 64 * 1024 * 1024
"""Bytes of an answer, or of one line of a stream, at most."""

_HEADER = re.compile(r"[\x20-\x7e]+")
_IDLE = 4.0
"""Seconds that a connection is kept for: many servers close theirs after five, maybe when a request is on its way."""
_LARGE = 1024 * 1024  # bytes of a body that aiohttp would keep the loop with, were they not a file
_TOLD = 300  # characters of what a server says of a mistake
_LENGTH = re.compile(
    r"too (?:large|long)|too many tokens|max(?:imum)? \w*\s?(?:context|input|length|tokens)|context.(?:length|size)"
    r"|max_tokens_per_request|input length",
    re.IGNORECASE,
)


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return msgspec.json.decode(self.body)
        except ValueError:
            return None


class Deadline(NamedTuple):
    """So many seconds of a call, and when they are over by the loop's clock."""

    seconds: float
    at: float

    @classmethod
    def within(cls, seconds: float) -> Deadline:
        return cls(seconds, asyncio.get_running_loop().time() + seconds)


class Api:
    """Requests to paths below `base_url`, at most `max_connections` at once; none is sent twice, no redirect followed.

    `headers` are sent with each, and so is `key`, the setting `api_key`, by the header and the prefix `key_header`.
    `setting` is what `base_url` is called; where that is None paths are whole URLs, which are not checked here.
    Where it is `quiet` no error has anything of what was sent or came back.
    Without `decompress` bodies are what the server sent.
    """

    def __init__(
        self,
        faults: Faults,
        closed: type[AdapterError],
        *,
        base_url: str | None,
        setting: str = "base_url",
        headers: Mapping[str, str] = MappingProxyType({}),
        key: Secret | None = None,
        key_header: tuple[str, str] = ("authorization", "Bearer "),
        ca_file: Path | None,
        max_connections: int,
        quiet: bool = False,
        decompress: bool = True,
    ) -> None:
        faults.check_above_zero(max_connections=max_connections)
        if base_url is not None:
            check_url(faults, base_url, setting)
        if ca_file is not None and not ca_file.is_file():
            raise faults.no_sense(f"{ca_file} is not a file", "ca_file")
        if key is not None:
            check_header(faults, key, "api_key")
        self._faults = faults
        self._closed = closed
        self._base = (base_url or "").rstrip("/")
        self._setting = setting
        self._quiet = quiet
        self._decompress = decompress
        self._headers = {"accept-encoding": "gzip, deflate", "user-agent": "oneiric", **headers}
        self._key = key
        self._key_header = key_header
        self._ca_file = ca_file
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        await self.aclose()
        context = await asyncio.to_thread(self._faults.trusting, self._ca_file)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0, keepalive_timeout=_IDLE),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            auto_decompress=self._decompress,
            response_class=_Response,
        )
        # it would send a request twice when a kept connection breaks
        self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]

    async def aclose(self) -> None:
        session, self._session = self._session, None
        self._timeouts.end_all()
        if session is not None:
            await session.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The whole answer; a `body` that is not None is sent as JSON, or as it is where it is bytes."""
        async with self.exchange(method, path, body, deadline=deadline, headers=headers, keep=True) as exchange:
            return await exchange.answer()

    @asynccontextmanager
    async def exchange(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        deadline: Deadline,
        headers: Mapping[str, str] | None = None,
        keep: bool = False,
    ) -> AsyncGenerator[Exchange, None]:
        """An answer as soon as its headers are here. Its connection is given back, or dropped where it is not over.

        A `body` that is an async iterator of bytes is sent as it comes: the time that the iterator takes does not
        count, and each piece has the seconds of the deadline.
        Without `keep`, as for streams, it is dropped where another costs next to nothing, which is without TLS.
        """
        headers = {**self._headers, **(headers or {})}
        if self._key is not None:
            name, prefix = self._key_header
            headers[name] = prefix + self._key.reveal()
        if not keep and self._base.startswith("http:"):
            headers["connection"] = "close"
        data: bytes | BytesIO | AsyncIterator[bytes] | None = None
        paced: _Paced | None = None
        if isinstance(body, AsyncIterator):
            paced = _Paced(cast("AsyncIterator[bytes]", body), deadline.seconds)
        elif body is not None:
            if not isinstance(body, bytes):
                headers["content-type"] = "application/json"
                body = msgspec.json.encode(body)
            data = body if len(body) < _LARGE else BytesIO(body)
        if not self._permits.take():
            await self._permits.wait_in_time(self._faults, "max_connections", deadline.seconds, deadline.at)
        response: aiohttp.ClientResponse | None = None
        try:
            with self.translated(deadline.seconds):
                self.check_open()
                assert self._session is not None
                with Timeout(self._timeouts, deadline.at) as timeout:
                    if paced is not None:
                        data = paced.pieces(timeout)
                    url = URL(self._base + path, encoded=True)
                    response = await self._session.request(
                        method, url, headers=headers, data=data, allow_redirects=False
                    )
            yield Exchange(self, self._timeouts, response, deadline)
        finally:
            if response is not None:
                if paced is not None and not paced.is_sent:  # the server answered before, and may take no more
                    cast("_Response", response).abort()
                response.release()
            self._permits.give_back()

    @contextmanager
    def translated(self, seconds: float) -> Generator[None, None, None]:
        """What fails in the block is the port's error."""
        try:
            yield
        except AdapterError:
            raise
        except Exception as error:
            if self._session is None:
                raise self._closed("it was closed meanwhile", provider=self._faults.provider) from None
            if isinstance(error, TimeoutError):
                raise self.unavailable(f"no answer in {seconds:g} s", "timeout") from None
            what = self.told(error)
            if is_about_certificates(error):
                raise self._faults.no_entry(what, "ca_file") from None
            raise self.unavailable(what) from None

    def unavailable(self, what: str, setting: str = "") -> AdapterError:
        return self._faults.no_answer(what, setting or self._setting)

    def unusable(self, answer: Answer, said: str = "", setting: str = "") -> AdapterError:
        """The port's error for an answer that is of no use; `said` is what it says went wrong."""
        if answer.status == 200:
            return self.unavailable("what came back is not JSON that makes sense", setting)
        return self.unavailable(f"it answered {answer.status}{said}", setting)

    @property
    def is_open(self) -> bool:
        return self._session is not None

    def check_open(self) -> None:
        """Raise the port's error unless it can be asked."""
        if not self.is_open:
            raise self._closed("it is not open", provider=self._faults.provider)

    def told(self, said: object) -> str:
        """What an error, or a server in an answer, says: in one line, not too long, and without the key."""
        if self._quiet:
            return in_general(said)
        text = told(said if isinstance(said, BaseException) else Exception(said), self._key)
        return text if len(text) <= _TOLD else f"{text[:_TOLD]}…"


class Exchange:
    """An answer whose body comes yet."""

    def __init__(self, api: Api, timeouts: Timeouts, response: aiohttp.ClientResponse, deadline: Deadline) -> None:
        self._api = api
        self._timeouts = timeouts
        self._response = response
        self._deadline = deadline
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    async def answer(self) -> Answer:
        """All of it, by the deadline."""
        pieces: list[bytes] = []
        size = 0
        with self._api.translated(self._deadline.seconds), Timeout(self._timeouts, self._deadline.at):
            while piece := await self._response.content.readany():
                size += len(piece)
                self._check(size)
                pieces.append(piece)
        return Answer(self.status, self._response.headers, b"".join(pieces))

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Its body as it comes, each piece within the seconds of the call."""
        while piece := await self._piece():
            yield piece

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Its lines as they come, without their ends, each piece within the seconds of the call."""
        rest = b""
        while piece := await self._piece():
            *whole, rest = (rest + piece).split(b"\n")
            self._check(len(rest))
            for line in whole:
                yield line.removesuffix(b"\r")
        if rest:
            yield rest

    async def _piece(self) -> bytes:
        with self._api.translated(self._deadline.seconds), self._timeouts.within(self._deadline.seconds):
            return await self._response.content.readany()

    def _check(self, size: int) -> None:
        if size > MAX_BODY:
            raise self._api.unavailable(f"it answered with more than {MAX_BODY} bytes")


class _Paced:
    """A body, which has as long as it wants for each of its pieces, and the server so many seconds to take it."""

    def __init__(self, body: AsyncIterator[bytes], seconds: float) -> None:
        self._body = body
        self._seconds = seconds
        self.is_sent = False

    async def pieces(self, timeout: Timeout) -> AsyncGenerator[bytes, None]:
        now = asyncio.get_running_loop().time
        timeout.move(inf)
        async for piece in self._body:
            timeout.move(now() + self._seconds)
            yield piece
            timeout.move(inf)
        timeout.move(now() + self._seconds)
        self.is_sent = True


class _Response(aiohttp.ClientResponse):
    """Its connection is not kept if the server was asked to close it: some say that they keep it, and close it.

    llama.cpp does so after a stream, which would break the next request. One without an answer is dropped at once:
    what is still to be sent may never be taken.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        if self.request_info.headers.get("connection") == "close" and connection.protocol is not None:
            connection.protocol.force_close()
        self._transport = connection.transport
        try:
            return await super().start(connection)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Drop the connection with what is still to be sent."""
        if self._transport is not None:
            self._transport.abort()


def in_general(error: object) -> str:
    """What went wrong on the way to a server, without anything of what was sent or came back."""
    if isinstance(error, BaseException) and is_about_certificates(error):
        return "the server's certificate is not trusted, or it has no TLS"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"it cannot be connected to: {error.os_error.strerror or type(error.os_error).__name__}"
    return f"it talks badly: {type(error).__name__}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer asks to wait, if it says them as a number."""
    said = headers.get("retry-after", "")
    return float(said) if re.fullmatch(r"\d{1,6}(\.\d+)?", said, re.ASCII) else None


class Kinds(NamedTuple):
    """The errors of a port for what a service does not take: as it is, as too long, and for now.

    The last has an attribute `retry_after`.
    """

    invalid: type[AdapterError]
    too_long: type[AdapterError]
    limited: type[AdapterError]


def error_by_status(faults: Faults, kinds: Kinds, answer: Answer, setting: str) -> AdapterError:
    """What the status of an answer says went wrong, and no more of it; `setting` has who asked or where."""
    what = f"it answered {answer.status}"
    match answer.status:
        case 400 | 415 | 422:
            return kinds.invalid(what, provider=faults.provider, setting=setting)
        case 401 | 403 | 404 | 405 | 410:
            return faults.no_entry(what, setting)
        case 413:
            return kinds.too_long(what, provider=faults.provider, setting=setting)
        case 429:
            limited: Any = kinds.limited(what, provider=faults.provider, setting=setting)
            limited.retry_after = retry_after(answer.headers)
            return cast("AdapterError", limited)
        case _:
            return faults.no_answer(what, setting)


def said_of(document: Any) -> tuple[str, Sequence[str]]:
    """What a JSON answer says of a mistake, and the types and codes it gives it."""
    error: Any = cast("dict[str, Any]", document).get("error", document) if isinstance(document, dict) else document
    if not isinstance(error, dict):
        return (error if isinstance(error, str) else ""), ()
    error = cast("dict[str, Any]", error)
    message = error.get("message", error.get("detail", ""))
    codes = [each for name in ("type", "code") if isinstance(each := error.get(name), str)]
    return (message if isinstance(message, str) else ""), codes


def is_about_length(message: str, codes: Sequence[str]) -> bool:
    """Whether a model was given more tokens than it reads: servers have no status and no code in common for it."""
    return _LENGTH.search(" ".join((message, *codes))) is not None


def check_header(faults: Faults, secret: Secret, setting: str) -> None:
    """Raise the port's error unless a header can hold this secret."""
    if not _HEADER.fullmatch(secret.reveal()):
        raise faults.no_sense("is empty, or not of printable ASCII", setting)


def basic(user: str, password: Secret) -> Secret:
    """What proves who asks by basic authentication (RFC 7617), for the header after `Basic `."""
    return Secret(base64.b64encode(f"{user}:{password.reveal()}".encode()).decode())


def check_url(faults: Faults, url: str, setting: str) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise faults.no_sense("is not a URL", setting) from None
    if not host or parts.scheme not in ("http", "https"):
        raise faults.no_sense("is not of the form https://HOST", setting)
    if parts.query or parts.fragment or parts.username or parts.password:
        raise faults.no_sense("has a query, a fragment, a user or a password", setting)
    if not _HEADER.fullmatch(url) or " " in url:
        raise faults.no_sense("has characters that are to be escaped", setting)
