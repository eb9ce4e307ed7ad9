"""Orders that come as messages: whoever sends them does not wait for payment and receipt."""

from __future__ import annotations

import asyncio
import json
import logging

from oneiric import component
from oneiric.adapters.queue import Queue

from shop.ports import Customers, Orders

PAUSE = 1.0
"""Seconds between two attempts of a worker that met an error."""


@component(
    "task",
    "intake",
    provider="queue",
    needs={"customers": "service:customers", "orders": "service:orders", "queue": "adapter:queue"},
    eager=True,
)
class QueueIntake:
    """Places the orders in the queue, so many `at_once`.

    A message is `{"customer": "ada", "articles": {"mug": 2}}`, with a token for the name where `customers` wants one.
    One whose order fails comes again, at last as a dead letter.
    """

    def __init__(self, *, customers: Customers, orders: Orders, queue: Queue, at_once: int = 4) -> None:
        self._customers, self._orders, self._queue, self._at_once = customers, orders, queue, at_once
        self._workers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._at_once)]

    async def health(self) -> bool:
        return not any(worker.done() for worker in self._workers)

    async def aclose(self) -> None:
        """Stop; orders that are not done yet come again."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                await self._next()
            except Exception:
                logging.getLogger(__name__).exception("an order was not placed, or none could be fetched")
                await asyncio.sleep(PAUSE)

    async def _next(self) -> None:
        async with self._queue.consume() as message:
            if message is not None:
                order = json.loads(message.body)
                customer = await self._customers.who(order["customer"])
                await self._orders.place(customer, order["articles"])
