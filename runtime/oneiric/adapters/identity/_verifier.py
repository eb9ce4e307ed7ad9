"""What the providers have in common: tokens are checked here, by keys of the issuer that are kept for a while.

When the issuer is asked: at the start; by a call once the keys are `cache_ttl` old; and for a key that is not known,
at most once in `PAUSE` seconds whatever comes of it, so that made-up tokens make no requests. One request at a time
serves all that wait for it, and outlives those of them that are cancelled.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Collection, Sequence
from math import inf
from pathlib import Path
from typing import cast

from oneiric import Secret
from oneiric.adapters._common.network import Faults
from oneiric.adapters.identity import (
    Identity,
    IdentityError,
    IdentityMisconfigured,
    IdentityRefused,
    IdentityUnavailable,
    InvalidToken,
)
from oneiric.adapters.identity import _issuer as issuers
from oneiric.adapters.identity._keys import ALGORITHMS, Keys
from oneiric.adapters.identity._tokens import Expected, check, parse

PAUSE = 30.0
"""Seconds from one request for an unknown key, or one that failed, to the next; `cache_ttl` if that is less."""
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[1-9][0-9]{0,4})?")
_DISCOVERY = "/.well-known/openid-configuration"


class Verifier:
    """An `Identities`; providers say who the issuer is, and where its keys are."""

    _provider: str
    _place: str
    """The setting that says where the issuer is."""
    _keys_at: str | None = None
    """The path of its keys; where there is none, it is asked for their place."""
    _subjects: Sequence[str] = ("sub",)

    def __init__(
        self,
        *,
        issuer: str,
        audience: str | tuple[str, ...],
        jwks_url: str | None,
        algorithms: Collection[str],
        leeway: float,
        cache_ttl: float,
        stale_ttl: float,
        ca_file: Path | None,
        timeout: float,
        healthcheck_timeout: float,
    ) -> None:
        self._faults = self._faults_of()
        self._faults.check_above_zero(timeout=timeout, healthcheck_timeout=healthcheck_timeout)
        for setting, value in (("leeway", leeway), ("cache_ttl", cache_ttl), ("stale_ttl", stale_ttl)):
            if not 0 <= value < inf:
                raise self._faults.no_sense(f"{value!r} is not 0 or above", setting)
        issuers.check_url(self._faults, issuer, self._place)
        if jwks_url is not None:
            issuers.check_url(self._faults, jwks_url, "jwks_url")
        if not algorithms or isinstance(algorithms, str) or not set(algorithms) <= set(ALGORITHMS):
            what = f"is not a list of some of {', '.join(sorted(ALGORITHMS))}"
            raise self._faults.no_sense(what, "algorithms")
        audiences = (audience,) if isinstance(audience, str) else tuple(audience)
        if not audiences or not all(audiences):
            raise self._faults.no_sense("is empty", "audience")
        self._expected = Expected(issuer, audiences, frozenset(algorithms), leeway, self._subjects)
        self._jwks_url = jwks_url
        self._cache_ttl, self._stale_ttl = cache_ttl, stale_ttl
        self._pause = min(PAUSE, cache_ttl)
        self._timeout, self._healthcheck_timeout = timeout, healthcheck_timeout
        self._issuer = issuers.Issuer(self._faults, ca_file=ca_file)
        self._forget()

    @classmethod
    def _faults_of(cls) -> Faults:
        return Faults(cls._provider, IdentityUnavailable, IdentityRefused, IdentityMisconfigured)

    @classmethod
    def _origin(cls, domain: str) -> str:
        """The origin of a domain, which may be written as one."""
        host = domain.removeprefix("https://").removesuffix("/")
        if not _DOMAIN.fullmatch(host):
            raise cls._faults_of().no_sense("is not a domain", cls._place)
        return f"https://{host}"

    def _forget(self) -> None:
        self._keys = Keys([])
        self._read_at = self._failed_at = self._sought_at = -inf
        self._failure: IdentityError | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self.aclose()
        await self._issuer.open()
        await self._read(self._healthcheck_timeout)
        self._check_read()

    async def health(self) -> bool:
        if self._issuer.is_open:
            await self._read(self._healthcheck_timeout)
        return self._issuer.is_open and self._failure is None

    async def aclose(self) -> None:
        reading = self._reading
        await self._issuer.aclose()
        if reading is not None:
            await asyncio.wait((reading,))
        self._forget()

    async def verify(self, token: str | Secret) -> Identity:
        self._issuer.check_open()
        try:
            parsed = parse(token.reveal() if isinstance(token, Secret) else token, self._expected)
            await self._prepare(parsed.kid)
            return check(parsed, self._keys, self._expected, time.time())
        except InvalidToken as invalid:
            raise InvalidToken(invalid.reason, provider=self._provider) from None

    async def _prepare(self, kid: str | None) -> None:
        """Read the keys where that is due: they are old, or this one may be new. Raises why that failed, unless those
        that are kept do for a while longer."""
        now, unknown = _now(), not self._keys.has(kid)
        is_old = now - self._read_at >= self._cache_ttl
        if not is_old and not unknown:
            return
        last = (-inf if self._failure is None else self._failed_at) if is_old else self._sought_at
        if self._reading is not None or now - last >= self._pause:
            if not is_old and self._reading is None:
                self._sought_at = now
            await self._read(self._timeout)
            self._issuer.check_open()
        if not self._keys.has(kid) or _now() - self._read_at >= self._cache_ttl + self._stale_ttl:
            self._check_read()

    async def _read(self, seconds: float) -> None:
        """Have the keys read, with all who want that now; `_failure` is what came in the way."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_now(seconds))
        reading = self._reading
        await asyncio.wait((reading,))
        reading.result()

    async def _read_now(self, seconds: float) -> None:
        begun = _now()
        try:
            self._keys, self._failure = await self._ask(seconds), None
            self._read_at = begun
        except IdentityError as error:
            self._failed_at, self._failure = _now(), error
        finally:
            self._reading = None

    def _check_read(self) -> None:
        """Raise what came in the way of reading the keys, if the last attempt failed."""
        if (failure := self._failure) is not None:
            raise type(failure)(failure.what, provider=self._provider, setting=failure.setting)

    async def _ask(self, seconds: float) -> Keys:
        end = _now() + seconds
        url, setting = self._jwks_url, "jwks_url"
        if url is None:
            setting = self._place
            url = await self._discover(seconds) if self._keys_at is None else self._below_issuer(self._keys_at)
        document = await self._issuer.document(url, setting, end - _now())
        members = document.get("keys")
        if not isinstance(members, list):
            raise self._faults.no_answer("what came back is not a set of keys", setting)
        return Keys(cast("list[object]", members))

    def _below_issuer(self, path: str) -> str:
        return self._expected.issuer.rstrip("/") + path

    async def _discover(self, seconds: float) -> str:
        """Where the issuer says that its keys are (OpenID Connect Discovery)."""
        issuer = self._expected.issuer
        document = await self._issuer.document(self._below_issuer(_DISCOVERY), self._place, seconds)
        if document.get("issuer") != issuer:
            raise self._faults.no_sense("is not how the server there calls itself", self._place)
        url = document.get("jwks_uri")
        if not isinstance(url, str) or issuers.wrong_with(url) is not None:
            raise self._faults.no_answer("it does not say where its keys are", self._place)
        if issuer.startswith("https:") and not url.startswith("https:"):
            raise self._faults.no_entry("it has its keys where there is no TLS", self._place)
        return url


def _now() -> float:
    return asyncio.get_running_loop().time()
