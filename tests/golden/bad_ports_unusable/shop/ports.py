from typing import Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
NUMBER = 5


class Good(Protocol):
    def f(self) -> None: ...


class Other(Protocol):
    def f(self) -> None: ...


class NoProtocol:
    pass


class Inherits(Good):
    pass


class HasProperty(Protocol):
    @property
    def size(self) -> int: ...


class HasAttribute(Protocol):
    size: int


class OfSomething(Protocol[T_co]):
    def f(self) -> T_co: ...
