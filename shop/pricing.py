"""Prices and the tax in them."""

from __future__ import annotations

from oneiric import component

PRICES = {"mug": 1200, "poster": 2500, "sticker": 150}


@component("service", "pricing", provider="list", port="shop.ports:Pricing")
class ListPrices:
    async def price(self, article: str) -> int:
        return PRICES[article]


@component("service", "pricing", provider="seasonal", stack_level=5, port="shop.ports:Pricing")
class SeasonalPrices:
    """List prices less a rebate."""

    def __init__(self, *, percent_off: int = 10) -> None:
        self._percent = 100 - percent_off

    async def price(self, article: str) -> int:
        return PRICES[article] * self._percent // 100


@component("service", "tax", provider="flat", port="shop.ports:Tax")
class FlatTax:
    async def included(self, cents: int) -> int:
        return cents // 10


@component("service", "tax", provider="vat", capabilities=("eu",), port="shop.ports:Tax")
class Vat:
    def __init__(self, *, percent: int = 19) -> None:
        self._percent = percent

    async def included(self, cents: int) -> int:
        return cents - cents * 100 // (100 + self._percent)
