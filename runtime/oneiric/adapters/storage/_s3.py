"""What botocore takes and gives, in the words of the port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, NoCredentialsError, PartialCredentialsError, ProfileNotFound, SSLError
from botocore.loaders import create_loader

from oneiric import Secret
from oneiric.adapters._common.network import Faults, is_about_certificates, revealed, told
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
_BLAMED = {
    "SignatureDoesNotMatch": "secret_access_key",
    "ExpiredToken": "session_token",
    "InvalidToken": "session_token",
}
_OTHER_REGION = frozenset(("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"))
_TOO_LARGE = frozenset(("EntityTooLarge", "KeyTooLongError", "MetadataTooLarge"))


class Conflict(StorageError):
    """Another request was at the same object; this one did nothing."""


@dataclass(frozen=True)
class Place:
    """The settings that say where the bucket is and who asks."""

    bucket: str
    region: str | None
    endpoint_url: str | None
    access_key_id: str | None
    secret_access_key: Secret | None
    session_token: Secret | None
    profile_name: str | None
    ca_file: Path | None
    where: str = field(init=False, default="region")
    """The setting to look at when nobody answers."""

    def __post_init__(self) -> None:
        if self.endpoint_url is not None:
            object.__setattr__(self, "where", "endpoint_url")


_LOADER = create_loader()  # of the service's description, which takes longer to read than anything else of a start
_Base: Any = AIOHTTPSession  # its stub lacks what is overridden


class _Session(_Base):  # type: ignore[misc]
    async def _get_session(self, proxy_url: Any) -> Any:
        base: Any = super()
        session: Any = await base._get_session(proxy_url)
        session._retry_connection = False  # a put that is sent twice meets its own condition
        return session


def check_place(place: Place) -> None:
    """Raise the port's error for settings that are malformed or contradict each other."""
    if not _BUCKET.fullmatch(place.bucket):
        raise FAULTS.no_sense(f"{place.bucket!r} is not a valid bucket name", "bucket")
    FAULTS.check_text(
        region=place.region,
        access_key_id=place.access_key_id,
        secret_access_key=revealed(place.secret_access_key),
        session_token=revealed(place.session_token),
        profile_name=place.profile_name,
    )
    if place.endpoint_url is not None:
        _check_url(place.endpoint_url)
    if place.ca_file is not None and not place.ca_file.is_file():
        raise FAULTS.no_sense(f"{place.ca_file} is not a file", "ca_file")
    if place.access_key_id is not None and place.secret_access_key is None:
        raise FAULTS.no_sense("is missing, and access_key_id is given", "secret_access_key")
    if place.access_key_id is None and (place.secret_access_key or place.session_token):
        raise FAULTS.no_sense("is missing, and a secret of it is given", "access_key_id")
    if place.access_key_id is not None and place.profile_name is not None:
        raise FAULTS.no_sense("is given, and access_key_id too: choose one", "profile_name")


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        wrong = not parts.hostname or parts.scheme not in ("http", "https") or parts.query or parts.username
        _ = parts.port
    except ValueError:
        raise FAULTS.no_sense("is not a URL", "endpoint_url") from None
    if wrong or parts.password or parts.fragment or parts.path.strip("/"):
        raise FAULTS.no_sense("is not of the form https://HOST:PORT", "endpoint_url")


def client_for(place: Place, timeout: float, max_connections: int) -> Any:
    """A client of botocore, to be entered."""
    config = AioConfig(
        signature_version="s3v4",
        connect_timeout=timeout,
        read_timeout=timeout,
        max_pool_connections=max_connections,
        retries={"total_max_attempts": 1},  # a conditional put that is sent twice meets itself
        request_checksum_calculation="when_required",  # which not every server knows
        response_checksum_validation="when_required",
        s3={"addressing_style": "auto" if place.endpoint_url is None else "path"},
        http_session_cls=_Session,
    )
    session: Any = AioSession(profile=place.profile_name)
    session.register_component("data_loader", _LOADER)
    return session.create_client(
        "s3",
        region_name=place.region,
        endpoint_url=place.endpoint_url,
        aws_access_key_id=place.access_key_id,
        aws_secret_access_key=revealed(place.secret_access_key),
        aws_session_token=revealed(place.session_token),
        verify=None if place.ca_file is None else str(place.ca_file),
        config=config,
    )


async def read_range(client: Any, target: dict[str, Any], start: int, stop: int) -> tuple[bytes, str, int]:
    """The bytes of a range, the object's etag and its size."""
    if start == stop:  # no range has no bytes
        found = await client.head_object(**target)
        return b"", found["ETag"], found["ContentLength"]
    try:
        answer = await client.get_object(Range=f"bytes={start}-{stop - 1}", **target)
    except ClientError as error:
        if _code(error) == "InvalidRange":  # the object ends before
            return b"", "", 0
        raise
    async with answer["Body"] as body:
        data = await body.read()
    total = str(answer.get("ContentRange", "")).rpartition("/")[2]
    return data, answer["ETag"], int(total or len(data))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


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


def translated(error: Exception, place: Place, name: str) -> Exception:
    """The port's error for what botocore raised; `name` is the object it was about."""
    if isinstance(error, ClientError):
        return _answered(error, place, name)
    if isinstance(error, TimeoutError):
        return FAULTS.no_answer("no answer in time", "timeout")
    if isinstance(error, ProfileNotFound):
        return FAULTS.no_sense(f"there is no profile {place.profile_name!r}", "profile_name")
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return FAULTS.no_entry("neither the environment nor the machine has a key", "access_key_id")
    what = told(error, place.secret_access_key, place.session_token)
    if isinstance(error, SSLError) or is_about_certificates(error):
        return FAULTS.no_entry(what, "ca_file")
    return FAULTS.no_answer(what, place.where)


def _answered(error: ClientError, place: Place, name: str) -> Exception:
    """The same for what the server answered. Only the code is told: its text may repeat what it was sent."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = _code(error)
    what = f"the server answered {status} {code}"
    if status == 404 and name and code != "NoSuchBucket":
        if error.operation_name == "PutObject":  # if_match where there is none
            return PreconditionFailed(f"there is no object {name!r}", provider=PROVIDER)
        return ObjectNotFound(name, provider=PROVIDER)
    if status == 412:
        return PreconditionFailed(f"{name!r} is not as expected", provider=PROVIDER)
    if status == 409:
        return Conflict(what, provider=PROVIDER, setting=place.where)
    if code in _TOO_LARGE:
        return InvalidObject(f"the server does not take {name!r}: {code}", provider=PROVIDER)
    if code in _OTHER_REGION:
        return FAULTS.no_entry(f"{what}: the bucket is in another region", "region")
    if code == "RequestTimeTooSkewed":
        return FAULTS.no_entry(f"{what}: the clock of this machine is wrong", "access_key_id")
    if status in (401, 403) or code in _BLAMED:
        return FAULTS.no_entry(what, _BLAMED.get(code, "access_key_id"))
    return FAULTS.no_answer(what, "bucket" if code == "NoSuchBucket" else place.where)
