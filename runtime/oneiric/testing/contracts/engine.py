"""The contract of the port `engine`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oneiric.adapters.engine import Engine, InvalidRun, UnknownRun
from oneiric.flows.model import Flow, Limits, Node, Retry, RunState, Step, Submission, Unserved
from oneiric.testing.contracts.running import Contract, health

SOON = 20.0
"""Seconds within which everything that a case waits for has to happen."""


class Calls:
    """Makes the calls of steps: `answers` by the step's name, an exception to raise or a value; else what it was given.
    A step whose name is in `held` waits until it is let go."""

    def __init__(self, answers: Mapping[str, Any] | None = None, held: tuple[str, ...] = ()) -> None:
        self.answers = dict(answers or {})
        self.made: list[Step] = []
        self.begun: list[tuple[str, int]] = []
        self.cancelled: list[str] = []
        self.under_way = 0
        self.most = 0
        self.held = {name: asyncio.Event() for name in held}

    def begins(self, run: str) -> None:
        self.begun.append((run, len(self.made)))

    async def call(self, step: Step) -> Any:
        self.made.append(step)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if step.name in self.held:
                await self.held[step.name].wait()
            else:
                await asyncio.sleep(0.002)
        except asyncio.CancelledError:
            self.cancelled.append(step.name)
            raise
        finally:
            self.under_way -= 1
        answer = self.answers.get(step.name, dict(step.payload))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def names(self) -> list[str]:
        return [step.name for step in self.made]


def flow(*names: str, key: str = "workflow:it", **nodes: Any) -> Flow:
    """Nodes that each take what the one before gave, and more `nodes`."""
    chain: dict[str, Node] = {}
    for name, before in zip(names, (None, *names), strict=False):
        given = f"${{{before}}}" if before else "${input}"
        chain[name] = {"call": f"task:{name}", "after": (before,) if before else (), "with": {"given": given}}
    last = [*chain, *nodes][-1]
    return {"key": key, "nodes": {**chain, **nodes}, "result": f"${{{last}:-null}}"}


def once(attempts: int = 1) -> Retry:
    return {"attempts": attempts, "delay": 0.01, "max": 0.01, "jitter": 0.0}


async def until(holds: Callable[[], Awaitable[bool] | bool], what: str) -> None:
    """Wait until something holds, which it soon must."""
    end = asyncio.get_running_loop().time() + SOON
    while True:
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        assert asyncio.get_running_loop().time() < end, f"it never came to be that {what}"
        await asyncio.sleep(0.01)


async def comes_to(engine: Engine, run: str, state: RunState) -> None:
    """Wait until a run has a state."""

    async def has() -> bool:
        return (await engine.run(run)).state == state

    await until(has, f"{run} is {state}")


class EngineContract(Contract[Engine]):
    """Cases for an engine: subclass it and override `fresh`."""

    def test_a_run_goes_through_its_steps(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {})
            assert await health(engine)
            assert await engine.submit(Submission("r1", flow("a", "b"), {"n": 1}, tenant="acme"))
            outcome = await engine.result("r1")
            assert dict(outcome) == {
                "state": "completed",
                "result": {"given": {"given": {"n": 1}}},
                "errors": [],
                "nodes": {"a": {"state": "completed"}, "b": {"state": "completed"}},
            }
            assert [(step.name, step.number, step.tenant, step.token) for step in calls.made] == [
                ("a", 0, "acme", "r1/a"), ("b", 1, "acme", "r1/b")
            ]  # fmt: skip
            assert [(each.number, each.name, each.state) for each in await engine.steps("r1")] == [
                (0, "a", "completed"), (1, "b", "completed")
            ]  # fmt: skip
            told = await engine.run("r1")
            assert (told.id, told.key, told.state, told.tenant, told.queue) == (
                "r1", "workflow:it", "completed", "acme", None
            )  # fmt: skip
            assert told.submitted_at <= (told.started_at or "") <= (told.ended_at or "")

        self.check(case)

    def test_a_run_is_told_of_before_its_steps_also_one_that_has_none(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {})
            never = flow(a={"call": "task:a", "after": [], "when": [{"path": "input.n", "equals": 2}]})
            for name, each in (("r1", flow("a")), ("r2", never)):
                await engine.submit(Submission(name, each, {"n": 1}))
                assert (await engine.result(name))["state"] == "completed"
            assert calls.begun == [("r1", 0), ("r2", 1)]

        self.check(case)

    def test_what_a_step_begins_is_a_run_by_itself(self) -> None:
        """Also where it is begun after the step, by a task of it: the steps of the run that it began in go on."""

        class Nesting(Calls):
            def __init__(self, engine: Engine) -> None:
                super().__init__()
                self.engine = engine
                self.later: asyncio.Task[None] | None = None

            async def call(self, step: Step) -> Any:
                if step.name == "a":
                    await self.engine.submit(Submission("inner", flow("x"), {"n": 2}))
                    self.later = asyncio.ensure_future(self.begin())
                    return (await self.engine.result("inner"))["result"]
                return await super().call(step)

            async def begin(self) -> None:
                await self.engine.result("outer")
                await self.engine.submit(Submission("later", flow("x", "y"), {"n": 3}))

        async def case(engine: Engine) -> None:
            calls = Nesting(engine)
            await engine.work(calls, {})
            await engine.submit(Submission("outer", flow("a", "b"), {"n": 1}))
            assert (await engine.result("outer"))["result"] == {"given": {"given": {"n": 2}}}
            assert calls.later is not None
            await calls.later
            assert (await engine.result("later"))["result"] == {"given": {"given": {"n": 3}}}
            assert [each.name for each in await engine.steps("outer")] == ["a", "b"]

        self.check(case)

    def test_a_mark_is_written_where_it_is_as_it_was(self) -> None:
        async def case(engine: Engine) -> None:
            assert await engine.marks("") == {}
            assert not await engine.mark("a/1", "x", was="y")
            assert await engine.mark("a/1", "x", was=None)
            assert not await engine.mark("a/1", "y", was=None)
            assert await engine.mark("a/1", "b ä €", was="x")
            assert await engine.mark("a/%", "z", was=None)
            assert await engine.mark("A/2", "z", was=None)
            assert await engine.marks("a/") == {"a/%": "z", "a/1": "b ä €"}
            assert await engine.marks("a/%") == {"a/%": "z"}
            assert await engine.marks("a_") == {}
            tries = (engine.mark("a/1", str(each), was="b ä €") for each in range(10))
            assert sum(await asyncio.gather(*tries)) == 1
            assert not await engine.mark("a/%", None, was="y")
            assert await engine.mark("a/%", None, was="z")
            assert await engine.mark("none", None, was=None)
            assert sorted(await engine.marks("")) == ["A/2", "a/1"]

        self.check(case)

    def test_a_run_waits_for_whoever_works(self) -> None:
        async def case(engine: Engine) -> None:
            await engine.submit(Submission("r1", flow("a"), {}))
            assert (await engine.run("r1")).state == "queued"
            waiting = asyncio.ensure_future(engine.result("r1"))
            await engine.work(Calls(), {})
            assert (await waiting)["state"] == "completed"

        self.check(case)

    def test_an_id_has_one_run_whoever_submits_it(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {})
            same = [engine.submit(Submission("r1", flow("a"), {"n": 1})) for _ in range(10)]
            assert sorted(await asyncio.gather(*same)) == [False] * 9 + [True]
            await engine.result("r1")
            assert await engine.submit(Submission("r1", flow("a"), {"n": 2})) is False
            assert calls.names == ["a"]

        self.check(case)

    @pytest.mark.parametrize(
        "value", [None, True, 0, -(2**53), 1.5, "", "\0", "ключ \N{SNOWMAN} \U0001f600", [[], {}], {"a b": {"": None}}]
    )
    def test_every_value_of_json_goes_in_and_comes_out(self, value: Any) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"b": value})
            await engine.work(calls, {})
            await engine.submit(Submission("r 1/ü", flow("a", "b"), {"value": value}))
            outcome = await engine.result("r 1/ü")
            assert outcome["result"] == value and type(outcome["result"]) is type(value)
            assert calls.made[0].payload == {"given": {"value": value}}

        self.check(case)

    def test_a_large_value_goes_in_and_comes_out(self) -> None:
        async def case(engine: Engine) -> None:
            text = "x" * 3_000_000
            await engine.work(Calls({"a": text}), {})
            await engine.submit(Submission("r1", flow("a"), {"text": text}))
            assert (await engine.result("r1"))["result"] == text

        self.check(case)

    def test_a_failed_run_tells_why_and_goes_on_where_it_failed(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"b": ValueError("no such order")})
            await engine.work(calls, {})
            whole = flow("a", "b", "c")
            whole["nodes"]["b"]["retry"] = once(3)
            await engine.submit(Submission("r1", whole, {}))
            outcome = await engine.result("r1")
            assert (outcome["state"], outcome["result"]) == ("failed", None)
            assert outcome["errors"] == [{"node": "b", "type": "ValueError", "message": "no such order", "attempts": 3}]
            assert [(name, node["state"]) for name, node in outcome["nodes"].items()] == [
                ("a", "completed"), ("b", "failed"), ("c", "pending")
            ]  # fmt: skip
            assert calls.names == ["a", "b", "b", "b"]
            records = await engine.steps("r1")
            assert [(each.name, each.state) for each in records] == [("a", "completed"), ("b", "failed")]
            assert records[1].error == outcome["errors"][0]
            calls.answers["b"] = "done"
            await engine.retry("r1")
            outcome = await engine.result("r1")
            assert (outcome["state"], outcome["errors"]) == ("completed", [])
            assert calls.names == ["a", "b", "b", "b", "b", "c"]

        self.check(case)

    def test_a_run_goes_on_from_a_step_that_is_named(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {})
            await engine.submit(Submission("r1", flow("a", "b", "c"), {}))
            await engine.result("r1")
            with pytest.raises(InvalidRun):
                await engine.retry("r1")
            with pytest.raises(InvalidRun):
                await engine.retry("r1", step="nobody")
            await engine.retry("r1", step="b")
            assert (await engine.result("r1"))["state"] == "completed"
            assert calls.names == ["a", "b", "c", "b", "c"]

        self.check(case)

    def test_a_step_is_made_for_each_item_so_many_at_a_time(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"each[1]": ValueError("not this")})
            await engine.work(calls, {})
            each: Node = {
                "call": "task:each", "after": (), "for_each": "${input.items}", "most": 9, "at_once": 2,
                "with": {"it": "${item}"}, "on_error": "continue",
            }  # fmt: skip
            await engine.submit(Submission("r1", flow(each=each), {"items": [5, 6, 7, 8]}))
            outcome = await engine.result("r1")
            broken = {"error": {"type": "ValueError", "message": "not this"}}
            assert outcome["result"] == [{"it": 5}, broken, {"it": 7}, {"it": 8}]
            assert calls.most <= 2
            assert [each.name for each in await engine.steps("r1")] == [f"each[{at}]" for at in range(4)]

        self.check(case)

    def test_a_cancelled_run_ends_at_once(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls(held=("a",))
            await engine.work(calls, {})
            await engine.submit(Submission("r1", flow("a", "b"), {}))
            await until(lambda: calls.names == ["a"], "the step is under way")
            assert await engine.cancel("r1") is True
            assert (await engine.result("r1"))["state"] == "cancelled"
            await until(lambda: calls.cancelled == ["a"], "the step is cancelled")
            assert await engine.cancel("r1") is False
            assert (await engine.run("r1")).state == "cancelled"
            calls.held["a"].set()
            await engine.retry("r1")
            assert (await engine.result("r1"))["state"] == "completed"

        self.check(case)

    def test_a_cancellation_ends_the_wait_for_another_attempt(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"a": ValueError()})
            await engine.work(calls, {})
            whole = flow("a")
            whole["nodes"]["a"]["retry"] = {"attempts": 5, "delay": 600.0, "max": 600.0, "jitter": 0.0}
            await engine.submit(Submission("r1", whole, {}))
            await until(lambda: calls.names == ["a"] and not calls.under_way, "the first attempt has failed")
            await engine.cancel("r1")
            assert (await asyncio.wait_for(engine.result("r1"), SOON))["state"] == "cancelled"
            assert calls.names == ["a"]

        self.check(case)

    def test_a_run_that_waits_can_be_cancelled(self) -> None:
        async def case(engine: Engine) -> None:
            await engine.submit(Submission("r1", flow("a"), {}, queue="q"))
            assert await engine.cancel("r1") is True
            calls = Calls()
            await engine.work(calls, {"q": Limits()})
            await engine.submit(Submission("r2", flow("b"), {}, queue="q"))
            await engine.result("r2")
            assert (await engine.result("r1"))["state"] == "cancelled"
            assert calls.names == ["b"]

        self.check(case)

    def test_what_nobody_serves_is_parked_until_somebody_does(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"b": Unserved("nothing serves task:b")})
            await engine.work(calls, {})
            whole = flow("a", "b")
            whole["nodes"]["b"]["retry"] = once(5)
            await engine.submit(Submission("r1", whole, {}))
            await comes_to(engine, "r1", "parked")
            assert (await engine.run("r1")).why == "nothing serves task:b"
            assert calls.names == ["a", "b"]
            calls.answers["b"] = "served"
            await engine.retry("r1")
            assert (await engine.result("r1"))["result"] == "served"
            assert calls.names == ["a", "b", "b"]

        self.check(case)

    def test_a_parked_run_can_be_cancelled(self) -> None:
        async def case(engine: Engine) -> None:
            await engine.work(Calls({"a": Unserved("nobody")}), {})
            await engine.submit(Submission("r1", flow("a"), {}))
            await comes_to(engine, "r1", "parked")
            assert await engine.cancel("r1") is True
            assert (await engine.result("r1"))["state"] == "cancelled"

        self.check(case)

    @pytest.mark.parametrize("limits", [Limits(at_once=2), Limits(at_once_here=2)])
    def test_a_queue_keeps_its_limit(self, limits: Limits) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {"q": limits})
            names = [f"r{number}" for number in range(8)]
            for name in names:
                await engine.submit(Submission(name, flow("a"), {}, queue="q"))
            assert {(await engine.result(name))["state"] for name in names} == {"completed"}
            assert calls.most <= 2

        self.check(case)

    def test_runs_of_one_order_follow_each_other(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"a": ValueError("fails, and lets the next one go")})
            await engine.work(calls, {"q": Limits()})
            for number in range(6):
                of = ("x", "y")[number % 2]
                await engine.submit(Submission(f"r{number}", flow("b", "a"), {}, queue="q", order=of))
            for number in range(6):
                await engine.result(f"r{number}")
            for of in ("024", "135"):
                runs = [step.run[1:] for step in calls.made if step.run[1:] in of]
                assert runs == [each for number in of for each in (number, number)]

        self.check(case)

    def test_a_rate_is_kept(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {"q": Limits(rate=(2, 1.0))})
            begin = asyncio.get_running_loop().time()
            for number in range(5):
                await engine.submit(Submission(f"r{number}", flow("a"), {}, queue="q"))
            for number in range(5):
                await engine.result(f"r{number}")
            assert asyncio.get_running_loop().time() - begin >= 1.0

        self.check(case)

    def test_a_run_does_not_begin_before_its_time(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {"q": Limits()})
            later = datetime.now(UTC) + timedelta(seconds=1.2)
            at = later.isoformat().replace("+00:00", "Z")
            await engine.submit(Submission("late", flow("a"), {}, queue="q", not_before=at))
            await engine.submit(Submission("soon", flow("b"), {}, queue="q"))
            await engine.result("soon")
            assert (await engine.run("late")).state == "queued"
            await engine.result("late")
            assert datetime.now(UTC) >= later - timedelta(milliseconds=20)
            assert calls.names == ["b", "a"]

        self.check(case)

    @pytest.mark.parametrize("paused", ["q", None])
    def test_a_paused_queue_begins_nothing(self, paused: str | None) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {"q": Limits(at_once=3), "other": Limits()})
            await engine.pause(paused)
            await engine.submit(Submission("r1", flow("a"), {}, queue="q"))
            if paused is not None:
                await engine.submit(Submission("r2", flow("b"), {}, queue="other"))
                await engine.result("r2")
            await asyncio.sleep(0.2)
            assert "a" not in calls.names
            (of,) = [each for each in await engine.queues() if each.name == "q"]
            assert (of.paused, of.waiting, of.running, of.limits.at_once) == (True, 1, 0, 3)
            await engine.resume(paused)
            assert (await engine.result("r1"))["state"] == "completed"
            (of,) = [each for each in await engine.queues() if each.name == "q"]
            assert (of.paused, of.waiting, of.running) == (False, 0, 0)

        self.check(case)

    def test_limits_can_change(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls(held=("a",))
            await engine.work(calls, {"q": Limits(at_once=1)})
            for number in range(2):
                await engine.submit(Submission(f"r{number}", flow("a"), {}, queue="q"))
            await until(lambda: len(calls.made) == 1, "one is under way")
            await engine.limit("q", Limits(at_once=2))
            await until(lambda: len(calls.made) == 2, "two are under way")
            calls.held["a"].set()
            for number in range(2):
                await engine.result(f"r{number}")

        self.check(case)

    def test_at_rest_nothing_begins_and_steps_under_way_end(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls(held=("a",))
            await engine.work(calls, {})
            await engine.submit(Submission("r1", flow("a", "b"), {}))
            await until(lambda: calls.names == ["a"], "the step is under way")
            resting = asyncio.ensure_future(engine.rest())
            await asyncio.sleep(0.05)
            assert not resting.done()
            calls.held["a"].set()
            await asyncio.wait_for(resting, SOON)
            await engine.submit(Submission("r2", flow("c"), {}))
            await asyncio.sleep(0.2)
            assert calls.names == ["a"]
            await engine.work(calls, {})
            assert (await engine.result("r1"))["state"] == "completed"
            assert (await engine.result("r2"))["state"] == "completed"
            assert calls.names.count("a") == 1

        self.check(case)

    def test_runs_are_found_by_key_state_and_queue(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls({"bad": ValueError()})
            await engine.work(calls, {"q": Limits()})
            await engine.submit(Submission("r1", flow("a", key="workflow:one"), {}))
            await engine.result("r1")
            await engine.submit(Submission("r2", flow("bad", key="workflow:two"), {}, queue="q"))
            await engine.result("r2")

            async def found(**wanted: Any) -> list[str]:
                return [each.id for each in await engine.runs(**wanted)]

            assert await found() == ["r2", "r1"]
            assert await found(limit=1) == ["r2"]
            assert await found(key="workflow:one") == ["r1"]
            assert await found(state="failed") == ["r2"]
            assert await found(queue="q") == ["r2"]
            assert await found(queue="q", state="completed") == []

        self.check(case)

    def test_what_is_over_can_be_forgotten(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls(held=("b",))
            await engine.work(calls, {})
            await engine.submit(Submission("old", flow("a"), {}))
            await engine.result("old")
            await engine.submit(Submission("going", flow("b"), {}))
            await until(lambda: "b" in calls.names, "the step is under way")
            assert await engine.forget(run="going") == 0
            assert await engine.forget(before=datetime.now(UTC) - timedelta(hours=1)) == 0
            assert await engine.forget(before=datetime.now(UTC) + timedelta(hours=1)) == 1
            assert [each.id for each in await engine.runs()] == ["going"]
            assert await engine.submit(Submission("old", flow("a"), {})) is True
            calls.held["b"].set()
            await engine.result("going")
            assert await engine.forget(run="going") == 1

        self.check(case)

    def test_a_run_that_is_not_there_is_told(self) -> None:
        async def case(engine: Engine) -> None:
            await engine.work(Calls(), {})
            for ask in (engine.result, engine.run, engine.steps, engine.cancel, engine.retry):
                with pytest.raises(UnknownRun, match="r9"):
                    await ask("r9")
            with pytest.raises(UnknownRun, match="r9"):
                await engine.forget(run="r9")

        self.check(case)

    @pytest.mark.parametrize("name", ["", "x" * 401, "a\nb", "\0"])
    def test_an_id_is_printable_and_not_too_long(self, name: str) -> None:
        async def case(engine: Engine) -> None:
            with pytest.raises(InvalidRun):
                await engine.submit(Submission(name, flow("a"), {}))
            with pytest.raises(InvalidRun):
                await engine.submit(Submission("r1", flow("a"), {}, order="x"))

        self.check(case)

    def test_many_runs_go_on_at_once(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls()
            await engine.work(calls, {})
            names = [f"r{number}" for number in range(40)]
            await asyncio.gather(*(engine.submit(Submission(name, flow("a", "b"), {})) for name in names))
            outcomes = await asyncio.gather(*(engine.result(name) for name in names))
            assert {outcome["state"] for outcome in outcomes} == {"completed"}
            assert sorted(step.token for step in calls.made) == sorted(
                f"{name}/{each}" for name in names for each in "ab"
            )

        self.check(case)

    def test_a_cancelled_wait_leaves_the_run_alone(self) -> None:
        async def case(engine: Engine) -> None:
            calls = Calls(held=("a",))
            await engine.work(calls, {})
            await engine.submit(Submission("r1", flow("a"), {}))
            waiting = asyncio.ensure_future(engine.result("r1"))
            await until(lambda: calls.names == ["a"], "the step is under way")
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            calls.held["a"].set()
            assert (await engine.result("r1"))["state"] == "completed"

        self.check(case)
