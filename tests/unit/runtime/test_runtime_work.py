"""Workflows of a running application: started, waited for, of tenants, inside each other, paused, swapped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from oneiric import Paused, PayloadError, RunFailed, Runtime, token
from oneiric.declared import flow
from oneiric.engines.work import NoQueue, work_of
from oneiric.flows.model import Limits
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring, bind

from tests.unit.runtime.making import run
from tests.unit.runtime.orders.parts import LEDGER, Order
from tests.unit.runtime.orders.wiring import Adapters
from tests.unit.runtime.orders.wiring import Wiring as Orders


@pytest.fixture(autouse=True)
def ledger() -> Iterator[None]:
    LEDGER.done.clear()
    LEDGER.faults.clear()
    yield
    LEDGER.done.clear()
    LEDGER.faults.clear()


def within(work: Any, wiring: type[Any] = Orders, **options: Any) -> Any:
    async def enter() -> Any:
        async with Runtime(wiring, **options) as runtime:
            return await work(runtime)

    return run(enter())


def small(flows: dict[str, Any], **tasks: Any) -> type[Any]:
    """A wiring of workflows by key, and of tasks by key: instances."""
    workflows: dict[str, Any] = {
        name: flow(f"workflow:{name}", repr(stated), flow=stated)(None)  # type: ignore[arg-type]
        for name, stated in flows.items()
    }
    parts: dict[str, Any] = {
        name: bind(f"task:{name}", getattr(part, "version", "1"), provider="test")(lambda _, part=part: part)
        for name, part in tasks.items()
    }

    class Small(Wiring, app="small"):
        __queues__ = {"few": {"at_once": 2, "rate": [10, 60.0]}}  # noqa: RUF012

    workflows["__engine__"] = "oneiric.engines.workflows:Workflows"
    domains: dict[str, Any] = {
        "adapters": Adapters,
        "tasks": type("Tasks", (Domain,), parts),
        "workflows": type("Workflows", (Domain,), workflows),
    }
    Small.domains(**domains)
    return Small


def test_a_workflow_runs_and_gives_its_result() -> None:
    async def work(runtime: Runtime[Orders]) -> Any:
        return await runtime.wiring.workflows.fulfil.live(Order("o1", 2))

    assert within(work) == {"charge": "till-o1", "labels": ["label o1-0", "label o1-1"]}
    assert LEDGER.done[0] == ("reserve", "o1", 2)
    assert ("charge", "o1", 100, "till") in LEDGER.done


def test_a_run_starts_once_for_its_id_and_is_known_by_it() -> None:
    async def work(runtime: Runtime[Orders]) -> None:
        slot = runtime.wiring.workflows.fulfil
        handles = [await slot.start(Order("o1", 1), id="first") for _ in range(5)]
        results = await asyncio.gather(*(each.result() for each in handles))
        assert all(each == results[0] for each in results)
        known = await handles[0].status()
        assert (known.id, known.key, known.state, known.queue) == ("first", "workflow:fulfil", "completed", "orders")
        assert not await handles[0].cancel()

    within(work)
    assert [each for each in LEDGER.done if each[0] == "reserve"] == [("reserve", "o1", 1)]


def test_inline_runs_what_the_wiring_says_without_an_engine() -> None:
    async def work(runtime: Runtime[Orders]) -> None:
        result = await runtime.wiring.workflows.fulfil.inline(Order("o1", 0))
        assert result == {"charge": None, "labels": []}
        assert await work_of(host_of(runtime)).engine.runs() == []

    within(work)


@pytest.mark.parametrize("way", ["live", "start", "inline"])
def test_an_input_of_another_type_is_refused_before_anything_runs(way: str) -> None:
    async def work(runtime: Runtime[Any]) -> None:
        slot = runtime.wiring.workflows.fulfil
        wrong: list[tuple[Any, str]] = [
            ({"id": 1, "quantity": 1}, "`id` is wrong: expected `str`"),
            ({"id": "a"}, "quantity"),
            (1, "object"),
        ]
        for given, says in wrong:
            with pytest.raises(PayloadError, match=says):
                await getattr(slot, way)(given)

    within(work)
    assert LEDGER.done == []


def test_a_run_that_fails_raises_every_error_in_the_order_of_the_flow() -> None:
    LEDGER.faults["charge"] = RuntimeError("declined")

    async def work(runtime: Runtime[Orders]) -> None:
        with pytest.raises(RunFailed) as caught:
            await runtime.wiring.workflows.fulfil.live(Order("o1", 1))
        assert [(each["node"], each["type"], each["message"]) for each in caught.value.errors] == [
            ("charge", "RuntimeError", "declined")
        ]
        assert "workflow:fulfil failed: charge: RuntimeError: declined" in str(caught.value)

    within(work)


def test_runs_of_a_tenant_are_made_in_its_view_and_carry_it() -> None:
    async def work(runtime: Runtime[Orders]) -> None:
        handle = await runtime.tenant("acme").workflows.fulfil.start(Order("o1", 1), id="of-acme")
        assert (await handle.result())["charge"] == "acme-o1"
        assert (await handle.status()).tenant == "acme"
        assert (await runtime.tenant("plain").workflows.fulfil.live(Order("o2", 1)))["charge"] == "till-o2"
        assert (await runtime.wiring.workflows.fulfil.live(Order("o3", 1)))["charge"] == "till-o3"

    within(work)


def test_a_run_of_a_tenant_that_is_gone_is_parked_and_never_the_base_s() -> None:
    async def work(runtime: Runtime[Orders]) -> None:
        from oneiric.flows.model import Submission

        runs = work_of(host_of(runtime))
        flow = runs.flow_of("workflow:fulfil", None)
        await runs.submit(Submission("r", flow, {"id": "a", "quantity": 1}, tenant="nobody"))
        while (known := await runs.run("r")).state != "parked":
            await asyncio.sleep(0.005)
        assert "there is no tenant 'nobody'" in str(known.why)

    within(work)
    within(work, unknown_tenant="error")
    assert LEDGER.done == []


class Noting:
    """A task that says by whom it was called."""

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.tokens: list[Any] = []
        self.seen: asyncio.Event = asyncio.Event()
        self.go: asyncio.Event = asyncio.Event()
        self.go.set()

    async def __call__(self, *, at: int = 0) -> Any:
        self.tokens.append(token())
        self.seen.set()
        await self.go.wait()
        return self.version


ONE: dict[str, Any] = {"nodes": {"a": {"call": "task:note", "after": []}}, "result": "${a}"}


def test_a_step_reads_its_token_and_outside_there_is_none() -> None:
    note = Noting()

    async def work(runtime: Runtime[Any]) -> None:
        await (await runtime.wiring.workflows.one.start({}, id="r1")).result()
        assert token() is None

    within(work, small({"one": ONE}, note=note))
    assert note.tokens == ["r1/a"]


def test_a_workflow_in_a_workflow_is_a_run_of_its_own_by_the_step_s_token() -> None:
    outer: dict[str, Any] = {"nodes": {"inner": {"call": "workflow:one", "after": []}}, "result": "${inner}"}
    note = Noting()

    async def work(runtime: Runtime[Any]) -> None:
        assert await (await runtime.wiring.workflows.outer.start({}, id="r1")).result() == "1"
        known = await work_of(host_of(runtime)).engine.runs()
        assert {each.id for each in known} == {"r1", "r1/inner"}

    within(work, small({"one": ONE, "outer": outer}, note=note))
    assert note.tokens == ["r1/inner/a"]


class Code:
    """A workflow that is code."""

    def __init__(self) -> None:
        self.begun = 0

    async def __call__(self, *, times: int, fail: bool = False) -> list[Any]:
        from oneiric import steps

        self.begun += 1
        made = [await steps().call("task:note", {"at": n}) for n in range(times)]
        if fail and self.begun == 1:
            raise RuntimeError("once")
        return made


def test_a_workflow_of_code_has_steps_that_are_made_once() -> None:
    note, code = Noting(), Code()

    async def work(runtime: Runtime[Any]) -> None:
        handle = await runtime.wiring.tasks.code.start({"times": 2, "fail": True}, id="c1")
        with pytest.raises(RunFailed, match="run: RuntimeError: once"):
            await handle.result()
        await work_of(host_of(runtime)).engine.retry("c1")
        assert await handle.result() == ["1", "1"]

    within(work, small({"one": ONE}, note=note, code=code))
    assert (code.begun, note.tokens) == (2, ["c1/run/task:note/run", "c1/run/task:note[1]/run"])


def test_durable_steps_need_a_run() -> None:
    from oneiric import NotInRun, steps

    with pytest.raises(NotInRun, match="durable steps need a run"):
        steps()


def test_a_paused_workflow_is_not_started_and_a_paused_call_waits() -> None:
    note = Noting()

    async def work(runtime: Runtime[Any]) -> None:
        host = host_of(runtime)
        host.paused["workflow:one"] = "pause: maintenance"
        with pytest.raises(Paused, match="maintenance"):
            await runtime.wiring.workflows.one.live({})
        host.resume("workflow:one")
        host.paused["task:note"] = "pause: maintenance"
        waiting = asyncio.ensure_future(runtime.wiring.workflows.one.live({}))
        while not host.resuming:
            await asyncio.sleep(0)
        assert note.tokens == []
        host.resume("task:note")
        assert await waiting == "1"
        assert not host.resuming

    within(work, small({"one": ONE}, note=note))


def test_a_queue_that_is_not_declared_is_refused() -> None:
    async def work(runtime: Runtime[Any]) -> None:
        with pytest.raises(NoQueue, match="no queue many; the settings have few"):
            await runtime.wiring.workflows.one.start({}, queue="many")
        await (await runtime.wiring.workflows.one.start({}, id="r", queue="few")).result()
        (queue,) = await work_of(host_of(runtime)).engine.queues()
        assert queue.limits == Limits(2, None, (10, 60.0))

    within(work, small({"one": ONE}, note=Noting()))


def test_leaving_lets_the_step_under_way_end_and_begins_no_more() -> None:
    two: dict[str, Any] = {
        "nodes": {"a": {"call": "task:slow", "after": []}, "b": {"call": "task:note", "after": ["a"]}}
    }
    slow, note = Noting(), Noting()
    slow.go.clear()

    async def enter() -> None:
        async with Runtime(small({"two": two}, slow=slow, note=note)) as runtime:
            await runtime.wiring.workflows.two.start({}, id="r")
            await slow.seen.wait()
            asyncio.get_running_loop().call_later(0.05, slow.go.set)

    run(enter())
    assert (slow.tokens, note.tokens) == (["r/a"], [])


@pytest.mark.parametrize("steps", ["current", "pinned"])
def test_a_swap_in_the_middle_of_100_runs_does_as_promised(steps: str) -> None:
    nodes = {"a": {"call": "task:wait", "after": list[str]()}, "b": {"call": "task:note", "after": ["a"]}}
    held: dict[str, Any] = {"nodes": nodes, "result": "${b}", "steps": steps}
    gate = Noting()
    gate.go.clear()
    old, new = (small({"held": held}, wait=gate, note=Noting(version)) for version in ("old", "new"))

    async def enter() -> None:
        async with Runtime(old) as runtime:
            before = [await runtime.wiring.workflows.held.start({}, id=f"before-{n}") for n in range(100)]
            while len(gate.tokens) < 100:
                await asyncio.sleep(0)
            outcome = await runtime.reload(new)
            assert outcome.accepted, outcome
            gate.go.set()
            results = await asyncio.gather(*(each.result() for each in before))
            assert set(results) == {"new" if steps == "current" else "old"}
            assert await runtime.wiring.workflows.held.live({}) == "new"

    run(enter(), within=30)
