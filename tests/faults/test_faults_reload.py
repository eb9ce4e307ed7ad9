"""Reloads that fail at every step: before the commit nothing changes, after it nothing is undone; nothing leaks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from oneiric import Deadlines, Outcome, Runtime, RuntimeClosed
from oneiric.reload.outcome import Event
from oneiric.runtime import host_of

from tests.faults.reloading import (
    SHORT,
    Counted,
    app,
    closed_once,
    part,
    settled,
    until,
)
from tests.unit.runtime.making import run

Story = Callable[[Runtime[Any], list[Counted]], Awaitable[None]]


def told(story: Story, *, within: float = 10.0, deadlines: Deadlines = SHORT, **keys: Any) -> list[dict[str, Any]]:
    """Run a story on `a`, which `b` needs, both active, then close it all; what the loop was told of."""
    ledger: list[Counted] = []
    reported: list[dict[str, Any]] = []

    async def all_of_it() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        first = app(ledger, **{"a": part("1"), "b": part("1", needs=("adapter:a",)), **keys})
        async with Runtime(first, deadlines=deadlines) as runtime:
            assert await runtime.wiring.adapters.b.live.ping() == "b/1"
            await story(runtime, ledger)
        closed_once(ledger)

    run(all_of_it(), within=within)
    return reported


def second(ledger: list[Counted], fault: str = "", how: str = "", **keys: Any) -> type[Any]:
    """The same with another `a`."""
    return app(ledger, **{"a": part("2", fault, how), "b": part("1", needs=("adapter:a",)), **keys})


def rejected(outcome: Outcome, code: str) -> None:
    assert not outcome.accepted
    assert outcome.code == code
    assert outcome.reason
    assert "hunter2" not in outcome.reason


@pytest.mark.parametrize(
    ("fault", "how", "code"),
    [
        ("factory", "raise", "start"),
        ("factory", "hang", "start"),
        ("factory", "late", "start"),
        ("start", "raise", "start"),
        ("start", "hang", "start"),
        ("health", "raise", "health"),
        ("health", "hang", "health"),
        ("health", "false", "health"),
    ],
)
def test_a_component_that_fails_rejects_the_wiring_and_changes_nothing(fault: str, how: str, code: str) -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        before, generation = dict(host_of(runtime).active), runtime.generation
        wiring = second(ledger, fault, how, c=part("1", eager=True))
        outcome = await runtime.reload(wiring)
        rejected(outcome, code)
        assert host_of(runtime).active == before
        assert outcome.generation == runtime.generation == generation
        assert await runtime.wiring.adapters.a.live.ping() == "a/1"
        assert not hasattr(runtime.wiring.adapters, "c")
        assert runtime.rejected is not None
        assert runtime.rejected.source is wiring
        assert runtime.rejected.reason == outcome.reason
        await until(lambda: all(each.closes or each.name[-1] == "1" for each in ledger))

    told(story)


def test_a_factory_that_blocks_the_loop_is_late_but_right() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        outcome = await runtime.reload(second(ledger, "factory", "block"))
        if outcome.accepted:
            assert await runtime.wiring.adapters.a.live.ping() == "a/2"
        else:
            rejected(outcome, "start")
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize("how", ["raise", "hang", "false"])
def test_force_accepts_a_failing_health_check_and_says_so(how: str) -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        outcome = await runtime.reload(second(ledger, "health", how), force=True)
        assert outcome.accepted
        assert any("forced" in report for report in outcome.reports)
        assert await runtime.wiring.adapters.a.live.ping() == "a/2"
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize("fault", ["factory", "start"])
def test_force_accepts_nothing_else(fault: str) -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        rejected(await runtime.reload(second(ledger, fault, "raise"), force=True), "start")
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize("how", ["raise", "hang"])
def test_a_pre_swap_hook_that_fails_rejects(how: str) -> None:
    async def hook(_: Event) -> None:
        if how == "hang":
            await asyncio.sleep(60)
        raise OSError("pw=hunter2")

    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        runtime.on("pre-swap", hook)
        rejected(await runtime.reload(second(ledger)), "hook")
        assert await runtime.wiring.adapters.a.live.ping() == "a/1"
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize("name", ["post-swap", "cleanup"])
@pytest.mark.parametrize("how", ["raise", "hang"])
def test_a_later_hook_that_fails_is_reported_and_undoes_nothing(name: Any, how: str) -> None:
    async def hook(_: Event) -> None:
        if how == "hang":
            await asyncio.sleep(60)
        raise OSError("pw=hunter2")

    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        runtime.on(name, hook)
        outcome = await runtime.reload(second(ledger))
        assert outcome.accepted
        (report,) = outcome.reports
        assert name in report
        assert "hunter2" not in report
        assert await runtime.wiring.adapters.a.live.ping() == "a/2"
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize("how", ["raise", "hang"])
def test_an_old_instance_whose_close_fails_is_reported_and_undoes_nothing(how: str) -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        outcome = await runtime.reload(second(ledger))
        assert outcome.accepted
        (report,) = outcome.reports
        assert report.startswith("adapter:a (1): close")
        assert await runtime.wiring.adapters.a.live.ping() == "a/2"
        settled(runtime, ledger)

    told(story, a=part("1", "close", how))


def test_a_lease_never_given_back_ends_at_the_deadline_and_is_reported() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        async with runtime.wiring.adapters.a.lease() as old:
            outcome = await runtime.reload(second(ledger))
            assert outcome.accepted
            (report,) = outcome.reports
            assert "1 leases still held" in report
            assert old.closes == 1
            assert await runtime.wiring.adapters.a.live.ping() == "a/2"
        settled(runtime, ledger)

    told(story)


def test_a_lease_that_ends_keeps_the_old_instance_open_until_then() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        slot = runtime.wiring.adapters.a
        async with slot.lease() as old:
            reloading = asyncio.ensure_future(runtime.reload(second(ledger)))
            await until(lambda: slot.current is not old)
            assert not old.closes
            assert await old.ping() == "a/1"
        assert (await reloading).reports == ()
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize(
    ("keys", "options", "code"),
    [
        ({"b": part("1", needs=("adapter:gone",))}, (), "shape"),
        ({"b": part("2", secrets=("PW",))}, (), "shape"),
        ({}, ("other",), "app"),
    ],
)
def test_a_wiring_that_does_not_fit_is_rejected(keys: Any, options: tuple[str, ...], code: str) -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        wiring = app(ledger, *options, **{"a": part("2"), **keys})
        rejected(await runtime.reload(wiring), code)
        assert await runtime.wiring.adapters.b.live.ping() == "b/1"
        settled(runtime, ledger)

    told(story)


GOOD = """\
from oneiric.wiring import Domain, Wiring as BaseWiring, bind
class Adapters(Domain):
    @bind("adapter:a", "9", provider="9", port="tests.faults.reloading:Pinging")
    def a(self):
        from tests.faults.reloading import Counted
        return Counted([], "a/9")
class Wiring(BaseWiring, app="test"):
    adapters: Adapters
Wiring.domains(adapters=Adapters)
"""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((GOOD[:end], ("load", "shape")) for end in range(0, len(GOOD) - 1, 23)),
        (GOOD.replace("bind(", "band("), ("load",)),
        (GOOD + "import nowhere.at_all\n", ("load",)),
        (GOOD + "raise SystemExit\n", ("load",)),
        ("\0" * 20, ("load",)),
        (GOOD.replace('app="test"', 'app="other"'), ("app",)),
        (None, ("load",)),
    ],
)
def test_a_file_that_is_no_whole_wiring_is_rejected(tmp_path: Any, text: str | None, code: tuple[str, ...]) -> None:
    path = tmp_path / "wiring.py"
    if text is not None:
        path.write_text(text)

    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        outcome = await runtime.reload(path)
        assert outcome.code in code
        rejected(outcome, str(outcome.code))
        assert runtime.rejected is not None
        assert runtime.rejected.source == str(path)
        assert await runtime.wiring.adapters.b.live.ping() == "b/1"
        settled(runtime, ledger)

    told(story)


def test_twenty_reloads_at_once_are_done_in_turn() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        wirings = [second(ledger, a=part(str(number + 2))) for number in range(20)]
        outcomes = await asyncio.gather(*(runtime.reload(wiring) for wiring in wirings))
        assert all(outcome.accepted for outcome in outcomes)
        assert await runtime.wiring.adapters.a.live.ping() == "a/21"
        settled(runtime, ledger)

    told(story)


def test_equal_reloads_at_once_are_one() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        wiring = second(ledger)
        outcomes = await asyncio.gather(*(runtime.reload(wiring) for _ in range(20)))
        assert len({id(outcome) for outcome in outcomes}) == 1
        assert [each.name for each in ledger].count("a/2") == 1
        assert (await runtime.reload(wiring)).code == "unchanged"
        settled(runtime, ledger)

    told(story)


def test_reloads_that_differ_in_how_are_not_one() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        wiring = second(ledger)
        plan, plain, forced, again = await asyncio.gather(
            runtime.reload(wiring, plan_only=True),
            runtime.reload(wiring),
            runtime.reload(wiring, force=True),
            runtime.reload(wiring),
        )
        assert [each.code for each in (plan, plain, forced, again)] == ["planned", None, "unchanged", "unchanged"]
        assert forced is not again
        settled(runtime, ledger)

    told(story)


@pytest.mark.parametrize("steps", [*range(0, 30, 3), 60, 120])
def test_a_shutdown_during_reloads_closes_everything(steps: int) -> None:
    ledger: list[Counted] = []

    async def story() -> None:
        first = app(ledger, a=part("1"), b=part("1", needs=("adapter:a",)))
        async with Runtime(first, deadlines=SHORT) as runtime:
            await runtime.wiring.adapters.b.live.ping()
            tasks = [asyncio.ensure_future(runtime.reload(second(ledger, a=part(str(n))))) for n in range(2, 5)]
            for _ in range(steps):
                await asyncio.sleep(0)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, Outcome | RuntimeClosed) for result in results)
        with pytest.raises(RuntimeClosed):
            await runtime.reload(first)

    run(story())
    closed_once(ledger)


def test_calls_never_fail_while_everything_is_replaced() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        stop = False
        calls = 0

        async def user() -> None:
            nonlocal calls
            a, b = runtime.wiring.adapters.a.live, runtime.wiring.adapters.b.live
            while not stop:
                assert (await a.ping()).startswith("a/")
                assert (await b.ping()).startswith("b/")
                calls += 2

        users = [asyncio.ensure_future(user()) for _ in range(20)]
        for number in range(2, 30):
            wiring = app(ledger, a=part(str(number)), b=part(str(number), needs=("adapter:a",)))
            assert (await runtime.reload(wiring)).accepted
        stop = True
        await asyncio.gather(*users)
        assert calls > 100
        settled(runtime, ledger)

    told(story, within=60, deadlines=Deadlines())  # threads get little of a processor that is this busy


def test_threads_never_see_a_mixed_table() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        names = [f"k{number}" for number in range(16)]
        eager = {name: part("0", eager=True) for name in names}
        assert (await runtime.reload(app(ledger, **eager))).accepted
        slots = [getattr(runtime.wiring.adapters, name) for name in names]
        stop = threading.Event()
        mixed: list[set[str]] = []
        seen: set[str] = set()

        def look() -> None:
            while not stop.is_set():
                table = runtime.snapshot()
                generations = {table[slot].name.split("/")[1] for slot in slots}
                seen.update(generations)
                if len(generations) != 1:
                    mixed.append(generations)
                time.sleep(0.0002)

        threads = [threading.Thread(target=look, daemon=True) for _ in range(1)]
        for thread in threads:
            thread.start()
        for number in range(1, 6):
            await runtime.reload(app(ledger, **{name: part(str(number), eager=True) for name in names}))
        stop.set()
        await asyncio.to_thread(lambda: [thread.join(5) for thread in threads])
        assert not mixed
        assert len(seen) > 1
        settled(runtime, ledger)

    told(story, within=60, deadlines=Deadlines())
