"""The demo's production profile on real servers: compiled, served, and swapped while orders come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from benchmarks.production import SWAPS, Seen, Shop, shop, story

ORDERS = 25
THERE = (*SWAPS[:-1:2], SWAPS[-1])
"""Each swap without the one back, and the rotation; `python -m benchmarks.production` does all."""


@pytest.fixture(scope="module")
def made() -> Iterator[Shop]:
    with shop(at_once=8) as made:
        yield made


@pytest.fixture(scope="module")
def seen(made: Shop) -> Seen:
    return asyncio.run(story(made, ORDERS, THERE))


def test_orders_came_during_every_swap(seen: Seen) -> None:
    assert len(seen.swaps) == len(THERE)
    assert [what for what, _, sent in seen.swaps if not sent] == []


def test_no_order_failed(seen: Seen) -> None:
    assert seen.dead == 0
    assert seen.logged == []


def test_every_order_is_in_one_database_once(seen: Seen) -> None:
    assert seen.lost == 0
    assert not seen.kept["postgres"] & seen.kept["sqlite"]


def test_every_order_has_its_receipt_in_one_storage(seen: Seen) -> None:
    assert sum(seen.receipts.values()) == seen.sent
    assert min(seen.receipts.values()) >= ORDERS


def test_who_held_the_key_that_was_rotated_was_restarted(made: Shop, seen: Seen) -> None:
    logged = [json.loads(line) for line in made.log.read_text("utf-8").splitlines()]
    rotated = next(number for number, line in enumerate(logged) if line["event"] == "rotate")
    assert (logged[rotated - 1]["event"], logged[rotated - 1]["key"]) == ("activate", "payments")


def test_both_databases_and_the_server_of_the_cache_were_used(seen: Seen) -> None:
    assert len(seen.kept["postgres"]) >= 2 * ORDERS
    assert len(seen.kept["sqlite"]) >= ORDERS
    assert seen.cached > 0


def test_the_process_ended_well(seen: Seen) -> None:
    assert seen.code == 0


def test_nothing_is_left(made: Shop, seen: Seen) -> None:
    async def look() -> None:
        assert not await made.on_postgres("postgres", f"SELECT 1 FROM pg_database WHERE datname = '{made.name}'")

    asyncio.run(look())
