"""rodi: a container of types, built once into a provider.

https://www.neoteroi.dev/rodi/getting-started/, /registering-types/
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

DISTRIBUTION = "rodi"


def _provider(parts: Parts, replaced: dict[type, type]) -> Any:
    from rodi import Container

    container = Container()
    for pair in parts.pairs():
        for cls in pair:
            container.add_singleton(cls, replaced.get(cls))
    return container.build_provider()


def start(parts: Parts) -> Any:
    return _provider(parts, {}).get(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("get(Desk)", {"get": _provider(parts, {}).get, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from rodi import Container

    container = Container()
    for cls in (A, B, C):
        container.add_transient(cls)
    return {DISTRIBUTION: ("get(A)", {"get": container.build_provider().get, "A": A})}


def tenant(parts: Parts) -> Any:
    other, store, desk = parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        own_provider = _provider(parts, {store: other})
        return own_provider.get(desk), own_provider

    return own
