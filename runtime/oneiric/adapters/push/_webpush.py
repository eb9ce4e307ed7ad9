"""Subscriptions of browsers, and what only they can read: RFC 8291 with aes128gcm of RFC 8188."""

from __future__ import annotations

import os
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from oneiric.adapters.push import Device
from oneiric.adapters.push._es256 import CURVE, decoded, public_bytes

_RECORD = 4096  # bytes of the one record, more than a service takes
_MAX_ENDPOINT = 2048
_ENDPOINT = re.compile(r"[\x21-\x7e]+")


class Subscription(NamedTuple):
    """Where a browser is reached, and what it is written to with."""

    endpoint: str
    origin: str
    host: str
    public: bytes
    auth: bytes

    @classmethod
    def of(cls, device: Device) -> Subscription | str:
        """The subscription that a browser gives as JSON, or what is wrong with it."""
        try:
            document: Any = msgspec.json.decode(device) if isinstance(device, str) else device
        except ValueError:
            return "it is not JSON"
        match document:
            case {"endpoint": str(endpoint), "keys": {"p256dh": str(p256dh), "auth": str(auth)}}:
                place, keys = _place(endpoint), (decoded(p256dh), decoded(auth))
            case _:
                return "it has no endpoint, or no keys"
        if place is None:
            return "its endpoint is not a URL of the form https://HOST/PATH"
        public, secret = keys
        if public is None or secret is None or len(secret) != 16 or not _is_point(public):
            return "its keys are malformed"
        return cls(endpoint, *place, public, secret)


def encrypted(
    text: bytes,
    to: Subscription,
    *,
    key: ec.EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """The body for a browser; `key` and `salt` are new ones, but for tests."""
    key = ec.generate_private_key(CURVE) if key is None else key
    salt = os.urandom(16) if salt is None else salt
    own = public_bytes(key)
    shared = key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, to.public))
    secret = _derived(shared, to.auth, b"WebPush: info\0" + to.public + own, 32)
    content = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + _RECORD.to_bytes(4) + len(own).to_bytes(1) + own
    return head + AESGCM(content).encrypt(nonce, text + b"\x02", None)  # 2: it is the last record


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def _is_point(data: bytes) -> bool:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, data)
    except ValueError:
        return False
    return len(data) == 65


def _place(endpoint: str) -> tuple[str, str] | None:
    """Origin and host of an endpoint."""
    if len(endpoint) > _MAX_ENDPOINT or not _ENDPOINT.fullmatch(endpoint):
        return None
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in ("http", "https") or parts.fragment or "@" in parts.netloc:
        return None
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}{'' if port in (None, usual) else f':{port}'}", host
