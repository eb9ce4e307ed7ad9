"""The runtime's stable place for one key, and the record of the instance in it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Any, Generic, TypeVar

    from oneiric.activation import Attempt
    from oneiric.runtime import Scope
    from oneiric.tenants import TenantScope
    from oneiric.wiring import Binding

    T = TypeVar("T")

    class _Base(Generic[T]):
        __slots__ = ()
else:
    T = None

    class _Base:
        __slots__ = ()

        def __class_getitem__(cls, item):
            return cls


class Held:
    """One instance in a slot, with the number of leases on it.

    While it is `watched`, the end of a lease is told to whoever watches: one who drains it (`settled` is what he waits
    for), or one who looks for idle instances and finds it no longer watched when it was used.
    """

    __slots__ = ("instance", "leases", "owned", "settled", "slot", "watched")

    def __init__(self, slot: Slot[Any], instance: Any, *, owned: bool = True) -> None:
        self.slot = slot
        self.instance = instance
        self.owned = owned
        self.leases = 0
        self.watched = False
        self.settled: asyncio.Future[None] | None = None

    def give_back(self) -> None:
        """End one lease."""
        self.leases -= 1
        if self.watched:
            self.tell()

    def tell(self) -> None:
        """Tell whoever watches that a lease has ended."""
        if self.settled is None:
            self.watched = False
        elif not self.leases and not self.settled.done():
            self.settled.set_result(None)


class Slot(_Base[T]):
    """The place of one key in one scope (the base's or a tenant's). It outlives the instances in it."""

    __slots__ = ("attempt", "binding", "closing", "current", "handle", "held", "scope")

    current: T
    """The instance, as fast as a plain attribute; `NotActive` before activation. Nothing keeps it open."""

    def __init__(self, binding: Binding, scope: Scope | TenantScope) -> None:
        self.binding = binding
        self.scope = scope
        self.held: Held | None = None
        self.attempt: Attempt | None = None
        self.closing: asyncio.Future[Any] | None = None
        self.handle: T | None = None

    @property
    def live(self) -> T:
        """The key's port as an object that is safe to keep: each call leases whatever instance is current.

        Async calls activate. Raises `PortError` where the binding has no usable port.
        """
        handle = self.handle
        if handle is None:
            from oneiric.live import handle_for

            handle = self.handle = handle_for(self)
        return handle

    def lease(self) -> AbstractAsyncContextManager[T]:
        """Activate on entering, and keep the instance from being closed until the exit."""
        from oneiric.leases import SlotLease

        return SlotLease(self)

    @property
    def key(self) -> str:
        """The full key, `domain:key`."""
        return self.binding.key

    @property
    def tenant(self) -> str | None:
        """The tenant whose own slot this is; None for the base's."""
        return self.scope.tenant

    @property
    def state(self) -> str:
        """inactive, activating, active or closing."""
        if self.held is not None:
            return "active"
        if self.attempt is not None:
            return "activating"
        return "inactive" if self.closing is None else "closing"

    def __repr__(self) -> str:
        of_tenant = f" of tenant {self.tenant}" if self.tenant is not None else ""
        return f"<Slot {self.key}{of_tenant}, {self.binding.provider}, {self.state}>"


class InactiveSlot(Slot[T]):
    """A slot without an instance: the same object, by `__class__`, so that an active one costs no check."""

    __slots__ = ()

    if not TYPE_CHECKING:

        @property
        def current(self):
            raise inactive(self)


_set_current: Callable[[Slot[Any], object], None] = vars(Slot)["current"].__set__


def fill(slot: Slot[Any], held: Held) -> None:
    """Put an instance into the slot."""
    _set_current(slot, held.instance)
    _hold(slot, held)
    slot.__class__ = Slot


def empty(slot: Slot[Any]) -> None:
    """Take the instance out of the slot."""
    slot.__class__ = InactiveSlot
    _hold(slot, None)
    _set_current(slot, None)


def _hold(slot: Any, held: Held | None) -> None:
    slot.held = held
    if slot.handle is not None:
        slot.handle._held = held  # its own copy: a call through `live` looks up one attribute less


def inactive(slot: Slot[Any]) -> Exception:
    """Why an empty slot cannot be used synchronously."""
    from oneiric.errors import NotActive

    return slot.scope.runtime.refusal() or NotActive(
        f"{slot.key} is not active: await a call through live, runtime.use(...) or slot.lease() first"
    )
