"""Components that raise, hang and do not listen, in every step, under random work, reloads, cancellation, shutdown.

Whatever they do: each is closed once, none is called after its close, an error is one of ours, and the runtime ends.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from oneiric import Deadlines, Runtime
from oneiric.errors import OneiricError
from oneiric.wiring import Domain, Wiring, bind

from tests.attacks.campaign import Campaign
from tests.faults.reloading import Counted, closed_once, until

SHORT = Deadlines(secrets=0.05, factory=0.05, start=0.05, health=0.05, close=0.05, drain=0.08, hook=0.05, compile=10)
STEPS = ("factory", "start", "health", "close", "call")
HOWS = ("fine", "fine", "fine", "raise", "group", "hang", "deaf", "cancel", "slow", "odd")
KEYS = "abcd"
ACTIONS = ("lease", "lease", "call", "call", "hold", "health", "reload", "reload", "force", "cancel", "wait", "tenant")


@dataclass(frozen=True)
class Made:
    """One key: which fingerprint, what it does at which step, what it needs, whether it is eager."""

    fingerprint: str
    does: tuple[tuple[str, str], ...]
    needs: tuple[str, ...]
    eager: bool


@dataclass(frozen=True)
class Story:
    wirings: tuple[tuple[tuple[str, Made], ...], ...]
    actions: tuple[tuple[str, str, int], ...]
    """What is done, to which key, with which wiring."""
    cancelled: bool
    """Whether the shutdown itself is cancelled once."""


class Part(Counted):
    def __init__(self, ledger: list[Counted], name: str, does: dict[str, str]) -> None:
        super().__init__(ledger, name)
        self.does = does

    async def ping(self) -> str:
        assert not self.closes, f"{self.name} was called after its close"
        await act(self.does.get("call", "fine"))
        return self.name

    async def start(self) -> None:
        await act(self.does.get("start", "fine"))

    async def health(self) -> Any:
        return await act(self.does.get("health", "fine"))

    async def aclose(self) -> None:
        self.closes += 1
        await act(self.does.get("close", "fine"))


async def act(how: str) -> Any:
    """What a component does in one of its steps."""
    await asyncio.sleep(0)
    if how == "raise":
        raise OSError("pw=hunter2")
    if how == "group":
        raise ExceptionGroup("of two", [ValueError("pw=hunter2"), KeyError("x")])
    if how == "cancel":
        raise asyncio.CancelledError
    if how == "slow":
        await asyncio.sleep(0.02)
    if how == "hang":
        await asyncio.sleep(3600)
    if how == "deaf":
        for _ in range(3):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.06)
    return {"fine": True, "odd": "neither"}.get(how, False)


class Hostile(Campaign[Story]):
    name, cases, few = "hostile", 4_000, 30

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        super().__init__(folder, stack)

    def case(self, choose: Random) -> Story:
        wirings = tuple(tuple((key, _made(choose, key)) for key in KEYS) for _ in range(3))
        actions = tuple(
            (choose.choice(ACTIONS), choose.choice(KEYS), choose.randrange(3)) for _ in range(choose.randint(1, 9))
        )
        return Story(wirings, actions, choose.random() < 0.2)

    def attack(self, case: Story) -> str:
        ledger: list[Counted] = []
        with asyncio.Runner() as runner:
            loop, unhandled = runner.get_loop(), list[str]()
            loop.set_exception_handler(lambda _, found: unhandled.extend(_unforeseen(found)))
            outcome = runner.run(_told(case, ledger))
        closed_once(ledger)
        assert "hunter2" not in outcome, outcome
        assert unhandled == [], unhandled
        return outcome.partition(":")[0]

    def smaller(self, case: Story) -> Iterator[Story]:
        for at in range(len(case.actions)):
            yield Story(case.wirings, case.actions[:at] + case.actions[at + 1 :], case.cancelled)
        if case.cancelled:
            yield Story(case.wirings, case.actions, False)
        for at, wiring in enumerate(case.wirings):
            for key, made in wiring:
                for step in made.does:
                    does = tuple(each for each in made.does if each != step)
                    other = {**dict(wiring), key: Made(made.fingerprint, does, made.needs, made.eager)}
                    wirings = (*case.wirings[:at], tuple(other.items()), *case.wirings[at + 1 :])
                    yield Story(wirings, case.actions, case.cancelled)

    def shown(self, case: Story) -> str:
        wirings = "\n".join(f"wiring {at}: {dict(wiring)}" for at, wiring in enumerate(case.wirings))
        return f"{wirings}\n{case.actions}, then the end{', cancelled once' if case.cancelled else ''}"


def _unforeseen(found: dict[str, Any]) -> Iterator[str]:
    """What a loop is told that is no report of ours, or shows what a component said."""
    if not isinstance(found.get("exception"), OneiricError) or "hunter2" in str(found):
        yield str(found)


def _made(choose: Random, key: str) -> Made:
    does = tuple((step, how) for step in STEPS if (how := choose.choice(HOWS)) != "fine" and choose.random() < 0.5)
    needs = tuple(f"adapter:{each}" for each in KEYS if each > key and choose.random() < 0.3)
    return Made(choose.choice("xyz"), does, needs, choose.random() < 0.1)


def _wiring(made: dict[str, Made], ledger: list[Counted]) -> type[Any]:
    bindings: dict[str, Any] = {}
    for key, each in made.items():
        port = "tests.faults.reloading:Pinging"
        options = {"needs": each.needs, "eager": each.eager}
        declared = bind(f"adapter:{key}", each.fingerprint + str(each.does), provider="test", port=port, **options)
        bindings[key] = declared(_block(f"{key}/{each.fingerprint}", dict(each.does), ledger))
    domain: Any = type("Adapters", (Domain,), bindings)

    class Hostiles(Wiring, app="test"):
        pass

    Hostiles.domains(adapters=domain)
    return Hostiles


def _block(name: str, does: dict[str, str], ledger: list[Counted]) -> Callable[[Any], Any]:
    async def make(_: Any) -> Part:
        await act(does.get("factory", "fine"))
        return Part(ledger, name, does)

    return make


async def _told(case: Story, ledger: list[Counted]) -> str:
    """Plays the story: how it ended in a word, then what was raised at the end."""
    try:
        await _shut(_played(case, ledger), case.cancelled)
    except (OneiricError, asyncio.CancelledError) as error:
        outcome = f"ended with {type(error).__name__}: {error}"
    else:
        outcome = "ended"
    await until(lambda: all(each.closes for each in ledger))
    return outcome


async def _shut(story: Awaitable[None], cancelled: bool) -> None:
    task = asyncio.ensure_future(story)
    if cancelled:
        await asyncio.wait([task], timeout=0.15)
        task.cancel()
    await asyncio.wait([task])
    task.result()


async def _played(case: Story, ledger: list[Counted]) -> None:
    wirings = [_wiring(dict(each), ledger) for each in case.wirings]
    tasks: list[asyncio.Task[None]] = []
    async with Runtime(wirings[0], deadlines=SHORT) as runtime:
        for what, key, which in case.actions:
            if what == "cancel" and tasks:
                tasks.pop().cancel()
            elif what == "wait" and tasks:
                await asyncio.wait([tasks[-1]], timeout=0.1)
            else:
                tasks.append(asyncio.ensure_future(_done(runtime, what, key, wirings[which])))
            await asyncio.sleep(0)
    if tasks:
        _, pending = await asyncio.wait(tasks, timeout=20)
        assert not pending, "work goes on after the end"
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            raise error


async def _done(runtime: Runtime[Any], what: str, key: str, wiring: type[Any]) -> None:
    """One thing that an application does; errors of ours are as promised, those of a call the component's own."""
    slot = getattr(runtime.wiring.adapters, key)
    with contextlib.suppress(OneiricError, *((OSError, ExceptionGroup) if what == "call" else ())):
        if what in ("reload", "force"):
            await runtime.reload(wiring, force=what == "force")
        elif what == "health":
            await runtime.health()
        elif what == "call":
            await asyncio.wait_for(slot.live.ping(), 0.3)
        else:
            async with slot.lease():
                await asyncio.sleep(0.05 if what == "hold" else 0)
