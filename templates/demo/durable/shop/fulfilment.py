"""The steps of an order. Each writes its token into a journal: what was done, and by which process."""

from __future__ import annotations

import asyncio
import os
from typing import Protocol, TypedDict

from oneiric import Token, component

JOURNAL = "journal.txt"
SECONDS = 0.03
"""What a parcel waits for the carrier, times the number of its order: orders end one after the other."""


class OrderPlaced(TypedDict):
    number: int


class Step(Protocol):
    async def __call__(self, *, order: int, token: Token | None = None) -> None: ...


def note(what: object) -> None:
    with open(JOURNAL, "a", encoding="utf-8") as journal:
        journal.write(f"{os.getpid()} {what}\n")


@component("task", "charge", provider="card", port="shop.fulfilment:Step", idempotent=True)
class Charge:
    async def __call__(self, *, order: int, token: Token | None = None) -> None:
        note(token)


@component("task", "label", provider="printer", port="shop.fulfilment:Step", idempotent=True)
class Label:
    async def __call__(self, *, order: int, token: Token | None = None) -> None:
        note(token)


@component("task", "ship", provider="carrier", port="shop.fulfilment:Step", idempotent=True)
class Ship:
    async def __call__(self, *, order: int, token: Token | None = None) -> None:
        await asyncio.sleep(SECONDS * order)
        note(token)
