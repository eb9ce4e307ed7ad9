"""What threads read: one consistent table of what was active at one moment."""

from __future__ import annotations

from oneiric.errors import NotActive
from oneiric.lines import generation_at
from oneiric.wiring import file_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeVar

    from oneiric.slot import Held, Slot
    from oneiric.wiring import Wiring

    T = TypeVar("T")


class Snapshot:
    """An immutable table from slots to instances. It leases nothing: what is in it may be closed meanwhile."""

    __slots__ = ("_generation", "_instances", "_wiring")

    def __init__(self, wiring: type[Wiring], generation: str | None, active: Mapping[Slot[Any], Held]) -> None:
        self._wiring = wiring
        self._generation = generation
        self._instances = {slot: held.instance for slot, held in active.items()}

    def __getitem__(self, slot: Slot[T]) -> T:
        """The slot's instance. Raises `NotActive`."""
        try:
            instance: T = self._instances[slot.home]
        except KeyError:
            raise NotActive(f"{slot.key} was not active") from None
        return instance

    def __contains__(self, slot: object) -> bool:
        return getattr(slot, "home", slot) in self._instances

    def __len__(self) -> int:
        return len(self._instances)

    @property
    def generation(self) -> str:
        """The SHA-256 of the wiring's file and its tenants'. Of a wiring that was imported, not loaded, as they are on
        disk now: raises OSError."""
        if self._generation is not None:
            return self._generation
        path = file_of(self._wiring)
        if path is None:
            raise FileNotFoundError("the wiring's module has no file")
        return generation_at(path)
