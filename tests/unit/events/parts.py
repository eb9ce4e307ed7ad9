"""Components and wirings that the tests of events are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from oneiric.declared import Topics, topic
from oneiric.wiring import Domain, Wiring, bind


class Placed(TypedDict):
    id: str
    customer: str
    cents: int


@dataclass
class Shipped:
    id: str
    parcels: list[str]


PORTS = {
    "database": "oneiric.adapters.database:Database",
    "engine": "oneiric.adapters.engine:Engine",
    "queue": "oneiric.adapters.queue:Queue",
}


def typed(handle: Callable[..., Any]) -> Any:
    """A component whose call is that function."""
    return type("Handler", (), {"__call__": handle})()


class Orders(Topics):
    if False:  # the methods are for type checkers
        pass

    @topic("order.placed", type="tests.unit.events.parts:Placed", order_by="customer")
    def order_placed(self) -> Placed:
        raise NotImplementedError

    @topic("order.shipped", type="tests.unit.events.parts:Shipped")
    def order_shipped(self) -> Shipped:
        raise NotImplementedError

    @topic("anything")
    def anything(self) -> dict[str, Any]:
        raise NotImplementedError


def wired(
    handlers: Mapping[str, Callable[..., Any]],
    subscriptions: Mapping[str, Mapping[str, Any]],
    *,
    adapters: Mapping[str, tuple[str, Callable[[], Any]]] | None = None,
    engine: bool = True,
    **stated: Any,
) -> type[Any]:
    """A wiring as the compiler writes it: a handler per key of domain event, and adapters by key, provider and
    factory."""

    def block(make: Callable[[], Any]) -> Callable[[Any], Any]:
        return lambda _: make()

    events: dict[str, Any] = {
        name.replace("-", "_"): bind(f"event:{name}", "f", provider="test", port=None)(
            block(lambda handle=handle: typed(handle))
        )
        for name, handle in handlers.items()
    }
    if engine:
        events["__engine__"] = "oneiric.engines.events:Events"
    events["__subscriptions__"] = subscriptions
    bound: dict[str, Any] = {
        key: bind(f"adapter:{key}", "f", provider=provider, port=PORTS.get(key, PORTS["queue"]))(block(make))
        for key, (provider, make) in (adapters or {}).items()
    }
    wiring: Any = type("Made", (Wiring,), {f"__{name}__": value for name, value in stated.items()}, app="shop")
    wiring.domains(adapters=type("Adapters", (Domain,), bound), events=type("Events", (Domain,), events), topics=Orders)
    return wiring


def subscribed(*topics: str, **fields: Any) -> dict[str, Any]:
    """A subscription as it stands in a wiring."""
    return {"topics": list(topics or ("order.placed",)), **fields}


PLACED: Placed = {"id": "1", "customer": "ada", "cents": 5}
