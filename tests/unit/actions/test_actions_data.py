"""data.transform and data.sanitize: nothing is lost in silence, and nothing that is masked gets through."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured
from oneiric.actions.data import Sanitizing, Transforming, sanitize, transform
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.payloads import HOSTILE, JSON, refused

NAMES = st.sampled_from(
    ["password", "Password", "PASSWORD", "token", "a", "b", "é", "e\N{COMBINING ACUTE ACCENT}", "ß", "SS", ""]
)
NESTED = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)
RECORDS = st.dictionaries(NAMES, NESTED, max_size=5)


class TestTransforming(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Transforming(exclude_fields=["x"], defaults={"tags": []}))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"data": {}},
            {"record": {"x": 1, "a": [{}]}, "rename_fields": {"a": "b"}, "defaults": {"c": {"d": []}}},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {},
            {"data": {}, "record": {}},
            {"data": []},
            {"data": {"a": float("inf")}},
            {"data": {"a": 1, "b": 2}, "rename_fields": {"a": "b"}},
            {"data": {}, "rename_fields": {"a": 1}},
            {"data": {}, "include_fields": {"a": 1}},
            {"data": {}, "exclude_fields": [1]},
        ]


class TestSanitizing(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Sanitizing(mask_fields=["Password"], mask_value=["masked"]))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"data": {}},
            {"record": {"a": [{"PASSWORD": {"b": 1}}], "password": 1}},
            {"data": {"a": 1}, "mask_value": None},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [{}, {"data": 1}, {"data": {}, "case_sensitive": 1}, {"data": {}, "mask_fields": 1}, {"data": {1: 2}}][
            :4
        ]


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for each in value.values():
            yield from mappings(each)
    elif isinstance(value, list):
        for each in value:
            yield from mappings(each)


def plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


@given(record=RECORDS, masked=st.lists(NAMES, max_size=3), dropped=st.lists(NAMES, max_size=2), exact=st.booleans())
def test_nothing_that_is_masked_or_dropped_gets_through(
    record: dict[str, Any], masked: list[str], dropped: list[str], exact: bool
) -> None:
    told = sanitize(record, mask_fields=masked, drop_fields=dropped, mask_value="#", case_sensitive=exact)
    same = (lambda name: name) if exact else plain
    hidden, gone = set(map(same, masked)), set(map(same, dropped))
    for mapping in mappings(told["data"]):
        for name, value in mapping.items():
            assert same(name) not in gone
            assert same(name) not in hidden or value == "#"
    if not masked and not dropped:
        assert told["data"] == record
    assert told["applied"]["masked"] == sum(same(name) in hidden for each in mappings(told["data"]) for name in each)


def test_what_is_allowed_is_of_the_record_itself() -> None:
    record = {"A": {"c": 1}, "b": 2}
    assert sanitize(record, allow_fields=["a"])["data"] == {"A": {"c": 1}}
    assert sanitize(record, allow_fields=["a"], case_sensitive=True)["data"] == {}
    assert sanitize(record, allow_fields=[]) == {
        "status": "sanitized",
        "data": {},
        "applied": {"removed": 0, "masked": 0, "allow_fields": []},
    }
    told = sanitize({"a": 1, "b": [{"A": 2}], "p": {"q": 1}}, drop_fields=["a"], mask_fields=["P"])
    assert told["data"] == {"b": [{}], "p": "***"}
    assert told["applied"] == {"removed": 2, "masked": 1, "allow_fields": None}


def test_settings_hold_where_a_payload_says_nothing() -> None:
    async def story() -> None:
        action = Sanitizing(
            drop_fields=["a"], mask_fields=["b"], mask_value=None, case_sensitive=True, allow_fields=["a", "b", "B"]
        )
        assert (await action(data={"a": 1, "b": 2, "B": 3, "c": 4}))["data"] == {"b": None, "B": 3}
        told = await action(record={"a": 1, "b": 2, "B": 3}, drop_fields=[], mask_value=0, case_sensitive=False)
        assert told["data"] == {"a": 1, "b": 0, "B": 0}
        transforming = Transforming(include_fields=["b", "a"], rename_fields={"a": "c"}, defaults={"d": [1]})
        told_too = await transforming(data={"a": 1, "b": 2, "x": 3})
        assert list(told_too["data"].items()) == [("b", 2), ("c", 1), ("d", [1])]
        assert told_too["applied"] == {
            "include_fields": ["b", "a"],
            "exclude_fields": [],
            "rename_applied": 1,
            "defaults_applied": 1,
        }
        assert (await transforming(data={"x": 3}, include_fields=["x"], defaults={}))["data"] == {"x": 3}

    asyncio.run(story())


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=5), st.permutations(["a", "b", "c"]))
def test_renaming_is_of_all_at_once_and_loses_nothing(extra: dict[str, Any], order: list[str]) -> None:
    record = {**extra, "a": 1, "b": 2, "c": 3}
    names = dict(zip("abc", order, strict=True))
    made = transform(record, rename_fields=names)["data"]
    assert {names.get(name, name): value for name, value in record.items()} == made
    assert len(made) == len(record)


def test_two_fields_of_one_name_are_refused() -> None:
    assert "'b'" in refused("rename_fields", transform, data={"a": 1, "b": 2}, rename_fields={"a": "b"})
    refused("rename_fields", transform, data={"a": 1, "b": 2}, rename_fields={"a": "c", "b": "c"})
    assert transform({"a": 1, "b": 2}, rename_fields={"a": "b", "b": "c"})["data"] == {"b": 1, "c": 2}
    assert transform({"a": 1, "b": 2}, exclude_fields=["b"], rename_fields={"a": "b"})["data"] == {"b": 1}
    assert transform({"a": 1}, rename_fields={"x": "a"})["applied"]["rename_applied"] == 0


def test_null_is_there_and_what_is_empty_is_a_record() -> None:
    assert transform({"a": None}, defaults={"a": 1})["data"] == {"a": None}
    assert transform({}, defaults={"a": 1})["data"] == {"a": 1}
    assert transform({"a": 1}, include_fields=[])["data"] == {}
    assert sanitize({})["data"] == {}


def test_what_is_no_record_is_refused() -> None:
    for hostile in HOSTILE:
        if hostile != {}:
            refused("data", transform, data=hostile)
            refused("data", sanitize, data=hostile)
        if hostile != []:
            refused("include_fields", transform, data={}, include_fields=hostile)
            refused("mask_fields", sanitize, data={}, mask_fields=hostile)
    refused("mask_value", sanitize, data={}, mask_value=float("nan"))
    refused("data", sanitize, data={1: 2})
    assert transform({"a": 1, "b": 2}, include_fields="a")["data"] == {"a": 1}, "a text is a list of it"
    for kind, settings in ((Transforming, {"exclude_fields": [1]}), (Sanitizing, {"mask_value": {1: 2}})):
        with pytest.raises(ActionMisconfigured):
            kind(**settings)  # type: ignore[arg-type]
