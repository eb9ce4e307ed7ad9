"""clean-ioc: a container of registrations; what is registered last wins; a scope has its own.

https://peter-daly.github.io/clean_ioc/
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "clean-ioc"


def _container(parts: Parts, replaced: dict[type, type]) -> Any:
    from clean_ioc import Container, Lifespan

    container = Container()
    for pair in parts.pairs():
        for cls in pair:
            container.register(cls, replaced.get(cls), lifespan=Lifespan.singleton)
    return container


def start(parts: Parts) -> Any:
    return _container(parts, {}).resolve(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("get(Desk)", {"get": _container(parts, {}).resolve, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from clean_ioc import Container, Lifespan

    container = Container()
    for cls in (A, B, C):
        container.register(cls, lifespan=Lifespan.transient)
    return {DISTRIBUTION: ("get(A)", {"get": container.resolve, "A": A})}


def swap(first: Cache) -> tuple[Any, Any]:
    from clean_ioc import Container

    container, cache = Container(), type(first)
    container.register(cache, instance=first)
    return lambda: container.resolve(cache), lambda other: container.register(cache, instance=other)


def tenant(parts: Parts) -> Any:
    other, store, desk = parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        own_container = _container(parts, {store: other})
        return own_container.resolve(desk), own_container

    return own
