"""The scope of each tenant: slots of its own where it has lines, the base's elsewhere."""

from __future__ import annotations

from _weakref import ref

from oneiric.errors import UnknownTenant
from oneiric.host import Scope
from oneiric.slot import bound, checked, own, rebind, share, shared_slot, stack_of
from oneiric.tenants.bindings import binding_in, start_of, tenants_in
from oneiric.wiring import Domain, check_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any
    from weakref import ReferenceType

    from oneiric.host import Host
    from oneiric.slot import AnyScope, Slot
    from oneiric.wiring import Binding, Wiring


def scope_of(host: Host, tenant: str) -> AnyScope:
    """The tenant's scope; for one that is not listed the base's, or `UnknownTenant`, as the application wants it.

    Raises `LoadError` where it may be missing because the list is damaged.
    """
    scope = host.tenants.get(tenant)
    if scope is not None:
        return scope
    if listed(host, tenant):
        return host.tenants.setdefault(tenant, TenantScope(host, tenant))
    if host.lines is not None:
        check_lines(host.wiring_class, host.lines)
    if host.unknown_tenant == "base":
        return host.base
    raise UnknownTenant(tenant)


def tenants_of(host: Host) -> tuple[str, ...]:
    """The tenants there are. Raises `LoadError` where the list is not what the wiring says it is."""
    if host.lines is None:
        return ()
    check_lines(host.wiring_class, host.lines)
    return tuple(tenants_in(host.lines))


def listed(host: Host, tenant: str) -> bool:
    """Whether there is such a tenant."""
    return host.lines is not None and host.lines.find(start_of(tenant)) is not None


def opened(host: Host) -> list[TenantScope]:
    """The scopes of the tenants that were asked for."""
    return [scope for scope in host.tenants.values() if isinstance(scope, TenantScope)]


def opened_of(host: Host, tenant: str) -> TenantScope | None:
    """The scope of a tenant that was asked for."""
    scope = host.tenants.get(tenant)
    return scope if isinstance(scope, TenantScope) else None


class TenantScope(Scope):
    """One tenant's view: slots of its own where it has lines, the base's elsewhere."""

    def __init__(self, host: Host, name: str) -> None:
        self.host = host
        self.name = name
        self.tenant: str | None = name
        self.own: dict[str, Slot[Any]] = {}
        self.removed: dict[str, Slot[Any]] = {}
        self._shared: dict[str, Slot[Any]] = {}
        self._handles: list[ReferenceType[Any]] = []
        self.check: Callable[[], Awaitable[None]] | None = None
        if host.lines is not None and not host.lines.checked:
            self.check = self._check
        self.wiring = view(self)

    async def _check(self) -> None:
        """See once, in a thread, that no tenant has lost a line. Raises `LoadError`."""
        from oneiric.lifecycle.steps import in_thread

        lines = self.host.lines
        if lines is not None and not lines.checked:
            (await in_thread(check_lines, self.host.wiring_class, lines)).get()
        for scope in opened(self.host):
            scope.believe()

    def believe(self) -> None:
        """Follow the base's slots where the tenant has none of its own: its lines are known to be whole."""
        if self.check is not None:
            self.check = None
            for slot in self._shared.values():
                checked(slot)
            self.settle()

    def slots(self) -> dict[str, Slot[Any]]:
        """The tenant's own slots by full key."""
        return self.own

    def slot(self, key: str) -> Slot[Any]:
        """The slot that holds a key's instance. Raises `UnknownKey`, `RemovedKey`, `TenantsError`."""
        own = self.own.get(key)
        if own is not None:
            return own
        binding = self._binding(key)
        if binding is not None:
            return self.own.setdefault(key, bound(binding, self))
        return self._missing(key) if key in self.removed else self.host.base.slot(key)

    def _binding(self, key: str) -> Binding | None:
        lines = self.host.lines
        if not lines or stack_of(key) in self.host.replaced:
            return None
        return binding_in(lines, self.name, key)

    def place(self, key: str) -> Slot[Any]:
        """What is safe to keep: the tenant's own slot, or one that follows the base's. Raises as `slot`."""
        slot = self.slot(key)
        if slot.tenant is not None:
            return slot
        known = self._shared.get(key)
        if known is None:
            unchecked = self.check is not None and key not in self.host.replaced
            known = self._shared.setdefault(key, shared_slot(key, self, unchecked=unchecked))
        return known

    def shared(self, key: str) -> Slot[Any]:
        """The base's slot."""
        return self.host.base.slot(key)

    def shows(self, key: str) -> bool:
        """Whether somebody has asked for this key."""
        return key in self.own or key in self._shared or key in self.removed

    @property
    def size(self) -> int:
        """How many keys somebody has asked for."""
        return len(self.own) + len(self._shared) + len(self.removed)

    def note(self, handle: Any) -> None:
        """A handle was made, which has to move with its key between the base and the tenant."""
        self._handles.append(ref(handle))

    def change(self, key: str, binding: Binding | None) -> None:
        """Have a key by another binding, or share it with the base, from now on; `settle` ends the changes."""
        slot = self.own.get(key) or self.removed.pop(key, None)
        if slot is not None and binding is not None:
            slot.binding = binding
            rebind(slot)
            self.own[key] = slot
        elif slot is not None:
            self.own.pop(key, None)
            share(slot)
            self._shared[key] = slot
        elif key in self._shared and binding is not None:
            slot = self.own[key] = self._shared.pop(key)
            own(slot, binding)

    def remove(self, key: str) -> Slot[Any] | None:
        """Have a key no more; the slot it was."""
        slot = self.own.pop(key, None)
        if slot is not None:
            self.removed[key] = slot
        return slot

    def settle(self) -> None:
        """Let every handle call the slot that now holds its key's instance."""
        handles = [(reference, reference()) for reference in self._handles]
        self._handles = [reference for reference, handle in handles if handle is not None]
        for _, handle in handles:
            if handle is not None and (key := stack_of(handle._slot.key)) not in self.host.base.removed:
                handle._slot = self.slot(key).home


def view(scope: AnyScope) -> Wiring:
    """A wiring whose domains look a key's place up in the scope when it is first asked for."""
    shown = scope.wiring_class()
    extend(shown, scope)
    return shown


def extend(shown: Wiring, scope: AnyScope) -> None:
    """Give a view the domains that its wiring has by now."""
    for attribute, kind in scope.wiring_class.__domains__.items():
        if kind.__scoped__ or attribute not in vars(shown):
            domain = kind() if kind.__scoped__ else _View()
            vars(domain).update(_scope=scope, _attribute=attribute)
            setattr(shown, attribute, domain)


class _View(Domain):
    _scope: AnyScope
    _attribute: str

    def __getattr__(self, name: str) -> Slot[Any]:
        domain = self._scope.wiring_class.__domains__[self._attribute]
        binding = domain.__bindings__.get(name)
        if binding is None and (alias := domain.__aliases__.get(name)) is not None:
            return self._scope.place(alias.target)  # which may be another one after a reload: it is not kept
        if binding is None:
            raise AttributeError(f"{domain.__name__} has no key {name}")
        slot = self._scope.place(binding.key)
        setattr(self, name, slot)
        return slot
