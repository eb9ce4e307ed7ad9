from dataclasses import dataclass
from typing import final

from oneiric import component

from objects_inherited.base import Between, Timed


@final
@dataclass
class Leaf(Between, Timed):
    wait: int = 3  # type: ignore[assignment]
    last: bool = False


@component("adapter", "store", provider="p")
class Store:
    def __init__(self, *, leaf: Leaf, between: Between) -> None: ...
