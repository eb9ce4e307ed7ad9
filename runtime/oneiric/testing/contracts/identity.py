"""The contract of the port `identity`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from oneiric import Secret
from oneiric.adapters.identity import (
    MAX_DEPTH,
    MAX_TOKEN,
    Identities,
    IdentityClosed,
    IdentityError,
    IdentityMisconfigured,
    IdentityRefused,
    IdentityUnavailable,
    InvalidToken,
)
from oneiric.testing.contracts.networked import NetworkedContract, chain
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health

CANARY = "hunter2-canary"
"""What the tokens of the cases have, and no text may."""

_ABSENT = object()
_FAR = 10**10
_NO_HEADERS: list[Any] = [7, [], None, b"\xff", b"[" * 5000, {}, {"alg": 7}]
_WRONG: list[tuple[str, Any, str]] = [
    ("iss", _ABSENT, "issuer"),
    ("iss", "https://other.example", "issuer"),
    ("iss", ["https://other.example"], "issuer"),
    ("aud", _ABSENT, "claims"),
    ("aud", "another", "audience"),
    ("aud", ["another", "a third"], "audience"),
    ("aud", [], "audience"),
    ("aud", ["another", 7], "claims"),
    ("aud", {"a": "b"}, "claims"),
    ("exp", _ABSENT, "claims"),
    ("exp", 0, "expired"),
    ("exp", str(_FAR), "claims"),
    ("exp", True, "claims"),
    ("exp", None, "claims"),
    ("exp", 10**300, "claims"),
    ("exp", -1, "claims"),
    ("exp", float("inf"), "claims"),
    ("exp", float("nan"), "claims"),
    ("nbf", _FAR, "early"),
    ("nbf", "0", "claims"),
    ("nbf", None, "claims"),
    ("iat", _FAR, "early"),
    ("iat", [], "claims"),
    ("sub", _ABSENT, "claims"),
    ("sub", "", "claims"),
    ("sub", 7, "claims"),
    ("scope", 7, "claims"),
    ("scp", [7], "claims"),
]


def part(value: object) -> str:
    """A part of a token: JSON, or bytes as they are."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def refused(identities: Identities, token: str | Secret) -> str:
    """The reason for which a token is not accepted, which is told without showing any of it."""
    with pytest.raises(InvalidToken) as caught:
        await identities.verify(token)
    shown = "".join(f"{each}{each!r}{vars(each)}" for each in chain(caught.value))
    assert CANARY not in shown
    text = token.reveal() if isinstance(token, Secret) else token
    assert not any(len(piece) > 8 and piece in shown for piece in text.split("."))
    return caught.value.reason


class IdentityContract(Contract[Identities]):
    """Cases for what checks tokens: subclass it and override `fresh`, `claims`, `token` and `public_pem`."""

    def claims(self) -> dict[str, Any]:
        """Claims that are accepted, with an `exp` some minutes from now."""
        raise NotImplementedError("override claims()")

    def token(self, claims: Mapping[str, Any] | bytes, **header: Any) -> str:
        """A token with these claims, or this payload, signed by RS256 and the issuer's key; the rest of its header has
        `kid` and what is given. A `header` of None is left out."""
        raise NotImplementedError("override token()")

    def public_pem(self) -> bytes:
        """The public key for `token`."""
        raise NotImplementedError("override public_pem()")

    def changed(self, **claims: Any) -> str:
        told = {**self.claims(), "canary": CANARY, **claims}
        return self.token({name: value for name, value in told.items() if value is not _ABSENT})

    def test_a_token_speaks_for_its_subject(self) -> None:
        async def case(identities: Identities) -> None:
            assert await health(identities)
            claims = self.claims()
            aud: list[Any] = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
            for token in (self.changed(), Secret(self.changed())):
                identity = await identities.verify(token)
                assert (identity.subject, identity.issuer) == (claims["sub"], claims["iss"])
                assert list(identity.audience) == aud
                assert identity.expires.timestamp() == claims["exp"]
                assert identity.claims["canary"] == CANARY
                assert CANARY not in f"{identity}{identity!r}"
                assert claims["sub"] not in f"{identity!r}"
            identity = await identities.verify(self.changed(aud=["another", *aud], scope="read write read"))
            assert identity.audience == ("another", *aud)
            assert identity.scopes == {"read", "write"}
            assert (await identities.verify(self.changed(scp=["read", "write"]))).scopes == {"read", "write"}

        self.check(case)

    def test_claims_that_are_wrong_are_refused(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)

        async def case(identities: Identities) -> None:
            for name, value, reason in _WRONG:
                assert await refused(identities, self.changed(**{name: value})) == reason, (name, value)
            for payload in (b"", b"[]", b"7", b"\xff", b"{", b"[" * 5000, b'{"a":' * 2000):
                assert await refused(identities, self.token(payload)) in ("claims", "malformed"), payload[:9]

        self.check(case)
        assert CANARY not in caplog.text

    def test_deep_claims_are_refused_and_wide_ones_are_not(self) -> None:
        async def case(identities: Identities) -> None:
            deep: Any = {}
            for _ in range(MAX_DEPTH):
                deep = {"a": deep}
            assert await refused(identities, self.changed(deep=deep)) == "claims"
            wide: list[Any] = [[] for _ in range(3 * MAX_DEPTH)]
            assert (await identities.verify(self.changed(wide=wide))).claims["wide"] == wide

        self.check(case)

    def test_clocks_may_differ_a_little(self) -> None:
        async def case(identities: Identities) -> None:
            now = time.time()
            await identities.verify(self.changed(exp=now - 5, nbf=now + 15, iat=now + 15))
            assert await refused(identities, self.changed(exp=now - 90)) == "expired"
            assert await refused(identities, self.changed(nbf=now + 90)) == "early"

        self.check(case)

    def test_what_is_no_token_is_refused(self) -> None:
        async def case(identities: Identities) -> None:
            good = self.changed()
            head, body, signature = good.split(".")
            for text in (
                *("", ".", "..", "...", "a.b.c", "ä.ö.ü", "\ud800", f"{good}.{body}", f" {good}", f"{head}.{body}"),
                *(f"{head}..{signature}", f".{body}.{signature}", f"{good}.a.b", "a" * (MAX_TOKEN + 1)),
                *(f"{part(value)}.{body}.{signature}" for value in _NO_HEADERS),
                *(f"{part({'alg': 'RS256', name: 7})}.{body}.{signature}" for name in ("kid", "typ")),
            ):
                assert await refused(identities, text) == "malformed", ascii(text)[:60]
            for kid in ("", "\0", "../../etc/passwd", "' OR 1=1", "k" * 1000):
                assert await refused(identities, f"{part({'alg': 'RS256', 'kid': kid})}.{body}.{signature}") == "key"

        self.check(case)

    def test_what_is_not_signed_by_the_issuer_is_refused(self) -> None:
        async def case(identities: Identities) -> None:
            head, body, signature = self.changed().split(".")
            other = part({**self.claims(), "sub": "root"})
            assert await refused(identities, f"{head}.{other}.{signature}") == "signature"
            assert await refused(identities, f"{head}.{body}.{part(bytes(256))}") == "signature"
            kid = json.loads(base64.urlsafe_b64decode(head + "=="))["kid"]
            for name in ("none", "None", "NONE", "", "HS256", "RS1", "dir"):
                unsigned = f"{part({'alg': name, 'kid': kid})}.{other}."
                assert await refused(identities, unsigned + part(b"x")) == "algorithm"
            for secret in (self.public_pem(), self.public_pem().strip()):
                begin = f"{part({'alg': 'HS256', 'kid': kid, 'typ': 'JWT'})}.{other}"
                forged = hmac.new(secret, begin.encode(), hashlib.sha256).digest()
                assert await refused(identities, f"{begin}.{part(forged)}") == "algorithm"

        self.check(case)

    def test_extensions_and_tokens_of_other_kinds_are_refused(self) -> None:
        async def case(identities: Identities) -> None:
            for crit in (["exp"], ["b64"], [], "b64", ["x-canary"]):
                assert await refused(identities, self.token(self.claims(), crit=crit)) == "critical"
            for typ in ("logout+jwt", "dpop+jwt", "secevent+jwt", "application/secevent+jwt"):
                assert await refused(identities, self.token(self.claims(), typ=typ)) == "type"
            for typ in ("JWT", "jwt", "at+jwt", "application/at+jwt"):
                await identities.verify(self.token(self.claims(), typ=typ))

        self.check(case)

    def test_fifty_at_once_get_each_its_own(self) -> None:
        async def case(identities: Identities) -> None:
            names = [f"user-{number}" for number in range(50)]
            got = await asyncio.gather(*(identities.verify(self.changed(sub=name)) for name in names))
            assert [identity.subject for identity in got] == names

        self.check(case)

    def test_a_cancelled_call_leaves_what_works(self) -> None:
        async def case(identities: Identities) -> None:
            async for _ in cancelled_at_every_step(lambda: twice(identities)):
                await identities.verify(self.changed())

        async def twice(identities: Identities) -> None:
            await identities.verify(self.changed())
            await asyncio.sleep(0)
            await identities.verify(self.changed())

        self.check(case)

    def test_closed_it_refuses_every_call_and_closing_twice_is_fine(self) -> None:
        async def case(identities: Identities) -> None:
            await close(identities)
            await close(identities)
            with pytest.raises(IdentityClosed):
                await identities.verify(self.changed())
            assert not await health(identities)

        self.check(case)


class NetworkedIdentityContract(NetworkedContract[Identities]):
    """Cases for keys that are read over a network, besides those of `IdentityContract`: `component` has to keep none
    (a `cache_ttl` and a `stale_ttl` of 0), as an adapter that has them asks nobody."""

    base = IdentityError
    unavailable = IdentityUnavailable
    refusal = IdentityRefused
    misconfigured = IdentityMisconfigured
    token: Callable[[str], str]
    """A token for a subject, which `component` accepts."""

    async def use(self, component: Identities, number: int = 0) -> None:
        verified: Awaitable[Any] = component.verify(self.token(f"user-{number}"))
        assert (await verified).subject == f"user-{number}"
