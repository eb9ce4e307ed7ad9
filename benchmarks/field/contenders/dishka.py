"""dishka: one provider in scope APP; no lock and no validation, as it allows where there is one thread.

https://dishka.readthedocs.io/en/stable/container/index.html, /provider/provide.html
"""

from __future__ import annotations

from benchmarks.field.chain import A, B, C
from benchmarks.field.parts import Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

DISTRIBUTION = "dishka"


def _container(parts: Parts, replaced: dict[type, type]) -> Any:
    from dishka import Provider, Scope, make_container

    provider = Provider(scope=Scope.APP)
    for pair in parts.pairs():
        for cls in pair:
            provider.provide(replaced.get(cls, cls), provides=cls)
    return make_container(provider, lock_factory=None, skip_validation=True)


def start(parts: Parts) -> Any:
    return _container(parts, {}).get(parts.first()[1])


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    return {DISTRIBUTION: ("get(Desk)", {"get": _container(parts, {}).get, "Desk": parts.first()[1]})}


def transient() -> dict[str, tuple[str, dict[str, Any]]]:
    from dishka import Provider, Scope, make_container

    provider = Provider(scope=Scope.APP)
    for cls in (A, B, C):
        provider.provide(cls, cache=False)
    container = make_container(provider, lock_factory=None, skip_validation=True)
    return {DISTRIBUTION: ("get(A)", {"get": container.get, "A": A})}


def tenant(parts: Parts) -> Any:
    other, store, desk = parts.other(), *parts.first()

    def own(name: str) -> tuple[Any, Any]:
        own_container = _container(parts, {store: other})
        return own_container.get(desk), own_container

    return own
