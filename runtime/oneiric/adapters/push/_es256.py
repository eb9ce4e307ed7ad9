"""Tokens signed by ES256, as VAPID (RFC 8292) and Apple want them: RFC 7515 with a key of the curve P-256."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from oneiric import Secret

CURVE = ec.SECP256R1()


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes | None:
    """The bytes of a text in base64 for URLs or not, with padding or without; None if it is none."""
    try:
        return base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_" if {"-", "_"} & {*text} else None, validate=True
        )
    except (binascii.Error, ValueError):
        return None


def key_of(secret: Secret) -> ec.EllipticCurvePrivateKey | None:
    """A key in PEM, or its 32 bytes in base64 for URLs; None if it is none of this curve."""
    text = secret.reveal()
    try:
        if "-----BEGIN" in text:
            key = load_pem_private_key(text.encode(), None)
            return key if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1) else None
        raw = decoded(text.strip())
        return ec.derive_private_key(int.from_bytes(raw), CURVE) if raw is not None and len(raw) == 32 else None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def public_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The 65 bytes of its public point."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def signed(header: Mapping[str, object], claims: Mapping[str, object], key: ec.EllipticCurvePrivateKey) -> str:
    begin = ".".join(encoded(msgspec.json.encode(part)) for part in ({"alg": "ES256", **header}, claims))
    r, s = utils.decode_dss_signature(key.sign(begin.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{begin}.{encoded(r.to_bytes(32) + s.to_bytes(32))}"
