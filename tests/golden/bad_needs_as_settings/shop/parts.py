from collections.abc import Sequence

from oneiric import component

from shop.ports import Nobody, Pricing


@component("service", "pricing", provider="fixed", port="shop.ports:Pricing")
class Fixed:
    def __init__(self, *, cents: int) -> None: ...

    def price(self, sku: str) -> int:
        return 1


@component("service", "rates", provider="fixed", port="shop.ports:Pricing")
class Rates:
    def price(self, sku: str) -> int:
        return 2


class Pool:
    pass


@component("adapter", "pool", provider="made")
def pool() -> Pool:
    return Pool()


@component("service", "checkout", provider="std")
class Checkout:
    """Its needs were dropped, and what is lacking written down as settings."""

    def __init__(
        self,
        *,
        pricing: Pricing,
        pool: Pool,
        fixed: Fixed | None = None,
        several: Sequence[Pricing] = (),
        nobody: Nobody | None = None,
        named: "str | Pricing" = "x",
        elsewhere: Pricing | None = None,
    ) -> None: ...


@component("service", "till", provider="std")
class Till:
    """Its needs were dropped, and nothing stands for them."""

    def __init__(self, *, pricing: Pricing, pool: Pool | None, drawers: int, mode: bool) -> None: ...


class Counter:
    def __init__(self, *, pricing: Pricing) -> None: ...
