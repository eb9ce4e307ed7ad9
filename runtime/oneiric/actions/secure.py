"""The action `security.secure`: tokens, passwords, and comparing what is secret."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Literal, NotRequired, Protocol, TypeAlias, TypedDict

from oneiric import component
from oneiric.actions import _passwords
from oneiric.actions._passwords import KEY, MAX_PASSWORD, MAX_ROUNDS
from oneiric.actions._payload import Fields, chosen, payload_of, settings_of

Mode: TypeAlias = Literal["token", "password-hash", "password-verify", "compare"]

_MODES: tuple[Mode, ...] = ("token", "password-hash", "password-verify", "compare")
_MAX_LENGTH = 1024


class Secured(TypedDict):
    """What was done, and what it came to.

    `status`: the mode.
    `token`: letters, digits, `-` and `_`.
    `length`: bytes of chance that are in the token.
    `hash`: what is kept of a password: it holds all it takes to verify it.
    `salt`: a part of the hash.
    `iterations`: a part of the hash: how often Argon2 goes over its memory.
    `valid`: whether the hash is of the password.
    `outdated`: whether a new hash of the password, which this one fits, would be made otherwise: keep a new one.
    `equal`: whether both are the same.
    """

    status: str
    token: NotRequired[str]
    length: NotRequired[int]
    hash: NotRequired[str]
    salt: NotRequired[str]
    iterations: NotRequired[int]
    valid: NotRequired[bool]
    outdated: NotRequired[bool]
    equal: NotRequired[bool]


class Secure(Protocol):
    """Makes tokens, hashes and verifies passwords, compares secrets.

    `mode`: what to do.
    `length`: bytes of chance in a token, 1 to 1024; the setting by default.
    `password`: what is hashed, or verified.
    `hash`: what it is verified by: of Argon2, or of PBKDF2 in hexadecimal digits.
    `salt`: that of a hash by PBKDF2.
    `iterations`: the rounds of a hash by PBKDF2; the setting by default.
    `a`: what is compared.
    `b`: what it is compared with.
    """

    async def __call__(
        self,
        *,
        mode: Mode = "token",
        length: int | None = None,
        password: str | None = None,
        hash: str | None = None,
        salt: str | None = None,
        iterations: int | None = None,
        a: str | None = None,
        b: str | None = None,
    ) -> Secured: ...


def token(length: int = 32) -> str:
    """A text that nobody guesses, of so many random bytes: letters, digits, `-` and `_`, a third more than bytes."""
    return secrets.token_urlsafe(payload_of(KEY).integer("length", length, 1, _MAX_LENGTH))


def hash_password(password: str) -> str:
    """What to keep of a password: Argon2id with a salt of its own, in the PHC format. Takes time and 64 MiB.

    Raises `InvalidPayload`, `ActionMissingExtra` where `argon2` is not installed.
    """
    return _passwords.hashed(_password(payload_of(KEY), password)).hash


def verify_password(password: str, hash: str, *, salt: str | None = None, iterations: int = 100_000) -> bool:
    """Whether a hash is of this password: one of Argon2, or of PBKDF2 (HMAC-SHA256, hexadecimal) with salt and rounds.

    Raises `InvalidPayload` for what is no hash, `ActionMissingExtra` where one of Argon2 is given and `argon2` is not
    installed.
    """
    checks = payload_of(KEY)
    checks.text("hash", hash, empty=False)
    if hash.startswith("$"):
        if salt is not None:
            raise checks.wrong("salt", "is given, and the hash holds its own")
        return _passwords.fits(_password(checks, password), hash, checks)
    rounds = checks.integer("iterations", iterations, 1, MAX_ROUNDS)
    return _passwords.fits_old(_password(checks, password), hash, checks.text("salt", salt, empty=False), rounds)


def equal(a: str, b: str) -> bool:
    """Whether two texts are the same, found out in a time that tells nothing of where they differ."""
    checks = payload_of(KEY)
    return hmac.compare_digest(checks.text("a", a).encode(), checks.text("b", b).encode())


def _password(checks: Fields, password: object) -> bytes:
    raw = checks.text("password", password, empty=False).encode()
    if len(raw) > MAX_PASSWORD:
        raise checks.wrong("password", f"has more than {MAX_PASSWORD} bytes")
    return raw


@component(
    "action",
    "security.secure",
    provider="builtin-security-secure",
    priority=0,
    stack_level=-10,
    capabilities=("secure", "token", "password"),
    port="oneiric.actions.secure:Secure",
)
class Security:
    """Makes tokens, hashes and verifies passwords, compares secrets.

    Needs the extra `action-security` for passwords.

    `token_length`: bytes of chance in a token, where a payload does not say.
    `password_iterations`: rounds of an old hash by PBKDF2, where a payload does not say.
    """

    def __init__(self, *, token_length: int = 32, password_iterations: int = 100_000) -> None:
        checks = settings_of(KEY, "builtin-security-secure")
        self._length = checks.integer("token_length", token_length, 1, _MAX_LENGTH)
        self._rounds = checks.integer("password_iterations", password_iterations, 1, MAX_ROUNDS)

    async def __call__(
        self,
        *,
        mode: Mode = "token",
        length: int | None = None,
        password: str | None = None,
        hash: str | None = None,
        salt: str | None = None,
        iterations: int | None = None,
        a: str | None = None,
        b: str | None = None,
    ) -> Secured:
        checks = payload_of(KEY)
        mode = checks.one_of("mode", mode, _MODES)
        if mode == "token":
            wanted = chosen(length, self._length)
            return {"status": mode, "token": token(wanted), "length": wanted}
        if mode == "compare":
            return {"status": mode, "equal": equal(checks.text("a", a), checks.text("b", b))}
        raw = checks.text("password", password)
        if mode == "password-verify":
            kept = checks.text("hash", hash)
            return await asyncio.to_thread(_verified, raw, kept, salt, chosen(iterations, self._rounds))
        for field, value in (("salt", salt), ("iterations", iterations)):
            if value is not None:
                raise checks.wrong(field, "is of old hashes, to verify them: a new one has its own, within it")
        made = await asyncio.to_thread(_passwords.hashed, _password(checks, raw))
        return {"status": mode, "hash": made.hash, "salt": made.salt, "iterations": made.iterations}


def _verified(password: str, hash: str, salt: str | None, rounds: int) -> Secured:
    valid = verify_password(password, hash, salt=salt, iterations=rounds)
    outdated = valid and (not hash.startswith("$") or _passwords.outdated(hash))
    return {"status": "password-verify", "valid": valid, "outdated": outdated}
