"""lagom: a container of types and singletons; a clone takes definitions of its own.

https://lagom-di.readthedocs.io/en/stable/basic_usage/, /testing/
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

DISTRIBUTION = "lagom"


def _container(parts: Parts) -> Any:
    from lagom import Container, Singleton

    container = Container()
    for store, desk in parts.pairs():
        container[store] = Singleton(store)
        container[desk] = Singleton(_serving(store, desk))
    return container


def _serving(store: type, desk: type) -> Any:
    return lambda container: desk(container[store])


def start(parts: Parts) -> Any:
    return _container(parts)[parts.first()[1]]


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("container[Desk]", {"container": _container(parts), "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from lagom import Container

    container = Container()
    container[C] = lambda: C()
    container[B] = lambda c: B(c[C])
    container[A] = lambda c: A(c[B])
    return {DISTRIBUTION: ("container[A]", {"container": container, "A": A})}


def tenant(parts: Parts) -> Any:
    from lagom import Singleton

    container, other, store, desk = _container(parts), parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        clone = container.clone()
        clone[store] = Singleton(other)
        clone[desk] = Singleton(_serving(store, desk))
        return clone[desk], clone

    return own
