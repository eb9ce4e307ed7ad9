"""The action `security.signature`: messages signed with a shared secret, and such signatures verified."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from time import time
from typing import Final, Literal, NotRequired, Protocol, TypeAlias, TypedDict, cast

from oneiric import Secret, component
from oneiric.actions import Json
from oneiric.actions._libraries import worked
from oneiric.actions._payload import Fields, canonical, chosen, given, payload_of, settings_of
from oneiric.webhooks import ID, SIGNATURE, TIMESTAMP, fits, headers_of, key_of

Mode: TypeAlias = Literal["sign", "verify"]
Scheme: TypeAlias = Literal["hmac", "standard-webhooks"]
Algorithm: TypeAlias = Literal["sha256", "sha512", "blake2b"]
Encoding: TypeAlias = Literal["hex", "base64"]

_KEY: Final = "security.signature"
_MODES: tuple[Mode, ...] = ("sign", "verify")
_SCHEMES: tuple[Scheme, ...] = ("hmac", "standard-webhooks")
_ALGORITHMS: tuple[Algorithm, ...] = ("sha256", "sha512", "blake2b")
_ENCODINGS: tuple[Encoding, ...] = ("hex", "base64")
_ID = re.compile(r"[!-\-/-~]+")
_MAX_TIMESTAMP = 253_402_300_799  # the last second of the year 9999
_MAX_TOLERANCE = 10 * 365 * 24 * 3600


class Signed(TypedDict):
    """A signature, or whether one is right.

    `status`: `signed` or `verified`.
    `algorithm`: the one that was used.
    `encoding`: that of `signature`.
    `signature`: what was made.
    `header`: the name of the header that it belongs in.
    `timestamp`: when it was made, by ISO 8601; of `standard-webhooks` it is a part of what is signed.
    `headers`: of `standard-webhooks`: all that the request is sent with.
    `valid`: whether the signature that was given is right, and its time near enough.
    """

    status: str
    algorithm: str
    encoding: str
    signature: NotRequired[str]
    header: NotRequired[str]
    timestamp: NotRequired[str]
    headers: NotRequired[dict[str, str]]
    valid: NotRequired[bool]


class Sign(Protocol):
    """Signs a message by HMAC, or verifies its signature.

    A text is signed as its UTF-8; any other value as JSON with sorted names, no spaces and non-ASCII as `\\uXXXX`.

    `mode`: what to do.
    `message`: what is signed.
    `body`: the same.
    `data`: the same.
    `secret`: the key: a text, of `standard-webhooks` in base64 after `whsec_`; the setting by default.
    `algorithm`: of `hmac`; the setting by default.
    `encoding`: of the signature; the setting by default.
    `header`: handed on in the result; the setting by default.
    `include_timestamp`: whether the result says when it was made; the setting by default.
    `scheme`: the setting by default.
    `id`: of `standard-webhooks`: what tells the message from others; made where it is left out.
    `timestamp`: of `standard-webhooks`: seconds since 1970; now where it is left out.
    `signature`: what is verified.
    """

    async def __call__(
        self,
        *,
        mode: Mode = "sign",
        message: Json = None,
        body: Json = None,
        data: Json = None,
        secret: str | None = None,
        algorithm: Algorithm | None = None,
        encoding: Encoding | None = None,
        header: str | None = None,
        include_timestamp: bool | None = None,
        scheme: Scheme | None = None,
        id: str | None = None,
        timestamp: int | None = None,
        signature: str | None = None,
    ) -> Signed: ...


def sign(
    message: str | bytes, secret: str | Secret, *, algorithm: Algorithm = "sha256", encoding: Encoding = "hex"
) -> str:
    """The HMAC of a message. Raises `InvalidPayload`."""
    checks = payload_of(_KEY)
    algorithm = checks.one_of("algorithm", algorithm, _ALGORITHMS)
    encoding = checks.one_of("encoding", encoding, _ENCODINGS)
    raw = message if isinstance(message, bytes) else checks.text("message", message).encode()
    return _hmac(_key(checks, secret), raw, algorithm, encoding)


def verify(
    message: str | bytes,
    signature: str,
    secret: str | Secret,
    *,
    algorithm: Algorithm = "sha256",
    encoding: Encoding = "hex",
) -> bool:
    """Whether a signature is of this message, found out in the same time whatever it is. Raises `InvalidPayload`."""
    made = sign(message, secret, algorithm=algorithm, encoding=encoding)
    return _fits(made, payload_of(_KEY).text("signature", signature), encoding)


def sign_webhook(body: bytes, secret: str | Secret, *, id: str, timestamp: int | None = None) -> dict[str, str]:
    """The headers that Standard Webhooks wants beside this body; `timestamp` is in seconds since 1970, now by default.

    Raises `InvalidPayload` where the secret is not base64, after `whsec_` or without it.
    """
    checks = payload_of(_KEY)
    when = int(time()) if timestamp is None else checks.integer("timestamp", timestamp, 0, _MAX_TIMESTAMP)
    return headers_of(body, _webhook_key(checks, secret), _id(checks, id), when)


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secret: str | Secret, *, tolerance: float = 300.0, now: float | None = None
) -> bool:
    """Whether a request is from who has the secret, and was signed within `tolerance` seconds of now.

    Names of headers are taken in whatever case. Raises `InvalidPayload` for a secret that is none.
    """
    key = _webhook_key(payload_of(_KEY), secret)
    return fits(body, headers, key, time() if now is None else now, tolerance)


def _hmac(key: bytes, message: bytes, algorithm: Algorithm, encoding: Encoding) -> str:
    made = hmac.digest(key, message, algorithm)
    return made.hex() if encoding == "hex" else b64encode(made).decode()


def _fits(made: str, shown: str, encoding: Encoding) -> bool:
    """Whether two signatures are the same; digits may be of any case."""
    return hmac.compare_digest(made.encode(), (shown.lower() if encoding == "hex" else shown).encode())


def _key(checks: Fields, secret: str | Secret | None) -> bytes:
    """The bytes of a secret, of which no error says anything."""
    text = secret.reveal() if isinstance(secret, Secret) else secret
    if text is None:
        raise checks.wrong("secret", "is missing: neither the payload nor the settings have one")
    return checks.text("secret", text, empty=False).encode()


def _webhook_key(checks: Fields, secret: str | Secret | None) -> bytes:
    key = key_of(_key(checks, secret).decode())
    if key is None:
        raise checks.wrong("secret", "is not one of Standard Webhooks: base64, after `whsec_` or without it")
    return key


def _id(checks: Fields, id: str | None) -> str:
    if not _ID.fullmatch(checks.text("id", id)):
        raise checks.wrong("id", "is not one of Standard Webhooks: printable ASCII without spaces and full stops")
    return cast("str", id)


@component(
    "action",
    "security.signature",
    provider="builtin-security-signature",
    priority=0,
    stack_level=-10,
    capabilities=("signature", "hmac", "validation"),
    port="oneiric.actions.signature:Sign",
)
class Signature:
    """Signs by HMAC, plainly or as Standard Webhooks wants it.

    `algorithm`: of `hmac`, where a payload names none.
    `encoding`: of the signature, where a payload names none.
    `secret`: the key where a payload brings none.
    `header_name`: what results name as the header of a signature by `hmac`.
    `include_timestamp`: whether results say when they were made.
    `scheme`: how messages are signed where a payload does not say.
    `tolerance`: seconds that the time of a Standard Webhook may be off when it is verified.
    """

    def __init__(
        self,
        *,
        algorithm: Algorithm = "sha256",
        encoding: Encoding = "hex",
        secret: Secret | None = None,
        header_name: str = "X-Oneiric-Signature",
        include_timestamp: bool = True,
        scheme: Scheme = "hmac",
        tolerance: float = 300.0,
    ) -> None:
        checks = settings_of(_KEY, "builtin-security-signature")
        self._algorithm = checks.one_of("algorithm", algorithm, _ALGORITHMS)
        self._encoding = checks.one_of("encoding", encoding, _ENCODINGS)
        self._scheme = checks.one_of("scheme", scheme, _SCHEMES)
        self._tolerance = checks.number("tolerance", tolerance, 0, _MAX_TOLERANCE)
        self._header = checks.text("header_name", header_name, empty=False)
        self._include_timestamp = include_timestamp
        self._secret = secret

    async def __call__(
        self,
        *,
        mode: Mode = "sign",
        message: Json = None,
        body: Json = None,
        data: Json = None,
        secret: str | None = None,
        algorithm: Algorithm | None = None,
        encoding: Encoding | None = None,
        header: str | None = None,
        include_timestamp: bool | None = None,
        scheme: Scheme | None = None,
        id: str | None = None,
        timestamp: int | None = None,
        signature: str | None = None,
    ) -> Signed:
        checks = payload_of(_KEY)
        messages = {"message": given(message), "body": given(body), "data": given(data)}
        field = checks.one(**messages)
        raw = canonical(checks.json(field, messages[field]))
        key = self._secret if secret is None else secret
        shown = None if checks.one_of("mode", mode, _MODES) == "sign" else checks.text("signature", signature)
        if checks.one_of("scheme", chosen(scheme, self._scheme), _SCHEMES) == "standard-webhooks":
            return self._webhook(checks, raw, key, id, timestamp, shown)
        algorithm = checks.one_of("algorithm", chosen(algorithm, self._algorithm), _ALGORITHMS)
        encoding = checks.one_of("encoding", chosen(encoding, self._encoding), _ENCODINGS)
        fresh = await worked(len(raw), partial(_hmac, _key(checks, key), raw, algorithm, encoding))
        if shown is not None:
            valid = _fits(fresh, shown, encoding)
            return {"status": "verified", "algorithm": algorithm, "encoding": encoding, "valid": valid}
        made: Signed = {
            "status": "signed",
            "algorithm": algorithm,
            "encoding": encoding,
            "signature": fresh,
            "header": checks.text("header", chosen(header, self._header)),
        }
        if checks.boolean("include_timestamp", chosen(include_timestamp, self._include_timestamp)):
            made["timestamp"] = datetime.now(UTC).isoformat()
        return made

    def _webhook(
        self,
        checks: Fields,
        body: bytes,
        secret: str | Secret | None,
        id: str | None,
        timestamp: int | None,
        signature: str | None,
    ) -> Signed:
        key = _webhook_key(checks, secret)
        if signature is not None:
            when = checks.integer("timestamp", timestamp, 0, _MAX_TIMESTAMP)
            shown = {ID: _id(checks, id), TIMESTAMP: str(when), SIGNATURE: signature}
            valid = fits(body, shown, key, time(), self._tolerance)
            return {"status": "verified", "algorithm": "sha256", "encoding": "base64", "valid": valid}
        when = int(time()) if timestamp is None else checks.integer("timestamp", timestamp, 0, _MAX_TIMESTAMP)
        named = f"msg_{secrets.token_urlsafe(20)}" if id is None else _id(checks, id)
        headers = headers_of(body, key, named, when)
        return {
            "status": "signed",
            "algorithm": "sha256",
            "encoding": "base64",
            "signature": headers[SIGNATURE],
            "header": SIGNATURE,
            "timestamp": datetime.fromtimestamp(when, UTC).isoformat(),
            "headers": headers,
        }
