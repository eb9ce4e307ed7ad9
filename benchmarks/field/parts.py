"""The application that everyone serves: so many areas, of a desk and the store that it needs; plain classes.

This module is imported by every process whose start is measured, so it imports next to nothing itself.
"""

from importlib import import_module

PER_MODULE = 5
FIRST = 7  # the area that is asked for
ORDER = "ink"
ANSWER = f"desk {FIRST}: {ORDER} at store {FIRST}"
OTHER = f"desk {FIRST}: {ORDER} at the other store {FIRST}"


class Parts:
    """The parts of so many keys, two for each area. Nothing is imported before `pairs` is asked for."""

    def __init__(self, keys: int) -> None:
        self.areas = keys // 2

    def paths(self) -> list[tuple[str, str]]:
        """`module:Class` of each store and its desk."""
        return [(self.path("Store", i), self.path("Desk", i)) for i in range(self.areas)]

    def pairs(self) -> list[tuple[type, type]]:
        """Each store and its desk, their modules imported."""
        return [(load(store), load(desk)) for store, desk in self.paths()]

    def first(self) -> tuple[type, type]:
        """The store and the desk that are asked for."""
        return load(self.path("Store", FIRST)), load(self.path("Desk", FIRST))

    def other(self) -> type:
        """The class of a tenant's store."""
        return load(f"parts.other:Other{FIRST}")

    def path(self, name: str, i: int) -> str:
        return f"parts.areas{i // PER_MODULE}:{name}{i}"


def load(path: str) -> type:
    """The class at `module:Class`."""
    module, _, name = path.partition(":")
    found: type = getattr(import_module(module), name)
    return found
