"""injector: bindings in singleton scope; a child injector has its own; what it knows already is not bound by itself.

https://injector.readthedocs.io/en/latest/terminology.html, /practices.html
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from benchmarks.field.cache import Cache

DISTRIBUTION = "injector"


def _injector(parts: Parts) -> Any:
    from injector import Injector, inject, singleton

    def configure(binder: Any) -> None:
        for store, desk in parts.pairs():
            binder.bind(store, to=store, scope=singleton)
            binder.bind(desk, to=inject(desk), scope=singleton)

    return Injector([configure], auto_bind=False)


def start(parts: Parts) -> Any:
    return _injector(parts).get(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("get(Desk)", {"get": _injector(parts).get, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from injector import Injector, inject

    def configure(binder: Any) -> None:
        for cls in (A, B):
            binder.bind(cls, to=inject(cls))
        binder.bind(C)

    return {DISTRIBUTION: ("get(A)", {"get": Injector([configure], auto_bind=False).get, "A": A})}


def swap(first: Cache) -> tuple[Any, Any]:
    from injector import Injector

    cache = type(first)
    injector = Injector([lambda binder: binder.bind(cache, to=first)], auto_bind=False)
    return lambda: injector.get(cache), lambda other: injector.binder.bind(cache, to=other)


def tenant(parts: Parts) -> Any:
    from injector import inject, singleton

    base, other, store, desk = _injector(parts), parts.other(), *parts.first()

    def configure(binder: Any) -> None:
        binder.bind(store, to=other, scope=singleton)
        binder.bind(desk, to=inject(desk), scope=singleton)

    def own(name: str) -> tuple[Any, Any]:
        child = base.create_child_injector([configure], auto_bind=False)
        return child.get(desk), child

    return own
