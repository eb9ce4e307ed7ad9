"""The components of a new wiring before its commit: started and checked in slots that nobody else sees."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from oneiric.errors import RuntimeClosed, UnknownKey
from oneiric.host import Host
from oneiric.lifecycle.activation import activate_all, cancel, eager
from oneiric.lifecycle.closing import drain
from oneiric.lifecycle.order import in_order, users_of
from oneiric.reload.planning import Prepared
from oneiric.slot import Held, Slot, bound, empty, fill, shared_slot, stack_of
from oneiric.tenants.bindings import binding_in
from oneiric.tenants.scope import TenantScope, view
from oneiric.wiring import Binding, Wiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oneiric.slot import AnyScope


class _Staged:
    """What the base's and the tenants' staged components have in common: slots of their own where something is
    new, the runtime's where an active instance is kept."""

    tenant: str | None = None
    check: Callable[[], Awaitable[None]] | None = None

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.prepared = prepared
        self.own: dict[str, Slot[Any]] = {}
        self.removed: dict[str, Slot[Any]] = {}
        self.handles: list[Any] = []
        self.over = False
        self.becomes: AnyScope | None = None

    @property
    def wiring_class(self) -> type[Wiring]:
        """The new wiring."""
        return self.prepared.wiring

    def replaces(self, key: str) -> bool:
        """Whether what is activated here takes the place of an active instance."""
        return any(slot.key == key for slot in self.host.active)

    def slots(self) -> dict[str, Slot[Any]]:
        """The slots of its own by full key."""
        return self.own

    def note(self, handle: Any) -> None:
        """A handle was made, which has to call the runtime's slot from the commit on."""
        self.handles.append(handle)

    def fill(self, held: Held) -> bool:
        """Take what an activation made; False once the reload is over."""
        if not self.over:
            fill(held.slot, held)
        return not self.over

    def known(self, key: str) -> Slot[Any] | None:
        """The slot that a key has already, here or, once the reload is over, in the runtime."""
        if self.becomes is not None:
            return self.becomes.slot(key)
        return None if self.over else self.own.get(key)

    def stage(self: Any, key: str, binding: Binding, present: Slot[Any] | None) -> Slot[Any]:
        """A slot for a key: the present one where its instance is kept."""
        if self.over:
            raise RuntimeClosed("the reload that made this is over")
        if present is not None and present.held is not None:
            kept = key in self.host.replaced or self.prepared.keeps(present, binding)
            if kept and present.state == "active":
                return present
        slot: Slot[Any] = self.own.setdefault(key, bound(binding, self))
        return slot


class Staging(_Staged):
    """The new wiring's base, and its tenants. `forgive` accepts failing health checks where the reload is forced."""

    def __init__(self, host: Host, prepared: Prepared, *, force: bool) -> None:
        super().__init__(host, prepared)
        self.force = force
        self.forgiven: list[str] = []
        self.tenants: dict[str, StagedTenant] = {}
        self.wiring = view(self)

    def slot(self, key: str) -> Slot[Any]:
        """The slot that holds a key's instance in the new wiring. Raises `UnknownKey`."""
        known = self.known(key)
        if known is not None:
            return known
        binding = self.prepared.bindings.get(key)
        if binding is None:
            raise UnknownKey(key, self.prepared.bindings)
        return self.stage(key, binding, self.host.base.slots().get(key))

    place = slot
    shared = slot

    def forgive(self, error: Exception) -> bool:
        """Whether an instance may be used whose health check came to this."""
        if self.force:
            self.forgiven.append(f"forced: {error}")
        return self.force

    def of_tenant(self, scope: TenantScope) -> StagedTenant:
        """A tenant's part."""
        return self.tenants.get(scope.name) or self.tenants.setdefault(scope.name, StagedTenant(self, scope))

    def parts(self) -> list[Staging | StagedTenant]:
        """The base's part and the tenants'."""
        return [self, *self.tenants.values()]

    def all_slots(self) -> list[Slot[Any]]:
        """Every staged slot."""
        return [slot for part in self.parts() for slot in part.own.values()]

    async def warm(self) -> None:
        """Start and check everything new that is active or eager, in the order of needs. Raises `OneiricError`."""
        while missing := list(self.missing()):
            await activate_all(missing)

    def missing(self) -> Iterator[Slot[Any]]:
        """Staged slots that lack an instance which the commit needs."""
        wanted = [slot.key for slot in self.prepared.changed if slot.held is not None]
        wanted += [
            key for slot in self.prepared.relayered if slot.held for key in self.prepared.bindings[slot.key].layers
        ]
        for key in wanted:
            slot = self.slot(key)
            if slot.held is None and not slot.binding.unbound and key not in self.host.replaced:
                yield slot
        yield from eager([self.slot(slot.key) for slot in self.prepared.eager if slot.held is None])
        for scope, key, binding in self.prepared.open_tenants(self.host):
            if binding is not None and not binding.unbound and _in_use(scope, key):
                for each in (*binding.layers, key):
                    slot = self.of_tenant(scope).slot(each)
                    if slot.held is None:
                        yield slot

    async def abort(self) -> None:
        """Close everything that was started."""
        users = users_of([slot.held for slot in self.all_slots() if slot.held is not None])
        for part in self.parts():
            part.over = True
        await cancel([slot.attempt.task for slot in self.all_slots() if slot.attempt is not None])
        loop = asyncio.get_running_loop()
        until = loop.time() + self.host.deadlines.drain

        async def close(held: Held) -> list[Exception]:
            empty(held.slot)
            return await drain(held, until, self.host.hurry)

        for error in await in_order(users, close):
            self.host.report(error)


class StagedTenant(_Staged):
    """One tenant's part of the new wiring."""

    def __init__(self, staging: Staging, scope: TenantScope) -> None:
        super().__init__(staging.host, staging.prepared)
        self.staging = staging
        self.present = scope
        self.tenant: str | None = scope.name
        self.wiring = view(self)

    def slot(self, key: str) -> Slot[Any]:
        """The slot that holds a key's instance for the tenant. Raises `UnknownKey`, `TenantsError`."""
        known = self.known(key)
        if known is not None:
            return known
        replaced = stack_of(key) in self.host.replaced
        binding = None if replaced else binding_in(self.prepared.lines, self.present.name, key)
        if binding is None:
            return self.staging.slot(key)
        return self.stage(key, binding, self.present.own.get(key))

    def place(self, key: str) -> Slot[Any]:
        """The tenant's slot, or one that follows the base's."""
        slot = self.slot(key)
        return slot if slot.tenant is not None else shared_slot(key, self)

    def shared(self, key: str) -> Slot[Any]:
        """The base's slot."""
        return self.staging.slot(key)

    def forgive(self, error: Exception) -> bool:
        """Whether an instance may be used whose health check came to this."""
        return self.staging.forgive(error)


def _in_use(scope: TenantScope, key: str) -> bool:
    own = scope.own.get(key)
    if own is None:
        own = scope.host.base.slots().get(key)
    return own is not None and own.held is not None and own.held.owned
