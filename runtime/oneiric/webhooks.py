"""Signatures of Standard Webhooks (https://www.standardwebhooks.com), version 1: HMAC-SHA256 over id, time and body.

Their library reads texts alone and raises errors of others for what is malformed; the tests hold it against this.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from hashlib import sha256

PREFIX = "whsec_"
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


def key_of(secret: str) -> bytes | None:
    """The key that a secret holds in base64, after `whsec_` or without it; None where it holds none."""
    try:
        return b64decode(secret.removeprefix(PREFIX), validate=True) or None
    except (Error, ValueError):
        return None


def headers_of(body: bytes, key: bytes, id: str, timestamp: int) -> dict[str, str]:
    """The headers that a request with this body is sent with."""
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: _signature(body, key, id, timestamp)}


def fits(body: bytes, headers: Mapping[str, str], key: bytes, now: float, tolerance: float) -> bool:
    """Whether one of the signatures in the headers is of this body, and made within so many seconds of now."""
    given = {name.lower(): value for name, value in headers.items()}
    id, timestamp, signatures = (given.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not id or not _SECONDS.fullmatch(timestamp) or abs(now - int(timestamp)) > tolerance:
        return False
    wanted = _signature(body, key, id, int(timestamp)).encode()
    found = [hmac.compare_digest(wanted, each.encode(errors="replace")) for each in signatures.split(" ")]
    return any(found)


def _signature(body: bytes, key: bytes, id: str, timestamp: int) -> str:
    signed = hmac.digest(key, f"{id}.{timestamp}.".encode(errors="surrogatepass") + body, sha256)
    return f"v1,{b64encode(signed).decode()}"
