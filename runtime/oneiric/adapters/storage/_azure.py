"""What Azure's SDK takes and gives, in the words of the port."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from azure.core import MatchConditions
from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobProperties, ContentSettings

from oneiric import Secret
from oneiric.adapters._common.network import Faults
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    Entry,
    PreconditionFailed,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
    check_condition,
)
from oneiric.adapters.storage._metadata import read, written

PROVIDER = "azure-blob"
FAULTS = Faults(PROVIDER, StorageUnavailable, StorageRefused, StorageMisconfigured)
_ETAG = re.compile(r"[!#-~]+")


def credential_for(url: str, credential: Secret | None) -> Any:
    """What the SDK takes for a key or a signature. Raises the port's error."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise FAULTS.no_sense("is not a URL", "account_url") from None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or parts.username:
        raise FAULTS.no_sense("is not of the form https://HOST, without a signature in it", "account_url")
    if credential is None:
        return None
    given = credential.reveal()
    if "sig=" in given:
        return AzureSasCredential(given.lstrip("?"))
    try:
        base64.b64decode(given, validate=True)
    except binascii.Error:
        raise FAULTS.no_sense("is neither a key nor a shared access signature", "credential") from None
    account = parts.path.strip("/") or host.partition(".")[0]
    return {"account_name": account, "account_key": given}


async def read_range(blob: Any, start: int, stop: int, condition: dict[str, Any]) -> tuple[bytes, str, int]:
    """The bytes of a range, the object's etag and its size."""
    if start == stop:  # no range has no bytes
        found = await blob.get_blob_properties(**condition)
        return b"", found.etag, found.size
    try:
        reader: Any = await blob.download_blob(offset=start, length=stop - start, **condition)
        found = reader.properties
        return await reader.readall(), found.etag or "", int((found.content_range or "/0").rpartition("/")[2])
    except HttpResponseError as error:
        if error.status_code == 416:  # the object ends before
            return b"", "", 0
        raise


async def next_page(pages: Any) -> list[BlobProperties] | None:
    try:
        return [blob async for blob in await anext(pages)]
    except StopAsyncIteration:
        return None


def condition_for(name: str, if_absent: bool, if_match: str | None) -> dict[str, Any]:
    """What the SDK takes for `if_match`. Raises the port's errors."""
    check_condition(if_absent, if_match)
    if if_match is None:
        return {}
    if not _ETAG.fullmatch(if_match):
        raise PreconditionFailed(f"{if_match!r} is not the etag of {name!r}", provider=PROVIDER)
    return {"etag": f'"{if_match}"', "match_condition": MatchConditions.IfNotModified}


def described(content_type: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What the SDK takes for content type and metadata."""
    return {"content_settings": ContentSettings(content_type=content_type), "metadata": written(metadata)}


def entry_of(blob: BlobProperties) -> Entry:
    content_type = blob.content_settings.content_type or DEFAULT_CONTENT_TYPE
    return Entry(blob.name, blob.size, plain_etag(blob.etag), blob.last_modified, content_type, read(blob.metadata))


def plain_etag(quoted: object) -> str:
    """Listings have etags without the quotes that headers have."""
    return str(quoted or "").strip('"')
