"""What botocore takes and gives, in the words of the port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from oneiric.adapters._common.aws import answer_of, code_of, status_of
from oneiric.adapters._common.network import Faults
from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    Entry,
    InvalidObject,
    ObjectNotFound,
    PreconditionFailed,
    StorageError,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
    check_condition,
)
from oneiric.adapters.storage._metadata import read, written

PROVIDER = "s3"
FAULTS = Faults(PROVIDER, StorageUnavailable, StorageRefused, StorageMisconfigured)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ETAG = re.compile(r"[!#-~]+")
_OTHER_REGION = frozenset(("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"))
_TOO_LARGE = frozenset(("EntityTooLarge", "KeyTooLongError", "MetadataTooLarge"))


class Conflict(StorageError):
    """Another request was at the same object; this one did nothing."""


def check_bucket(bucket: str) -> None:
    """Raise the port's error for what cannot be a bucket's name."""
    if not _BUCKET.fullmatch(bucket):
        raise FAULTS.no_sense(f"{bucket!r} is not a valid bucket name", "bucket")


async def read_range(client: Any, target: dict[str, Any], start: int, stop: int) -> tuple[bytes, str, int]:
    """The bytes of a range, the object's etag and its size."""
    if start == stop:  # no range has no bytes
        found = await client.head_object(**target)
        return b"", found["ETag"], found["ContentLength"]
    try:
        answer = await client.get_object(Range=f"bytes={start}-{stop - 1}", **target)
    except ClientError as error:
        if code_of(error) == "InvalidRange":  # the object ends before
            return b"", "", 0
        raise
    async with answer["Body"] as body:
        data = await body.read()
    total = str(answer.get("ContentRange", "")).rpartition("/")[2]
    return data, answer["ETag"], int(total or len(data))


def condition_for(name: str, if_absent: bool, if_match: str | None) -> dict[str, str]:
    """What botocore takes for a condition. Raises the port's errors."""
    check_condition(if_absent, if_match)
    if if_absent:
        return {"IfNoneMatch": "*"}
    if if_match is None:
        return {}
    if not _ETAG.fullmatch(if_match):
        raise PreconditionFailed(f"{if_match!r} is not the etag of {name!r}", provider=PROVIDER)
    return {"IfMatch": f'"{if_match}"'}


def described(content_type: str, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    """What botocore takes for content type and metadata."""
    return {"ContentType": content_type, "Metadata": written(metadata)}


def entry_of(name: str, head: Mapping[str, Any]) -> Entry:
    content_type = head.get("ContentType") or DEFAULT_CONTENT_TYPE
    etag = plain_etag(head["ETag"])
    return Entry(name, head["ContentLength"], etag, head["LastModified"], content_type, read(head.get("Metadata")))


def plain_etag(quoted: str) -> str:
    return quoted.strip('"')


def said(error: ClientError, name: str) -> Exception | None:
    """The port's error for what a server of S3 alone answers; `name` is the object it was about."""
    status, code, what = status_of(error), code_of(error), answer_of(error)
    if status == 404 and name and code != "NoSuchBucket":
        if error.operation_name == "PutObject":  # if_match where there is none
            return PreconditionFailed(f"there is no object {name!r}", provider=PROVIDER)
        return ObjectNotFound(name, provider=PROVIDER)
    if status == 412:
        return PreconditionFailed(f"{name!r} is not as expected", provider=PROVIDER)
    if status == 409:
        return Conflict(what, provider=PROVIDER)
    if code in _TOO_LARGE:
        return InvalidObject(f"the server does not take {name!r}: {code}", provider=PROVIDER)
    if code in _OTHER_REGION:
        return FAULTS.no_entry(f"{what}: the bucket is in another region", "region")
    return FAULTS.no_answer(what, "bucket") if code == "NoSuchBucket" else None
