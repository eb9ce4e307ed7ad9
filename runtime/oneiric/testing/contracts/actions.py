"""The contract of actions: of components whose `__call__` takes keywords of JSON and gives a mapping of JSON."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any, NotRequired, Required, TypeAlias, cast, get_origin, get_type_hints, is_typeddict

import pytest

from oneiric.errors import ActionError
from oneiric.fitting import misfits
from oneiric.references import load
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health, ports

Payload: TypeAlias = "Mapping[str, Any]"
Action: TypeAlias = "Callable[..., Awaitable[Any]]"

AT_ONCE = 50


class ActionContract(Contract[Action]):
    """Cases for an action: subclass it and override `fresh`, `payloads` and `refused`."""

    pure = False
    """Whether the same payload always gives the same result."""

    def payloads(self) -> Sequence[Payload]:
        """Payloads that the action takes, one at least."""
        raise NotImplementedError("a contract of an action needs payloads: override payloads()")

    def refused(self) -> Sequence[Payload]:
        """Payloads that the action has to refuse by an `ActionError`, one at least."""
        raise NotImplementedError("a contract of an action needs what it refuses: override refused()")

    def test_its_call_takes_keywords_alone_and_is_awaited(self) -> None:
        async def case(action: Action) -> None:
            assert await health(action)
            for promised in (type(action), *map(load, ports(action))):
                call = inspect.signature(promised.__call__)
                kinds = {each.kind for each in list(call.parameters.values())[1:]}
                assert kinds <= {inspect.Parameter.KEYWORD_ONLY}, f"{promised.__qualname__} is called with {call}"
                assert inspect.iscoroutinefunction(promised.__call__), f"{promised.__qualname__} is not async"
                assert list(misfits(promised, action)) == []

        self.check(case)

    def test_a_result_is_json_as_its_type_says(self) -> None:
        async def case(action: Action) -> None:
            for payload in self._given():
                self._is_result(action, await action(**payload))

        self.check(case)

    def test_what_it_was_given_is_left_as_it_was(self) -> None:
        async def case(action: Action) -> None:
            for payload in self._given():
                kept = deepcopy(payload)
                result = await action(**payload)
                assert payload == kept
                _spoil(result)
                assert payload == kept, "a part of the payload is handed back as it is, to whoever changes the result"

        self.check(case)

    def test_what_is_done_with_a_result_changes_no_other(self) -> None:
        async def case(action: Action) -> None:
            for payload in self._given():
                first = await action(**payload)
                kept = deepcopy(first)
                _spoil(first)
                second = await action(**payload)
                self._is_result(action, second)
                assert not self.pure or second == kept

        self.check(case)

    def test_an_unknown_field_is_refused(self) -> None:
        async def case(action: Action) -> None:
            with pytest.raises(TypeError):
                await action(**self._given()[0], no_such_field=1)
            with pytest.raises(TypeError):
                await action({})

        self.check(case)

    def test_what_it_has_to_refuse_is_refused_and_named(self) -> None:
        async def case(action: Action) -> None:
            assert self.refused()
            for payload in self.refused():
                with pytest.raises(ActionError) as caught:
                    await action(**payload)
                assert caught.value.what, f"{payload} is refused without a reason"
                await action(**self._given()[0])

        self.check(case)

    def test_many_at_once_do_not_mix_up_their_payloads(self) -> None:
        async def case(action: Action) -> None:
            payloads = self._given()
            alone = [await action(**payload) for payload in payloads]
            together = await asyncio.gather(*(action(**payload) for _ in range(AT_ONCE) for payload in payloads))
            for number, result in enumerate(together):
                self._is_result(action, result)
                assert not self.pure or result == alone[number % len(payloads)]

        self.check(case)

    def test_a_cancelled_call_leaves_an_action_that_works(self) -> None:
        async def case(action: Action) -> None:
            for payload in self._given():
                async for _ in cancelled_at_every_step(partial(_awaited, action, payload)):
                    pass
                self._is_result(action, await action(**payload))

        self.check(case)

    def test_closing_twice_is_fine_and_ends_what_is_under_way(self) -> None:
        async def case(action: Action) -> None:
            calls = [asyncio.ensure_future(_awaited(action, payload)) for payload in self._given()]
            await asyncio.sleep(0)
            await close(action)
            await close(action)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            unexpected = [
                each for each in outcomes if isinstance(each, Exception) and not isinstance(each, ActionError)
            ]
            assert unexpected == []

        self.check(case)

    def _given(self) -> Sequence[Payload]:
        payloads = self.payloads()
        assert payloads and json.loads(json.dumps(payloads, allow_nan=False)) == payloads, "a payload is of JSON"
        return payloads

    def _is_result(self, action: Action, result: Any) -> None:
        assert type(result) is dict
        assert json.loads(json.dumps(result, allow_nan=False)) == result, "a result is of JSON"
        for promised in map(load, ports(action)):
            kind: Any = get_type_hints(promised.__call__).get("return")
            if is_typeddict(kind):
                fields = get_type_hints(kind, include_extras=True)
                required = {name for name, each in fields.items() if _is_required(each, kind.__total__)}
                assert required <= result.keys() <= fields.keys()


def _is_required(field: Any, total: bool) -> bool:
    """Not by the class's `__required_keys__`, which annotations that are texts leave wrong."""
    return get_origin(field) is Required or (total and get_origin(field) is not NotRequired)


async def _awaited(action: Action, payload: Payload) -> Any:
    return await action(**payload)


def _spoil(value: Any) -> None:
    """Change all that can be changed of a result."""
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        for each in list(mapping.values()):
            _spoil(each)
        mapping["spoiled"] = True
    elif isinstance(value, list):
        several = cast("list[object]", value)
        for each in several:
            _spoil(each)
        several.append("spoiled")
