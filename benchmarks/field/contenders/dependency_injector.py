"""dependency-injector: providers in a dynamic container, which is made faster than a declarative one is copied.

https://python-dependency-injector.ets-labs.org/containers/dynamic.html, /providers/overriding.html
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "dependency-injector"


def _container(parts: Parts) -> Any:
    from dependency_injector.containers import DynamicContainer
    from dependency_injector.providers import Singleton

    container = DynamicContainer()
    for number, (store, desk) in enumerate(parts.pairs()):
        kept = Singleton(store)
        setattr(container, f"store_{number}", kept)
        setattr(container, f"desk_{number}", Singleton(desk, store=kept))
    return container


def start(parts: Parts) -> Any:
    return getattr(_container(parts), f"desk_{FIRST}")()


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    container = _container(parts)
    return {
        DISTRIBUTION: (f"container.desk_{FIRST}()", {"container": container}),
        f"{DISTRIBUTION}, provider held": ("desk()", {"desk": getattr(container, f"desk_{FIRST}")}),
    }


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from dependency_injector.providers import Factory

    return {DISTRIBUTION: ("make()", {"make": Factory(A, b=Factory(B, c=Factory(C)))})}


def swap(first: Cache) -> tuple[Any, Any]:
    from dependency_injector.providers import Object

    cache = Object(first)

    def replace(other: Cache) -> None:
        cache.reset_override()
        cache.override(other)

    return cache, replace


def tenant(parts: Parts) -> Any:
    from dependency_injector.providers import Singleton

    other = parts.other()

    def own(name: str) -> tuple[Any, Any]:
        container = _container(parts)
        getattr(container, f"store_{FIRST}").override(Singleton(other))
        return getattr(container, f"desk_{FIRST}")(), container

    return own
