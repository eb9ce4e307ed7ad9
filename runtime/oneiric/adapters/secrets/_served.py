"""What providers have in common whose secrets are somewhere else: what was read is kept for a while."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from oneiric import Secret
from oneiric.adapters._common.network import Faults
from oneiric.adapters.secrets import Names, SecretNotFound, SecretsError
from oneiric.adapters.secrets._kept import Kept

T = TypeVar("T")


class Client(Protocol):
    """What is opened and closed with the provider."""

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    def check_open(self) -> None: ...


class NoneThere(Exception):
    """There is no such secret, and why."""


class Served(Generic[T]):
    """Secrets that `client` asks for. `_read` gives what is kept of a place there, and `_secret` the secret."""

    def __init__(
        self, faults: Faults, client: Client, names: Names, *, cache_ttl: float, healthcheck_timeout: float
    ) -> None:
        faults.check_above_zero(healthcheck_timeout=healthcheck_timeout)
        if not cache_ttl >= 0:
            raise faults.no_sense(f"{cache_ttl!r} is below 0", "cache_ttl")
        self._faults = faults
        self._client = client
        self._names = names
        self._kept = Kept(cache_ttl, self._read)
        self._healthcheck_timeout = healthcheck_timeout

    async def start(self) -> None:
        self._kept.forget()
        await self._client.open()
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except SecretsError:
            return False
        return True

    async def aclose(self) -> None:
        self._kept.forget()
        await self._client.aclose()

    async def refresh(self) -> None:
        self._client.check_open()
        self._kept.forget()

    async def get(self, name: str) -> Secret:
        self._client.check_open()
        place = self._names.place(name)
        try:
            found = await self._secret(place)
        except NoneThere as none:
            raise SecretNotFound(name, str(none), provider=self._faults.provider) from None
        self._client.check_open()
        self._names.found(name)
        return found

    async def _ask_health(self) -> None:
        raise NotImplementedError

    async def _read(self, place: str) -> T:
        raise NotImplementedError

    async def _secret(self, place: str) -> Secret:
        raise NotImplementedError


class ServedEach(Served[Secret]):
    """The same where each secret is read by itself."""

    async def _secret(self, place: str) -> Secret:
        return await self._kept.get(place)
