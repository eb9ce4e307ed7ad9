"""Storage provider `azure-blob`: a container of Azure Blob Storage."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlsplit

import aiohttp
from azure.core import MatchConditions
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobProperties, ContentSettings
from azure.storage.blob.aio import BlobClient, ContainerClient

from oneiric import Secret, component
from oneiric.adapters._common.finish import finish
from oneiric.adapters._common.network import Faults, is_about_certificates, told
from oneiric.adapters._common.permits import Permits
from oneiric.adapters._common.timeouts import Timeouts
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    STABLE,
    Entry,
    InvalidObject,
    ObjectNotFound,
    ObjectReplaced,
    PreconditionFailed,
    StorageClosed,
    StorageError,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
    check_condition,
    check_name,
    check_object,
)

Result = TypeVar("Result")

_PROVIDER = "azure-blob"
_FAULTS = Faults(_PROVIDER, StorageUnavailable, StorageRefused, StorageMisconfigured)
_PART = 4 * STABLE  # bytes in one request
_KEPT = 64  # clients of single objects; one has 32 KiB, and takes the SDK a twentieth of a call to make
_TIMES = 5  # a large object is read again when it is replaced meanwhile
_CONTAINER = re.compile(r"[a-z0-9](?:-?[a-z0-9])*")
_ETAG = re.compile(r"[!#-~]+")
_NO_PREFIX = re.compile("[\\\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNMET = frozenset(("ConditionNotMet", "BlobAlreadyExists"))
_SAFE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "%")


@component(
    "adapter",
    "storage",
    provider="azure-blob",
    priority=0,
    stack_level=-20,
    capabilities=("blob", "stream", "delete", "container"),
    port="oneiric.adapters.storage:Storage",
)
class AzureBlobStorage:
    """Keeps objects as block blobs of one container, which must exist.

    Needs an account of Azure Blob Storage; the extra `storage-azure-blob`.

    `container`: the container's name.
    `connection_string`: as the portal shows it; instead of `account_url` and `credential`.
    `account_url`: `https://ACCOUNT.blob.core.windows.net`, or `http://HOST:PORT/ACCOUNT` of an emulator.
    `credential`: the account's key or a shared access signature; none for a container that is open to all.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to connect, for each request of at most 4 MiB, and to wait for a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    def __init__(
        self,
        *,
        container: str,
        connection_string: Secret | None = None,
        account_url: str | None = None,
        credential: Secret | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 50,
    ) -> None:
        _FAULTS.check_above_zero(
            timeout=timeout, healthcheck_timeout=healthcheck_timeout, max_connections=max_connections
        )
        if not _CONTAINER.fullmatch(container) or not 3 <= len(container) <= 63:
            raise _FAULTS.no_sense(f"{container!r} is not a valid container name", "container")
        if ca_file is not None and not ca_file.is_file():
            raise _FAULTS.no_sense(f"{ca_file} is not a file", "ca_file")
        if connection_string is None and account_url is None:
            raise _FAULTS.no_sense("is missing, and connection_string too", "account_url")
        if connection_string is not None and (account_url is not None or credential is not None):
            raise _FAULTS.no_sense("is given, and account_url or credential too: write it once", "connection_string")
        self._container = container
        self._connection_string = connection_string
        self._account_url = account_url
        self._credential = credential
        self._where = "connection_string" if account_url is None else "account_url"
        self._client_with(None)
        self._ca_file = ca_file
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._session: aiohttp.ClientSession | None = None
        self._client: ContainerClient | None = None
        self._blob: Callable[[str], BlobClient]  # of this client
        self._permits = Permits(max_connections)
        self._timeouts = Timeouts()

    async def start(self) -> None:
        await self.aclose()
        context = await asyncio.to_thread(self._context)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        # a put that is sent twice meets its own condition
        self._session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        self._client = self._client_with(AioHttpTransport(session=self._session, session_owner=False))
        self._blob = lru_cache(_KEPT)(self._client.get_blob_client)
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except StorageError:
            return False
        return True

    async def aclose(self) -> None:
        session, self._session, self._client = self._session, None, None
        self._timeouts.end_all()
        if session is not None:
            await session.close()

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> Entry:
        check_name(name)
        check_object(data, content_type, metadata or {})
        check_condition(if_absent, if_match)
        if if_match is not None and not _ETAG.fullmatch(if_match):
            raise PreconditionFailed(f"{if_match!r} is not the etag of {name!r}", provider=_PROVIDER)
        condition: dict[str, Any] = {"overwrite": not if_absent}
        if if_match is not None:
            condition |= {"etag": f'"{if_match}"', "match_condition": MatchConditions.IfNotModified}
        settings: Any = ContentSettings(content_type=content_type)
        written = {key: quote(value, safe=_SAFE) or "%" for key, value in (metadata or {}).items()}
        requests = 2 + len(data) // _PART
        async with self._turn(name):
            work = self._blob(name).upload_blob(data, content_settings=settings, metadata=written, **condition)
            done = await finish(self._within(work, requests * self._timeout))
        return Entry(name, len(data), _etag(done["etag"]), content_type, dict(metadata or {}), done["last_modified"])

    async def get(self, name: str) -> bytes:
        check_name(name)
        for _ in range(_TIMES):
            try:
                return b"".join([part async for part in self._parts(name)])
            except ObjectReplaced:
                continue
        raise ObjectReplaced(name, provider=_PROVIDER)

    async def stream(self, name: str, *, chunk_size: int = 65536) -> AsyncIterator[bytes]:
        check_name(name)
        if chunk_size < 1:
            raise InvalidObject("chunk_size is at least 1")
        async for part in self._parts(name):
            for start in range(0, len(part), chunk_size):
                yield part[start : start + chunk_size]

    async def stat(self, name: str) -> Entry:
        check_name(name)
        async with self._turn(name):
            return _entry(await self._within(self._blob(name).get_blob_properties(), self._timeout))

    async def delete(self, name: str) -> bool:
        check_name(name)
        try:
            async with self._turn(name):
                work = self._blob(name).delete_blob(delete_snapshots="include")
                await finish(self._within(work, self._timeout))
        except ObjectNotFound:
            return False
        return True

    async def list(self, prefix: str = "") -> AsyncIterator[Entry]:
        if _NO_PREFIX.search(prefix):
            return
        pages: Any = None
        while True:
            async with self._turn() as client:
                if pages is None:
                    pages = client.list_blobs(name_starts_with=prefix or None, include=["metadata"]).by_page()
                page = await self._within(_next_page(pages), self._timeout)
            if page is None:
                return
            for blob in page:
                yield _entry(blob)

    async def _parts(self, name: str) -> AsyncGenerator[bytes, None]:
        """The data of one version in parts of at most `_PART` bytes."""
        start, size, etag = 0, 1, ""
        while start < size:
            condition: dict[str, Any] = {}
            if start:
                condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
            try:
                async with self._turn(name):
                    work = _part(self._blob(name), start, condition)
                    part, etag, size = await self._within(work, self._timeout)
            except (PreconditionFailed, ObjectNotFound):
                if not start:
                    raise
                raise ObjectReplaced(name, provider=_PROVIDER) from None
            if part:
                yield part
            start += _PART

    async def _ask_health(self) -> None:
        async with self._turn() as client:
            pages = client.list_blobs(results_per_page=1).by_page()
            await self._within(_next_page(pages), self._healthcheck_timeout)

    def _client_with(self, transport: Any) -> ContainerClient:
        options: dict[str, Any] = {
            "transport": transport,
            "retry_total": 0,
            "logging_enable": False,
            "max_single_put_size": STABLE,
            "max_block_size": _PART,
            "min_large_block_upload_threshold": _PART,
            "max_single_get_size": _PART,
            "max_chunk_get_size": _PART,
        }
        url = self._account_url
        credential = None if url is None else _credential(url, self._credential)
        try:
            if url is not None:
                return ContainerClient(url, self._container, credential=credential, **options)
            assert self._connection_string is not None
            given = self._connection_string.reveal()
            return ContainerClient.from_connection_string(given, self._container, **options)
        except ValueError:
            raise _FAULTS.no_sense("is malformed", self._where) from None

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError:
            raise _FAULTS.no_sense(f"{self._ca_file} cannot be read as certificates", "ca_file") from None

    @asynccontextmanager
    async def _turn(self, name: str = "") -> AsyncGenerator[ContainerClient, None]:
        """The client, for one more request; its errors become the port's. `name`: the object it is about."""
        if not self._permits.take():
            await self._permits.wait_in_time(_FAULTS, "max_connections", self._timeout)
        try:
            if self._client is None:
                raise StorageClosed("the storage is not open", provider=_PROVIDER)
            yield self._client
        except StorageError:
            raise
        except Exception as error:
            if self._client is None:
                raise StorageClosed("the storage was closed meanwhile", provider=_PROVIDER) from None
            raise self._translated(error, name) from None
        finally:
            self._permits.give_back()

    async def _within(self, work: Awaitable[Result], seconds: float) -> Result:
        with self._timeouts.within(seconds):
            return await work

    def _translated(self, error: Exception, name: str) -> StorageError:
        """The port's error for what the SDK raised."""
        if isinstance(error, HttpResponseError) and error.status_code:
            code = getattr(error, "error_code", None)
            code = str(getattr(code, "value", code) or error.status_code)
            if error.status_code == 404 and name and code != "ContainerNotFound":
                return ObjectNotFound(name, provider=_PROVIDER)
            if code in _UNMET or (error.status_code == 412 and code == "412"):
                return PreconditionFailed(f"{name!r} is not as expected: {code}", provider=_PROVIDER)
            what = f"the server answered {error.status_code} {code}"
            if error.status_code in (401, 403):
                setting = "connection_string" if self._connection_string is not None else "credential"
                return _told(_FAULTS.no_entry(what, setting))
            return _told(_FAULTS.no_answer(what, "container" if code == "ContainerNotFound" else self._where))
        if isinstance(error, TimeoutError):
            return _told(_FAULTS.no_answer("no answer in time", "timeout"))
        what = told(error, self._connection_string, self._credential)
        if is_about_certificates(error):
            return _told(_FAULTS.no_entry(what, "ca_file"))
        return _told(_FAULTS.no_answer(what, self._where))


def _told(error: Exception) -> StorageError:
    assert isinstance(error, StorageError)
    return error


async def _part(blob: Any, start: int, condition: dict[str, Any]) -> tuple[bytes, str, int]:
    """At most `_PART` bytes of an object, its etag and its size."""
    try:
        reader: Any = await blob.download_blob(offset=start, length=_PART, **condition)
        found = reader.properties
        return await reader.readall(), found.etag or "", int((found.content_range or "/0").rpartition("/")[2])
    except HttpResponseError as error:
        if error.status_code == 416:  # an empty object has no range
            return b"", "", 0
        raise


async def _next_page(pages: Any) -> list[BlobProperties] | None:
    try:
        return [blob async for blob in await anext(pages)]
    except StopAsyncIteration:
        return None


def _credential(url: str, credential: Secret | None) -> Any:
    """What the SDK takes for a key or a signature. Raises the port's error."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise _FAULTS.no_sense("is not a URL", "account_url") from None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username:
        raise _FAULTS.no_sense("is not of the form https://HOST, without a signature in it", "account_url")
    if credential is None:
        return None
    given = credential.reveal()
    if "sig=" in given:
        return AzureSasCredential(given.lstrip("?"))
    try:
        base64.b64decode(given, validate=True)
    except binascii.Error:
        raise _FAULTS.no_sense("is neither a key nor a shared access signature", "credential") from None
    account = parts.path.strip("/") or host.partition(".")[0]
    return {"account_name": account, "account_key": given}


def _entry(blob: BlobProperties) -> Entry:
    metadata = {key: "" if value == "%" else unquote(value) for key, value in (blob.metadata or {}).items()}
    content_type = blob.content_settings.content_type or DEFAULT_CONTENT_TYPE
    return Entry(blob.name, blob.size, _etag(blob.etag), content_type, metadata, blob.last_modified)


def _etag(quoted: str | None) -> str:
    """Listings have etags without the quotes that headers have."""
    return (quoted or "").strip('"')
