"""Components that behave as badly as Python lets them: everything else is closed once, and errors are of our types."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from oneiric import ActivationError, CloseError, Deadlines, EngineError, OneiricError, Runtime, ShutdownError
from oneiric.wiring import Domain, Wiring, bind

from tests.unit.runtime.making import Part, key, run, wiring_of

SHORT = Deadlines(factory=0.3, start=0.1, health=0.1, close=0.1, drain=0.1, hook=0.1)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class UnprintableOfOurs(OneiricError):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class Other(BaseException):
    """An exception that nobody expects."""


ERRORS: dict[str, Callable[[], BaseException]] = {
    "error": lambda: OSError("pw=hunter2"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "generator exit": GeneratorExit,
    "cancelled": asyncio.CancelledError,
    "stop": StopIteration,
    "stop async": StopAsyncIteration,
    "group": lambda: ExceptionGroup("many", [OSError("pw=hunter2"), ValueError()]),
    "base group": lambda: BaseExceptionGroup("many", [KeyboardInterrupt(), SystemExit(3)]),
    "other": Other,
    "unprintable": Unprintable,
    "unprintable of ours": UnprintableOfOurs,
}
WAYS = (*ERRORS, "hang", "cancel itself", "cancel all")
SAYINGS = (*ERRORS, "block")
MOMENTS = ("start", "health", "aclose")


async def misbehave(way: str) -> None:
    if way == "hang":
        await asyncio.sleep(60)
    elif way == "cancel itself":
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)
    elif way == "cancel all":
        for each in asyncio.all_tasks():
            each.cancel()
        await asyncio.sleep(0)
    else:
        raise ERRORS[way]()


def misbehave_at_once(way: str) -> None:
    if way == "block":
        time.sleep(0.3)
    else:
        raise ERRORS[way]()


def hostile(moment: str, way: str, how: str) -> type[Part]:
    """A component that misbehaves at one moment: in an `async` method, a `plain` one, or when it is `looked up`."""

    def raising(*_: object) -> NoReturn:
        raise ERRORS[way]()

    async def meanly(_: Part) -> None:
        await misbehave(way)

    def plainly(_: Part) -> None:
        misbehave_at_once(way)

    members: dict[str, Any] = {moment: {"async": meanly, "plain": plainly, "looked up": property(raising)}[how]}
    return type("Hostile", (Part,), members)


CASES = [
    *((moment, way, "async") for moment in MOMENTS for way in WAYS if way != "cancel all"),
    *((moment, way, "plain") for moment in MOMENTS for way in SAYINGS),
    *((moment, way, "looked up") for moment in MOMENTS for way in ERRORS),
]


def around(made: list[Part], bad: Callable[[Any], Any], fingerprint: str = "1") -> type[Any]:
    """front needs bad, which needs back; side stands alone."""
    return wiring_of(
        back=key(lambda _: Part(made), eager=True),
        bad=lambda attribute: bind(
            f"adapter:{attribute}", fingerprint, provider="test", eager=True, needs=("adapter:back",)
        )(bad),
        front=key(lambda _: Part(made), eager=True, needs=("adapter:bad",)),
        side=key(lambda _: Part(made), eager=True),
    )


@pytest.fixture
def told() -> list[str]:
    """What the loop's exception handler was told of, which nobody may lose."""
    return []


def quiet(told: list[str]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["message"]))


def nothing_left() -> None:
    assert asyncio.all_tasks() == {asyncio.current_task()}


def closed_once(made: list[Part], bad: type[Part]) -> None:
    """Every instance but the bad one, whose own close is what it is."""
    assert [each.closes for each in made if type(each) is not bad] == [1] * sum(type(each) is not bad for each in made)


@pytest.mark.parametrize(("moment", "way", "how"), CASES, ids=str)
def test_everything_else_is_closed_once(moment: str, way: str, how: str, told: list[str]) -> None:
    bad, made = hostile(moment, way, how), list[Part]()
    expected = ShutdownError if moment == "aclose" else ActivationError

    async def story() -> None:
        quiet(told)
        with pytest.raises(expected) as caught:
            async with Runtime(around(made, lambda _: bad(made)), deadlines=SHORT):
                assert moment == "aclose"
        if isinstance(caught.value, ShutdownError):
            assert [type(error) for error in caught.value.exceptions] == [CloseError]
        else:
            error = caught.value
            while error.key != "bad":
                assert isinstance(error.__cause__, ActivationError)
                error = error.__cause__
            assert error.step == moment
        nothing_left()

    run(story())
    closed_once(made, bad)
    assert "hunter2" not in "".join(told)


@pytest.mark.parametrize("way", [*ERRORS, "block"])
def test_a_factory_that_misbehaves_fails_the_start(way: str, told: list[str]) -> None:
    made: list[Part] = []

    def bad(_: Any) -> None:
        if way == "block":
            time.sleep(1)
        else:
            raise ERRORS[way]()

    async def story() -> None:
        quiet(told)
        with pytest.raises(ActivationError):
            async with Runtime(around(made, bad), deadlines=SHORT):
                pass
        nothing_left()

    run(story())
    closed_once(made, Part if not made else type("None_", (Part,), {}))


@pytest.mark.parametrize(("moment", "way", "how"), CASES, ids=str)
def test_a_reload_survives_it(moment: str, way: str, how: str, told: list[str]) -> None:
    """One that does not start rejects the wiring, one that does not close is reported; the rest goes on."""
    bad, made = hostile(moment, way, how), list[Part]()

    def fine(_: Any) -> Part:
        return Part(made)

    def meanly(_: Any) -> Part:
        return bad(made)

    first, second = (meanly, fine) if moment == "aclose" else (fine, meanly)

    async def story() -> None:
        quiet(told)
        async with Runtime(around(made, first), deadlines=SHORT) as runtime:
            before = runtime.snapshot()
            outcome = await runtime.reload(around(made, second, "2"))
            assert outcome.accepted == (moment == "aclose"), outcome
            if outcome.accepted:
                assert len(outcome.reports) == 1, outcome
            else:
                assert outcome.code == ("health" if moment == "health" else "start")
                assert runtime.snapshot()[runtime.wiring.adapters.bad] is before[runtime.wiring.adapters.bad]
            assert (await runtime.reload(around(made, fine, "3"))).accepted
        nothing_left()

    run(story())
    closed_once(made, bad)


@pytest.mark.parametrize("hook", ["pre-swap", "post-swap", "cleanup"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "async"])
def test_a_hook_that_misbehaves_is_a_report_or_a_rejection(hook: str, way: str, plain: bool, told: list[str]) -> None:
    made: list[Part] = []
    if (plain and way not in ERRORS) or way == "cancel all":
        return

    def fine(_: Any) -> Part:
        return Part(made)

    async def story() -> None:
        quiet(told)
        async with Runtime(around(made, fine), deadlines=SHORT) as runtime:
            runtime.on(hook, lambda _: misbehave_at_once(way) if plain else misbehave(way))  # type: ignore[arg-type]
            outcome = await runtime.reload(around(made, fine, "2"))
            assert outcome.accepted == (hook != "pre-swap"), outcome
            assert (outcome.code == "hook") if hook == "pre-swap" else (len(outcome.reports) == 1), outcome
        nothing_left()

    run(story())
    closed_once(made, type("None_", (Part,), {}))


@pytest.mark.parametrize("moment", ["start", "stop"])
@pytest.mark.parametrize("way", [way for way in WAYS if way != "cancel all"])
def test_an_engine_that_misbehaves_is_an_error_of_its_domain(moment: str, way: str, told: list[str]) -> None:
    made: list[Part] = []

    class Engine:
        def __init__(self, *_: object) -> None:
            setattr(self, moment, lambda: misbehave(way))

    globals()["Engine"] = Engine

    class Adapters(Domain):
        __engine__ = f"{__name__}:Engine"
        side = bind("adapter:side", "1", provider="test", eager=True)(lambda _: Part(made))

    class App(Wiring, app="test"):
        pass

    App.domains(adapters=Adapters)

    async def story() -> None:
        quiet(told)
        with pytest.raises((EngineError, ShutdownError)) as caught:
            async with Runtime(App, deadlines=SHORT):
                pass
        if isinstance(caught.value, ShutdownError):
            assert [type(each) for each in caught.value.exceptions] == [EngineError]
        nothing_left()

    run(story())
    closed_once(made, type("None_", (Part,), {}))


def test_one_that_cancels_every_task_when_it_is_closed_leaves_nothing_open(told: list[str]) -> None:
    bad, made = hostile("aclose", "cancel all", "async"), list[Part]()

    async def story() -> None:
        quiet(told)
        runtime = Runtime(around(made, lambda _: bad(made)), deadlines=SHORT)
        await runtime.__aenter__()
        with suppress(asyncio.CancelledError, ShutdownError):
            await runtime.__aexit__(None, None, None)

    with suppress(asyncio.CancelledError):
        run(story())
    closed_once(made, bad)


class Everywhere(Part):
    """Raises at every attribute that it was not born with, and when it is compared, counted or written."""

    def __getattr__(self, name: str) -> NoReturn:
        raise KeyboardInterrupt(name)

    def _never(self, *_: object) -> NoReturn:
        raise SystemExit(9)

    __eq__ = __bool__ = __repr__ = __str__ = __len__ = __iter__ = _never  # type: ignore[assignment]
    __hash__ = _never  # type: ignore[assignment]

    @property
    def __class__(self) -> NoReturn:  # type: ignore[override]
        raise GeneratorExit


def test_an_instance_that_answers_no_question_fails_to_start_and_harms_nobody(told: list[str]) -> None:
    made: list[Part] = []

    def bad(_: Any) -> Any:
        return object.__new__(Everywhere)

    async def story() -> None:
        quiet(told)
        with pytest.raises(ActivationError):
            async with Runtime(around(made, bad), deadlines=SHORT):
                pass
        nothing_left()

    run(story())
    closed_once(made, Everywhere)


@pytest.mark.parametrize("way", ERRORS)
def test_the_error_of_the_block_is_the_one_that_is_raised(way: str, told: list[str]) -> None:
    bad, made = hostile("aclose", way, "async"), list[Part]()

    async def story() -> None:
        quiet(told)
        with pytest.raises(LookupError, match="mine"):
            async with Runtime(around(made, lambda _: bad(made)), deadlines=SHORT):
                raise LookupError("mine")
        assert told == ["closing the runtime failed in part (1 sub-exception)"]

    run(story())
    closed_once(made, bad)


def _joined(tasks: list[asyncio.Task[Any]]) -> Iterator[str]:
    for task in tasks:
        yield "cancelled" if task.cancelled() else str(task.result().accepted)


@pytest.mark.parametrize("turns", range(6))
def test_a_reload_that_is_joined_when_its_asker_is_cancelled_is_made(turns: int) -> None:
    made: list[Part] = []

    def fine(_: Any) -> Part:
        return Part(made)

    async def story() -> None:
        async with Runtime(around(made, fine)) as runtime:
            wiring = around(made, fine, "2")
            busy = asyncio.ensure_future(runtime.reload(around(made, fine, "3")))
            first = asyncio.ensure_future(runtime.reload(wiring))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            first.cancel()
            for _ in range(turns):
                await asyncio.sleep(0)
            second = asyncio.ensure_future(runtime.reload(wiring))
            await asyncio.wait((busy, first, second))
            assert list(_joined([busy, first, second])) == ["True", "cancelled", "True"]

    run(story())
