"""Reloads: only what changed is made again, handles are kept, tenants move between the base and their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import oneiric
import pytest
from oneiric import RemovedKey, Runtime
from oneiric.reload.commit import Switch
from oneiric.reload.outcome import Event, Overrides
from oneiric.runtime import host_of
from oneiric.slot import Held

from tests.faults.compiler import LEDGER, text_of
from tests.faults.reloading import PATIENT, Counted, app, closed_once, part, settled, until
from tests.unit.runtime.listed import with_tenants
from tests.unit.runtime.making import run

Story = Callable[[Runtime[Any], list[Counted]], Awaitable[None]]


def told(story: Story, **keys: Any) -> None:
    """Run a story on a wiring of these keys, and close it."""
    ledger: list[Counted] = []

    async def all_of_it() -> None:
        async with Runtime(app(ledger, **keys), deadlines=PATIENT) as runtime:
            await story(runtime, ledger)
            settled(runtime, ledger)

    run(all_of_it())
    closed_once(ledger)


def test_only_what_changed_is_made_anew_and_dependents_keep_their_handles() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        adapters = runtime.wiring.adapters
        live = adapters.a.live
        assert (await live.ping(), await adapters.b.live.ping(), await adapters.c.live.ping()) == ("a/1", "b/1", "c/1")
        kept = adapters.b.current, adapters.c.current
        new = app(ledger, a=part("2"), b=part("1", needs=("adapter:a",)), c=part("1"))
        outcome = await runtime.reload(new)
        assert outcome.plan[:4] == ((((None, "adapter:b"), (None, "adapter:c"))), (), ((None, "adapter:a"),), ())
        assert (adapters.b.current, adapters.c.current) == kept
        assert runtime.wiring.adapters is adapters
        assert adapters.a.live is live
        assert await live.ping() == "a/2"
        assert [each.name for each in ledger if each.closes] == ["a/1"]
        assert runtime.generation == outcome.generation

    told(story, a=part("1"), b=part("1", needs=("adapter:a",)), c=part("1"))


def test_what_is_inactive_takes_its_new_binding_and_waits_for_a_call() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        outcome = await runtime.reload(app(ledger, a=part("2"), b=part("1")))
        assert outcome.plan.replace == ((None, "adapter:a"),)
        assert not ledger
        assert await runtime.wiring.adapters.a.live.ping() == "a/2"

    told(story, a=part("1"), b=part("1"))


def test_what_is_activated_between_the_preparation_and_the_commit_is_replaced_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare = Switch.__init__
    prepared: list[Switch] = []

    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        slot = runtime.wiring.adapters.a

        def prepare_and_let_one_in(self: Switch, *arguments: Any) -> None:
            prepare(self, *arguments)
            if not prepared:
                asyncio.get_running_loop().call_soon(host_of(runtime).fill, Held(slot, Counted(ledger, "late")))
            prepared.append(self)

        monkeypatch.setattr(Switch, "__init__", prepare_and_let_one_in)
        assert (await runtime.reload(app(ledger, a=part("2")))).accepted
        assert slot.current.name == "a/2"
        assert [(each.name, each.closes) for each in ledger] == [("late", 1), ("a/2", 0)]
        assert len(prepared) == 2

    told(story, a=part("1"))


def test_the_new_block_of_a_kept_binding_is_used_from_then_on() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        later: list[Counted] = []
        await runtime.reload(app(later, a=part("1"), b=part("2")))
        await runtime.wiring.adapters.a.live.ping()
        assert not ledger
        assert [each.name for each in later] == ["a/1"]
        ledger += later

    told(story, a=part("1"), b=part("1"))


def test_eager_keys_are_started_and_new_ones_are_there() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        new = app(ledger, a=part("1"), c=part("1", eager=True, needs=("adapter:d",)), d=part("1"), e=part("1"))
        outcome = await runtime.reload(new)
        assert set(outcome.plan.start) == {(None, "adapter:c"), (None, "adapter:d"), (None, "adapter:e")}
        assert [each.name for each in ledger] == ["d/1", "c/1"]
        assert runtime.wiring.adapters.c.state == runtime.wiring.adapters.d.state == "active"
        assert runtime.wiring.adapters.e.state == "inactive"
        assert await (await runtime.use("adapter", "e")).ping() == "e/1"

    told(story, a=part("1"))


def test_a_kept_key_that_something_new_needs_is_started_by_its_new_needs() -> None:
    """`b` is kept and inactive; started by its old needs it would fail, as the old `c` does."""

    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        needs_c = part("1", needs=("adapter:c",))
        new = app(ledger, b=needs_c, c=part("2"), d=part("1", eager=True, needs=("adapter:b",)))
        assert (await runtime.reload(new)).accepted
        assert [each.name for each in ledger] == ["c/2", "b/1", "d/1"]

    told(story, b=part("1", needs=("adapter:c",)), c=part("1", "start", "raise"))


def test_a_removed_key_closes_and_raises_by_name_until_it_is_back() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        slot = runtime.wiring.adapters.a
        live = slot.live
        await live.ping()
        outcome = await runtime.reload(app(ledger, b=part("1")))
        assert outcome.plan.stop == ((None, "adapter:a"),)
        assert slot.state == "removed"
        for attempt in (live.ping(), runtime.use("adapter", "a"), slot.lease().__aenter__()):
            with pytest.raises(RemovedKey, match="no longer has adapter:a"):
                await attempt
        with pytest.raises(RemovedKey):
            _ = slot.current
        with pytest.raises(RemovedKey):
            _ = slot.live
        assert [each.closes for each in ledger] == [1]
        await runtime.reload(app(ledger, a=part("3"), b=part("1")))
        assert runtime.wiring.adapters.a is slot
        assert await live.ping() == "a/3"

    told(story, a=part("1"), b=part("1"))


def test_a_removed_key_serves_those_who_need_it_until_they_are_closed() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        adapters = runtime.wiring.adapters
        await adapters.b.live.ping()
        need = adapters.a.live
        async with adapters.b.lease() as old:
            reloading = asyncio.ensure_future(runtime.reload(app(ledger, b=part("2"))))
            await until(lambda: adapters.b.current is not old)
            assert await need.ping() == "a/1"
            with pytest.raises(RemovedKey):
                await runtime.use("adapter", "a")
            assert len(runtime.snapshot()) == 1
        await reloading
        with pytest.raises(RemovedKey):
            await need.ping()
        order = [each.name for each in ledger if each.closes]
        assert order == ["a/1", "b/1"]

    told(story, a=part("1"), b=part("1", needs=("adapter:a",)))


def test_replacements_of_tests_stay() -> None:
    ledger: list[Counted] = []
    fake = Counted([], "fake")

    async def story() -> None:
        wirings = [app(ledger, a=part(str(n)), b=part("1", needs=("adapter:a",))) for n in range(2)]
        async with Runtime(wirings[0], replace={"adapter:a": fake}, deadlines=PATIENT) as runtime:
            await runtime.wiring.adapters.b.live.ping()
            assert (await runtime.reload(wirings[1])).accepted
            assert runtime.wiring.adapters.a.current is fake
            assert await runtime.wiring.adapters.a.live.ping() == "fake"

    run(story())
    assert not fake.closes
    closed_once(ledger)


def test_hooks_are_told_in_order() -> None:
    events: list[Event] = []
    closed: list[int] = []

    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        await runtime.wiring.adapters.a.live.ping()

        async def note(event: Event) -> None:
            await asyncio.sleep(0)
            events.append(event)

        runtime.on("pre-swap", note)
        runtime.on("post-swap", events.append)
        runtime.on("cleanup", lambda event: (closed.append(ledger[0].closes), events.append(event))[1])
        with pytest.raises(ValueError, match="no hook"):
            runtime.on("before", events.append)  # type: ignore[arg-type]
        previous = runtime.generation
        outcome = await runtime.reload(app(ledger, a=part("2")))
        assert [event.hook for event in events] == ["pre-swap", "post-swap", "cleanup"]
        assert {(each.generation, each.previous, each.plan) for each in events} == {
            (outcome.generation, previous, outcome.plan)
        }
        assert closed == [1]

    told(story, a=part("1"))


def test_a_rollback_makes_fresh_instances_and_ends_where_the_history_does() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        live = runtime.wiring.adapters.a.live
        await live.ping()
        generations = [runtime.generation]
        generations += [(await runtime.reload(app(ledger, a=part(number)))).generation for number in "234"]
        outcome = await runtime.rollback()
        assert outcome.rolled_back_to == outcome.generation == generations[2]
        assert await live.ping() == "a/3"
        assert (await runtime.rollback()).code == "no-previous"
        assert [each.name for each in ledger] == ["a/1", "a/2", "a/3", "a/4", "a/3"]

    told(story, a=part("1"))


def test_a_rollback_returns_to_what_a_file_was(deployed: Callable[..., Path]) -> None:
    async def story() -> None:
        path = deployed()
        async with Runtime(oneiric.load(path), deadlines=PATIENT) as runtime:
            live = runtime.wiring.adapters.a.live
            for provider in "23":
                deployed(provider)
                await runtime.reload()
                assert await live.ping() == f"a/{provider}"
            assert (await runtime.rollback()).accepted
            assert await live.ping() == "a/2"

    run(story())


def test_a_plan_changes_nothing() -> None:
    async def story(runtime: Runtime[Any], ledger: list[Counted]) -> None:
        await runtime.wiring.adapters.a.live.ping()
        before = runtime.generation
        outcome = await runtime.reload(app(ledger, a=part("2"), c=part("1")), plan_only=True)
        assert (outcome.accepted, outcome.code, outcome.generation) == (True, "planned", before)
        assert outcome.plan[:4] == ((), ((None, "adapter:c"),), ((None, "adapter:a"),), ((None, "adapter:b"),))
        assert len(ledger) == 1

    told(story, a=part("1"), b=part("1"))


def test_overrides_are_added_and_taken_away() -> None:
    some = Overrides().having("adapter:a", "x", None).having("adapter:b", "y", "acme")
    assert some.document() == {"overrides": {"adapter:a": "x"}, "tenants": {"acme": {"adapter:b": "y"}}}
    assert Overrides.of(some.document()) == some
    assert not some.having("adapter:a", None, None).having("adapter:b", None, "acme").active


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Writes a wiring of `a`, and `b` which needs it, with lines of tenants; `tenant_key="provider"`."""
    LEDGER.clear()

    def deploy(a: str = "1", **tenants: str) -> Path:
        path = tmp_path / "wiring.py"
        path.write_text(text_of(a))
        lines = [_line(*name.split("_"), provider) for name, provider in tenants.items()]
        return with_tenants(path, *lines, listed=("acme", "zoo"))

    yield deploy
    closed_once(LEDGER)


def _line(tenant: str, key: str, provider: str) -> dict[str, Any]:
    needs = {"needs": ["adapter:a"]} if key == "b" else {}
    return {
        "tenant": tenant,
        "key": f"adapter:{key}",
        "provider": provider,
        "fingerprint": provider,
        "factory": "tests.unit.runtime.test_runtime_reload:OfTenant",
        "port": "tests.faults.reloading:Pinging",
        "arguments": {"name": {"value": f"{tenant}.{key}/{provider}"}, **_need(key)},
        **needs,
    }


def _need(key: str) -> dict[str, Any]:
    return {"need": {"need": "adapter:a"}} if key == "b" else {}


class OfTenant(Counted):
    """What tenants have of their own."""

    def __init__(self, *, name: str, need: Any = None) -> None:
        super().__init__(LEDGER, name, *(("health", "false") if name.endswith("sick") else ()))
        self.need = need


def test_tenants_move_between_the_base_and_their_own_and_so_do_kept_handles(deployed: Callable[..., Path]) -> None:
    async def story() -> None:
        path = deployed(acme_b="1")
        async with Runtime(oneiric.load(path), deadlines=PATIENT) as runtime:
            acme = runtime.tenant("acme")
            place, live = acme.adapters.a, acme.adapters.a.live
            assert await acme.adapters.b.live.ping() == "acme.b/1"
            injected = acme.adapters.b.current.need
            assert (await live.ping(), await injected.ping()) == ("a/1", "a/1")
            assert place.current is runtime.wiring.adapters.a.current

            outcome = await runtime.reload(deployed(acme_b="1", acme_a="7"))
            assert outcome.plan.start == (("acme", "adapter:a"),)
            assert acme.adapters.a is place
            assert (await live.ping(), await injected.ping()) == ("acme.a/7", "acme.a/7")
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
            assert place.current is not runtime.wiring.adapters.a.current
            assert runtime.snapshot()[place] is place.current
            settled(runtime, LEDGER)

            outcome = await runtime.reload(deployed(acme_b="1", acme_a="8"))
            assert outcome.plan.replace == (("acme", "adapter:a"),)
            assert (await live.ping(), await injected.ping()) == ("acme.a/8", "acme.a/8")
            settled(runtime, LEDGER)

            outcome = await runtime.reload(deployed(acme_b="1"))
            assert outcome.plan.stop == (("acme", "adapter:a"),)
            assert (await live.ping(), await injected.ping()) == ("a/1", "a/1")
            assert place.current is runtime.wiring.adapters.a.current
            settled(runtime, LEDGER)

            await runtime.reload(deployed(a="2", acme_b="2"))
            assert (await live.ping(), await injected.ping()) == ("a/2", "a/2")
            assert await acme.adapters.b.live.ping() == "acme.b/2"
            await runtime.reload(deployed(a="2", acme_b="2", acme_a="9"))
            assert await acme.adapters.b.current.need.ping() == "acme.a/9"
            settled(runtime, LEDGER)

    run(story())


def test_an_unhealthy_instance_of_a_tenant_rejects_the_wiring_for_all(deployed: Callable[..., Path]) -> None:
    async def story() -> None:
        async with Runtime(oneiric.load(deployed(acme_b="1")), deadlines=PATIENT) as runtime:
            acme = runtime.tenant("acme")
            assert await acme.adapters.b.live.ping() == "acme.b/1"
            await runtime.wiring.adapters.a.live.ping()
            outcome = await runtime.reload(deployed(a="2", acme_b="sick"))
            assert (outcome.accepted, outcome.code) == (False, "health")
            assert await acme.adapters.b.live.ping() == "acme.b/1"
            assert await runtime.wiring.adapters.a.live.ping() == "a/1"
            settled(runtime, LEDGER)

    run(story())


def test_tenants_that_nobody_asked_for_are_not_started(deployed: Callable[..., Path]) -> None:
    async def story() -> None:
        async with Runtime(oneiric.load(deployed()), deadlines=PATIENT) as runtime:
            assert runtime.tenant("zoo").adapters.a.live is not None
            assert (await runtime.reload(deployed(acme_a="sick"))).accepted
            assert (await runtime.reload(deployed(zoo_a="5", acme_a="4"))).accepted
            assert not LEDGER
            assert await runtime.tenant("zoo").adapters.a.live.ping() == "zoo.a/5"
            assert await runtime.tenant("acme").adapters.a.live.ping() == "acme.a/4"

    run(story())


def test_a_reload_lets_a_tenant_that_is_idle_drop(deployed: Callable[..., Path]) -> None:
    async def story() -> None:
        async with Runtime(oneiric.load(deployed(acme_a="1")), deadlines=PATIENT, tenant_idle=0.05) as runtime:
            live = runtime.tenant("acme").adapters.a.live
            assert await live.ping() == "acme.a/1"
            await until(lambda: runtime.tenant("acme").adapters.a.state == "inactive")
            await runtime.reload(deployed(acme_a="2"))
            assert len(LEDGER) == 1
            assert await live.ping() == "acme.a/2"

    run(story())


def test_a_reload_that_brings_tenants_lets_them_be_closed_when_they_are_idle(
    deployed: Callable[..., Path], tmp_path: Path
) -> None:
    async def story() -> None:
        before = tmp_path / "before" / "wiring.py"
        before.parent.mkdir()
        before.write_text(text_of("1"))
        async with Runtime(oneiric.load(before), deadlines=PATIENT, tenant_idle=0.05) as runtime:
            assert host_of(runtime).idle is None
            assert (await runtime.reload(deployed(acme_a="1"))).accepted
            acme = runtime.tenant("acme").adapters.a
            assert await acme.live.ping() == "acme.a/1"
            await until(lambda: acme.state == "inactive")
            settled(runtime, LEDGER)

    run(story())
