"""What a component is handed for `oneiric:runtime`: see `oneiric.application.Application`."""

from __future__ import annotations

from oneiric.errors import UnknownTenant
from oneiric.tenants.scope import scope_of, tenants_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    from oneiric.envelope import Emitted
    from oneiric.host import Host
    from oneiric.lifecycle.health import Health
    from oneiric.slot import AnyScope
    from oneiric.wiring import Wiring

    Invoke = Callable[[AnyScope, str, Mapping[str, Any]], Awaitable[Any]]


class View:
    """The application as the base's components see it, or those that are a tenant's own."""

    __slots__ = ("_host", "_invoke", "_tenant")

    def __init__(self, host: Host, tenant: str | None, invoke: Invoke) -> None:
        self._host = host
        self._tenant = tenant
        self._invoke = invoke

    @property
    def _scope(self) -> AnyScope:
        return self._host.base if self._tenant is None else scope_of(self._host, self._tenant)

    def tenants(self) -> tuple[str, ...]:
        """The tenants there are; for a tenant itself alone. Raises `LoadError`."""
        return tenants_of(self._host) if self._tenant is None else (self._tenant,)

    def tenant(self, name: str) -> Wiring:
        """The wiring as that tenant sees it. Raises `UnknownTenant`, `LoadError`."""
        if self._tenant not in (None, name):
            raise UnknownTenant(name)
        return scope_of(self._host, name).wiring

    async def call(self, call: str, payload: Mapping[str, Any] | None = None) -> Any:
        """What a call gives, in this view. Raises `PayloadError`, `Unserved`, and what the call does."""
        return await self._invoke(self._scope, call, payload or {})

    async def emit(self, topic: str, event: object) -> Emitted:
        """Tell who subscribed to a topic. Raises `EventError`, `Unserved`."""
        from oneiric.declared import TopicSlot, topics_of  # which few components ask for
        from oneiric.flows.model import Unserved

        scope = self._scope
        known = topics_of(scope)
        if topic not in known:
            raise Unserved(f"the settings have no topic {topic}; they have {', '.join(sorted(known)) or 'none'}")
        slot: TopicSlot[Any] = TopicSlot(scope, known[topic])
        return await slot.emit(event)

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
