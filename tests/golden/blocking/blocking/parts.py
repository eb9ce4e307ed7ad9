from collections.abc import Iterator

from oneiric import component


@component("adapter", "counter", provider="p", blocking=False)
class Counter:
    def __init__(self, *, start: int = 1) -> None: ...

    def close(self) -> None: ...


@component("adapter", "entered", provider="p", blocking=False)
def entered() -> Iterator[Counter]:
    yield Counter()


class Names:
    pass


def fixed(*, hour: int = 8) -> Names:
    return Names()
