"""modern-di: a group of cached factories; overrides through `container.override`, which it means for tests.

https://modern-di.modern-python.org/providers/factories/, /testing/
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "modern-di"


def _container(parts: Parts, replaced: dict[type, type]) -> Any:
    from modern_di import Container, Group, Scope
    from modern_di.providers import Factory

    classes = [cls for pair in parts.pairs() for cls in pair]
    made = {
        cls.__name__: Factory(replaced.get(cls, cls), scope=Scope.APP, bound_type=cls, cache=True) for cls in classes
    }
    return Container(groups=[type("Parts", (Group,), made)])


def start(parts: Parts) -> Any:
    return _container(parts, {}).resolve(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("get(Desk)", {"get": _container(parts, {}).resolve, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from modern_di import Container, Group, Scope
    from modern_di.providers import Factory

    group = type("Chain", (Group,), {cls.__name__: Factory(cls, scope=Scope.APP) for cls in (A, B, C)})
    return {DISTRIBUTION: ("get(A)", {"get": Container(groups=[group]).resolve, "A": A})}


def swap(first: Cache) -> tuple[Any, Any]:
    from modern_di import Container, Group, Scope
    from modern_di.providers import Factory

    provider = Factory(lambda: first, scope=Scope.APP, bound_type=type(first), cache=True)
    container = Container(groups=[type("Parts", (Group,), {"cache": provider})])
    return lambda: container.resolve(type(first)), lambda other: container.override(provider, other)


def tenant(parts: Parts) -> Any:
    other, store, desk = parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        own_container = _container(parts, {store: other})
        return own_container.resolve(desk), own_container

    return own
