"""What an order has to pass before it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oneiric import component

from shop.ports import OrderRefused


@component("service", "check.amount", provider="limits", port="shop.ports:Check")
class AmountCheck:
    """Keeps orders within what the warehouse sends in one parcel.

    `limits`: the most `pieces` and the most different `articles`.
    """

    def __init__(self, *, limits: Limits) -> None:
        self._limits = limits

    async def check(self, customer: str, articles: Mapping[str, int]) -> None:
        if sum(articles.values()) > self._limits.pieces or len(articles) > self._limits.articles:
            raise OrderRefused(f"an order has at most {self._limits.pieces} pieces of {self._limits.articles} articles")


@dataclass(frozen=True)
class Limits:
    pieces: int = 100
    articles: int = 20


@component("service", "check.pieces", provider="whole", port="shop.ports:Check")
class PiecesCheck:
    async def check(self, customer: str, articles: Mapping[str, int]) -> None:
        if not articles or min(articles.values()) < 1:
            raise OrderRefused("an order has at least one piece of each article")
