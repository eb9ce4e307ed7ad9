from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


def entered(function: Callable[[], Iterator[T]]) -> Callable[[], T]:
    return lambda: next(function())
