"""svcs: a registry of factories that take the container; a container keeps what it made, so one is held.

https://svcs.hynek.me/en/stable/core-concepts.html
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "svcs"


def _registry(parts: Parts) -> Any:
    from svcs import Registry

    registry = Registry()
    for store, desk in parts.pairs():
        registry.register_factory(store, store)
        registry.register_factory(desk, _serving(store, desk))
    return registry


def _serving(store: type, desk: type) -> Any:
    return lambda svcs_container: desk(svcs_container.get(store))


def start(parts: Parts) -> Any:
    from svcs import Container

    return Container(_registry(parts)).get(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    from svcs import Container

    return {DISTRIBUTION: ("get(Desk)", {"get": Container(_registry(parts)).get, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from svcs import Container, Registry

    registry = Registry()
    registry.register_factory(C, C)
    registry.register_factory(B, lambda svcs_container: B(svcs_container.get(C)))
    registry.register_factory(A, lambda svcs_container: A(svcs_container.get(B)))
    names = {"Container": Container, "registry": registry, "A": A}
    return {f"{DISTRIBUTION}, a container each": ("Container(registry).get(A)", names)}


def swap(first: Cache) -> tuple[Any, Any]:
    from svcs import Container, Registry

    registry, cache = Registry(), type(first)
    registry.register_value(cache, first)
    return lambda: Container(registry).get(cache), lambda other: registry.register_value(cache, other)


def tenant(parts: Parts) -> Any:
    from svcs import Container

    registry, other, store, desk = _registry(parts), parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        container = Container(registry)
        container.register_local_factory(store, other)
        return container.get(desk), container

    return own
