from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Mixin(Generic[T]):
    note: str = "not a field"


@dataclass(kw_only=True)
class Base(Mixin[int]):
    name: str
    size: int = 1


class Between(Base):
    other: int = 2


@dataclass
class Timed:
    wait: float = 1.0
    size: float = 2.5
