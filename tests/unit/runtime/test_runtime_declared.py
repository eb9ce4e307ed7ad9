"""What a wiring declares besides components, as its slots show it."""

from __future__ import annotations

from typing import Any

import pytest
from oneiric import Runtime
from oneiric.declared import FlowBlock, Topics, TopicSlot, flow_of, topic, topics_of
from oneiric.runtime import host_of
from oneiric.wiring import Domain, Wiring

from tests.unit.runtime.making import run
from tests.unit.runtime.orders.wiring import Wiring as Orders


def test_a_flow_is_the_binding_of_its_workflow() -> None:
    slot: Any = Runtime(Orders).wiring.workflows.fulfil
    block = flow_of(slot.binding)
    assert isinstance(block, FlowBlock)
    assert block.flow["key"] == slot.key == "workflow:fulfil"
    assert list(block.flow["nodes"]) == ["reserve", "charge", "labels"]
    assert (block.input, slot.binding.provider) == ("tests.unit.runtime.orders.parts:Order", "declared")
    assert flow_of(Runtime(Orders).wiring.tasks.label.binding) is None


def test_what_is_kept_of_a_workflow_belongs_to_the_view_it_was_asked_in() -> None:
    async def look() -> None:
        async with Runtime(Orders) as runtime:
            of_base: Any = runtime.wiring.workflows.fulfil
            of_acme: Any = runtime.tenant("acme").workflows.fulfil
            assert (of_base.tenant, of_acme.tenant) == (None, "acme")
            assert of_acme.binding is of_base.binding
            assert of_acme.live is not of_base.live
            assert repr(of_acme.live) == "<live workflow:fulfil>"

    run(look())


def test_a_topic_has_a_slot_in_every_view() -> None:
    async def look() -> None:
        async with Runtime(Orders) as runtime:
            placed = runtime.wiring.topics.order_placed
            assert isinstance(placed, TopicSlot)
            assert (placed.topic.name, placed.topic.order_by) == ("order.placed", "customer")
            assert placed.topic.type == "tests.unit.runtime.orders.parts:OrderPlaced"
            assert placed.scope is host_of(runtime).base
            assert runtime.tenant("acme").topics.order_placed.scope.tenant == "acme"
            assert list(topics_of(placed.scope)) == ["order.placed"]

    run(look())


def test_a_reload_shows_the_topics_of_the_new_wiring() -> None:
    class Others(Topics):
        @topic("order.sent", order_by=None)
        def order_sent(self) -> dict[str, Any]:
            raise NotImplementedError

    class Next(Wiring, app="orders"):
        __listed__ = Orders.__listed__
        __tenants__ = None

    Next.__file__ = __import__(Orders.__module__, None, None, ("x",)).__file__
    Next.domains(**{**Orders.__domains__, "topics": Others})
    Next.__generation__ = "next"

    async def look() -> None:
        async with Runtime(Orders) as runtime:
            tenant: Any = runtime.tenant("acme")
            outcome = await runtime.reload(Next)
            assert outcome.accepted, outcome
            wiring: Any = runtime.wiring
            for view in (wiring, tenant):
                assert view.topics.order_sent.topic.name == "order.sent"
                assert not hasattr(view.topics, "order_placed")
            assert tenant.topics.order_sent.scope.tenant == "acme"

    run(look())


def test_a_wiring_without_topics_has_none() -> None:
    class Empty(Domain):
        pass

    class Bare(Wiring, app="bare"):
        pass

    Bare.domains(adapters=Empty)
    assert topics_of(host_of(Runtime(Bare)).base) == {}


@pytest.mark.parametrize("name", ["Emitted", "RunHandle", "RunFailed"])
def test_what_is_declared_has_public_names(name: str) -> None:
    import oneiric

    assert getattr(oneiric, name).__name__ == name
