"""Floor: a dictionary from name to instance; `start` imports every class and makes what it is asked for, no more."""

from __future__ import annotations

from collections import ChainMap

from benchmarks.field.parts import FIRST, Parts

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

LABEL = "dict"


def start(parts: Parts) -> Any:
    classes = {desk.__name__: (store, desk) for store, desk in parts.pairs()}
    store, desk = classes[f"Desk{FIRST}"]
    return desk(store())


def access(parts: Parts) -> dict[str, tuple[str, dict[str, Any]]]:
    app = {f"desk-{number}": desk(store()) for number, (store, desk) in enumerate(parts.pairs())}
    return {LABEL: (f"app['desk-{FIRST}']", {"app": app})}


def tenant(parts: Parts) -> Any:
    base = {f"desk-{number}": desk(store()) for number, (store, desk) in enumerate(parts.pairs())}
    other, desk = parts.other(), parts.first()[1]

    def own(name: str) -> tuple[Any, Any]:
        app = ChainMap({f"desk-{FIRST}": desk(other())}, base)
        return app[f"desk-{FIRST}"], app

    return own
