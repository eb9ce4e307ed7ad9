"""`Runtime.rotate`: who holds a secret that is another one now is made again, nobody else, and no call fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import pytest
from oneiric import Deadlines, Runtime, Secret
from oneiric.adapters.secrets import SecretNotFound, SecretsUnavailable
from oneiric.reload.outcome import Event
from oneiric.runtime import host_of
from oneiric.wiring import Domain

import tests.unit.runtime.shop.wiring as shop
from tests.unit.runtime.making import key, run, wiring_of
from tests.unit.runtime.shop.parts import Vault

CANARY = "hunter2"


class Store(Protocol):
    async def get(self, name: str) -> Secret: ...


class Holding(Protocol):
    async def call(self) -> str: ...


class Kept:
    """A store that gives out what it read until it is refreshed; `fault` is what its next `get` does."""

    def __init__(self) -> None:
        self.there = {"PW": "old", "OTHER": "other"}
        self.seen = dict(self.there)
        self.refreshes = self.gets = 0
        self.fault: Callable[[], object] | None = None
        self.let_go = asyncio.Event()
        self.let_go.set()

    async def refresh(self) -> None:
        self.refreshes += 1
        self.seen = dict(self.there)

    async def get(self, name: str) -> Secret:
        self.gets += 1
        text = self.seen.get(name)
        await self.let_go.wait()
        if self.fault is not None:
            self.fault()
        if text is None:
            raise SecretNotFound(name)
        return Secret(text)


class Holder:
    """Has a secret, and notes whether it was called after its close."""

    def __init__(self, made: list[Holder], secret: Secret | None, fails: bool = False) -> None:
        made.append(self)
        self.secret = "none" if secret is None else secret.reveal()
        self.closes = 0
        self._fails = fails

    async def call(self) -> str:
        assert not self.closes
        await asyncio.sleep(0)
        assert not self.closes, "closed during a call"
        return self.secret

    async def health(self) -> bool:
        return not (self._fails and self.secret == CANARY)

    async def aclose(self) -> None:
        self.closes += 1


class App:
    """`one` and `both` hold PW, `other` and `both` hold OTHER, `free` none, `user` needs `one`."""

    store: Kept

    def __init__(self, *, fails: bool = False) -> None:
        self.made: dict[str, list[Holder]] = {}
        port, here = f"{__name__}:Holding", self

        def holder(name: str, *secrets: str, **options: Any) -> Any:
            def make(inputs: Domain) -> Holder:
                (first, *_) = [inputs._secret(each) for each in secrets] or [None]  # pyright: ignore[reportPrivateUsage]
                return Holder(here.made.setdefault(name, []), first, fails and name == "both")

            return key(make, port=port, secrets=secrets, **options)

        self.wiring = wiring_of(
            secrets=key(lambda _: self.store, port=f"{__name__}:Store"),
            one=holder("one", "PW"),
            other=holder("other", "OTHER"),
            both=holder("both", "PW", "OTHER"),
            free=holder("free"),
            user=holder("user", needs=("adapter:one",)),
        )

    def running(self, case: Callable[[Any], Any], **options: Any) -> None:
        async def main() -> None:
            self.store = Kept()
            async with Runtime(self.wiring, **options) as runtime:
                for name in ("other", "both", "free", "user"):
                    await getattr(runtime.wiring.adapters, name).live.call()
                await case(runtime)
            for made in self.made.values():
                assert [each.closes for each in made] == [1] * len(made)

        run(main())

    def counts(self) -> dict[str, int]:
        return {name: len(made) for name, made in self.made.items()}


ONCE = {"one": 1, "other": 1, "both": 1, "free": 1, "user": 1}


@pytest.mark.parametrize("name", ["PW", "ONEIRIC_SECRET_PW", None])
def test_under_load_holders_of_a_changed_secret_are_made_again_and_no_call_fails(name: str | None) -> None:
    app = App()

    async def case(runtime: Any) -> None:
        adapters = runtime.wiring.adapters
        heard: dict[str, list[str]] = {}
        over = False

        async def load(of: str) -> None:
            live = getattr(adapters, of).live
            while not over:
                heard.setdefault(of, []).append(await live.call())

        calls = [asyncio.ensure_future(load(of)) for of in ("one", "other", "both", "free", "user") for _ in range(5)]
        for round_ in range(20):
            app.store.there["PW"] = f"new {round_}"
            outcome = await runtime.rotate(*([] if name is None else [name]))
            assert (outcome.accepted, outcome.code, outcome.reports) == (True, None, ())
            assert {at for _, at in outcome.plan.replace} == {"adapter:one", "adapter:both"}
            assert outcome.generation == outcome.previous == runtime.generation
            assert await adapters.one.live.call() == f"new {round_}"
        over = True
        await asyncio.gather(*calls)
        assert heard["one"][0] == "old" and len(set(heard["one"])) > 2
        assert app.counts() == {**ONCE, "one": 21, "both": 21}
        assert host_of(runtime).changes is not None
        assert len(host_of(runtime).changes.history.changes) == 0  # type: ignore[union-attr]

    app.running(case)


def test_where_nothing_has_changed_nothing_is_made_again() -> None:
    app = App()

    async def case(runtime: Any) -> None:
        outcome = await runtime.rotate()
        assert (outcome.accepted, outcome.code, app.store.refreshes) == (True, "unchanged", 1)
        app.store.there["PW"] = "new"
        outcome = await runtime.rotate("OTHER")
        assert outcome.code == "unchanged"
        outcome = await runtime.rotate("OTHR")
        assert outcome.reports == ("nothing that is active has the secret OTHR; did you mean OTHER?",)
        assert app.counts() == ONCE

    app.running(case)


def test_a_secret_that_appears_or_goes_makes_its_holder_again() -> None:
    app = App()

    async def case(runtime: Any) -> None:
        del app.store.there["OTHER"]
        outcome = await runtime.rotate("OTHER")
        assert (outcome.accepted, outcome.code) == (False, "start")  # its holders cannot do without
        assert "there is no secret 'OTHER'" in outcome.reason
        assert app.counts() == ONCE
        assert await runtime.wiring.adapters.other.live.call() == "other"

    app.running(case)


def unavailable() -> None:
    raise SecretsUnavailable("no answer", provider="kept", setting="url")


def unknown() -> None:
    raise OSError(f"a text with {CANARY}")


@pytest.mark.parametrize(
    ("fault", "told"),
    [(unavailable, "adapter:secrets: no answer (setting url)"), (unknown, "adapter:secrets raised OSError for ")],
)
def test_a_store_that_fails_leaves_everything_as_it_was(fault: Callable[[], object], told: str) -> None:
    app = App()

    async def case(runtime: Any) -> None:
        app.store.there["PW"] = CANARY
        app.store.fault = fault
        outcome = await runtime.rotate()
        assert (outcome.accepted, outcome.code) == (False, "secrets")
        assert told in outcome.reason and CANARY not in outcome.reason
        assert runtime.rejected is None
        app.store.fault = None
        assert await runtime.wiring.adapters.one.live.call() == "old"
        assert app.counts() == ONCE
        assert (await runtime.rotate()).accepted
        assert await runtime.wiring.adapters.one.live.call() == CANARY

    app.running(case)


def test_a_store_that_hangs_is_rejected_in_time() -> None:
    app = App()

    async def case(runtime: Any) -> None:
        app.store.let_go.clear()
        outcome = await runtime.rotate()
        assert (outcome.accepted, outcome.code) == (False, "secrets")
        assert outcome.reason == "adapter:secrets took longer than 0.5 seconds"
        app.store.let_go.set()
        assert await runtime.wiring.adapters.one.live.call() == "old"

    app.running(case, deadlines=Deadlines(secrets=0.5))


def test_a_holder_that_does_not_start_with_it_leaves_everything_as_it_was() -> None:
    app = App(fails=True)

    async def case(runtime: Any) -> None:
        app.store.there["PW"] = CANARY
        outcome = await runtime.rotate()
        assert (outcome.accepted, outcome.code) == (False, "health")
        assert CANARY not in outcome.reason
        assert await runtime.wiring.adapters.one.live.call() == "old"
        assert await runtime.wiring.adapters.both.live.call() == "old"
        assert [each.closes for each in app.made["both"]] == [0, 1]

    app.running(case)


def test_hooks_have_their_say() -> None:
    app = App()
    told: list[Event] = []

    def no(event: Event) -> None:
        told.append(event)
        if len(told) == 1:
            raise ValueError("not now")

    async def case(runtime: Any) -> None:
        runtime.on("pre-swap", no)
        app.store.there["PW"] = "new"
        assert (await runtime.rotate()).code == "hook"
        assert app.counts() == {**ONCE, "one": 2, "both": 2}
        assert await runtime.wiring.adapters.one.live.call() == "old"
        assert (await runtime.rotate()).accepted
        assert (None, "adapter:one") in told[1].plan.replace

    app.running(case)


def test_what_is_being_activated_with_the_old_secret_begins_again() -> None:
    app = App()

    async def main() -> None:
        app.store = Kept()
        async with Runtime(app.wiring) as runtime:
            adapters: Any = runtime.wiring.adapters
            await adapters.other.live.call()
            app.store.let_go.clear()
            call = asyncio.ensure_future(adapters.one.live.call())
            while app.store.gets < 2:
                await asyncio.sleep(0)
            app.store.there["PW"] = "new"
            rotation = asyncio.ensure_future(runtime.rotate())
            while not app.store.refreshes:
                await asyncio.sleep(0)
            app.store.let_go.set()
            assert (await rotation).accepted
            assert await call == "new"

    run(main())


class Wrap:
    """A layer with a secret of its own."""

    def __init__(self, inner: Holding, secret: Secret) -> None:
        self._inner, self._secret = inner, secret

    async def call(self) -> str:
        return f"{self._secret.reveal()} around {await self._inner.call()}"


def test_of_a_key_with_layers_only_the_part_is_made_again_that_has_the_secret() -> None:
    made: list[Any] = []
    port, store = f"{__name__}:Holding", Kept()

    def within(inputs: Any) -> Holder:
        return Holder(made, inputs._secret("PW"))  # type: ignore[arg-type]

    def around(inputs: Any) -> Wrap:
        made.append(Wrap(inputs._inner, inputs._secret("OTHER")))
        return made[-1]

    wiring = wiring_of(
        secrets=key(lambda _: store, port=f"{__name__}:Store"),
        one=key(within, port=port, secrets=("PW",), layers=("adapter:one/wrap",)),
        wrap=key(around, name="adapter:one/wrap", port=port, secrets=("OTHER",), inner="adapter:one"),
    )

    async def main() -> None:
        async with Runtime(wiring) as runtime:
            live = runtime.wiring.adapters.one.live
            assert await live.call() == "other around old"
            store.there["PW"] = "new"
            assert (await runtime.rotate()).plan.replace == ((None, "adapter:one"),)
            assert await live.call() == "other around new"
            store.there["OTHER"] = "newer"
            assert (await runtime.rotate()).plan.replace == ((None, "adapter:one/wrap"),)
            assert await live.call() == "newer around new"
            assert [type(each) for each in made] == [Holder, Wrap, Holder, Wrap]

    store.let_go.set()
    run(main())


def test_only_the_holders_of_the_tenants_store_that_changed_are_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"x": "value", "acme": "value"}
    get = Vault.get

    async def changing(self: Vault, name: str) -> Secret:
        text = (await get(self, name)).reveal()
        return Secret(text.replace("value", values["acme" if "acme" in text else "x"]))

    monkeypatch.setattr(Vault, "get", changing)

    async def main() -> None:
        async with Runtime(shop.Wiring, environ={"HOST": "h"}) as runtime:
            base, acme = runtime.wiring.adapters.cache, runtime.tenant("acme").adapters.cache
            for slot in (base, acme):
                async with slot.lease():
                    pass
            before = base.current, acme.current
            values["acme"] = "new"
            outcome = await runtime.rotate()
            assert outcome.plan.replace == (("acme", "adapter:cache"),)
            assert base.current is before[0] and acme.current is not before[1]
            assert acme.current.password.reveal() == "x-acme-PW-new"  # type: ignore[attr-defined]
            values["x"] = "new"
            outcome = await runtime.rotate("PW")
            assert outcome.plan.replace == ((None, "adapter:cache"),)
            assert base.current is not before[0]
            assert (await runtime.rotate()).code == "unchanged"

    run(main())
