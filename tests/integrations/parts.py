"""What tests of several frameworks need."""

from __future__ import annotations

from typing import Any

from tests.unit.runtime.making import key, wiring_of


class Moody:
    """Well as long as it is told so; it counts how often it is asked."""

    def __init__(self) -> None:
        self.well = True
        self.asked = 0

    def health(self) -> bool:
        self.asked += 1
        return self.well


def moods(eager: Moody, other: Moody, needed: Moody) -> type[Any]:
    """A wiring of one that is eager, what that needs, and another that is not."""
    return wiring_of(
        eager=key(lambda _: eager, eager=True, needs=("adapter:needed",), blocking=False),
        needed=key(lambda _: needed, blocking=False),
        other=key(lambda _: other, blocking=False),
    )
