"""Where the components of the base look up what they need: the slots by key."""

from __future__ import annotations

import gc

from oneiric.slot import InactiveSlot
from oneiric.wiring import domains_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    from oneiric.reload.staging import StagedTenant, Staging
    from oneiric.runtime import Runtime
    from oneiric.slot import Held, Slot
    from oneiric.tenants.scope import TenantScope
    from oneiric.wiring import Wiring

    AnyScope: TypeAlias = "Scope | TenantScope | Staging | StagedTenant"


class Serving:
    """What the base and a tenant have in common: what is activated here is for the slots that the application sees."""

    if TYPE_CHECKING:
        runtime: Runtime[Any]

        def slots(self) -> dict[str, Slot[Any]]:
            """The slots whose instances belong here, by full key."""
            ...

    @property
    def wiring_class(self) -> type[Wiring]:
        """The wiring whose keys this shows."""
        return self.runtime.wiring_class

    def fill(self, held: Held) -> bool:
        """Take what an activation made; False where a reload has made it useless meanwhile."""
        slot = held.slot
        known = self.slots().get(slot.key) is slot and held.binding.fingerprint == slot.binding.fingerprint
        if known and slot.held is None:
            self.runtime.fill(held)
        return slot.held is held

    def forgive(self, error: Exception) -> bool:
        """Whether an instance may be used whose health check came to this."""
        return False

    def replaces(self, key: str) -> bool:
        """Whether what is activated here takes the place of an active instance."""
        return False


class Scope(Serving):
    """The base's view of the wiring: where needs and secrets of its components are looked up."""

    tenant: str | None = None

    def __init__(self, runtime: Runtime[Any], wiring_class: type[Wiring]) -> None:
        self.runtime = runtime
        self.removed: dict[str, Slot[Any]] = {}
        self.wiring = wiring_class()
        self._by_key: dict[str, Slot[Any]] | None = None
        collects = gc.isenabled()
        gc.disable()  # slots stay: looking for garbage among ten thousand of them takes longer than making them
        try:
            self._make_slots()
        finally:
            if collects:
                gc.enable()

    def _make_slots(self) -> None:
        # vars() of these two would be quicker here, and make every later lookup slow before Python 3.13
        for attribute, domain_class, bindings in domains_of(type(self.wiring)):
            domain = domain_class()
            setattr(self.wiring, attribute, domain)
            for name, binding in bindings.items():
                setattr(domain, name, InactiveSlot(binding, self))

    def slots(self) -> dict[str, Slot[Any]]:
        """Every slot of the base by full key."""
        if self._by_key is None:
            self._by_key = {
                binding.key: getattr(getattr(self.wiring, attribute), name)
                for attribute, _, bindings in domains_of(type(self.wiring))
                for name, binding in bindings.items()
            }
        return self._by_key

    def become(self, slots: dict[str, Slot[Any]]) -> None:
        """Have these slots from now on."""
        self._by_key = slots

    def slot(self, key: str) -> Slot[Any]:
        """The slot of a full key. Raises `UnknownKey`, `RemovedKey`."""
        slots = self.slots()
        try:
            return slots[key]
        except KeyError:
            from oneiric.errors import RemovedKey, UnknownKey

            raise RemovedKey(key) if key in self.removed else UnknownKey(key, slots) from None

    place = slot

    def note(self, handle: Any) -> None:
        """A handle was made of one of the slots."""
