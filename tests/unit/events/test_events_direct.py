"""Direct delivery: who gets an event, in what order, how many at a time, and what one handler can do to another."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from oneiric import Emitted, Envelope, EventError, Runtime
from oneiric.envelope import EnvelopeError

from tests.unit.events.parts import PLACED, Placed, Shipped, subscribed, wired
from tests.unit.runtime.making import run

Handler = Callable[..., Any]


def emitted(
    handlers: dict[str, Handler],
    subscriptions: dict[str, dict[str, Any]],
    event: Any = PLACED,
    topic: str = "order_placed",
) -> Emitted:
    async def main() -> Emitted:
        async with Runtime(wired(handlers, subscriptions)) as runtime:
            slot: Any = getattr(runtime.wiring.topics, topic)
            answer: Emitted = await slot.emit(event)
            return answer

    return run(main())


def noting(calls: list[Any], name: str, seconds: float = 0.0) -> Handler:
    async def handle(self: Any, *, event: Placed) -> str:
        calls.append(("begin", name))
        await asyncio.sleep(seconds)
        calls.append(("end", name))
        return name

    return handle


def test_each_handler_answers_for_itself() -> None:
    async def works(self: Any, *, event: Placed) -> int:
        return event["cents"] * 2

    async def fails(self: Any, *, event: Placed) -> None:
        raise KeyError("no such thing")

    answer = emitted({"works": works, "fails": fails}, {"works": subscribed(), "fails": subscribed()})
    assert answer.topic == "order.placed"
    assert answer.source == "shop"
    by_name = {each.handler: each for each in answer.handlers}
    assert (by_name["works"].state, by_name["works"].value, by_name["works"].attempts) == ("completed", 10, 1)
    assert by_name["works"].duration >= 0
    assert (by_name["fails"].state, by_name["fails"].error) == ("failed", "KeyError: 'no such thing'")
    assert [each.handler for each in answer.failed] == ["fails"]


def test_nobody_listens() -> None:
    answer = emitted({}, {})
    assert answer.handlers == ()
    assert answer.failed == ()


def test_priorities_are_groups_one_after_the_other() -> None:
    calls: list[Any] = []
    handlers = {name: noting(calls, name, 0.01) for name in "abcd"}
    ranks = {"a": 0, "b": 50, "c": 50, "d": -5}
    emitted(handlers, {name: subscribed(priority=rank) for name, rank in ranks.items()})
    assert calls[:2] == [("begin", "b"), ("begin", "c")]
    assert set(calls[2:4]) == {("end", "b"), ("end", "c")}
    assert calls[4:] == [("begin", "a"), ("end", "a"), ("begin", "d"), ("end", "d")]


def test_a_group_waits_for_one_that_fails_late() -> None:
    calls: list[Any] = []

    async def fails(self: Any, *, event: Placed) -> None:
        await asyncio.sleep(0.01)
        calls.append(("failed", "high"))
        raise OSError("late")

    emitted(
        {"high": fails, "low": noting(calls, "low")}, {"high": subscribed(priority=1), "low": subscribed(priority=0)}
    )
    assert calls == [("failed", "high"), ("begin", "low"), ("end", "low")]


@pytest.mark.parametrize(
    ("subscriptions", "called"),
    [
        ({"a": subscribed(fanout="exclusive"), "b": subscribed(fanout="exclusive")}, ["a"]),
        ({"a": subscribed(fanout="exclusive", priority=1), "b": subscribed(fanout="exclusive", priority=9)}, ["b"]),
        ({"a": subscribed(priority=9), "b": subscribed(fanout="exclusive", priority=1), "c": subscribed()}, ["a", "b"]),
        ({"a": subscribed(), "b": subscribed(fanout="exclusive")}, ["a", "b"]),
        (
            {
                "a": subscribed(fanout="exclusive", priority=9, where=[{"path": "cents", "above": 100}]),
                "b": subscribed(fanout="exclusive"),
            },
            ["b"],
        ),
    ],
)
def test_below_an_exclusive_match_nobody_gets_it(subscriptions: dict[str, Any], called: list[str]) -> None:
    calls: list[Any] = []
    answer = emitted({name: noting(calls, name) for name in subscriptions}, subscriptions)
    assert sorted(each.handler for each in answer.handlers) == called


@pytest.mark.parametrize(
    ("where", "delivered"),
    [
        ([{"path": "customer", "equals": "ada"}], True),
        ([{"path": "customer", "any_of": ["bob"]}], False),
        ([{"path": "cents", "above": 4}, {"path": "cents", "below": 5}], False),
        ([{"any": [{"path": "customer", "equals": "bob"}, {"not": {"path": "nothing", "exists": True}}]}], True),
        ([{"envelope": "type", "matches": "placed$"}, {"envelope": "subject", "exists": False}], True),
        ([{"envelope": "source", "equals": "elsewhere"}], False),
        ([{"envelope": "customer", "exists": True}], False),
        ([{"path": "source", "exists": False}, {"not": {"envelope": "source", "exists": False}}], True),
        ([{"any": [{"envelope": "traceid", "exists": True}, {"envelope": "tenant", "exists": True}]}], False),
        ([{"envelope": "time", "above": "2026-01-01T00:00:00+00:00"}], True),
    ],
)
def test_where_is_asked_of_the_event(where: list[Any], delivered: bool) -> None:
    calls: list[Any] = []
    emitted({"a": noting(calls, "a")}, {"a": subscribed(where=where)})
    assert bool(calls) is delivered


def test_an_extension_is_asked_for_and_reaches_the_handler() -> None:
    seen: list[Any] = []

    async def handle(self: Any, *, event: Any, envelope: Envelope) -> None:
        seen.append(envelope.extensions)

    async def main() -> None:
        where = [{"envelope": "traceid", "matches": "^t"}, {"envelope": "hops", "below": 3}]
        async with Runtime(wired({"a": handle}, {"a": subscribed("order.placed", where=where)})) as runtime:
            emit = runtime.wiring.topics.order_placed.emit
            for extensions in ({"traceid": "t1", "hops": 1}, {"traceid": "t1", "hops": 3}, {"traceid": "x"}, None):
                await emit(PLACED, extensions=extensions)
            with pytest.raises(EnvelopeError, match="`Trace-Id` is not a valid name of an extension"):
                await emit(PLACED, extensions={"Trace-Id": "t1"})

    run(main())
    assert seen == [{"traceid": "t1", "hops": 1}]


def test_no_more_at_once_than_said() -> None:
    under_way = Counter[str]()
    most = Counter[str]()

    def counting(name: str) -> Handler:
        async def handle(self: Any, *, event: Placed) -> None:
            under_way[name] += 1
            most[name] = max(most[name], under_way[name])
            await asyncio.sleep(0.002)
            under_way[name] -= 1

        return handle

    async def main() -> None:
        subscriptions = {"one": subscribed(at_once=1), "four": subscribed(at_once=4), "all": subscribed()}
        async with Runtime(wired({name: counting(name) for name in subscriptions}, subscriptions)) as runtime:
            emit = runtime.wiring.topics.order_placed.emit
            answers = await asyncio.gather(*(emit(PLACED) for _ in range(20)))
        assert all(not answer.failed for answer in answers)

    run(main())
    assert most == {"one": 1, "four": 4, "all": 20}


def test_retries_are_counted_and_a_place_is_kept_through_them() -> None:
    calls: list[int] = []

    async def flaky(self: Any, *, event: Placed) -> str:
        calls.append(1)
        if len(calls) < 3:
            raise OSError("not yet")
        return "at last"

    retry = {"attempts": 5, "delay": 0.0, "max": 0.0, "jitter": 0.0}
    answer = emitted({"flaky": flaky}, {"flaky": subscribed(retry=retry)})
    assert (answer.handlers[0].state, answer.handlers[0].value, answer.handlers[0].attempts) == (
        "completed",
        "at last",
        3,
    )
    calls.clear()
    answer = emitted({"flaky": flaky}, {"flaky": subscribed(retry={**retry, "attempts": 2})})
    assert (answer.handlers[0].state, answer.handlers[0].attempts) == ("failed", 2)


async def hangs(self: Any, *, event: Placed) -> None:
    await asyncio.Event().wait()


async def refuses_to_end(self: Any, *, event: Placed) -> None:
    for _ in range(3):
        try:
            await asyncio.sleep(0.3)
        except asyncio.CancelledError:
            continue


async def cancels_itself(self: Any, *, event: Placed) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(1)


async def raises_cancelled(self: Any, *, event: Placed) -> None:
    raise asyncio.CancelledError


async def exits(self: Any, *, event: Placed) -> None:
    raise SystemExit(3)


def blocks(self: Any, *, event: Placed) -> None:
    threading.Event().wait(5)


def wrong(self: Any, *, event: Shipped) -> None:
    raise AssertionError("not called")


@pytest.mark.parametrize(
    ("handler", "timeout", "error"),
    [
        (hangs, 0.02, "TimeoutError: not over after 0.02 s"),
        (refuses_to_end, 0.02, "TimeoutError: not over after 0.02 s"),
        (blocks, 0.02, "TimeoutError: not over after 0.02 s"),
        (cancels_itself, None, "HandlerCancelled: the handler cancelled itself"),
        (cancels_itself, 5.0, "HandlerCancelled: the handler cancelled itself"),
        (raises_cancelled, None, "HandlerCancelled: the handler cancelled itself"),
        (raises_cancelled, 5.0, "HandlerCancelled: the handler cancelled itself"),
        (exits, None, "Failed: raised SystemExit"),
        (
            wrong,
            None,
            (
                "EventError: event:bad does not take the event: "
                "the value is wrong: object missing required field `parcels`"
            ),
        ),
    ],
)
def test_what_one_does_concerns_no_other(
    monkeypatch: pytest.MonkeyPatch, handler: Handler, timeout: float | None, error: str
) -> None:
    monkeypatch.setattr("oneiric.engines.delivery._GRACE", 0.05)
    calls: list[Any] = []
    answer = emitted(
        {"bad": handler, "good": noting(calls, "good", 0.03)},
        {"bad": subscribed(timeout=timeout), "good": subscribed()},
    )
    assert calls == [("begin", "good"), ("end", "good")]
    assert {each.handler: each.error for each in answer.handlers} == {"bad": error, "good": None}


def test_a_synchronous_handler_has_a_thread_with_the_context_of_who_emits() -> None:
    told = contextvars.ContextVar("told", default="")

    def handle(self: Any, *, event: Placed) -> tuple[str, str, bool]:
        event["id"] = "changed"
        return told.get(), event["customer"], threading.current_thread() is threading.main_thread()

    async def main() -> None:
        told.set("by the emitter")
        async with Runtime(wired({"a": handle, "b": handle}, {"a": subscribed(), "b": subscribed()})) as runtime:
            answer = await runtime.wiring.topics.order_placed.emit(PLACED)
        assert [each.value for each in answer.handlers] == [("by the emitter", "ada", False)] * 2

    run(main())
    assert PLACED["id"] == "1"


def test_what_a_handler_changes_of_the_context_stays_with_it() -> None:
    told = contextvars.ContextVar("told", default="")

    async def handle(self: Any, *, event: Placed) -> None:
        told.set("by the handler")

    async def main() -> None:
        async with Runtime(wired({"a": handle}, {"a": subscribed()})) as runtime:
            await runtime.wiring.topics.order_placed.emit(PLACED)
        assert told.get() == ""

    run(main())


def test_a_handler_has_its_own_event_of_its_own_type_and_the_envelope() -> None:
    seen: list[Any] = []

    async def shipped(self: Any, *, event: Shipped, envelope: Envelope | None = None) -> None:
        event.parcels.append("mine")
        seen.append((event, envelope))

    async def untyped(self: Any, *, event, **others: Any) -> None:  # type: ignore[no-untyped-def]
        event["parcels"].append("mine")
        seen.append((event, others["envelope"]))

    subscriptions = {"a": subscribed("order.shipped"), "b": subscribed("order.shipped")}
    emitted({"a": shipped, "b": untyped}, subscriptions, Shipped("7", ["p"]), "order_shipped")
    (typed, first), (plain, second) = sorted(seen, key=lambda each: isinstance(each[0], dict))
    assert typed == Shipped("7", ["p", "mine"])
    assert plain == {"id": "7", "parcels": ["p", "mine"]}
    assert first is not None
    assert (first.type, first.source, first.tenant) == ("order.shipped", "shop", None)
    assert first.id == second.id


def test_a_type_that_only_checkers_see_is_told() -> None:
    async def handle(self: Any, *, event: Hidden) -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    answer = emitted({"a": handle}, {"a": subscribed()})
    assert answer.handlers[0].error is not None
    assert "event:a says that its `event` is a Hidden" in answer.handlers[0].error


@pytest.mark.parametrize(
    ("topic", "event", "what"),
    [
        ("order_placed", {"id": "1", "customer": "ada"}, "missing required field `cents`"),
        ("order_placed", {**PLACED, "cents": "5"}, r"cents is wrong: expected `int`, got `str`"),
        ("anything", [1], "a JSON object is expected"),
        ("anything", {"a": float("nan")}, "a is nan, which JSON does not have"),
        ("anything", {"a": [{"b": "\ud800"}]}, r"a\[0\].b has a lone surrogate"),
        ("anything", {"a": object()}, "is not JSON"),
    ],
)
def test_an_event_that_is_not_of_its_topic_is_refused(topic: str, event: Any, what: str) -> None:
    with pytest.raises(EventError, match=what):
        emitted({}, {}, event, topic)


def test_cancelling_who_emits_cancels_what_is_under_way() -> None:
    begun, ended = list[str](), list[str]()

    async def handle(self: Any, *, event: Placed) -> None:
        begun.append("a")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("a")

    async def main() -> None:
        subscriptions = {"a": subscribed(), "b": subscribed(timeout=60.0)}
        async with Runtime(wired({"a": handle, "b": handle}, subscriptions)) as runtime:
            task = asyncio.ensure_future(runtime.wiring.topics.order_placed.emit(PLACED))
            while len(begun) < 2:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert ended == ["a", "a"]

    run(main())


def test_two_hundred_events_and_ten_subscribers_that_fail_hang_and_block() -> None:
    """Every event is answered by all ten, each as it behaves, whatever the others do; limits and order hold."""
    order: dict[str, list[int]] = {}
    under_way, most = Counter[str](), Counter[str]()
    guard = threading.Lock()

    def entered(name: str, event: dict[str, Any], priority: int) -> None:
        with guard:
            under_way[name] += 1
            most[name] = max(most[name], under_way[name])
            order.setdefault(event["id"], []).append(priority)

    def left(name: str) -> None:
        with guard:
            under_way[name] -= 1

    def behaving(name: str, priority: int) -> Handler:
        async def handle(self: Any, *, event: dict[str, Any]) -> str:
            entered(name, event, priority)
            try:
                if name.startswith("fail"):
                    raise ValueError(name)
                await asyncio.sleep({"slow": 0.003, "hang": 60}.get(name[:4], 0))
                return name
            finally:
                left(name)

        def sync(self: Any, *, event: dict[str, Any]) -> str:
            entered(name, event, priority)
            time.sleep(0.0005)
            left(name)
            return name

        return sync if name.startswith("sync") else handle

    fields: dict[str, dict[str, Any]] = {
        "fail1": {"priority": 5}, "fail2": {"priority": -5}, "slow1": {"at_once": 8, "priority": 5},
        "slow2": {"at_once": 16}, "hang1": {"timeout": 0.01}, "hang2": {"timeout": 0.01, "priority": 5, "at_once": 50},
        "sync1": {"at_once": 4}, "sync2": {"at_once": 4, "priority": -5}, "ok1": {}, "ok2": {"priority": -5},
    }  # fmt: skip
    handlers = {name: behaving(name, each.get("priority", 0)) for name, each in fields.items()}

    async def main() -> list[Emitted]:
        wiring = wired(handlers, {name: subscribed("anything", **each) for name, each in fields.items()})
        async with Runtime(wiring) as runtime:
            emit = runtime.wiring.topics.anything.emit
            return list(await asyncio.gather(*(emit({"id": str(each)}) for each in range(200))))

    answers = run(main())
    for answer in answers:
        states = {each.handler: each.state for each in answer.handlers}
        assert states == {name: "failed" if name[:4] in ("fail", "hang") else "completed" for name in fields}
        assert [each.value for each in answer.handlers if each.success] == [
            each.handler for each in answer.handlers if each.success
        ]
    assert len(order) == 200
    assert all(priorities == sorted(priorities, reverse=True) for priorities in order.values())
    for name, each in fields.items():
        assert most[name] <= each.get("at_once", 200)
