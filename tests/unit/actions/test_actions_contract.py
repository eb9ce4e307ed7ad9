"""The contract of actions notices each way of breaking it, by the case that is about it."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypedDict

import pytest
from oneiric import component
from oneiric.actions import InvalidPayload
from oneiric.testing.contracts import ActionContract, started


class Told(TypedDict):
    items: list[Any]


class Tell(Protocol):
    async def __call__(self, *, items: list[Any], deep: dict[str, Any] | None = None) -> Told: ...


@component("action", "shop.tell", provider="good", port="tests.unit.actions.test_actions_contract:Tell")
class Good:
    closes = 0

    async def __call__(self, *, items: list[Any], deep: dict[str, Any] | None = None) -> Any:
        if not isinstance(items, list):
            raise InvalidPayload("is not a list", key="shop.tell", field="items")
        await asyncio.sleep(0)
        return {"items": [*items]}


class ByPosition(Good):
    async def __call__(self, items: list[Any], *, deep: Any = None) -> Any:  # type: ignore[override]
        return await super().__call__(items=items)


class Synchronous(Good):
    def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        return super().__call__(items=items)


class LacksAField(Good):
    async def __call__(self, *, items: list[Any]) -> Any:  # type: ignore[override]
        return await super().__call__(items=items)


class TakesAnything(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None, **others: Any) -> Any:
        return await super().__call__(items=items)


class GivesBytes(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        return {"items": [b"bytes"]} if await super().__call__(items=items) else {}


class GivesNan(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        return {"items": [float("nan")]} if await super().__call__(items=items) else {}


class GivesATuple(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        return {"items": tuple((await super().__call__(items=items))["items"])}


class GivesMore(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        return {**await super().__call__(items=items), "more": 1}


class GivesLess(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        await super().__call__(items=items)
        return {}


class Spoils(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        told = await super().__call__(items=items)
        items.append(1)
        return told


class HandsBack(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        await super().__call__(items=items)
        return {"items": items}


class Shares(Good):
    def __init__(self) -> None:
        self.told: dict[str, Any] = {"items": [1, 2]}

    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        await super().__call__(items=items)
        return self.told


class MixesUp(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        self.items = (await super().__call__(items=items))["items"]
        await asyncio.sleep(0)
        return {"items": [*self.items]}


class RefusesNothing(Good):
    async def __call__(self, *, items: Any, deep: Any = None) -> Any:
        return {"items": [*items]}


class RefusesOtherwise(Good):
    async def __call__(self, *, items: Any, deep: Any = None) -> Any:
        if not isinstance(items, list):
            raise ValueError("not a list")
        return await super().__call__(items=items)


class StaysBroken(Good):
    broken = False

    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        if self.broken:
            raise RuntimeError("broken")
        try:
            return await super().__call__(items=items)
        except asyncio.CancelledError:
            self.broken = True
            raise


class LeavesATask(Good):
    async def __call__(self, *, items: list[Any], deep: Any = None) -> Any:
        self.task = asyncio.ensure_future(asyncio.sleep(3600))
        return await super().__call__(items=items)


class ClosesOnce(Good):
    async def aclose(self) -> None:
        self.closes += 1
        if self.closes > 1:
            raise RuntimeError("closed before")


class Unwell(Good):
    async def health(self) -> bool:
        return False


NOTICED = {
    ByPosition: "test_its_call_takes_keywords_alone_and_is_awaited",
    Synchronous: "test_its_call_takes_keywords_alone_and_is_awaited",
    LacksAField: "test_its_call_takes_keywords_alone_and_is_awaited",
    Unwell: "test_its_call_takes_keywords_alone_and_is_awaited",
    TakesAnything: "test_an_unknown_field_is_refused",
    GivesBytes: "test_a_result_is_json_as_its_type_says",
    GivesNan: "test_a_result_is_json_as_its_type_says",
    GivesATuple: "test_a_result_is_json_as_its_type_says",
    GivesMore: "test_a_result_is_json_as_its_type_says",
    GivesLess: "test_a_result_is_json_as_its_type_says",
    Spoils: "test_what_it_was_given_is_left_as_it_was",
    HandsBack: "test_what_it_was_given_is_left_as_it_was",
    Shares: "test_what_is_done_with_a_result_changes_no_other",
    MixesUp: "test_many_at_once_do_not_mix_up_their_payloads",
    RefusesNothing: "test_what_it_has_to_refuse_is_refused_and_named",
    RefusesOtherwise: "test_what_it_has_to_refuse_is_refused_and_named",
    StaysBroken: "test_a_cancelled_call_leaves_an_action_that_works",
    LeavesATask: "test_a_result_is_json_as_its_type_says",
    ClosesOnce: "test_closing_twice_is_fine_and_ends_what_is_under_way",
}
CASES = [name for name in dir(ActionContract) if name.startswith("test_")]


def contract_of(kind: type[Any]) -> ActionContract:
    class Of(ActionContract):
        pure = True

        def fresh(self) -> AbstractAsyncContextManager[Any]:
            return started(kind())

        def payloads(self) -> list[dict[str, Any]]:
            return [{"items": [1, 2]}, {"items": [], "deep": {"a": [1]}}]

        def refused(self) -> list[dict[str, Any]]:
            return [{"items": {}}]

    kind.__oneiric__ = Good.__oneiric__  # type: ignore[attr-defined]
    return Of()


@pytest.mark.parametrize("case", CASES)
def test_a_good_action_passes(case: str) -> None:
    getattr(contract_of(Good), case)()


@pytest.mark.parametrize("kind", NOTICED, ids=lambda kind: kind.__name__)
def test_a_breach_is_noticed(kind: type[Any]) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeError, ValueError, TypeError)):
        getattr(contract_of(kind), NOTICED[kind])()


def test_a_contract_without_payloads_is_none() -> None:
    for method in ("payloads", "refused"):
        with pytest.raises(NotImplementedError):
            getattr(ActionContract(), method)()


def test_every_case_notices_something() -> None:
    assert set(NOTICED.values()) == set(CASES)
