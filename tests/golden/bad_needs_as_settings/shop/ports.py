from typing import Protocol


class Pricing(Protocol):
    def price(self, sku: str) -> int: ...


class Nobody(Protocol):
    """A port that nothing promises."""

    def nothing(self) -> None: ...
