"""Events between applications: exported to queues, imported from them, once and not in circles."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from oneiric import Runtime
from oneiric.adapters.queue.memory import MemoryQueue
from oneiric.engines import incoming
from oneiric.envelope import Envelope, decoded, encoded
from oneiric.errors import Unavailable
from oneiric.runtime import host_of

from tests.unit.events.outboxes import until
from tests.unit.events.parts import PLACED, Placed, subscribed, wired
from tests.unit.events.recording import Recording, recording
from tests.unit.runtime.making import run


@pytest.fixture(name="work")
def intake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recording:
    return recording(tmp_path / "runs", monkeypatch)


async def _unused(self: Any, *, event: Any) -> None:
    raise AssertionError("durable deliveries are runs")


MAIL = {"mail": subscribed(delivery="durable")}


async def taken(queue: MemoryQueue) -> list[Envelope]:
    """What waits in a queue, taken out."""
    found: list[Envelope] = []
    while True:
        async with queue.consume(wait=0) as message:
            if message is None:
                return found
            assert message.headers == {"content-type": "application/cloudevents+json"}
            found.append(decoded(message.body))


def test_what_matches_is_exported_once_per_queue(work: Recording) -> None:
    async def main() -> None:
        queue = MemoryQueue()
        exports = {"order.*": "adapter:queue", "order.placed": "adapter:queue"}
        wiring = wired({}, {}, adapters={"queue": ("memory", lambda: queue)}, exports=exports)
        async with Runtime(wiring) as runtime:
            answer = await runtime.wiring.topics.order_placed.emit(PLACED, id="1", subject="s")
            await runtime.wiring.topics.anything.emit({"a": 1})
            assert [(each.handler, each.state) for each in answer.handlers] == [("adapter:queue", "submitted")]
            (found,) = await taken(queue)
            assert (found.id, found.source, found.type, found.subject, found.data) == (
                "1", "shop", "order.placed", "s", PLACED,
            )  # fmt: skip

    run(main())


def test_an_export_that_fails_is_told(work: Recording) -> None:
    class Away(MemoryQueue):
        async def publish(self, body: bytes, *, headers: Any = None) -> str:
            raise Unavailable("away")

    async def main() -> None:
        wiring = wired({}, {}, adapters={"queue": ("memory", Away)}, exports={"*": "adapter:queue"})
        async with Runtime(wiring) as runtime:
            answer = await runtime.wiring.topics.order_placed.emit(PLACED)
            assert [each.error for each in answer.failed] == ["Unavailable: away"]

    run(main())


def envelope(id: str, source: str = "till", data: Any = PLACED, topic: str = "order.placed") -> Envelope:
    return Envelope(id=id, source=source, type=topic, data=data)


def test_an_import_is_submitted_and_delivered_and_not_exported_again(work: Recording) -> None:
    called: list[Any] = []

    async def audit(self: Any, *, event: Placed, envelope: Envelope) -> None:
        called.append((event, envelope.source))

    async def main() -> None:
        queue, out = MemoryQueue(), MemoryQueue()
        wiring = wired(
            {"audit": audit, "mail": _unused},
            {**MAIL, "audit": subscribed()},
            adapters={"queue": ("memory", lambda: out), "incoming": ("memory", lambda: queue)},
            exports={"*": "adapter:queue"},
            imports=("adapter:incoming",),
        )
        async with Runtime(wiring) as runtime:
            await runtime.wiring.adapters.queue.live.publish(b"", headers={})
            async with out.consume(wait=0):
                pass
            publish = runtime.wiring.adapters.incoming.live.publish
            await publish(encoded(envelope("1")))
            await publish(encoded(envelope("1")))  # at least once is what queues promise
            await publish(encoded(envelope("2", source="shop")))  # our own, come back
            await publish(encoded(envelope("3", topic="unheard.of")))
            await publish(encoded(envelope("4")))
            await until(lambda: len(called) == 3)
            assert await taken(out) == []
        assert called == [(PLACED, "till")] * 3

    run(main())
    assert [(each.id, each.order) for each in work.runs()] == [
        ("till/1/mail", 'mail/"ada"'),
        ("till/4/mail", 'mail/"ada"'),
    ]


def test_what_cannot_be_submitted_comes_again_and_what_cannot_be_read_is_a_dead_letter(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "_LONGEST", 0.02)
    work.faults = [Unavailable("away"), None, Unavailable("away")]

    async def main() -> None:
        queue = MemoryQueue(max_deliveries=3)
        wiring = wired(
            {"mail": _unused}, MAIL, adapters={"incoming": ("memory", lambda: queue)}, imports=("adapter:incoming",)
        )
        async with Runtime(wiring) as runtime:
            publish = runtime.wiring.adapters.incoming.live.publish
            await publish(b"no event")
            await publish(encoded(envelope("1")))
            await publish(encoded(envelope("2")))
            await until(lambda: len(work.runs()) == 2)
            dead = None
            while dead is None:
                async with queue.consume(wait=0.1, dead=True) as message:
                    dead = message
            assert dead.body == b"no event"

    run(main())
    assert {each.id for each in work.runs()} == {"till/1/mail", "till/2/mail"}


def test_an_import_that_is_paused_waits_and_leaving_ends_what_is_under_way(
    work: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "_PAUSED", 0.01)

    async def main() -> None:
        queue = MemoryQueue()
        wiring = wired(
            {"mail": _unused}, MAIL, adapters={"incoming": ("memory", lambda: queue)}, imports=("adapter:incoming",)
        )
        async with Runtime(wiring) as runtime:
            publish = runtime.wiring.adapters.incoming.live.publish
            await publish(encoded(envelope("0")))
            await until(lambda: len(work.runs()) == 1)
            host_of(runtime).paused["adapter:incoming"] = "maintenance"
            await publish(encoded(envelope("1")))  # which the consumer that waits already takes
            await until(lambda: len(work.runs()) == 2)
            await publish(encoded(envelope("2")))
            await asyncio.sleep(0.05)
            assert len(work.runs()) == 2
            del host_of(runtime).paused["adapter:incoming"]
            await until(lambda: len(work.runs()) == 3)

    run(main())


def test_an_event_of_a_transaction_is_exported_after_its_commit(work: Recording, tmp_path: Path) -> None:
    from oneiric.adapters.database.sqlite import SQLiteDatabase

    async def main() -> None:
        queue = MemoryQueue()
        path = str(tmp_path / "orders.db")
        wiring = wired(
            {},
            {},
            adapters={"database": ("sqlite", lambda: SQLiteDatabase(path=path)), "queue": ("memory", lambda: queue)},
            outbox="adapter:database",
            exports={"*": "adapter:queue"},
        )
        async with Runtime(wiring) as runtime:
            await runtime.wiring.adapters.queue.live.publish(b"first", headers={})
            async with queue.consume(wait=0):
                pass
            async with runtime.wiring.adapters.database.live.transaction() as transaction:
                await runtime.wiring.topics.order_placed.emit(PLACED, transaction=transaction, id="1")
                assert await taken(queue) == []
            async with queue.consume(wait=5) as message:
                assert message is not None
                assert decoded(message.body).id == "1"

    run(main())
