"""Requests of actions by the port `http`: answers of limited size, and its errors as those of actions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from oneiric.actions import ActionClosed, ActionMisconfigured, ActionRefused, ActionUnavailable, InvalidPayload
from oneiric.actions._payload import Fields
from oneiric.adapters.http import HttpClient, InvalidRequest, InvalidResponse, Params, Response
from oneiric.errors import ActionError, AdapterError, Closed, Misconfigured, Refused

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
MAX_TIMEOUT = 24 * 3600.0
MAX_BYTES = 64 * 1024 * 1024
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e\t]*")


def headers_of(checks: Fields, field: str, value: object) -> dict[str, str]:
    """Header fields, as HTTP and the port take them."""
    headers: dict[str, str] = {}
    for name, each in checks.mapping(field, value).items():
        text = checks.text(f"{field}.{name}", each)
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(text):
            raise checks.wrong(f"{field}.{name}", "is not a header: names and values are printable ASCII")
        headers[name] = text
    return headers


async def answered(
    client: HttpClient,
    key: str,
    method: str,
    url: str,
    *,
    params: Params | None = None,
    headers: Mapping[str, str],
    body: bytes | None = None,
    timeout: float,
    most: int,
) -> Response:
    """The answer with a body of at most so many bytes. Raises an `ActionError`, which holds no value of the request."""
    try:
        async with client.stream(
            method.upper(), url, params=params, headers=headers, body=body, timeout=timeout
        ) as response:
            pieces: list[bytes] = []
            size = 0
            async for piece in response.body:
                size += len(piece)
                if size > most:
                    raise ActionRefused(f"got an answer of more than {most} bytes", key=key)
                pieces.append(piece)
            return Response(response.status, response.url, response.headers, b"".join(pieces))
    except AdapterError as error:
        raise _own(error, key) from error


def _own(error: AdapterError, key: str) -> ActionError:
    kinds: tuple[tuple[type[Any], type[ActionError]], ...] = (
        (Closed, ActionClosed),
        (InvalidResponse, ActionRefused),
        (Refused, ActionRefused),
        (Misconfigured, ActionMisconfigured),
    )
    if isinstance(error, InvalidRequest):
        return InvalidPayload(f"is refused by the client: {error.what}", key=key, field="url")
    return next((own for kind, own in kinds if isinstance(error, kind)), ActionUnavailable)(error.what, key=key)
