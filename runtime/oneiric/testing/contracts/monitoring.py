"""The contract of the port `monitoring`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from oneiric.adapters.monitoring import (
    MAX_ATTRIBUTES,
    MAX_NAME,
    MAX_TEXT,
    InvalidRecord,
    Kind,
    Level,
    Monitoring,
    MonitoringClosed,
    MonitoringError,
    MonitoringMisconfigured,
    MonitoringRefused,
    MonitoringUnavailable,
)
from oneiric.secret import Secret
from oneiric.testing.contracts.networked import SECRET, TIMEOUT, NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, started
from oneiric.testing.proxy import Mood, Proxy

FLUSH = 20.0


@dataclass(frozen=True)
class Seen:
    """A record as a receiver got it. `name` of an exception is its class, `text` what it says, `place` its traceback.

    `within` names the span it belongs to. A metric comes once for each set of attributes, with what was received of
    it so far: the sum of a counter or histogram, the last value of a gauge.
    """

    what: Literal["span", "event", "exception", "metric"]
    name: str
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])
    within: str | None = None
    failed: bool = False
    level: str | None = None
    text: str = ""
    place: str = ""
    kind: str | None = None
    value: float | None = None
    unit: str | None = None

    def has(self, attributes: Mapping[str, object]) -> bool:
        return all(self.attributes.get(name) == value for name, value in attributes.items())


class MonitoringContract(Contract[Monitoring]):
    """Cases for a monitoring component: subclass it and override `fresh`, `seen` and `raw`.

    All spans are to be sent, not a share of them.
    """

    def seen(self) -> Sequence[Seen]:
        """What the receiver of the last `fresh` got."""
        raise NotImplementedError("override seen()")

    def raw(self) -> bytes:
        """All that this receiver got, as it came, but not compressed."""
        raise NotImplementedError("override raw()")

    async def received(self, monitoring: Monitoring, what: str | None = None) -> list[Seen]:
        """What is received of all that was recorded, of one sort or of all."""
        assert await monitoring.flush(timeout=FLUSH)
        return [each for each in self.seen() if what in (None, each.what)]

    def test_a_fresh_one_is_healthy_and_has_sent_nothing(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            assert await health(monitoring)
            assert await self.received(monitoring) == []
            assert monitoring.dropped() == 0

        self.check(case)

    def test_a_span_has_the_attributes_of_its_begin_and_of_later(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            with monitoring.span("checkout", {"basket": 3, "shop": "a"}) as span:
                span.set({"shop": "b", "paid": True})
                assert [each for each in await self.received(monitoring, "span") if each.name == "checkout"] == []
            [seen] = await self.received(monitoring, "span")
            assert (seen.name, seen.failed, seen.within) == ("checkout", False, None)
            assert seen.has({"basket": 3, "shop": "b", "paid": True})

        self.check(case)

    def test_spans_within_spans_say_so(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            with monitoring.span("outer"):
                with monitoring.span("first"), monitoring.span("inmost"):
                    pass
                with monitoring.span("second"):
                    pass
            with monitoring.span("alone"):
                pass
            within = {each.name: each.within for each in await self.received(monitoring, "span")}
            assert within == {"outer": None, "first": "outer", "inmost": "first", "second": "outer", "alone": None}

        self.check(case)

    def test_an_exception_passes_through_a_span_which_failed(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            error = LookupError("no such order")
            with pytest.raises(LookupError) as caught, monitoring.span("checkout"):
                raise error
            assert caught.value is error
            [seen] = await self.received(monitoring, "span")
            assert seen.failed
            assert [each for each in self.seen() if each.what != "span"] == []

        self.check(case)

    @pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
    def test_an_event_has_its_level_and_attributes(self, level: Level) -> None:
        async def case(monitoring: Monitoring) -> None:
            monitoring.event("order placed", {"order": 7}, level=level)
            [seen] = await self.received(monitoring)
            assert (seen.what, seen.name, seen.level) == ("event", "order placed", level)
            assert seen.has({"order": 7})

        self.check(case)

    def test_an_exception_says_what_and_where_but_no_values_of_variables(self) -> None:
        def failing(password: str) -> None:
            local = password.upper()
            raise LookupError(f"no order of {len(local)}")

        async def case(monitoring: Monitoring) -> None:
            try:
                failing(SECRET)
            except LookupError as error:
                monitoring.exception(error, {"order": 7})
            [seen] = await self.received(monitoring)
            assert (seen.what, seen.name, seen.text) == ("exception", "LookupError", f"no order of {len(SECRET)}")
            assert "failing" in seen.place
            assert seen.has({"order": 7})
            assert SECRET.encode() not in self.raw()
            assert SECRET.upper().encode() not in self.raw()

        self.check(case)

    def test_an_exception_that_was_never_raised_is_told_too(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            monitoring.exception(ValueError("made"))
            [seen] = await self.received(monitoring, "exception")
            assert (seen.name, seen.text) == ("ValueError", "made")

        self.check(case)

    def test_events_and_exceptions_within_a_span_belong_to_it(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            with monitoring.span("checkout"):
                monitoring.event("paid")
                monitoring.exception(ValueError("late"))
            monitoring.event("left")
            seen = {each.name: each.within for each in await self.received(monitoring) if each.what != "span"}
            assert seen == {"paid": "checkout", "ValueError": "checkout", "left": None}

        self.check(case)

    @pytest.mark.parametrize(
        ("kind", "values", "result"),
        [("counter", [1, 2.5, 0], 3.5), ("gauge", [3, -1.5], -1.5), ("histogram", [1, 2, 4.5], 7.5)],
    )
    def test_a_metric_adds_up_by_its_kind(self, kind: Kind, values: list[float], result: float) -> None:
        async def case(monitoring: Monitoring) -> None:
            for value in values:
                monitoring.metric("shop.orders", value, {"shop": "a"}, kind=kind, unit="ms")
            [seen] = await self.received(monitoring)
            assert (seen.what, seen.name, seen.kind, seen.value) == ("metric", "shop.orders", kind, result)
            assert seen.unit == "ms"
            assert seen.has({"shop": "a"})
            if kind == "counter":
                monitoring.metric("shop.orders", 1, {"shop": "a"}, unit="ms")
                assert [each.value for each in await self.received(monitoring)] == [result + 1]

        self.check(case)

    def test_a_metric_counts_for_each_set_of_attributes(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            for shop, value in (("a", 1), ("b", 10), ("a", 2)):
                monitoring.metric("orders", value, {"shop": shop})
            seen = {str(each.attributes["shop"]): each.value for each in await self.received(monitoring)}
            assert seen == {"a": 3, "b": 10}

        self.check(case)

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("", ""),
            ("héllo \N{SNOWMAN} \U0001f600", "héllo \N{SNOWMAN} \U0001f600"),
            ("line\nend\t", "line\nend\t"),
            ("\ud800", "\\ud800"),
            (b"bytes", "bytes"),
            (b"\xff\x00", "\\xff\x00"),
            (True, True),
            (False, False),
            (0, 0),
            (-(2**63), -(2**63)),
            (2**63, str(2**63)),
            (1.5, 1.5),
            (float("nan"), "nan"),
            (float("-inf"), "-inf"),
            ([1, "a"], "[1, 'a']"),
        ],
    )
    def test_every_value_is_told(self, given: Any, told: object) -> None:
        async def case(monitoring: Monitoring) -> None:
            monitoring.event("probe", {"value": given, "left out": None})
            with monitoring.span("work", {"value": given}):
                pass
            event, span = sorted(await self.received(monitoring), key=lambda each: each.what)
            for seen in (event, span):
                assert seen.attributes["value"] == told
                assert type(seen.attributes["value"]) is type(told)
                assert "left out" not in seen.attributes

        self.check(case)

    def test_a_value_without_text_is_told_as_its_class(self) -> None:
        class Silent:
            def __str__(self) -> str:
                raise RuntimeError("no text")

        async def case(monitoring: Monitoring) -> None:
            value: Any = Silent()
            monitoring.event("probe", {"value": value})
            [seen] = await self.received(monitoring)
            assert seen.attributes["value"] == "<Silent>"

        self.check(case)

    def test_secrets_are_masked(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            secret: Any = Secret(SECRET)
            told = {"value": secret, "db.password": SECRET, "API-Key": SECRET, "authorization": SECRET}
            monitoring.event("event", told)
            monitoring.exception(ValueError("wrong"), told)
            monitoring.metric("metric", 1, told)
            with monitoring.span("span", told) as span:
                span.set({"Refresh_Token": SECRET})
            assert len(await self.received(monitoring)) == 4
            assert SECRET.encode() not in self.raw()

        self.check(case)

    def test_what_is_too_big_is_cut_and_hinders_nothing(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            monitoring.event("n" * 10_000, {"a" * 10_000: "é" * 3_000_000})
            monitoring.event("many", {f"name{number}": number for number in range(10 * MAX_ATTRIBUTES)})
            monitoring.exception(ValueError("x" * 3_000_000))
            with pytest.raises(ValueError), monitoring.span("failed"):
                raise ValueError("y" * 3_000_000)
            monitoring.event("after")
            seen = {each.name: each for each in await self.received(monitoring)}
            assert len(self.raw()) < 1_000_000
            [big] = [each for name, each in seen.items() if name.startswith("nnn")]
            assert len(big.name) == MAX_NAME
            [(name, value)] = [(name, value) for name, value in big.attributes.items() if name.startswith("aaa")]
            assert len(name) == MAX_NAME
            assert len(str(value)) <= MAX_TEXT
            assert str(value).startswith("éééé")
            assert sum(name.startswith("name") for name in seen["many"].attributes) == MAX_ATTRIBUTES
            assert seen["ValueError"].text.startswith("xxxx")
            assert seen["failed"].failed
            assert "after" in seen
            assert monitoring.dropped() == 0

        self.check(case)

    def test_what_no_record_can_have_is_refused(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            wrong: Any
            for wrong in ("", None, 5):
                with pytest.raises(InvalidRecord):
                    monitoring.event(wrong)
                with pytest.raises(InvalidRecord):
                    monitoring.span(wrong)
            for wrong in ("", "1st", "é", "a b", "a" * 256, None):
                with pytest.raises(InvalidRecord):
                    monitoring.metric(wrong, 1)
            for wrong in (float("nan"), float("inf"), 10**400, -1, "1", None, True):
                with pytest.raises(InvalidRecord):
                    monitoring.metric("metric", wrong)
            for wrong in ("m s", "é", "x" * 64, None):
                with pytest.raises(InvalidRecord):
                    monitoring.metric("metric", 1, unit=wrong)
            wrong = "other"
            with pytest.raises(InvalidRecord):
                monitoring.metric("metric", 1, kind=wrong)
            with pytest.raises(InvalidRecord):
                monitoring.event("event", level=wrong)
            assert await self.received(monitoring) == []

        self.check(case)

    def test_spans_of_fifty_tasks_at_once_do_not_mix(self) -> None:
        async def user(monitoring: Monitoring, number: int) -> None:
            with monitoring.span(f"outer{number}"):
                await asyncio.sleep(0)
                with monitoring.span(f"inner{number}"):
                    await asyncio.sleep(0)
                    monitoring.event(f"event{number}")
                monitoring.metric("calls", 1)

        async def case(monitoring: Monitoring) -> None:
            await asyncio.gather(*(user(monitoring, number) for number in range(50)))
            seen = {each.name: each for each in await self.received(monitoring)}
            for number in range(50):
                assert seen[f"outer{number}"].within is None
                assert seen[f"inner{number}"].within == f"outer{number}"
                assert seen[f"event{number}"].within == f"inner{number}"
            assert seen["calls"].value == 50

        self.check(case)

    def test_threads_may_record(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            def work(number: int) -> None:
                with monitoring.span(f"thread{number}"):
                    monitoring.event(f"event{number}")
                    monitoring.metric("calls", 1)

            threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            seen = {each.name: each for each in await self.received(monitoring)}
            assert [seen[f"event{number}"].within for number in range(20)] == [f"thread{n}" for n in range(20)]
            assert seen["calls"].value == 20

        self.check(case)

    def test_what_the_buffer_cannot_hold_is_dropped_and_counted(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            for number in range(2000):
                monitoring.event("event", {"number": number})
            await monitoring.flush(timeout=FLUSH)
            assert len(self.seen()) + monitoring.dropped() == 2000
            monitoring.event("after")
            assert "after" in [each.name for each in await self.received(monitoring)]

        self.check(case)

    def test_a_cancelled_flush_leaves_one_that_works(self) -> None:
        async def work(monitoring: Monitoring) -> None:
            monitoring.event("before")
            await monitoring.flush(timeout=FLUSH)

        async def case(monitoring: Monitoring) -> None:
            async for _ in cancelled_at_every_step(lambda: work(monitoring)):
                pass
            monitoring.event("after")
            assert "after" in [each.name for each in await self.received(monitoring)]

        self.check(case)

    def test_closing_sends_what_waits_and_ends_all_threads(self) -> None:
        before = set(threading.enumerate())

        async def case(monitoring: Monitoring) -> None:
            monitoring.event("event")
            monitoring.metric("metric", 1)
            with monitoring.span("span"):
                pass
            await close(monitoring)
            assert sorted(each.name for each in self.seen()) == ["event", "metric", "span"]
            assert monitoring.dropped() == 0
            while left := {each for each in threading.enumerate() if each not in before and not of_others(each)}:
                await asyncio.sleep(0.01)
                assert all(thread.daemon for thread in left)

        self.check(case)

    def test_closing_twice_is_fine(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            await close(monitoring)
            await close(monitoring)

        self.check(case)

    def test_a_closed_one_refuses_every_call(self) -> None:
        async def case(monitoring: Monitoring) -> None:
            with monitoring.span("open") as span:
                await close(monitoring)
                span.set({"late": True})
            assert not await health(monitoring)
            for attempt in (
                lambda: monitoring.span("span"),
                lambda: monitoring.event("event"),
                lambda: monitoring.exception(ValueError("error")),
                lambda: monitoring.metric("metric", 1),
            ):
                with pytest.raises(MonitoringClosed):
                    attempt()
            with pytest.raises(MonitoringClosed):
                await monitoring.flush()
            assert self.seen() == []

        self.check(case)


def of_others(thread: threading.Thread) -> bool:
    """Whether it is a thread of the loop's pool, or of a receiver (which is called so)."""
    return thread.name.startswith(("asyncio_", "receiver", "proxy"))


class NetworkedMonitoringContract(NetworkedContract[Monitoring]):
    """Cases for a monitoring component behind a network, besides those of `MonitoringContract`.

    Where others raise because of their server, `flush` says that not everything arrived.
    """

    base = MonitoringError
    unavailable = MonitoringUnavailable
    refusal = MonitoringRefused
    misconfigured = MonitoringMisconfigured

    async def use(self, component: Monitoring, number: int = 0) -> None:
        with component.span(f"span {number}", {"number": number}):
            component.event(f"event {number}")
        component.metric("calls", 1)
        if not await component.flush(timeout=4 * TIMEOUT):
            raise MonitoringUnavailable("it did not arrive", provider="any", setting="any")

    @pytest.mark.parametrize("mood", ["hang", "garbage", "drop"])
    def test_a_server_that_begins_to_talk_badly_is_unavailable_until_it_stops(self, mood: Mood) -> None:
        """An answer that is cut may have said all: what it is about has arrived."""
        super().test_a_server_that_begins_to_talk_badly_is_unavailable_until_it_stops(mood)

    def test_a_receiver_that_hangs_holds_nobody_up(self) -> None:
        async def case(component: Monitoring, proxy: Proxy) -> None:
            async with started(component):
                await self.use(component)
                proxy.mood = "hang"
                before = component.dropped()
                turns = asyncio.ensure_future(asyncio.sleep(0))
                for number in range(3000):
                    component.event(f"event {number}")
                assert not turns.done()  # nothing gave way to the loop, and nothing waited
                assert component.dropped() > before
                await close(component)
                assert component.dropped() <= before + 3000

        self.behind(case)
