"""Entering, activating, reloading, swapping, rolling back and leaving, cancelled at every await: each has happened or
has not, nothing is leaked, nothing closed twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, ClassVar

import oneiric
import pytest
from oneiric import Deadlines, Runtime, Secret
from oneiric.reload.outcome import Event
from oneiric.runtime import host_of

from tests.faults.compiler import LEDGER, Project
from tests.faults.reloading import Counted, app, closed_once, part, settled, until
from tests.faults.suspending import Act, When, cancelled_everywhere
from tests.unit.runtime.making import key, wiring_of

WHENS: tuple[When, ...] = ("at once", "when idle")
PINGING = "tests.faults.reloading:Pinging"


@pytest.fixture(params=WHENS)
def when(request: pytest.FixtureRequest) -> When:
    """When a thread that was started comes to its end."""
    found: When = request.param
    return found


class Vault(Counted):
    async def get(self, name: str) -> Secret:
        await asyncio.sleep(0)
        return Secret(name)


class Threaded(Counted):
    """Its lifecycle runs in threads, as its factory does."""

    def start(self) -> None:  # type: ignore[override]
        pass

    def health(self) -> bool:  # type: ignore[override]
        return True

    aclose = None  # type: ignore[assignment]

    def close(self) -> None:
        self.closes += 1


class Slowly(Counted):
    """Is closed once its close has come to its end."""

    async def aclose(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self.closes += 1


def needing(ledger: list[Counted], **options: Any) -> type[Any]:
    """`part`, which needs `database`, made in a thread, and a secret."""

    async def made(_: object) -> Counted:
        await asyncio.sleep(0)
        return Slowly(ledger, "part")

    return wiring_of(
        part=key(made, needs=("adapter:database",), secrets=("PW",), port=PINGING, **options),
        database=key(lambda _: Threaded(ledger, "database")),
        secrets=key(lambda _: Vault(ledger, "secrets")),
    )


@pytest.mark.parametrize("left", [False, True])
def test_an_activation(when: When, monkeypatch: pytest.MonkeyPatch, left: bool) -> None:
    """And where the runtime is `left` at once, which cancels what closes it a second time."""
    ledgers: list[list[Counted]] = []

    async def story(act: Act) -> None:
        ledgers.append(ledger := [])
        async with Runtime(needing(ledger)) as runtime:
            live = runtime.wiring.adapters.part.live
            await act(live.ping())
            if left:
                return
            assert await live.ping() == "part"
            await until(lambda: not host_of(runtime).tasks)
            settled(runtime, ledger)
            assert not any(held.leases for held in host_of(runtime).active.values())

    assert cancelled_everywhere(when, monkeypatch, story) > 20
    for ledger in ledgers:
        closed_once(ledger)


def test_an_activation_during_a_reload(when: When, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(act: Act) -> None:
        ledger: list[Counted] = []

        def lazy(number: str) -> type[Any]:
            return app(ledger, a=part(number), lazy=part(number, needs=("adapter:a",)))

        async with Runtime(lazy("1")) as runtime:
            await runtime.wiring.adapters.a.live.ping()
            reloading = asyncio.ensure_future(runtime.reload(lazy("2")))
            await act(runtime.wiring.adapters.lazy.live.ping())
            assert (await reloading).accepted
            assert await runtime.wiring.adapters.lazy.live.ping() == "lazy/2"
            await until(lambda: not host_of(runtime).tasks)
            settled(runtime, ledger)
        closed_once(ledger)

    assert cancelled_everywhere(when, monkeypatch, story) > 10


def test_entering(when: When, monkeypatch: pytest.MonkeyPatch) -> None:
    ledgers: list[list[Counted]] = []

    async def story(act: Act) -> None:
        ledgers.append([])
        runtime = Runtime(needing(ledgers[-1], eager=True))
        over = await act(runtime.__aenter__())
        if over or host_of(runtime).status == "running":
            settled(runtime, ledgers[-1])
            await runtime.__aexit__(None, None, None)
        assert host_of(runtime).status in ("closed", "new")

    assert cancelled_everywhere(when, monkeypatch, story) > 20
    for ledger in ledgers:
        closed_once(ledger)


def test_leaving(when: When, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(act: Act) -> None:
        ledger: list[Counted] = []
        runtime = await Runtime(needing(ledger)).__aenter__()
        await runtime.wiring.adapters.part.live.ping()
        await act(runtime.__aexit__(None, None, None))
        if host_of(runtime).status == "running":  # cancelled before it began
            await runtime.__aexit__(None, None, None)
        assert host_of(runtime).status == "closed"
        closed_once(ledger)

    assert cancelled_everywhere(when, monkeypatch, story) > 5


class Engine:
    """Notes its steps; a start that was begun is stopped once, and before anything is closed."""

    ledger: ClassVar[list[Counted]] = []
    made: ClassVar[list[Engine]] = []

    def __init__(self, *_: object) -> None:
        self.made.append(self)
        self.stops = 0

    async def start(self) -> None:
        await asyncio.sleep(0)

    async def settle(self, plan: object) -> None:
        await asyncio.sleep(0)
        assert not self.stops

    async def stop(self) -> None:
        self.stops += 1
        assert not any(each.closes for each in self.ledger)
        await asyncio.sleep(0)


def driven(ledger: list[Counted]) -> type[Any]:
    Engine.ledger = ledger
    wiring = needing(ledger, eager=True)
    wiring.__domains__["adapters"].__engine__ = f"{__name__}:Engine"
    return wiring


def test_entering_with_an_engine(when: When, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(act: Act) -> None:
        ledger: list[Counted] = []
        runtime = Runtime(driven(ledger))
        await act(runtime.__aenter__())
        if host_of(runtime).status == "running":
            await runtime.__aexit__(None, None, None)
        assert host_of(runtime).status in ("closed", "new")
        closed_once(ledger)
        assert [each.stops for each in Engine.made] == [1] * len(Engine.made)

    Engine.made.clear()
    assert cancelled_everywhere(when, monkeypatch, story) > 20
    assert Engine.made


def test_leaving_with_an_engine(when: When, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(act: Act) -> None:
        ledger: list[Counted] = []
        runtime = await Runtime(driven(ledger)).__aenter__()
        await act(runtime.__aexit__(None, None, None))
        if host_of(runtime).status == "running":  # cancelled before it began
            await runtime.__aexit__(None, None, None)
        assert host_of(runtime).status == "closed"
        closed_once(ledger)
        assert Engine.made[-1].stops == 1

    assert cancelled_everywhere(when, monkeypatch, story) > 5


def two(ledger: list[Counted], a: str) -> type[Any]:
    return app(ledger, a=part(a), b=part("1", needs=("adapter:a",)), **({"c": part(a, eager=True)} if a != "1" else {}))


async def hook(_: Event) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("back", [False, True])
def test_a_reload_or_a_rollback(when: When, monkeypatch: pytest.MonkeyPatch, back: bool) -> None:
    serves = set()

    async def story(act: Act) -> None:
        ledger: list[Counted] = []
        async with Runtime(two(ledger, "1")) as runtime:
            live = runtime.wiring.adapters.a.live
            assert await runtime.wiring.adapters.b.live.ping() == "b/1"
            if back:
                await runtime.reload(two(ledger, "2"))
            for each in ("pre-swap", "post-swap", "cleanup"):
                runtime.on(each, hook)  # type: ignore[arg-type]
            before = runtime.generation
            await act(runtime.rollback() if back else runtime.reload(two(ledger, "2")))
            await until(lambda: not host_of(runtime).tasks)
            serves.add((runtime.generation == before, await live.ping()))
            assert await runtime.wiring.adapters.b.live.ping() == "b/1"
            settled(runtime, ledger)
            assert (await runtime.reload(two(ledger, "3"))).accepted
            assert await live.ping() == "a/3"
        closed_once(ledger)

    assert cancelled_everywhere(when, monkeypatch, story) > 15
    old, new = ("a/2", "a/1") if back else ("a/1", "a/2")
    assert serves == {(True, old), (False, new)}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    LEDGER.clear()
    return Project(tmp_path, monkeypatch)


def test_a_swap(when: When, monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    """The compiler is a process of its own, which has its own time: its steps come in an order of theirs."""
    serves = set()

    async def story(act: Act) -> None:
        LEDGER.clear()
        deadlines = Deadlines(drain=1, close=1)
        async with Runtime(oneiric.load(project.wiring), state=project.state, deadlines=deadlines) as runtime:
            live = runtime.wiring.adapters.a.live
            assert await live.ping() == "a/1"
            await act(runtime.swap("adapter:a", "2"))
            await until(lambda: not host_of(runtime).tasks)
            assert not project.child_runs
            settled(runtime, LEDGER)
            recorded = json.loads((project.state / "current.json").read_text())
            assert recorded["generation"] == runtime.generation
            overrides = recorded["overrides"].get(runtime.generation, {"overrides": {}})["overrides"]
            assert await live.ping() == f"a/{overrides.get('adapter:a', '1')}"
            serves.add(await live.ping())
            assert not list((project.state / "generations").glob(".part*"))
            if overrides:
                assert (await runtime.rollback()).accepted
        closed_once(LEDGER)

    assert cancelled_everywhere(when, monkeypatch, story, same=False) > 20
    assert serves == {"a/1", "a/2"}
