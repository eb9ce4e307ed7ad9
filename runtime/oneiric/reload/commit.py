"""The moment of a reload: every slot switches to the new wiring, and nothing is awaited in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oneiric.host import Host, Scope
from oneiric.lifecycle.order import users_of
from oneiric.reload.staging import Staging
from oneiric.slot import Held, Slot, empty, fill, rebind, stack_of
from oneiric.tenants.idle import look_for_idle
from oneiric.tenants.scope import TenantScope, extend, opened, opened_of, scope_of
from oneiric.wiring import Domain, aliases_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oneiric.slot import AnyScope


class Switch:
    """One commit, prepared as far as it can be; where anything is awaited until `run`, it has to fit still.

    `users` is what has to be drained after it: each instance with those that have to be closed before it.
    """

    def __init__(self, host: Host, staging: Staging) -> None:
        self._host = host
        self._staging = staging
        self._prepared = staging.prepared
        self._tenants = list(self._prepared.open_tenants(host))
        # The outermost layers come first: once what they wrap is there, a slot shows them.
        self._staged = sorted(self._made(), key=lambda each: "/" not in each[0].key)
        self.users = users_of(list(dict.fromkeys(self._leaving())))
        self._made_for = self._state()

    def fits(self) -> bool:
        """Whether nothing was activated, closed or asked for since it was prepared."""
        return self._state() == self._made_for

    def _state(self) -> tuple[object, ...]:
        shown = sum(scope.size for scope in opened(self._host))
        return self._host.snapshot(), shown, [slot.held for slot in self._staging.all_slots()]

    def _leaving(self) -> Iterator[Held]:
        """Instances that no slot will have: replaced, removed, or made twice."""
        active = self._host.active
        for slot in (*self._prepared.removed, *self._prepared.changed):
            if slot.held is not None:
                yield slot.held
        for scope, key, binding in self._tenants:
            own = scope.own.get(key)
            if own is not None and own in active and not self._prepared.keeps(own, binding):
                yield active[own]
        for _, held, present in self._staged:
            if present is None or present.held is None:
                continue
            if self._prepared.keeps(present, held.binding):
                yield held

    def _made(self) -> Iterator[tuple[Slot[Any], Held, Slot[Any] | None]]:
        """Staged slots with their instances, and the slot that the key has in the runtime now."""
        for part in self._staging.parts():
            scope = None if part.tenant is None else opened_of(self._host, part.tenant)
            present = self._prepared.slots if scope is None else scope.own
            for key, slot in part.own.items():
                if slot.held is not None:
                    yield slot, slot.held, present.get(key)

    def run(self) -> None:
        """Do it. Nothing here can fail or wait."""
        host, prepared = self._host, self._prepared
        # The loop is safe as long as nothing is awaited; the lock is for threads, which take no snapshot meanwhile.
        with host.lock:
            # What is being made by an old binding would come too late to be seen as old: it ends first.
            for slot in prepared.changed:
                if slot.attempt is not None:
                    slot.attempt.task.cancel()
            for slot in prepared.ported:
                slot.handle = None
            for slot, binding in prepared.adopted:
                slot.binding = binding
            self._change_base(host.base)
            # Before the tenants: their scopes look in the host's lines for what is theirs.
            host.become(prepared.wiring, prepared.digest, prepared.lines)
            scopes = self._change_tenants()
            # New instances come before old ones go: a thread that reads `current` finds one or the other, never none.
            for staged, held, present in self._staged:
                if held not in self.users:
                    self._take(present or self._scope(staged.tenant).slot(staged.key), staged, held)
            self._show_layers()
            for held in self.users:
                if held.slot.key not in host.replaced and host.active.get(held.slot) is held:
                    del host.active[held.slot]
                    empty(held.slot)
            for held in host.active.values():
                held.binding = held.slot.binding
        self._settle(scopes)
        if prepared.lines:
            look_for_idle(host)

    def _show_layers(self) -> None:
        for slot in self._prepared.relayered:
            rebind(slot)
            if slot.handle is not None:
                slot.handle._slot = slot.home

    def _change_base(self, base: Scope) -> None:
        prepared = self._prepared
        for key in prepared.added:
            attribute, name = prepared.attributes[key]
            setattr(self._domain(base, attribute), name, prepared.slots[key])
            base.removed.pop(key, None)
        for slot in prepared.removed:
            base.removed[slot.key] = slot
            self._remove(slot)
        self._change_aliases(base)
        for attribute, kind in prepared.wiring.__domains__.items():
            if kind.__scoped__:
                domain = kind()
                domain._scope = base  # pyright: ignore[reportPrivateUsage]
                setattr(base.wiring, attribute, domain)
        base.become(prepared.slots)

    def _change_aliases(self, base: Scope) -> None:
        for attribute, name, alias in aliases_of(self._host.wiring_class):
            if alias.key not in self._prepared.slots:
                delattr(getattr(base.wiring, attribute), name)
        for attribute, name, alias in aliases_of(self._prepared.wiring):
            setattr(self._domain(base, attribute), name, self._prepared.slots[alias.target])

    def _domain(self, base: Scope, attribute: str) -> Domain:
        """The base's domain, made where its wiring had none of its keys yet."""
        domain: Domain | None = getattr(base.wiring, attribute, None)
        if domain is None:
            domain = self._prepared.wiring.__domains__[attribute]()
            setattr(base.wiring, attribute, domain)
        return domain

    def _remove(self, slot: Slot[Any]) -> None:
        """A slot ends; where what is drained with it needs it, it goes on serving until they are closed."""
        slot.handle = None
        if slot.attempt is not None:
            slot.attempt.task.cancel()
        held = self._host.active.pop(slot, None)
        if held is not None and not self.users.get(held):
            empty(slot)

    def _change_tenants(self) -> list[TenantScope]:
        scopes: dict[str, TenantScope] = {}
        for scope, key, binding in self._tenants:
            scopes[scope.name] = scope
            if binding is None and key not in self._prepared.bindings:
                removed = scope.remove(key)
                if removed is not None:
                    self._remove(removed)
                continue
            own = scope.own.get(key)
            if own is not None and not self._prepared.keeps(own, binding):
                if own.attempt is not None:
                    own.attempt.task.cancel()
                own.handle = own.handle if binding is not None and own.binding.port == binding.port else None
                if binding is None:
                    self._host.active.pop(own, None)
            scope.change(key, binding)
        return list(scopes.values())

    def _scope(self, tenant: str | None) -> AnyScope:
        return self._host.base if tenant is None else scope_of(self._host, tenant)

    def _take(self, slot: Slot[Any], staged: Slot[Any], held: Held) -> None:
        if slot.attempt is not None:
            slot.attempt.task.cancel()
        held.slot = slot
        fill(slot, held)
        self._host.active[slot] = held
        if slot.handle is None:
            slot.handle = staged.handle

    def _settle(self, changed: list[TenantScope]) -> None:
        """Let everything made in staging call the runtime's slots."""
        host = self._host
        for scope in opened(host):
            extend(scope.wiring, scope)
        for part in self._staging.parts():
            becomes = part.becomes = self._scope(part.tenant)
            part.over = True
            for slot in part.own.values():
                if slot.attempt is not None:
                    slot.attempt.task.cancel()
                slot.held = None
                slot.scope = becomes
            for handle in part.handles:
                handle._slot = becomes.slot(stack_of(handle._slot.key)).home
                becomes.note(handle)
        for each in opened(host):
            each.believe()
        for name in self._prepared.gone:
            host.tenants.pop(name, None)
        for each in opened(host) if self._prepared.relayered else changed:
            each.settle()
        for held in host.active.values():
            if held.inner is not None and held.binding.inner is not None:
                held.inner._slot = held.slot.scope.slot(held.binding.inner)
