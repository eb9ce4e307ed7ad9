"""Engines: started after what is eager, told of each reload, stopped before anything closes, and when they fail."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import pytest
from oneiric import ActivationError, Deadlines, EngineError, Plan, Runtime, ShutdownError
from oneiric.loading import digest_of
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring, bind

from tests.unit.runtime.making import run

ROOT = Path(__file__).parents[3]
SHORT = Deadlines(factory=0.3, start=0.1, close=0.1, hook=0.1, drain=0.1)


class Pinging(Protocol):
    async def ping(self) -> str: ...


class Plugin:
    """A component of the custom domain, which notes what becomes of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        Driver.ledger.append(f"made {name}")

    async def ping(self) -> str:
        return self.name

    async def aclose(self) -> None:
        Driver.ledger.append(f"closed {self.name}")


class Driver:
    """The engine of a domain. Fails at a step as `faults` says."""

    ledger: ClassVar[list[str]] = []
    faults: ClassVar[dict[str, str]] = {}
    plans: ClassVar[list[Plan]] = []

    def __init__(self, host: Any, domain: str) -> None:
        self.host = host
        self.domain = domain
        self._fail("make")

    async def start(self) -> None:
        await self._step("start")

    async def settle(self, plan: Plan) -> None:
        self.plans.append(plan)
        await self._step("settle")

    async def stop(self) -> None:
        await self._step("stop")

    async def _step(self, step: str) -> None:
        self.ledger.append(f"{step} {self.domain}")
        how = self.faults.get(step, "")
        try:
            await asyncio.sleep({"hang": 60, "slow": 0.02}.get(how, 0))
            self._fail(step)
        except asyncio.CancelledError:
            self.ledger.append(f"cancelled {step} {self.domain}")
            raise
        self.ledger.append(f"{step} over")

    def _fail(self, step: str) -> None:
        how = self.faults.get(step, "")
        if how in FAILURES:
            raise FAILURES[how]


class Other(Driver):
    """Another engine, whose methods run in a thread, of which it has no `settle`."""

    settle = None  # type: ignore[assignment]

    def start(self) -> None:  # type: ignore[override]
        self.ledger.append(f"start {self.domain}")

    def stop(self) -> None:  # type: ignore[override]
        self.ledger.append(f"stop {self.domain}")


FAILURES: dict[str, BaseException] = {
    "raise": OSError("pw=hunter2"),
    "speak": ActivationError("plugin", "a", "test", None, "start", "is too old"),
    "exit": SystemExit(3),
}


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    Driver.ledger.clear()
    Driver.faults.clear()
    Driver.plans.clear()


def plugins(engine: str | None = "Driver", /, **keys: str) -> type[Any]:
    """A hand-written wiring with a custom domain: its engine, and by key the fingerprint."""

    def block(name: str) -> Callable[[Any], Plugin]:
        return lambda _: Plugin(name)

    bindings: dict[str, Any] = {
        key: bind(f"plugin:{key}", of, provider=of, port=f"{__name__}:Pinging", eager=key == "a")(block(f"{key}/{of}"))
        for key, of in keys.items()
    }
    if engine is not None:
        bindings["__engine__"] = f"{__name__}:{engine}"
    domain: Any = type("Plugins", (Domain,), bindings)

    class App(Wiring, app="test"):
        pass

    App.domains(plugins=domain)
    return App


def noted(*steps: str) -> bool:
    """Whether these were noted, in this order."""
    rest = iter(Driver.ledger)
    return all(step in rest for step in steps)


def test_an_engine_starts_after_what_is_eager_and_stops_before_anything_closes() -> None:
    async def story() -> None:
        async with Runtime(plugins(a="1", b="1")) as runtime:
            assert Driver.ledger == ["made a/1", "start plugins", "start over"]
            await runtime.use("plugin", "b")
        assert Driver.ledger[4:6] == ["stop plugins", "stop over"]
        assert sorted(Driver.ledger[6:]) == ["closed a/1", "closed b/1"]

    run(story())


def test_it_is_told_the_plan_of_each_reload_before_what_that_replaced_is_closed() -> None:
    async def story() -> None:
        async with Runtime(plugins(a="1")) as runtime:
            assert (await runtime.reload(plugins(a="2", b="1"))).reports == ()
            assert noted("made a/2", "settle plugins", "settle over", "closed a/1")
            providers = ((None, "plugin:b"), None, "1"), ((None, "plugin:a"), "1", "2")
            plan = Plan(start=((None, "plugin:b"),), replace=((None, "plugin:a"),), providers=providers)
            assert Driver.plans == [plan]
            assert (await runtime.reload(plugins(a="2", b="1"))).code == "unchanged"
            assert (await runtime.reload(plugins(a="3"), plan_only=True)).code == "planned"
            assert len(Driver.plans) == 1
            assert (await runtime.rollback()).accepted
            assert len(Driver.plans) == 2

    run(story())


def test_its_last_work_can_use_what_is_not_active_yet() -> None:
    class Working(Driver):
        async def stop(self) -> None:
            await self.host.base.wiring.plugins.b.live.ping()
            await super().stop()

    globals()["Working"] = Working

    async def story() -> None:
        async with Runtime(plugins("Working", a="1", b="1")):
            pass
        assert noted("made b/1", "stop over", "closed b/1")

    run(story())


@pytest.mark.parametrize(
    ("faults", "what"),
    [
        ({"start": "raise"}, "start raised OSError"),
        ({"start": "speak"}, "start failed: plugin:a (test): is too old"),
        ({"start": "exit"}, "start raised SystemExit"),
        ({"start": "hang"}, "start took longer than 0.1 seconds"),
        ({"make": "raise"}, "start raised OSError"),
        ({"make": "exit"}, "start raised SystemExit"),
    ],
    ids=str,
)
def test_one_that_does_not_start_fails_the_entering_and_everything_is_closed(faults: dict[str, str], what: str) -> None:
    async def story() -> None:
        Driver.faults.update(faults)
        runtime = Runtime(plugins(a="1"), deadlines=SHORT)
        with pytest.raises(EngineError) as failed:
            await runtime.__aenter__()
        assert str(failed.value) == f"the engine of plugins: {what}"
        assert (failed.value.domain, failed.value.step) == ("plugins", "start")
        assert "hunter2" not in str(failed.value)
        assert noted("stop plugins", "closed a/1") == ("make" not in faults)
        assert Driver.ledger[-1] == "closed a/1"
        assert host_of(runtime).status == "closed"

    run(story())


@pytest.mark.parametrize("name", ["Nothing", "FAILURES"])
def test_one_that_is_not_there_fails_the_entering(name: str) -> None:
    async def story() -> None:
        with pytest.raises(EngineError, match=r"the engine of plugins: start raised \w+"):
            await Runtime(plugins(name, a="1")).__aenter__()
        assert Driver.ledger == ["made a/1", "closed a/1"]

    run(story())


def test_entering_that_is_cancelled_while_it_starts_stops_it() -> None:
    async def story() -> None:
        Driver.faults["start"] = "hang"
        runtime = Runtime(plugins(a="1"))
        entering = asyncio.ensure_future(runtime.__aenter__())
        while "start plugins" not in Driver.ledger:
            await asyncio.sleep(0)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        assert noted("cancelled start plugins", "stop plugins", "stop over", "closed a/1")

    run(story())


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("raise", "settle raised OSError"),
        ("exit", "settle raised SystemExit"),
        ("hang", "settle took longer than 0.1 seconds"),
    ],
)
def test_one_that_does_not_settle_is_reported_and_told_again(how: str, what: str) -> None:
    async def story() -> None:
        async with Runtime(plugins(a="1"), deadlines=SHORT) as runtime:
            Driver.faults["settle"] = how
            outcome = await runtime.reload(plugins(a="2"))
            assert outcome.accepted
            assert outcome.reports == (f"the engine of plugins: {what}",)
            assert noted("closed a/1")
            Driver.faults.clear()
            assert (await runtime.reload(plugins(a="3"))).reports == ()
            assert len(Driver.plans) == 2
        assert noted("stop plugins", "closed a/3")

    run(story())


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ("raise", "stop raised OSError"),
        ("exit", "stop raised SystemExit"),
        ("hang", "stop took longer than 0.1 seconds"),
    ],
)
def test_one_that_does_not_stop_is_reported_and_everything_is_closed(how: str, what: str) -> None:
    async def story() -> None:
        Driver.faults["stop"] = how
        with pytest.raises(ShutdownError) as failed:
            async with Runtime(plugins(a="1"), deadlines=SHORT):
                pass
        assert [str(error) for error in failed.value.exceptions] == [f"the engine of plugins: {what}"]
        assert Driver.ledger[-1] == "closed a/1"

    run(story())


def test_an_exit_that_is_cancelled_cuts_its_stop_short() -> None:
    told: list[BaseException] = []

    async def story() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        Driver.faults["stop"] = "hang"
        runtime = await Runtime(plugins(a="1")).__aenter__()
        leaving = asyncio.ensure_future(runtime.__aexit__(None, None, None))
        while "stop plugins" not in Driver.ledger:
            await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert noted("cancelled stop plugins", "closed a/1")
        (failed,) = told
        assert isinstance(failed, ShutdownError)
        assert [str(error) for error in failed.exceptions] == [
            "the engine of plugins: stop was cut short: the exit was cancelled"
        ]

    run(story())


def test_an_exit_does_not_wait_for_one_that_is_being_told() -> None:
    async def story() -> None:
        async with Runtime(plugins(a="1")) as runtime:
            Driver.faults["settle"] = "hang"
            reloading = asyncio.ensure_future(runtime.reload(plugins(a="2")))
            while "settle plugins" not in Driver.ledger:
                await asyncio.sleep(0)
        assert (await reloading).accepted
        assert noted("cancelled settle plugins", "stop plugins", "stop over", "closed a/2")
        assert "closed a/1" in Driver.ledger

    run(story())


def test_a_reload_may_bring_one_take_one_away_and_bring_another() -> None:
    async def story() -> None:
        async with Runtime(plugins(None, a="1")) as runtime:
            assert host_of(runtime).engines is None
            assert (await runtime.reload(plugins(a="1"))).reports == ()
            assert noted("start plugins", "start over")
            assert Driver.plans == []
            Driver.ledger.clear()
            assert (await runtime.reload(plugins("Other", a="1", b="1"))).reports == ()
            assert Driver.ledger == ["stop plugins", "stop over", "start plugins"]
            assert (await runtime.reload(plugins("Other", a="2"))).reports == ()
            assert Driver.ledger[3:] == ["made a/2", "closed a/1"]
            assert (await runtime.reload(plugins(None, a="3"))).reports == ()
            assert Driver.ledger[5:] == ["made a/3", "stop plugins", "closed a/2"]
        assert Driver.ledger[8:] == ["closed a/3"]

    run(story())


def test_one_that_a_reload_brings_and_that_does_not_start_is_reported_and_tried_again() -> None:
    async def story() -> None:
        async with Runtime(plugins(None, a="1")) as runtime:
            Driver.faults.update(start="raise", stop="raise")
            outcome = await runtime.reload(plugins(a="2"))
            assert outcome.accepted
            assert outcome.reports == (
                "the engine of plugins: start raised OSError",
                "the engine of plugins: stop raised OSError",
            )
            Driver.faults.clear()
            Driver.ledger.clear()
            assert (await runtime.reload(plugins(a="3"))).reports == ()
            assert noted("start plugins", "start over")

    run(story())


def test_its_calls_never_overlap() -> None:
    async def story() -> None:
        async with Runtime(plugins(a="1")) as runtime:
            Driver.faults["settle"] = "slow"
            await asyncio.gather(*(runtime.reload(plugins(a=str(number))) for number in range(2, 8)))
            assert len(Driver.plans) == 6
        steps = [step for step in Driver.ledger if step.split()[0] in ("start", "settle", "stop")]
        assert steps == [
            each for step in ("start", *["settle"] * 6, "stop") for each in (f"{step} plugins", f"{step} over")
        ]

    run(story())


def test_a_generation_is_another_with_another_engine() -> None:
    wirings = plugins(a="1"), plugins("Other", a="1"), plugins(None, a="1")
    assert len({digest_of(wiring) for wiring in wirings}) == 3


def test_without_one_nothing_of_them_is_imported() -> None:
    code = (
        "import asyncio, sys\n"
        "from oneiric import Runtime\n"
        "from tests.unit.runtime.making import Part, key, wiring_of\n"
        "async def day():\n"
        "    async with Runtime(wiring_of(a=key(lambda _: Part([]), eager=True))):\n"
        "        print(*sorted({'oneiric.lifecycle.engines', 'oneiric.tenants.idle'} & set(sys.modules)))\n"
        "asyncio.run(day())\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout == "\n"
