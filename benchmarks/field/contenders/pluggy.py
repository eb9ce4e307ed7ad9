"""pluggy: instances registered as plugins under their names; what they need is given by hand.

https://pluggy.readthedocs.io/en/stable/#plugin-registration
"""

from __future__ import annotations

from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "pluggy"


def _manager(parts: Parts) -> Any:
    from pluggy import PluginManager

    manager = PluginManager("field")
    for number, (store, desk) in enumerate(parts.pairs()):
        kept = store()
        manager.register(kept, f"store-{number}")
        manager.register(desk(kept), f"desk-{number}")
    return manager


def start(parts: Parts) -> Any:
    return _manager(parts).get_plugin(f"desk-{FIRST}")


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: (f"get('desk-{FIRST}')", {"get": _manager(parts).get_plugin})}


def swap(first: Cache) -> tuple[Any, Any]:
    from pluggy import PluginManager

    manager = PluginManager("field")
    manager.register(first, "cache")

    def replace(other: Cache) -> None:
        manager.unregister(name="cache")
        manager.register(other, "cache")

    return lambda: manager.get_plugin("cache"), replace
