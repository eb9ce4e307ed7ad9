"""Ed25519 public keys and signatures as text, and what they say of bytes.

A public key is base64 of its 32 bytes. The library that verifies is imported when it is first needed.
"""

from __future__ import annotations

import base64

KEY_BYTES, SIGNATURE_BYTES = 32, 64
_TOP_BIT = 0x7F
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "00" * 32,
        "01" + "00" * 31,
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ec" + "ff" * 30 + "7f",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
    )
)
"""Points of an order up to 8, the top bit cleared: under such a key anyone can sign. An empty key is one of them."""


class BadKey(ValueError):
    """A text that is not a key; the message says why and shows nothing of it."""


def read_public_key(text: str) -> bytes:
    """The 32 bytes of a public key. Raises `BadKey`."""
    key = decoded(text)
    if bytes((*key[:-1], key[-1] & _TOP_BIT)) in _SMALL_ORDER:
        raise BadKey("a public key that anyone can sign for")
    return key


def show_key(key: bytes) -> str:
    """A key as text, the one way that it is written."""
    return base64.b64encode(key).decode()


def read_signature(text: str) -> bytes | None:
    """The 64 bytes of a signature, if it can be one."""
    try:
        signature = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return signature if len(signature) == SIGNATURE_BYTES else None


def holds(public: bytes, signature: bytes, signed: bytes) -> bool:
    """Whether the key's owner signed these bytes. Raises ImportError without the extra `trust`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def decoded(text: str) -> bytes:
    """The 32 bytes behind a text. Raises `BadKey`."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise BadKey("not base64") from error
    if len(key) != KEY_BYTES:
        raise BadKey(f"{len(key)} bytes, where a key has {KEY_BYTES}")
    return key
