"""Storage provider `s3`: a bucket of Amazon S3, or of another server that speaks as it does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Literal, TypeVar

from oneiric import Secret, component
from oneiric.adapters._common.asking import Asking
from oneiric.adapters._common.aws import Account, Service
from oneiric.adapters._common.finish import finish
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    Entry,
    Listed,
    ObjectNotFound,
    PreconditionFailed,
    StorageClosed,
    Stored,
    check_described,
    check_link,
    check_name,
    check_object,
)
from oneiric.adapters.storage._pieces import NO_PREFIX, InParts, read_in_parts, regrouped
from oneiric.adapters.storage._s3 import (
    FAULTS,
    PROVIDER,
    Conflict,
    check_bucket,
    condition_for,
    described,
    entry_of,
    plain_etag,
    read_range,
    said,
)
from oneiric.adapters.storage._s3_upload import PART, Upload

Result = TypeVar("Result")

_READ = 4 * 1024 * 1024  # bytes that one request reads
_TIMES = 5  # what met another writer is tried again


@component(
    "adapter",
    "storage",
    provider="s3",
    priority=0,
    stack_level=-20,
    capabilities=("blob", "stream", "delete", "bucket", "large", "link"),
    port="oneiric.adapters.storage:Storage",
)
class S3Storage(Asking[Service], InParts):
    """Keeps objects in one bucket, which must exist.

    Needs a bucket of Amazon S3, or of a server that speaks as it does; the extra `storage-s3`.

    `bucket`: the bucket's name.
    `region`: the region it is in; by default what the environment or the profile says, or `us-east-1`.
    `endpoint_url`: `https://HOST:PORT` of another server than Amazon's; the bucket is then a part of the path.
    `access_key_id`: who signs; without it, what the environment, the profile or the machine's role gives.
    `secret_access_key`: the secret of that key.
    `session_token`: the token that a temporary key comes with.
    `profile_name`: a profile of the files in `~/.aws`, instead of a key.
    `ca_file`: a file of certificates to trust, instead of those that botocore brings.
    `timeout`: seconds to connect, for each request of at most 8 MiB, and to wait for a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    """

    _provider = PROVIDER

    def __init__(
        self,
        *,
        bucket: str,
        region: str | None = None,
        endpoint_url: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: Secret | None = None,
        session_token: Secret | None = None,
        profile_name: str | None = None,
        ca_file: Path | None = None,
        timeout: float = 10.0,
        healthcheck_timeout: float = 5.0,
        max_connections: int = 50,
    ) -> None:
        FAULTS.check_above_zero(healthcheck_timeout=healthcheck_timeout)
        check_bucket(bucket)
        account = Account(region, endpoint_url, access_key_id, secret_access_key, session_token, profile_name, ca_file)
        self._api = Service(
            "s3",
            account,
            FAULTS,
            StorageClosed,
            said,
            timeout=timeout,
            max_connections=max_connections,
            signature_version="s3v4",
            request_checksum_calculation="when_required",  # which not every server knows
            response_checksum_validation="when_required",
            s3={"addressing_style": "auto" if endpoint_url is None else "path"},
        )
        self._bucket = bucket
        self._where = account.where
        self._healthcheck_timeout = healthcheck_timeout

    async def put(
        self,
        name: str,
        data: bytes,
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> Stored:
        check_name(name)
        check_object(data, content_type, metadata or {})
        options = {**described(content_type, metadata), **condition_for(name, if_absent, if_match)}
        if len(data) > PART:
            return await finish(self._put_parts(name, _sliced(data), options))
        return await self._put_whole(name, data, options)

    async def put_stream(
        self,
        name: str,
        data: AsyncIterator[bytes],
        *,
        content_type: str = DEFAULT_CONTENT_TYPE,
        metadata: Mapping[str, str] | None = None,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> Stored:
        check_name(name)
        check_described(content_type, metadata or {})
        options = {**described(content_type, metadata), **condition_for(name, if_absent, if_match)}
        async with aclosing(regrouped(data, PART)) as pieces:
            return await self._put_parts(name, pieces, options)

    async def stat(self, name: str) -> Entry:
        check_name(name)
        return entry_of(name, await self._ask("head_object", name))

    async def delete(self, name: str) -> bool:
        check_name(name)
        for _ in range(_TIMES):
            try:
                etag = plain_etag((await self._ask("head_object", name))["ETag"])
                await finish(self._ask("delete_object", name, **condition_for(name, False, etag)))
            except ObjectNotFound:
                return False
            except PreconditionFailed:  # it was replaced meanwhile, or somebody else deleted it
                continue
            return True
        raise FAULTS.no_answer("it is replaced all the time", self._where)

    async def link(self, name: str, *, method: Literal["GET", "PUT"] = "GET", lasts: float = 900.0) -> Secret:
        check_link(name, method, lasts)
        operation = "get_object" if method == "GET" else "put_object"
        options: dict[str, Any] = {"Params": {"Bucket": self._bucket, "Key": name}, "ExpiresIn": ceil(lasts)}
        return Secret(await self._api.ask("generate_presigned_url", name, ClientMethod=operation, **options))

    async def list(self, prefix: str = "") -> AsyncIterator[Listed]:
        if NO_PREFIX.search(prefix):
            return
        more: dict[str, str] = {}
        while True:
            page = await self._ask("list_objects_v2", "", Prefix=prefix, **more)
            for each in page.get("Contents", ()):
                yield Listed(each["Key"], each["Size"], plain_etag(each["ETag"]), each["LastModified"])
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def _put_whole(self, name: str, data: bytes, options: dict[str, Any]) -> Stored:
        done = await self._again(lambda: finish(self._ask("put_object", name, Body=data, **options)))
        return Stored(name, len(data), plain_etag(done["ETag"]))

    async def _put_parts(self, name: str, pieces: AsyncIterator[bytes], options: dict[str, Any]) -> Stored:
        first = await anext(pieces, b"")
        if len(first) < PART:
            return await self._put_whole(name, first, options)
        async with Upload(self._ask, name, options) as upload:
            await upload.add(first)
            async for piece in pieces:
                await upload.add(piece)
            return await upload.complete()

    async def _again(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """The result of work that is tried again when the server says that another was at the same object."""
        for attempt in range(_TIMES):
            try:
                return await work()
            except Conflict as error:
                if attempt == _TIMES - 1:
                    raise FAULTS.no_answer(error.what, self._where) from None
                await asyncio.sleep(0.05 * 2**attempt)
        raise AssertionError

    def _parts(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        return read_in_parts(name, partial(self._part, name), _READ, PROVIDER, start, stop)

    async def _part(self, name: str, start: int, stop: int, etag: str) -> tuple[bytes, str, int]:
        condition = {"IfMatch": etag} if etag else {}
        target = {"Bucket": self._bucket, "Key": name, **condition}
        return await self._api.call(lambda client: read_range(client, target, start, stop), name)

    async def _ask_health(self) -> None:
        await self._api.ask("list_objects_v2", seconds=self._healthcheck_timeout, Bucket=self._bucket, MaxKeys=1)

    async def _ask(self, operation: str, name: str, **options: Any) -> Any:
        """What the server answers to an operation; `name` is the object it is about, if any."""
        key: dict[str, Any] = {"Key": name} if name else {}
        return await self._api.ask(operation, name, Bucket=self._bucket, **key, **options)


async def _sliced(data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), PART):
        yield data[start : start + PART]
