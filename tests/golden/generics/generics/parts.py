from typing import Generic, Protocol, TypeVar

from oneiric import component

T = TypeVar("T")


class Finds(Protocol[T]):
    def find(self, number: int) -> T: ...


class FindsText(Finds[str], Protocol):
    pass


class Store(Generic[T]):
    def find(self, number: int) -> T:
        raise LookupError(number)


class Deeper(Store[list[T]]):
    pass


@component("adapter", "open", provider="p")
class OpenStore(Deeper[T]):
    pass


@component("adapter", "closed", provider="p", port="generics.parts:FindsText")
class ClosedStore(Store[str]):
    pass


@component("adapter", "made", provider="p")
def make() -> Store[int]:
    return Store()
