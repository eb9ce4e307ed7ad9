"""What tells the secrets that an instance was made with from those there are now, without keeping any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from hashlib import blake2b

from oneiric.secret import Secret

_KEY = os.urandom(32)  # of this process: a mark says nothing to another


def marks_of(secrets: Mapping[str, Secret | Exception]) -> dict[str, bytes | None]:
    """A mark of each, by name; None where there is none."""
    return {name: mark_of(secret) for name, secret in secrets.items()}


def mark_of(secret: Secret | Exception) -> bytes | None:
    """The same for equal secrets."""
    if isinstance(secret, Exception):
        return None
    return blake2b(secret.reveal().encode(errors="surrogatepass"), key=_KEY).digest()
