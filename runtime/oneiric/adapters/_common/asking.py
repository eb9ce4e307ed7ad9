"""The life of a provider that asks one service."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from oneiric.errors import AdapterError


class Client(Protocol):
    """What is opened and closed with the provider, such as an `Api`."""

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...


C = TypeVar("C", bound=Client)


class Asking(Generic[C]):
    """Opened, asked for its health and closed as its `_api` is."""

    _api: C

    async def start(self) -> None:
        await self._api.open()
        await self._ask_health()

    async def health(self) -> bool:
        try:
            await self._ask_health()
        except AdapterError:
            return False
        return True

    async def aclose(self) -> None:
        await self._api.aclose()

    async def _ask_health(self) -> None:
        """Raises the port's error unless the server is well."""
        raise NotImplementedError
