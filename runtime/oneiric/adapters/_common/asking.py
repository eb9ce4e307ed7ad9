"""The life of a provider that asks one `Api`."""

from __future__ import annotations

from oneiric.adapters._common.api import Api
from oneiric.errors import AdapterError


class Asking:
    """Opened, asked for its health and closed as its `_api` is."""

    _api: Api

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
