"""Signed JWTs, checked. What is wrong is an `InvalidToken`, which has nothing of the token, nor has its cause."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, NoReturn, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from oneiric.adapters.identity import MAX_DEPTH, MAX_TOKEN, Identity, InvalidToken, Json, Reason
from oneiric.adapters.identity._keys import Keys

_TYPES = ("jwt", "at+jwt", "application/jwt", "application/at+jwt")
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_REGISTRY = jws.JWSRegistry(strict_check_header=False)
_REGISTRY.max_header_length = _REGISTRY.max_payload_length = _REGISTRY.max_signature_length = MAX_TOKEN
_LAST = datetime.max.replace(tzinfo=UTC).timestamp() - 1


class Expected(NamedTuple):
    """What a token must say. `subjects` are the claims that may have the subject, the first one that is not empty."""

    issuer: str
    audience: tuple[str, ...]
    algorithms: frozenset[str]
    leeway: float
    subjects: Sequence[str] = ("sub",)


class Token(NamedTuple):
    """A token that may be one: nothing of it is to be trusted before `check`."""

    kid: str | None
    algorithm: str
    payload: bytes
    signed: bytes
    signature: bytes


def parse(text: str, expected: Expected) -> Token:
    """The token in a text. Keys that it brings along, or says where to find, are not looked at."""
    if len(text) > MAX_TOKEN or not _FORM.fullmatch(text):
        raise InvalidToken("malformed")
    try:
        parts = jws.extract_compact(text.encode(), registry=_REGISTRY)
        begin, _, last = text.rpartition(".")
        header, signature = parts.headers(), urlsafe_b64decode(last.encode())
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidToken("malformed") from None
    kid, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
    if not isinstance(kid, str | None) or not isinstance(algorithm, str) or not isinstance(kind, str):
        raise InvalidToken("malformed")
    for wrong, reason in (
        ("crit" in header or "b64" in header, "critical"),
        (kind.lower() not in _TYPES, "type"),
        (algorithm not in expected.algorithms, "algorithm"),
    ):
        if wrong:
            raise InvalidToken(cast("Reason", reason))
    return Token(kid, algorithm, parts.payload, begin.encode(), signature)


def check(token: Token, keys: Keys, expected: Expected, now: float) -> Identity:
    """Who a token speaks for, at this Unix time."""
    fitting = keys.fitting(token.kid, token.algorithm)
    if not fitting:
        raise InvalidToken("key")
    algorithm = jws.JWSRegistry.algorithms[token.algorithm]
    if not any(algorithm.verify(token.signed, token.signature, key) for key in fitting):
        raise InvalidToken("signature")
    claims = _claims(token.payload)
    if claims.get("iss") != expected.issuer:
        raise InvalidToken("issuer")
    audience = _texts(claims.get("aud"))
    if not set(audience) & set(expected.audience):
        raise InvalidToken("audience")
    expires = _check_times(claims, now, expected.leeway)
    subject = next((claims[name] for name in expected.subjects if claims.get(name)), None)
    if not isinstance(subject, str):
        raise InvalidToken("claims")
    return Identity(subject, expected.issuer, audience, expires, _scopes(claims), claims)


def _claims(payload: bytes) -> dict[str, Json]:
    try:
        claims: Any = json.loads(payload.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise InvalidToken("claims") from None
    if not isinstance(claims, dict) or _is_deep(payload, cast("dict[str, Json]", claims)):
        raise InvalidToken("claims")
    return cast("dict[str, Json]", claims)


def _no_number(name: str) -> NoReturn:
    raise ValueError("not a number")


def _is_deep(payload: bytes, claims: Json) -> bool:
    if payload.count(b"[") + payload.count(b"{") <= MAX_DEPTH:
        return False
    level: list[Any] = [claims]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for each in level for inner in _inside(each)]
    return bool(level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value).values()
    return cast("Iterable[Any]", value if isinstance(value, list) else ())


def _texts(value: Any) -> tuple[str, ...]:
    """A text, or a list of texts."""
    found = tuple(_inside(value)) if isinstance(value, list) else (value,)
    if not all(isinstance(each, str) for each in found):
        raise InvalidToken("claims")
    return found


def _check_times(claims: Mapping[str, Json], now: float, leeway: float) -> datetime:
    expires, begins, issued = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if expires is None:
        raise InvalidToken("claims")
    if now >= expires + leeway:
        raise InvalidToken("expired")
    if any(time is not None and now < time - leeway for time in (begins, issued)):
        raise InvalidToken("early")
    return datetime.fromtimestamp(expires, UTC)


def _time(claims: Mapping[str, Json], name: str) -> float | None:
    """A Unix time that the calendar has."""
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST:
        raise InvalidToken("claims")
    return value


def _scopes(claims: Mapping[str, Json]) -> frozenset[str]:
    """What the token allows: a text of names (RFC 8693), or as some issuers have it, a list in `scp`."""
    value = claims.get("scope", claims.get("scp", []))
    return frozenset(name for text in _texts(value) for name in text.split())
