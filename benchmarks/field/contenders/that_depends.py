"""that-depends: providers as attributes of a container class, resolved without a loop.

https://that-depends.modern-python.org/providers/singleton/, /testing/provider-overriding/
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "that-depends"


def _container(parts: Parts) -> Any:
    from that_depends import BaseContainer
    from that_depends.providers import Singleton

    providers: dict[str, Any] = {}
    for number, (store, desk) in enumerate(parts.pairs()):
        kept = providers[f"store_{number}"] = Singleton(store)
        providers[f"desk_{number}"] = Singleton(desk, store=kept)
    return type("Parts", (BaseContainer,), providers)


def start(parts: Parts) -> Any:
    return getattr(_container(parts), f"desk_{FIRST}").resolve_sync()


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    container = _container(parts)
    held = getattr(container, f"desk_{FIRST}").resolve_sync
    return {
        DISTRIBUTION: (f"container.desk_{FIRST}.resolve_sync()", {"container": container}),
        f"{DISTRIBUTION}, provider held": ("desk()", {"desk": held}),
    }


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from that_depends.providers import Factory

    return {DISTRIBUTION: ("make()", {"make": Factory(A, b=Factory(B, c=Factory(C))).resolve_sync})}


def swap(first: Cache) -> tuple[Any, Any]:
    from that_depends.providers import Singleton

    cache = Singleton(lambda: first)
    return cache.resolve_sync, cache.override_sync
