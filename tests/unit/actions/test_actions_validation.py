"""validation.schema: rules, schemas and models; what is wrong is told without what stands there."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.actions import ActionMisconfigured, ActionMissingExtra, InvalidPayload
from oneiric.actions.validation import Validation, validate
from oneiric.testing.contracts import ActionContract, started

from tests.unit.actions.models import Named, Opaque, Order, Place
from tests.unit.actions.payloads import HOSTILE, JSON, refused

MODELS = {name.lower(): f"tests.unit.actions.models:{name}" for name in ("Order", "Place", "Named")}
VALUES: dict[str, Any] = {"str": "a", "int": 1, "float": 1.5, "bool": True, "dict": {}, "list": [], "any": "x"}


class TestValidation(ActionContract):
    pure = True

    def fresh(self) -> AbstractAsyncContextManager[Any]:
        return started(Validation(fields=[{"name": "id", "type": "int"}], models=MODELS))

    def payloads(self) -> list[dict[str, Any]]:
        return [
            {"data": {}},
            {"record": {"id": 1, "tags": [{}]}, "schema": {"type": "object"}},
            {"data": {"id": "7", "lines": [{"sku": "a"}]}, "fields": [], "model": "order"},
        ]

    def refused(self) -> list[dict[str, Any]]:
        return [
            {},
            {"data": []},
            {"data": {}, "fields": [{"type": "int"}]},
            {"data": {}, "fields": [{"name": "a", "type": "date"}]},
            {"data": {}, "fields": [{"name": "a", "typ": "int"}]},
            {"data": {}, "fields": [{"name": "a", "required": 1}]},
            {"data": {}, "fields": {"name": "a"}},
            {"data": {}, "fields": ["a"]},
            {"data": {}, "schema": {"type": "no"}},
            {"data": {}, "schema": []},
            {"data": {}, "model": "tests.unit.actions.models:Order"},
            {"data": {}, "fail_fast": 1},
            {"data": {}, "allow_extra": "no"},
        ]


@pytest.mark.parametrize("wanted", VALUES)
@pytest.mark.parametrize("given", VALUES)
def test_a_type_takes_its_values_and_no_others(wanted: Any, given: str) -> None:
    told = validate({"a": VALUES[given]}, fields=[{"name": "a", "type": wanted}])
    fits = wanted in (given, "any") or (wanted, given) in (("float", "int"), ("str", "any"))
    assert told["errors"] == ([] if fits else ["a invalid-type"])
    assert told["validated"] == ({"a": VALUES[given]} if fits else {})


@pytest.mark.parametrize(
    ("rule", "record", "errors"),
    [
        ({}, {}, ["a missing"]),
        ({}, {"a": None}, ["a missing"]),
        ({"allow_null": True}, {}, ["a missing"]),
        ({"allow_null": True}, {"a": None}, []),
        ({"required": False}, {}, []),
        ({"required": False}, {"a": None}, []),
        ({"required": False}, {"a": 1}, ["a invalid-type"]),
        ({}, {"a": ""}, []),
    ],
)
def test_what_has_to_be_there(rule: Any, record: dict[str, Any], errors: list[str]) -> None:
    told = validate(record, fields=[{"name": "a", **rule}])
    assert (told["errors"], told["status"]) == (errors, "invalid" if errors else "valid")
    assert told["validated"] == ({} if errors else {"a": record.get("a")})


def test_every_mistake_is_told_or_the_first_alone() -> None:
    rules: Any = [{"name": "a"}, {"name": "b", "type": "int"}, {"name": "c"}]
    record = {"b": True, "c": "x", "d": 1, "e": 2}
    told = validate(record, fields=rules, allow_extra=False, schema={"required": ["z"]})
    assert told["errors"] == ["a missing", "b invalid-type", "unexpected-fields: d,e", "z missing"]
    assert told["validated"] == {"c": "x"}
    assert told["data"] == record
    assert validate(record, fields=rules, allow_extra=False, fail_fast=True)["errors"] == ["a missing"]
    assert validate({"a": "x", "b": 1, "c": "", "d": 1}, fields=rules, fail_fast=True)["status"] == "valid"


@pytest.mark.parametrize(
    ("schema", "record", "errors"),
    [
        ({"properties": {"a": {"type": "integer"}}}, {"a": True}, ["a invalid-type"]),
        ({"properties": {"a": {"items": {"minimum": 3}}}}, {"a": [3, 2]}, ["a[1] violates minimum: 3"]),
        (
            {"$defs": {"b": {"required": ["c", "d"]}}, "properties": {"a": {"$ref": "#/$defs/b"}}},
            {"a": {}},
            ["a.c missing", "a.d missing"],
        ),
        ({"additionalProperties": False}, {"hunter2": 1}, ["the record violates additionalProperties: false"]),
        ({"properties": {"a": {"const": "x" * 300}}}, {"a": "hunter2"}, ["a violates const"]),
        ({"minProperties": 1}, {}, ["the record violates minProperties: 1"]),
        (
            {"$schema": "http://json-schema.org/draft-07/schema#", "dependencies": {"a": ["b"]}},
            {"a": 1},
            ['the record violates dependencies: {"a": ["b"]}'],
        ),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["a"]}]},
            {"a": 1},
            ['the record violates oneOf: [{"required": ["a"]}, {"required": ["a"]}]'],
        ),
    ],
)
def test_a_schema_tells_what_was_violated_and_no_value(schema: Any, record: dict[str, Any], errors: list[str]) -> None:
    told = validate(record, schema=schema)
    assert told["errors"] == errors
    assert "hunter2" not in json.dumps(told["errors"])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 7},
        {"$ref": "http://127.0.0.1:9/schema"},
        {"$ref": "file:" + "///etc/passwd"},
        {"$ref": "#/$defs/none"},
        {"$ref": "#"},
        {"properties": {"a": {"pattern": "("}}},
        {"properties": {"b": {"multipleOf": 0}}},
        {"properties": {"n": {"multipleOf": 0.1}}},
    ],
)
def test_a_schema_that_is_none_or_leads_out_is_refused(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("nothing is fetched")

    monkeypatch.setattr(socket.socket, "connect", connect)
    refused("schema", validate, data={"a": "x", "n": 10**400}, schema=schema)

    async def story() -> None:
        with pytest.raises(ActionMisconfigured) as caught:
            await Validation(schema=schema)(data={"a": "x", "n": 10**400})
        assert caught.value.setting == "schema"

    asyncio.run(story())


def test_a_model_converts_and_tells_where_it_cannot() -> None:
    told = validate({"id": "7", "lines": [{"sku": "a"}]}, model=Order)
    assert told["validated"] == {"id": 7, "lines": [{"sku": "a", "count": 1}]}
    assert told["data"] == {"id": "7", "lines": [{"sku": "a"}]}
    wrong = validate({"id": "hunter2", "lines": [{"sku": "a", "count": 0}, {}]}, model=Order)
    assert [error.partition(" ")[0] for error in wrong["errors"]] == ["id", "lines[0].count", "lines[1].sku"]
    assert "hunter2" not in json.dumps(wrong["errors"]) and wrong["validated"] == {}
    assert validate({"x": 1}, model=Place)["validated"] == {"x": 1.0, "y": 0.0}
    assert validate({}, model=Named)["errors"] == ["name Field required"]


def test_models_are_those_of_the_settings() -> None:
    async def story() -> None:
        action = Validation(models=MODELS, model="place")
        assert (await action(data={"x": 2}))["validated"] == {"x": 2.0, "y": 0.0}
        assert (await action(data={"name": "n"}, model="named"))["status"] == "valid"
        for name in ("", "other", "os:system"):
            with pytest.raises(InvalidPayload, match="named, order, place"):
                await action(data={}, model=name)
        for reference in (
            "tests.unit.actions.none:X",
            "tests.unit.actions.models:None",
            "tests.unit.actions.models:Opaque",
            "",
            "x",
        ):
            with pytest.raises(ActionMisconfigured) as caught:
                await Validation(models={"m": reference})(data={}, model="m")
            assert caught.value.setting == "models"

    asyncio.run(story())
    with pytest.raises(ActionMisconfigured, match="model"):
        Validation(model="none")
    with pytest.raises(ActionMisconfigured, match="fields"):
        Validation(fields=[{"name": "a", "type": "date"}])  # type: ignore[typeddict-item]
    refused("models", validate, data={}, model=Opaque)


@pytest.mark.parametrize("module", ["jsonschema", "pydantic"])
def test_a_library_that_is_missing_names_the_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ActionMissingExtra) as caught:
        validate({}, **({"schema": {}} if module == "jsonschema" else {"model": Order}))  # type: ignore[arg-type]
    assert caught.value.extra == "action-validation"
    assert validate({}, fields=[])["status"] == "valid"


@given(record=st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_a_record_without_rules_is_valid_as_it_is(record: dict[str, Any]) -> None:
    assert validate(record) == {"status": "valid", "data": record, "validated": record, "errors": []}
    rules: Any = [{"name": name, "type": "any", "allow_null": True} for name in record]
    assert validate(record, fields=rules, allow_extra=False)["validated"] == record


def test_what_is_no_record_is_refused() -> None:
    for hostile in HOSTILE:
        if hostile != {}:
            refused("data", validate, data=hostile)
            refused("schema", validate, data={}, schema=hostile)
        if hostile != []:
            refused("fields", validate, data={}, fields=hostile)
        refused("fields", validate, data={}, fields=[hostile])
