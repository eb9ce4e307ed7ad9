"""What a component is handed for `oneiric:runtime`: see `oneiric.application.Application`."""

from __future__ import annotations

from oneiric.errors import UnknownTenant
from oneiric.tenants.scope import scope_of, tenants_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.host import Host
    from oneiric.lifecycle.health import Health
    from oneiric.wiring import Wiring


class View:
    """The application as the base's components see it, or those that are a tenant's own."""

    __slots__ = ("_host", "_tenant")

    def __init__(self, host: Host, tenant: str | None) -> None:
        self._host = host
        self._tenant = tenant

    def tenants(self) -> tuple[str, ...]:
        """The tenants there are; for a tenant itself alone. Raises `LoadError`."""
        return tenants_of(self._host) if self._tenant is None else (self._tenant,)

    def tenant(self, name: str) -> Wiring:
        """The wiring as that tenant sees it. Raises `UnknownTenant`, `LoadError`."""
        if self._tenant not in (None, name):
            raise UnknownTenant(name)
        return scope_of(self._host, name).wiring

    async def health(self) -> tuple[Health, ...]:
        """Ask every active component how it is. Raises `RuntimeForked`."""
        self._host.check_fork()
        from oneiric.lifecycle.health import ask_all

        answers = await ask_all(self._host)
        return tuple(each for each in answers if self._tenant is None or each.tenant in (None, self._tenant))

    def paused(self) -> dict[str, str]:
        """The full keys that are paused, and why."""
        return dict(self._host.paused)

    def __repr__(self) -> str:
        of_tenant = f" of tenant {self._tenant}" if self._tenant is not None else ""
        return f"<Application {self._host.wiring_class.__app__}{of_tenant}>"
