"""Events that every process is told of: each once, whoever emits, and what is around the queue or happens to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from oneiric import Runtime
from oneiric.adapters.queue.memory import MemoryQueue
from oneiric.engines import listening
from oneiric.envelope import Envelope, encoded
from oneiric.lifecycle.activation import renew
from oneiric.runtime import host_of

from tests.unit.events.outboxes import until
from tests.unit.events.parts import PLACED, subscribed, wired
from tests.unit.runtime.making import run

EVERYWHERE = {
    "all": subscribed(fanout="processes", where=[{"path": "cents", "above": 0}]),
    "one": subscribed(),
}


class Shared(MemoryQueue):
    """One queue for all processes of a test, as a server is: an application closes none of it."""

    async def aclose(self) -> None:
        pass


def process(queue: MemoryQueue | Callable[[], MemoryQueue], called: Counter[str], name: str) -> Runtime[Any]:
    """An application of its own, as each process has it."""

    def noting(key: str) -> Any:
        async def handle(self: Any, *, event: Any, envelope: Envelope) -> None:
            called[f"{name} {key} {envelope.id}"] += 1

        return handle

    handlers = {"all": noting("all"), "one": noting("one")}
    adapters = {"queue": ("memory", queue if callable(queue) else lambda: queue)}
    return Runtime(wired(handlers, EVERYWHERE, adapters=adapters, broadcast="adapter:queue"))


def event_of(id: str) -> bytes:
    return encoded(Envelope(id=id, source="shop", type="order.placed", data=PLACED))


async def listeners(queue: MemoryQueue, number: int) -> None:
    await until(lambda: len(queue._listeners) == number)


def test_every_process_is_told_once_and_others_are_not() -> None:
    called: Counter[str] = Counter()

    async def main() -> None:
        queue = Shared()
        async with process(queue, called, "a") as a, process(queue, called, "b"), process(queue, called, "c"):
            await listeners(queue, 3)
            answer = await a.wiring.topics.order_placed.emit(PLACED, id="1")
            states = {each.handler: each.state for each in answer.handlers}
            assert states == {"all": "completed", "one": "completed", "adapter:queue": "submitted"}
            quiet = await a.wiring.topics.order_placed.emit({**PLACED, "cents": 0}, id="2")
            assert [each.handler for each in quiet.handlers] == ["one"]
            await until(lambda: called["c all 1"] and called["b all 1"])
            await asyncio.sleep(0.02)
        assert not queue._listeners

    run(main())
    assert called == {"a all 1": 1, "a one 1": 1, "b all 1": 1, "c all 1": 1, "a one 2": 1}


def test_what_is_not_of_this_application_or_no_event_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    called: Counter[str] = Counter()

    async def main() -> None:
        queue = Shared()
        async with process(queue, called, "a"):
            await listeners(queue, 1)
            event = event_of("1")
            await queue.broadcast(event, headers={"app": "another", "process": "x"})
            await queue.broadcast(event)
            await queue.broadcast(b"{}", headers={"app": "shop", "process": "x"})
            await queue.broadcast(event, headers={"app": "shop", "process": "x"})
            await until(lambda: called["a all 1"])

    run(main())
    assert called == {"a all 1": 1}
    assert "what was heard is not an event" in caplog.text


def test_a_queue_that_is_away_is_told_and_listened_to_again() -> None:
    called: Counter[str] = Counter()
    away = [True]

    class Away(Shared):
        async def broadcast(self, body: bytes, *, headers: Any = None) -> None:
            if away[0]:
                raise ConnectionError("away")
            await super().broadcast(body, headers=headers)

        def listen(self) -> Any:
            if away[0]:
                raise ConnectionError("away")
            return super().listen()

    async def main() -> None:
        queue = Away()
        async with process(queue, called, "a") as a, process(queue, called, "b"):
            answer = await a.wiring.topics.order_placed.emit(PLACED, id="1")
            assert [(each.handler, each.error) for each in answer.failed] == [
                ("adapter:queue", "ConnectionError: away")
            ]
            away[0] = False
            await listeners(queue, 2)
            await a.wiring.topics.order_placed.emit(PLACED, id="2")
            await until(lambda: called["b all 2"])

    run(main())
    assert called["a all 1"] == called["a all 2"] == 1
    assert called["b all 1"] == 0


def test_another_instance_of_the_queue_is_listened_to_and_a_paused_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "_SLICE", 0.02)
    called: Counter[str] = Counter()

    async def main() -> None:
        queue, server = Shared(), Shared()
        queues = {"b": queue}
        async with process(queue, called, "a") as a, process(lambda: queues["b"], called, "b") as b:
            await listeners(queue, 2)
            host_of(b).paused["adapter:queue"] = "tired"
            await listeners(queue, 1)
            await a.wiring.topics.order_placed.emit(PLACED, id="1")
            del host_of(b).paused["adapter:queue"]
            await listeners(queue, 2)
            await a.wiring.topics.order_placed.emit(PLACED, id="2")
            await until(lambda: called["b all 2"])
            queues["b"] = server
            held = host_of(b).base.slot("adapter:queue").held
            assert held is not None
            await renew(held)
            await listeners(server, 1)
            await listeners(queue, 1)
            await server.broadcast(event_of("3"), headers={"app": "shop", "process": "x"})
            await until(lambda: called["b all 3"])

    run(main())
    assert (called["b all 1"], called["b all 2"]) == (0, 1)
