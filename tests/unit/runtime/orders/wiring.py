# fmt: off
# ruff: noqa: E501, RUF012
"""A wiring as the compiler writes it, by hand."""
from __future__ import annotations

from oneiric.declared import Topics as BaseTopics
from oneiric.declared import flow, topic
from oneiric.wiring import Domain, bind
from oneiric.wiring import Wiring as BaseWiring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict


class Adapters(Domain):
    _wiring: Wiring

    if TYPE_CHECKING:
        from oneiric.adapters.engine import Engine

    @bind("adapter:engine", "e1", provider="inline", port="oneiric.adapters.engine:Engine")
    def engine(self) -> Engine:
        """inline: settings/adapters.yml selects it"""
        from oneiric.adapters.engine.inline import InlineEngine
        return InlineEngine()


class Tasks(Domain):
    _wiring: Wiring

    if TYPE_CHECKING:
        from tests.unit.runtime.orders.parts import ChargeCard, Label, ReserveStock

    @bind("task:charge-card", "c1", tenants="1:fbec610d", provider="till",
          port="tests.unit.runtime.orders.parts:ChargeCard")
    def charge_card(self) -> ChargeCard:
        """till: the only candidate"""
        from tests.unit.runtime.orders.parts import Till
        return Till()

    @bind("task:label", "l1", provider="printer", port="tests.unit.runtime.orders.parts:Label")
    def label(self) -> Label:
        """printer: the only candidate"""
        from tests.unit.runtime.orders.parts import Printer
        return Printer()

    @bind("task:reserve-stock", "r1", provider="shelf", port="tests.unit.runtime.orders.parts:ReserveStock")
    def reserve_stock(self) -> ReserveStock:
        """shelf: the only candidate"""
        from tests.unit.runtime.orders.parts import Shelf
        return Shelf(cents=50)


class Workflows(Domain):
    _wiring: Wiring
    __engine__ = "oneiric.engines.workflows:Workflows"

    if TYPE_CHECKING:
        from tests.unit.runtime.orders.parts import Order

        class FulfilResult(TypedDict):
            charge: Any
            labels: list[str]

    @flow("workflow:fulfil", "f1", input="tests.unit.runtime.orders.parts:Order",
          needs=("task:charge-card", "task:label", "task:reserve-stock"),
          flow={
              "nodes": {
                  "reserve": {"call": "task:reserve-stock", "after": [], "with": {"order": "${input.id}", "quantity": "${input.quantity}"}},
                  "charge": {"call": "task:charge-card", "after": ["reserve"], "with": {"order": "${input.id}", "cents": "${reserve.cents}"}, "when": [{"path": "reserve.cents", "above": 0}]},
                  "labels": {"call": "task:label", "after": ["reserve"], "with": {"parcel": "${item}"}, "for_each": "${reserve.parcels}", "most": 50, "at_once": 5, "on_error": "continue"},
              },
              "result": {"charge": "${charge.id:-null}", "labels": "${labels}"},
              "steps": "current",
              "start_when": "dependencies",
              "queue": "orders",
          })
    async def fulfil(self, input: Order) -> FulfilResult:
        """fulfil: 3 nodes in 2 levels; settings/workflows.yml declares it"""
        reserve = await self._wiring.tasks.reserve_stock.live(order=input.id, quantity=input.quantity)
        charge = None
        if reserve["cents"] > 0:
            charge = await self._wiring.tasks.charge_card.live(order=input.id, cents=reserve["cents"])
        labels = [await self._wiring.tasks.label.live(parcel=item) for item in reserve["parcels"]]
        return {"charge": charge["id"] if charge is not None else None, "labels": labels}


class Topics(BaseTopics):
    _wiring: Wiring

    if TYPE_CHECKING:
        from tests.unit.runtime.orders.parts import OrderPlaced

    @topic("order.placed", type="tests.unit.runtime.orders.parts:OrderPlaced", order_by="customer")
    def order_placed(self) -> OrderPlaced:
        """Ordered by customer; settings/events.yml declares it"""
        raise NotImplementedError


class Wiring(BaseWiring, app="orders", profile="default"):
    __listed__ = "2:fa310436"
    __queues__ = {"orders": {"at_once": 20, "at_once_here": 10}}
    adapters: Adapters
    tasks: Tasks
    topics: Topics
    workflows: Workflows


Wiring.domains(adapters=Adapters, tasks=Tasks, topics=Topics, workflows=Workflows)
