"""Durable deliveries: runs of the engine, one per event and subscription."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import oneiric
import pytest
from oneiric import Envelope, Runtime
from oneiric.adapters.engine.inline import InlineEngine
from oneiric.declared import work_of
from oneiric.errors import Unavailable
from oneiric.runtime import host_of

from tests.unit.events.parts import PLACED, Placed, subscribed, wired
from tests.unit.runtime.making import run

Handler = Callable[..., Any]
AGAIN = {"attempts": 3, "delay": 0.01, "max": 0.01, "jitter": 0.0}


def runtime(handlers: dict[str, Handler], subscriptions: dict[str, Any]) -> Runtime[Any]:
    return Runtime(wired(handlers, subscriptions, adapters={"engine": ("inline", InlineEngine)}))


def engine_of(runtime: Runtime[Any]) -> Any:
    return work_of(host_of(runtime).base).engine


def test_a_delivery_is_a_run_once_per_event() -> None:
    seen: list[Any] = []

    async def mail(self: Any, *, event: Placed, envelope: Envelope) -> dict[str, str]:
        seen.append((event, envelope.id, envelope.type, oneiric.token()))
        return {"sent": event["customer"]}

    def books(self: Any, *, event: Placed) -> None:
        seen.append(event["cents"])

    async def main() -> None:
        subscriptions = {"mail": subscribed(delivery="durable"), "books": subscribed(delivery="durable")}
        async with runtime({"mail": mail, "books": books}, subscriptions) as application:
            emit = application.wiring.topics.order_placed.emit
            answer = await emit(PLACED, id="e1", subject="order/1")
            assert [(each.handler, each.state, each.run) for each in answer.handlers] == [
                ("books", "submitted", "shop/e1/books"),
                ("mail", "submitted", "shop/e1/mail"),
            ]
            again = await emit(PLACED, id="e1", subject="order/1")
            assert [each.state for each in again.handlers] == ["known", "known"]
            outcome = await engine_of(application).result("shop/e1/mail")
            assert (outcome["state"], outcome["result"]) == ("completed", {"sent": "ada"})
            await engine_of(application).result("shop/e1/books")
            (known,) = await engine_of(application).runs(key="event:mail")
            assert known.queue == "ordered"

    run(main())
    assert sorted(map(str, seen)) == sorted(map(str, [5, (PLACED, "e1", "order.placed", "shop/e1/mail/handle")]))


def test_an_order_is_kept_and_a_dead_letter_lets_the_next_go() -> None:
    calls: list[str] = []

    async def mail(self: Any, *, event: Placed) -> None:
        calls.append(event["id"])
        await asyncio.sleep(0.01 if event["id"] == "1" else 0)
        if event["id"] == "2":
            raise OSError("no")

    async def main() -> None:
        subscriptions = {"mail": subscribed(delivery="durable", retry=AGAIN)}
        async with runtime({"mail": mail}, subscriptions) as application:
            emit = application.wiring.topics.order_placed.emit
            for id in "1234":
                await emit({**PLACED, "id": id}, id=id)
            other = await emit({**PLACED, "id": "bob", "customer": "bob"}, id="bob")
            for id in ("1", "2", "3", "4", "bob"):
                await engine_of(application).result(f"shop/{id}/mail")
            assert other.handlers[0].run == "shop/bob/mail"
            (dead,) = await engine_of(application).runs(state="failed")
            assert dead.id == "shop/2/mail"

    run(main())
    assert [each for each in calls if each != "bob"] == ["1", "2", "2", "2", "3", "4"]
    assert calls.index("bob") < calls.index("2")


def test_a_subscription_may_start_a_workflow() -> None:
    async def main() -> None:
        fields = subscribed("anything", delivery="durable", starts="workflow:gone", queue="mail")
        async with runtime({}, {"start": fields}) as application:
            answer = await application.wiring.topics.anything.emit({"id": 1}, id="e")
            assert (answer.handlers[0].state, answer.handlers[0].attempts) == ("failed", 1)
            assert "workflow:gone" in (answer.handlers[0].error or "")

    run(main())


def test_an_engine_that_is_away_fails_the_delivery_alone() -> None:
    calls: list[Any] = []

    class Away(InlineEngine):
        async def submit(self, submission: Any) -> bool:
            raise Unavailable("away")

    async def direct(self: Any, *, event: Placed) -> None:
        calls.append(event)

    async def main() -> None:
        wiring = wired(
            {"mail": direct, "audit": direct},
            {"mail": subscribed(delivery="durable"), "audit": subscribed()},
            adapters={"engine": ("inline", Away)},
        )
        async with Runtime(wiring) as application:
            answer = await application.wiring.topics.order_placed.emit(PLACED)
        assert {each.handler: each.state for each in answer.handlers} == {"mail": "failed", "audit": "completed"}
        assert answer.failed[0].error == "Unavailable: away"

    run(main())
    assert calls == [PLACED]


@pytest.mark.parametrize("priority", [9, -9])
def test_exclusive_is_by_priority_whatever_the_delivery(priority: int) -> None:
    async def handle(self: Any, *, event: Placed) -> None:
        pass

    async def main() -> list[str]:
        subscriptions = {
            "a": subscribed(fanout="exclusive"),
            "b": subscribed(fanout="exclusive", priority=priority, delivery="durable"),
        }
        async with runtime({"a": handle, "b": handle}, subscriptions) as application:
            answer = await application.wiring.topics.order_placed.emit(PLACED)
            return [each.handler for each in answer.handlers]

    assert run(main()) == (["b"] if priority > 0 else ["a"])


def test_what_a_handler_gives_need_not_be_json() -> None:
    async def mail(self: Any, *, event: Placed) -> object:
        return object()

    async def main() -> None:
        async with runtime({"mail": mail}, {"mail": subscribed(delivery="durable")}) as application:
            await application.wiring.topics.order_placed.emit(PLACED, id="e")
            outcome = await engine_of(application).result("shop/e/mail")
            assert (outcome["state"], outcome["result"]) == ("completed", None)

    run(main())
