from dataclasses import dataclass
from typing import Literal

from oneiric import component


@dataclass
class Cat:
    kind: Literal["cat"]
    lives: int = 9


@dataclass
class Dog:
    kind: Literal["dog"]
    tricks: tuple[str, ...] = ()


@component("adapter", "pet", provider="p")
class Pet:
    def __init__(self, *, pet: Cat | Dog, spare: Cat | Dog | None = None, named: Cat | str = "") -> None: ...
