"""Ed25519 keys and signatures: as text, as files, and what they make of a document.

A public key is base64 of its 32 bytes, a private one base64 of the 32-byte seed, as upstream writes them.
"""

from __future__ import annotations

import os
from pathlib import Path

from oneiric.files import fill
from oneiric.trust.keys import BadKey, decoded, holds, read_public_key, read_signature, show_key

__all__ = [
    "BadKey",
    "holds",
    "new_seed",
    "public_of",
    "read_public_key",
    "read_seed",
    "read_seed_file",
    "read_signature",
    "show_key",
    "signature_of",
    "write_seed_file",
]

MAX_KEY_FILE = 4096  # bytes


def read_seed(text: str) -> bytes:
    """The 32 bytes of a private key. Raises `BadKey`."""
    return decoded(text)


def read_seed_file(path: Path) -> bytes:
    """The private key in a file. Raises `OSError` and `BadKey`."""
    with path.open("rb") as stream:
        data = stream.read(MAX_KEY_FILE)
    try:
        return read_seed(data.decode("ascii"))
    except UnicodeDecodeError as error:
        raise BadKey("not base64") from error


def write_seed_file(path: Path, seed: bytes) -> None:
    """A new file that only its owner can read. Raises `OSError`, `FileExistsError` among them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fill(descriptor, f"{show_key(seed)}\n".encode("ascii"))
    except OSError:
        path.unlink(missing_ok=True)
        raise


def new_seed() -> bytes:
    """A new private key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_of(seed: bytes) -> bytes:
    """The public key of a private one."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def signature_of(seed: bytes, signed: bytes) -> bytes:
    """The private key's signature over these bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).sign(signed)
