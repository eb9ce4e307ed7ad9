"""Layers: what a call passes on its way, what is active and closed when, and what a reload restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import pytest
from oneiric import ActivationError, Bare, NotActive, Paused, RemovedKey, Runtime
from oneiric.runtime import host_of
from oneiric.slot import Slot
from oneiric.wiring import Domain, Wiring, bind

from tests.unit.runtime.making import run

PORT = f"{__name__}:Http"


class Http(Protocol):
    async def get(self, url: str) -> str: ...


class Ledger:
    """What happened, in order."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.closed: list[str] = []


class Client:
    """What serves the key, and every layer: `inner` is what it wraps."""

    def __init__(self, ledger: Ledger, name: str, inner: Any = None) -> None:
        self.ledger, self.name, self.inner = ledger, name, inner
        self.sound = True
        ledger.made.append(name)

    async def get(self, url: str) -> str:
        return f"{self.name}({url})" if self.inner is None else f"{self.name}({await self.inner.get(url)})"

    async def health(self) -> bool:
        return self.sound

    async def aclose(self) -> None:
        self.ledger.closed.append(self.name)


def stacked(ledger: Ledger, *layers: str, client: str = "client", user: str = "", eager: bool = False) -> type[Any]:
    """A wiring whose `http` has layers, `NAME` or `NAME=FINGERPRINT`, outermost first; one who needs it, if named."""
    names = [each.partition("=")[0] for each in layers]
    keys = [f"adapter:http/{name}" for name in names]

    def of(name: str) -> Callable[[Any], Client]:
        return lambda domain: Client(ledger, name, domain._inner)

    members: dict[str, Any] = {
        "http": bind("adapter:http", client, provider=client, port=PORT, layers=tuple(keys), eager=eager)(
            lambda _: Client(ledger, client)
        )
    }
    for index, (name, key) in enumerate(zip(names, keys, strict=True)):
        inner = [*keys, "adapter:http"][index + 1]
        members[f"_http_{name}"] = bind(key, layers[index], provider=name, port=PORT, inner=inner)(of(layers[index]))
    if user:
        members["user"] = bind("adapter:user", user, provider="user", port=PORT, needs=("adapter:http",))(
            lambda domain: Client(ledger, user, domain._wiring.adapters.http.live)
        )
    domain: Any = type("Adapters", (Domain,), members)

    class Small(Wiring, app="test"):
        pass

    Small.domains(adapters=domain)
    return Small


def test_a_call_passes_all_layers_and_each_is_made_after_what_it_wraps() -> None:
    async def story() -> None:
        ledger = Ledger()
        async with Runtime(stacked(ledger, "outer", "inner")) as runtime:
            slot = runtime.wiring.adapters.http
            with pytest.raises(NotActive):
                _ = slot.current
            assert slot.state == "inactive"
            assert await slot.live.get("u") == "outer(inner(client(u)))"
            assert ledger.made == ["client", "inner", "outer"]
            assert slot.current.name == "outer"
            assert slot.state == "active"
            async with slot.lease() as instance:
                assert instance is slot.current
            assert await (await runtime.use("adapter", "http")).get("u") == "outer(inner(client(u)))"
            assert runtime.snapshot()[slot] is slot.current
            assert [each.key for each in await runtime.health()] == [
                "adapter:http", "adapter:http/inner", "adapter:http/outer",
            ]  # fmt: skip
        assert ledger.closed == ["outer", "inner", "client"]

    run(story())


@pytest.mark.parametrize("way", ["lease", "use", "eager", "need"])
def test_whatever_activates_the_key_activates_all_of_it(way: str) -> None:
    async def story() -> None:
        ledger = Ledger()
        async with Runtime(stacked(ledger, "outer", "inner", user="user", eager=way == "eager")) as runtime:
            if way == "lease":
                async with runtime.wiring.adapters.http.lease() as instance:
                    assert instance.name == "outer"
            elif way == "use":
                await runtime.use("adapter", "http")
            elif way == "need":
                assert await runtime.wiring.adapters.user.live.get("u") == "user(outer(inner(client(u))))"
            assert ledger.made[:3] == ["client", "inner", "outer"]
            assert runtime.wiring.adapters.http.current.name == "outer"
        assert ledger.closed[-3:] == ["outer", "inner", "client"]

    run(story())


CHANGES: dict[str, tuple[tuple[str, ...], tuple[str, ...], list[str], list[str]]] = {
    "nothing": (("a", "b"), ("a", "b"), [], []),
    "the outer layer": (("a", "b"), ("a=2", "b"), ["a=2"], ["a"]),
    "the inner layer": (("a", "b"), ("a", "b=2"), ["b=2"], ["b"]),
    "one more outside": (("b",), ("a", "b"), ["a"], []),
    "one more inside": (("a",), ("a", "b"), ["b"], []),
    "two around one": (("b",), ("a", "b", "c"), ["c", "a"], []),
    "the first": ((), ("a",), ["a"], []),
    "none any more": (("a",), (), [], ["a"]),
    "one less outside": (("a", "b"), ("b",), [], ["a"]),
    "one less inside": (("a", "b"), ("a",), [], ["b"]),
    "the order": (("a", "b"), ("b", "a"), [], []),
    "another layer": (("a",), ("b",), ["b"], ["a"]),
}


def passed(layers: tuple[str, ...], client: str = "client") -> str:
    text = f"{client}(u)"
    for layer in reversed(layers):
        text = f"{layer}({text})"
    return text


@pytest.mark.parametrize("what", CHANGES)
@pytest.mark.parametrize("back", [False, True])
def test_a_reload_restarts_only_the_layers_that_changed(what: str, back: bool) -> None:
    before, after, made, closed = CHANGES[what]

    async def story() -> None:
        ledger = Ledger()
        async with Runtime(stacked(ledger, *before, user="user")) as runtime:
            slot, user = runtime.wiring.adapters.http, runtime.wiring.adapters.user.live
            live = slot.live
            assert await user.get("u") == f"user({passed(before)})"
            ledger.made.clear()
            outcome = await runtime.reload(stacked(ledger, *after, user="user"))
            assert (outcome.accepted, outcome.reports) == (True, ())
            assert (sorted(ledger.made), ledger.closed) == (sorted(made), closed)
            assert await live.get("u") == passed(after)
            assert await slot.live.get("u") == passed(after)
            assert await user.get("u") == f"user({passed(after)})"
            assert slot.current is runtime.snapshot()[slot]
            assert slot.current.name == (*after, "client")[0]
            if back:
                assert (await runtime.rollback()).accepted
                assert await live.get("u") == passed(before)
                assert await user.get("u") == f"user({passed(before)})"
        assert sorted(ledger.closed) == sorted([*ledger.made, *before, "client", "user"])

    run(story())


def test_what_layers_wrap_is_swapped_beneath_them() -> None:
    async def story() -> None:
        ledger = Ledger()
        async with Runtime(stacked(ledger, "a", "b")) as runtime:
            live = runtime.wiring.adapters.http.live
            await live.get("u")
            assert (await runtime.reload(stacked(ledger, "a", "b", client="other"))).accepted
            assert ledger.made == ["client", "b", "a", "other"]
            assert ledger.closed == ["client"]
            assert await live.get("u") == "a(b(other(u)))"

    run(story())


@pytest.mark.parametrize("after", [("b",), ("a", "b", "c"), ("a=2", "b=2"), ()])
def test_no_call_fails_while_layers_come_and_go(after: tuple[str, ...]) -> None:
    async def story() -> None:
        ledger, answers, over = Ledger(), list[str](), asyncio.Event()
        async with Runtime(stacked(ledger, "a", "b", user="user")) as runtime:
            user = runtime.wiring.adapters.user.live

            async def ask() -> None:
                while not over.is_set():
                    answers.append(await user.get("u"))
                    await asyncio.sleep(0)

            asking = [asyncio.ensure_future(ask()) for _ in range(5)]
            for layers in (after, ("a", "b"), after, ("b", "a")):
                assert (await runtime.reload(stacked(ledger, *layers, user="user"))).accepted
                await asyncio.sleep(0.01)
            over.set()
            await asyncio.gather(*asking)
            orders = {f"user({passed(each)})" for each in (after, ("a", "b"), ("b", "a"))}
            assert orders <= {*answers}
        assert sorted(ledger.made) == sorted(ledger.closed)

    run(story())


def test_a_call_that_waits_for_a_layer_which_goes_reaches_what_it_wrapped() -> None:
    async def story() -> None:
        ledger, begun, go = Ledger(), asyncio.Event(), asyncio.Event()
        wiring = stacked(ledger, "a")

        async def slow(domain: Any) -> Client:
            begun.set()
            await go.wait()
            return Client(ledger, "a", domain._inner)

        wiring.__domains__["adapters"].__bindings__["_http_a"].block = slow
        async with Runtime(wiring) as runtime:
            asked = asyncio.ensure_future(runtime.wiring.adapters.http.live.get("u"))
            await begun.wait()
            assert (await runtime.reload(stacked(ledger))).accepted
            go.set()
            assert await asked == "client(u)"

    run(story())


def test_a_layer_that_cannot_start_fails_the_key_and_rejects_a_reload() -> None:
    async def story() -> None:
        ledger = Ledger()

        def broken(*layers: str) -> type[Any]:
            def refuse(_: Any) -> Client:
                raise OSError("hunter2")

            wiring = stacked(ledger, *layers)
            wiring.__domains__["adapters"].__bindings__["_http_bad"].block = refuse
            return wiring

        async with Runtime(broken("bad")) as runtime:
            with pytest.raises(ActivationError, match="http/bad"):
                await runtime.wiring.adapters.http.live.get("u")
        async with Runtime(stacked(ledger, "a")) as runtime:
            live = runtime.wiring.adapters.http.live
            await live.get("u")
            outcome = await runtime.reload(broken("bad", "a"))
            assert (outcome.accepted, outcome.code) == (False, "start")
            assert await live.get("u") == "a(client(u))"

    run(story())


def test_pausing_the_key_pauses_its_layers() -> None:
    async def story() -> None:
        async with Runtime(stacked(Ledger(), "a")) as runtime:
            host_of(runtime).paused["adapter:http"] = "maintenance"
            with pytest.raises(Paused):
                await runtime.wiring.adapters.http.live.get("u")

    run(story())


def test_a_replacement_has_the_layers_unless_it_is_bare() -> None:
    async def story() -> None:
        ledger, fake = Ledger(), Client(Ledger(), "fake")
        async with Runtime(stacked(ledger, "a"), replace={"adapter:http": fake}) as runtime:
            assert await runtime.wiring.adapters.http.live.get("u") == "a(fake(u))"
            assert (await runtime.reload(stacked(ledger, "b", client="other"))).accepted
            assert await runtime.wiring.adapters.http.live.get("u") == "b(fake(u))"
        async with Runtime(stacked(ledger, "a"), replace={"adapter:http": Bare(fake)}) as runtime:
            assert runtime.wiring.adapters.http.current is fake
            assert await runtime.wiring.adapters.http.live.get("u") == "fake(u)"
            assert (await runtime.reload(stacked(ledger, "b", "a"))).accepted
            assert runtime.wiring.adapters.http.current is fake
        assert "other" not in ledger.made
        assert fake.ledger.closed == []

    run(story())


def test_a_key_that_goes_takes_its_layers_along() -> None:
    async def story() -> None:
        ledger = Ledger()

        class Empty(Wiring, app="test"):
            pass

        Empty.domains(adapters=type("Adapters", (Domain,), {}))
        async with Runtime(stacked(ledger, "a", "b")) as runtime:
            slot = runtime.wiring.adapters.http
            live = slot.live
            await live.get("u")
            assert (await runtime.reload(Empty)).accepted
            assert ledger.closed == ["a", "b", "client"]
            with pytest.raises(RemovedKey):
                await live.get("u")
            with pytest.raises(RemovedKey):
                _ = slot.current
            assert (await runtime.reload(stacked(ledger, "b"))).accepted
            assert await slot.live.get("u") == "b(client(u))"

    run(story())


def test_a_wiring_whose_layers_are_not_there_is_refused() -> None:
    async def story() -> None:
        ledger = Ledger()
        lost = stacked(ledger, "a")
        del lost.__domains__["adapters"].__bindings__["_http_a"]
        async with Runtime(stacked(ledger)) as runtime:
            outcome = await runtime.reload(lost)
            assert (outcome.accepted, outcome.code) == (False, "shape")

    run(story())


def test_the_slot_of_a_key_is_the_same_object_with_and_without_layers() -> None:
    async def story() -> None:
        ledger = Ledger()
        async with Runtime(stacked(ledger)) as runtime:
            slot: Slot[Any] = runtime.wiring.adapters.http
            assert await slot.live.get("u") == "client(u)"
            await runtime.reload(stacked(ledger, "a"))
            assert runtime.wiring.adapters.http is slot
            assert slot.current.name == "a"
            await runtime.reload(stacked(ledger))
            assert slot.current.name == "client"
            assert type(slot) is Slot

    run(story())
