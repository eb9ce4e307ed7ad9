"""Signed URLs of Google Cloud Storage: its signature V4, with an account's own key."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from oneiric.adapters.storage._gcs import Place

_ALGORITHM = "GOOG4-RSA-SHA256"


def signed_url(key: Any, place: Place, name: str, method: str, lasts: int, now: datetime) -> str:
    """A URL for one method and object, good for so many seconds from `now`, a time in UTC."""
    url = urlsplit(place.endpoint_url)
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    scope = f"{stamp[:8]}/auto/storage/goog4_request"
    path = f"/{place.bucket}/{quote(name)}"
    facts = {
        "X-Goog-Algorithm": _ALGORITHM,
        "X-Goog-Credential": f"{key.signer_email}/{scope}",
        "X-Goog-Date": stamp,
        "X-Goog-Expires": str(lasts),
        "X-Goog-SignedHeaders": "host",
        **({} if place.project is None else {"userProject": place.project}),
    }
    query = urlencode(facts, quote_via=quote, safe="")
    request = "\n".join((method, path, query, f"host:{url.netloc}", "", "host", "UNSIGNED-PAYLOAD"))
    text = "\n".join((_ALGORITHM, stamp, scope, sha256(request.encode()).hexdigest()))
    return f"{url.scheme}://{url.netloc}{path}?{query}&X-Goog-Signature={key.sign_bytes(text.encode()).hex()}"
