from dataclasses import dataclass

from elsewhere import Base, generated
from attrs import define, field
from oneiric import component


@dataclass
class Inherits(Base):
    size: int = 1


@dataclass
class Makes:
    size: int = 1

    def __init__(self, size: str) -> None:
        self.size = int(size)


@generated
@dataclass
class Decorated:
    size: int = 1


@define
class Converts:
    size: int = field(converter=int)
    name: str = ""


@dataclass
class Holds:
    makes: Makes
    name: str


@component("adapter", "store", provider="p")
class Store:
    def __init__(
        self, *, inherits: Inherits, makes: Makes | None = None, decorated: Decorated, converts: Converts, holds: Holds
    ) -> None: ...
