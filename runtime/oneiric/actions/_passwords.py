"""Passwords: new hashes by Argon2id, old ones by PBKDF2 as well."""

from __future__ import annotations

import hmac
from hashlib import pbkdf2_hmac
from typing import NamedTuple

from oneiric.actions._libraries import extra_of
from oneiric.actions._payload import Fields

KEY = "security.secure"
EXTRA = "action-security"
MAX_PASSWORD = 4096
"""Bytes of a password, at most."""
MAX_ROUNDS = 10_000_000
"""Rounds of PBKDF2, at most, that a payload may ask for."""
_MAX_MEMORY = 1024 * 1024  # KiB: a hash says what it costs to verify it, and comes from who knows where
_MAX_TIME = 100
_MAX_LANES = 64


class Hashed(NamedTuple):
    """A hash that holds all it takes to verify it, and two parts of it."""

    hash: str
    salt: str
    iterations: int


def hashed(password: bytes) -> Hashed:
    """By Argon2id, with a salt of its own and the parameters that the library recommends today (RFC 9106)."""
    with extra_of(KEY, EXTRA):
        import argon2
    hash = argon2.PasswordHasher().hash(password)
    return Hashed(hash, hash.split("$")[4], argon2.extract_parameters(hash).time_cost)


def fits(password: bytes, hash: str, checks: Fields) -> bool:
    """Whether a hash by Argon2 is of this password. Raises for what is no such hash, or would cost far too much."""
    with extra_of(KEY, EXTRA):
        import argon2
    if not hash.isascii():
        raise checks.wrong("hash", "is not a hash of Argon2")
    try:
        cost = argon2.extract_parameters(hash)
        if cost.memory_cost > _MAX_MEMORY or cost.time_cost > _MAX_TIME or cost.parallelism > _MAX_LANES:
            raise checks.wrong("hash", "asks for more time or memory than is given to verify it")
        return argon2.PasswordHasher().verify(hash, password)
    except argon2.exceptions.VerifyMismatchError:
        return False
    except (argon2.exceptions.Argon2Error, argon2.exceptions.InvalidHashError):
        raise checks.wrong("hash", "is not a hash of Argon2") from None


def outdated(hash: str) -> bool:
    """Whether a new hash of the same password would be made otherwise."""
    with extra_of(KEY, EXTRA):
        import argon2
    return not hash.startswith("$argon2id$") or argon2.PasswordHasher().check_needs_rehash(hash)


def fits_old(password: bytes, hash: str, salt: str, rounds: int) -> bool:
    """Whether a hash by PBKDF2 with HMAC-SHA256, in hexadecimal digits, is of this password."""
    made = pbkdf2_hmac("sha256", password, salt.encode(), rounds).hex()
    return hmac.compare_digest(made.encode(), hash.lower().encode())
