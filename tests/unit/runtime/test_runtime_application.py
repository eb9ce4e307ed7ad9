"""An application's day: activation, needs, secrets, tenants, replacement, health, shutdown."""

from __future__ import annotations

import asyncio
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, Secret

from tests.unit.runtime.making import Part, key, run, wiring_of
from tests.unit.runtime.shop.parts import Color, Sqlite, Store, Till, Tracked, Vault
from tests.unit.runtime.shop.wiring import Wiring

pytestmark = pytest.mark.usefixtures("nothing_leaks")


def test_a_call_through_live_activates_what_it_needs_and_the_exit_closes_dependents_first() -> None:
    async def day() -> None:
        async with Runtime(Wiring, environ={"PORT": "7000"}) as runtime:
            checkout = runtime.wiring.services.check_out
            assert checkout.state == "inactive"
            await runtime.wiring.adapters.cache.live.set("basket", b"abc")
            assert await checkout.live.total("basket") == 3
            assert checkout.state == "active"
            store = runtime.wiring.adapters.cache.current
            assert isinstance(store, Store)
            assert (store.url, store.port) == ("redis://localhost:PW-value/0", 7000)
            assert store.password == Secret("PW-value")
            assert await store.database.fetch("q", (1,)) == ["q", "1"]

    run(day())
    assert [type(each) for each in Tracked.made] in ([Sqlite, Vault, Store, Till], [Vault, Sqlite, Store, Till])
    assert [type(each) for each in Tracked.closed][:2] == [Till, Store]


def test_a_falsy_component_is_a_component() -> None:
    async def day() -> None:
        async with Runtime(Wiring) as runtime:
            first = await runtime.use("adapter", "cache")
            assert not runtime.wiring.adapters.cache.current
            await first.get("x")
            assert len([each for each in Tracked.made if isinstance(each, Store)]) == 1

    run(day())


def test_reading_an_inactive_slot_is_a_named_error() -> None:
    runtime = Runtime(Wiring)
    with pytest.raises(oneiric.RuntimeNotRunning, match="not running"):
        _ = runtime.wiring.adapters.cache.current

    async def day() -> None:
        async with runtime:
            with pytest.raises(oneiric.NotActive, match="adapter:cache"):
                _ = runtime.wiring.adapters.cache.current

    run(day())


def test_nothing_can_be_used_before_the_start_or_after_the_end() -> None:
    async def day() -> None:
        runtime = Runtime(Wiring)
        database = runtime.wiring.adapters.database.live
        with pytest.raises(oneiric.RuntimeNotRunning):
            await database.fetch("q")
        async with runtime:
            await database.fetch("q")
            with pytest.raises(oneiric.RuntimeNotRunning):
                await runtime.__aenter__()
        with pytest.raises(oneiric.RuntimeClosed):
            await database.fetch("q")
        with pytest.raises(oneiric.RuntimeClosed):
            database.size()
        with pytest.raises(oneiric.RuntimeClosed):
            _ = runtime.wiring.adapters.database.current
        with pytest.raises(oneiric.RuntimeClosed):
            await runtime.use("adapter", "database")
        with pytest.raises(oneiric.RuntimeClosed):
            async with runtime:
                pass

    run(day())


def test_use_of_an_unknown_key_names_the_nearest() -> None:
    async def day() -> None:
        async with Runtime(Wiring) as runtime:
            with pytest.raises(oneiric.UnknownKey, match=r"adapter:cash.*did you mean adapter:cache"):
                await runtime.use("adapter", "cash")

    run(day())


def test_replacements_are_active_from_construction_everywhere_and_left_alone() -> None:
    class Fake(Part):
        async def get(self, key: str) -> Any: ...
        async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None: ...

    class Secrets:
        async def get(self, name: str) -> Secret:
            return Secret(name)

    fake: Any = Fake([])
    runtime: Any = Runtime(Wiring, replace={"adapter:secrets": Secrets(), "adapter:cache": fake})
    assert runtime.wiring.adapters.cache.current is fake
    assert runtime.tenant("acme").adapters.cache.current is fake

    async def day() -> None:
        async with runtime:
            assert [answer.key for answer in await runtime.health()] == []

    run(day())
    assert fake.closes == 0
    with pytest.raises(oneiric.UnknownKey, match="adapter:cache"):
        Runtime(Wiring, replace={"adapter:cach": fake})


class Answering(Part):
    def __init__(self, made: list[Part], answer: object) -> None:
        super().__init__(made)
        self.answer = answer

    def health(self) -> object:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_health_asks_every_active_component() -> None:
    made: list[Part] = []
    small = wiring_of(
        good=key(lambda _: Answering(made, True)),
        ill=key(lambda _: Answering(made, True)),
        broken=key(lambda _: Answering(made, True)),
        mute=key(lambda _: Part(made)),
        unused=key(lambda _: Part(made)),
    )

    async def day() -> dict[str, str | None]:
        async with Runtime(small) as runtime:
            for name in ("good", "ill", "broken", "mute"):
                async with getattr(runtime.wiring.adapters, name).lease():
                    pass
            runtime.wiring.adapters.ill.current.answer = False
            runtime.wiring.adapters.broken.current.answer = OSError("secret")
            answers = await runtime.health()
            assert all(answer.ok == (answer.reason is None) for answer in answers)
            return {answer.key: answer.reason for answer in answers}

    assert run(day()) == {
        "adapter:broken": "health raised OSError",
        "adapter:good": None,
        "adapter:ill": "health() answered False",
        "adapter:mute": None,
    }


def test_eager_components_start_with_the_runtime_with_what_they_need() -> None:
    made: list[Part] = []
    order: list[str] = []

    def note(name: str) -> Any:
        def build(_: object) -> Part:
            order.append(name)
            return Part(made)

        return build

    small = wiring_of(
        front=key(note("front"), eager=True, needs=("adapter:back",)), back=key(note("back")), idle=key(note("idle"))
    )

    async def day() -> None:
        async with Runtime(small) as runtime:
            assert order == ["back", "front"]
            assert runtime.wiring.adapters.idle.state == "inactive"

    run(day())
    assert [part.closes for part in made] == [1, 1]


def test_the_environment_has_defaults_conversions_and_named_errors() -> None:
    def build(domain: Any) -> Any:
        from pathlib import Path

        from oneiric.convert import boolean, one_of

        return {
            "empty takes the default": domain._env("EMPTY", "d"),
            "empty": domain._env("EMPTY"),
            "int": domain._env_as(int, "N"),
            "bool": domain._env_as(boolean, "YES"),
            "one": domain._env_as(one_of("a", "b"), "UNSET", "b"),
            "enum by value": domain._env_as(Color, "COLOR"),
            "enum by name": domain._env_as(Color, "UNSET", "BLUE"),
            "path": domain._env_as(Path, "N"),
            "a default of its own": domain._env("EMPTY", lambda: domain._env("UNSET", "e")),
            "a default that is not asked for": domain._env("N", lambda: domain._env("UNSET")),
            "a default that is converted": domain._env_as(int, "EMPTY", lambda: domain._env("N")),
            "with a reason": domain._env("N", why="told where it is missing"),
        }

    async def built(build: Any, **environ: str) -> Any:
        runtime = Runtime(wiring_of(it=key(build)), environ=environ)
        async with runtime, runtime.wiring.adapters.it.lease() as instance:
            return instance

    values = run(built(build, EMPTY="", N="12", YES="Yes", COLOR="red"))
    assert list(map(str, values.values())) == [
        "d",
        "",
        "12",
        "True",
        "b",
        "Color.RED",
        "Color.BLUE",
        "12",
        "e",
        "12",
        "12",
        "12",
    ]
    for broken, message in (
        (lambda d: d._env("MISSING"), r"adapter:it \(test\) needs the environment variable MISSING"),
        (lambda d: d._env_as(int, "N"), "variable N is 'x', expected a whole number"),
        (lambda d: d._env_as(Color, "N"), "expected one of RED, BLUE"),
        (
            lambda d: d._env("MISSING", why="ask ops"),
            "needs the environment variable MISSING, which is not set: ask ops",
        ),
        (lambda d: d._env("EMPTY", why="ask ops"), "needs the environment variable EMPTY, which is empty: ask ops"),
        (lambda d: d._env_as(int, "EMPTY", why=""), "needs the environment variable EMPTY, which is empty$"),
        (lambda d: d._env("EMPTY", lambda: d._env("MISSING")), "needs the environment variable MISSING, which is not"),
        (
            lambda d: d._env_as(int, "EMPTY", lambda: d._env("N")),
            "variable EMPTY is not set, and its default comes to 'x', expected a whole number",
        ),
    ):
        with pytest.raises(oneiric.ActivationError, match=message) as caught:
            run(built(broken, N="x", EMPTY=""))
        assert isinstance(caught.value.__cause__, oneiric.VariableError)


def test_leases_keep_an_instance_open_until_they_end() -> None:
    made: list[Part] = []

    async def day() -> None:
        runtime = Runtime(wiring_of(part=key(lambda _: Part(made))))
        await runtime.__aenter__()
        async with runtime.wiring.adapters.part.lease() as part:
            leaving = asyncio.ensure_future(runtime.__aexit__(None, None, None))
            for _ in range(20):
                await asyncio.sleep(0)
            assert part.closes == 0
            assert not leaving.done()
        await leaving
        assert part.closes == 1

    run(day())


def test_a_snapshot_is_immutable_and_cached_until_something_changes() -> None:
    async def day() -> None:
        async with Runtime(Wiring) as runtime:
            database, secrets = runtime.wiring.adapters.database, runtime.wiring.adapters.secrets
            await database.live.fetch("q")
            before = runtime.snapshot()
            assert before is runtime.snapshot()
            await secrets.live.get("x")
            assert secrets not in before
            assert before[database] is database.current
            with pytest.raises(oneiric.NotActive):
                _ = before[secrets]
            assert runtime.snapshot()[secrets] is secrets.current
            assert len(before.generation) == 64

    run(day())
