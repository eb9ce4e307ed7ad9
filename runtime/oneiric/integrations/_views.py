"""A runtime as it is for one request, message or task of a framework: the tenant's that this names, else the base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from oneiric.lifecycle.activation import essential
from oneiric.runtime import Runtime, host_of

R = TypeVar("R")


class Views(Generic[R]):
    """Of one runtime. `tenant` says whose a request is; None, and no request, are the base."""

    def __init__(self, runtime: Runtime[Any], tenant: Callable[[R], str | None] | None) -> None:
        self.runtime = runtime
        self._tenant = tenant

    def wiring(self, request: R | None) -> Any:
        """The wiring as the tenant sees it. Raises `UnknownTenant`, `LoadError`."""
        tenant = self._named(request)
        return self.runtime.wiring if tenant is None else self.runtime.tenant(tenant)

    async def live(self, key: str, request: R | None) -> Any:
        """The live handle of a full key, activated. Raises `UnknownKey`, `UnknownTenant`, `ActivationError`."""
        domain, _, name = key.partition(":")
        return await self.runtime.use(domain, name, tenant=self._named(request))

    async def ready(self) -> bool:
        """Whether the application runs, and what it is for says that it is well: what is eager, and what that needs."""
        host = host_of(self.runtime)
        if host.refusal() is not None:
            return False
        unwell = {each.key for each in await self.runtime.health() if not each.ok and each.tenant is None}
        return not unwell or unwell.isdisjoint(essential(host.base.slots().values()))

    def _named(self, request: R | None) -> str | None:
        return None if self._tenant is None or request is None else self._tenant(request)
