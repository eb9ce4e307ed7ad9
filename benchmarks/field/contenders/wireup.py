"""wireup: a synchronous container of injectables; overrides through `container.override`, which it means for tests.

https://maldoinc.github.io/wireup/latest/container/, /lifetimes_and_scopes/, /testing/
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "wireup"


def _container(parts: Parts, replaced: dict[type, type]) -> Any:
    from wireup import create_sync_container, injectable

    classes = [cls for pair in parts.pairs() for cls in pair]
    made = [injectable(replaced[cls], as_type=cls) if cls in replaced else injectable(cls) for cls in classes]
    return create_sync_container(injectables=made)


def start(parts: Parts) -> Any:
    return _container(parts, {}).get(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("get(Desk)", {"get": _container(parts, {}).get, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from wireup import create_sync_container, injectable

    container = create_sync_container(injectables=[injectable(cls, lifetime="transient") for cls in (A, B, C)])
    scope = container.enter_scope()
    return {DISTRIBUTION: ("get(A)", {"get": scope.__enter__().get, "A": A, "scope": scope})}


def swap(first: Cache) -> tuple[Any, Any]:
    from wireup import create_sync_container, injectable

    cache = type(first)
    container = create_sync_container(injectables=[injectable(cache)])
    container.override.set(cache, first)

    def replace(other: Cache) -> None:
        container.override.clear()
        container.override.set(cache, other)

    return lambda: container.get(cache), replace


def tenant(parts: Parts) -> Any:
    other, store, desk = parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        own_container = _container(parts, {store: other})
        return own_container.get(desk), own_container

    return own
