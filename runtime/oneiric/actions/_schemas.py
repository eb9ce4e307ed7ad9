"""Records held against JSON Schemas and models, whose mistakes are told as those of rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from oneiric.actions import Json
from oneiric.actions._libraries import extra_of
from oneiric.actions._payload import Fields
from oneiric.references import load

KEY: Final = "validation.schema"
EXTRA: Final = "action-validation"
_TOLD = 200  # characters of what a schema wants, at most


class Schema:
    """A JSON Schema, checked itself when it is first used. What it refers to is within it: nothing is fetched."""

    def __init__(self, checks: Fields, schema: Mapping[str, Json]) -> None:
        self._checks = checks
        self._schema = checks.mapping("schema", schema)
        self._validator: Any = None

    def check(self) -> None:
        """See that it is a JSON Schema."""
        if self._validator is None:
            self._validator = self._made()

    def mistakes(self, record: Json) -> Iterator[str]:
        self.check()
        from referencing.exceptions import Unresolvable

        try:
            for error in self._validator.iter_errors(record):
                yield from _of_schema(error)
        except Unresolvable:
            raise self._checks.wrong("schema", "refers to what is not in it") from None
        except RecursionError:
            raise self._checks.wrong("schema", "refers to itself without end") from None
        except re.error:
            raise self._checks.wrong("schema", "has a pattern that is not a regular expression") from None
        except OverflowError:
            raise self._checks.wrong("schema", "compares a number that is too large to compare") from None

    def _made(self) -> Any:
        with extra_of(KEY, EXTRA):
            from jsonschema import Draft202012Validator, SchemaError
            from jsonschema.validators import validator_for
            from referencing.jsonschema import EMPTY_REGISTRY
        kind: Any = validator_for(self._schema, default=Draft202012Validator)
        try:
            kind.check_schema(self._schema)
        except SchemaError as error:
            at = _where(cast("Iterable[str | int]", error.absolute_path), "it")
            raise self._checks.wrong("schema", f"is not a JSON Schema: {at} violates {error.validator}") from None
        return kind(self._schema, registry=EMPTY_REGISTRY)


class Model:
    """A class that pydantic validates: a model of its own, a dataclass, a TypedDict."""

    def __init__(self, wanted: Any, checks: Fields) -> None:
        with extra_of(KEY, EXTRA):
            import pydantic
        self._checks = checks
        self._error = pydantic.ValidationError
        try:
            self._adapter: Any = pydantic.TypeAdapter(wanted)
        except pydantic.PydanticUserError as error:
            raise checks.wrong("models", f"has what pydantic makes no model of: {error.message}") from None

    @classmethod
    def named(cls, reference: str, checks: Fields) -> Model:
        """The class that `module:Class` names."""
        try:
            wanted = load(reference)
        except (ImportError, AttributeError, ValueError) as error:
            raise checks.wrong("models", f"has {reference!r}, which cannot be loaded: {error}") from error
        return cls(wanted, checks)

    def mistakes(self, record: Json) -> Iterator[str]:
        try:
            self._adapter.validate_python(record)
        except self._error as error:
            for each in error.errors(include_url=False, include_input=False, include_context=False):
                yield f"{_where(each['loc'], 'the record')} {each['msg']}"

    def made(self, record: Json) -> dict[str, Json]:
        """The record as the model has it, with its defaults and conversions."""
        made = self._adapter.dump_python(self._adapter.validate_python(record), mode="json")
        return self._checks.mapping("models", made)


def _of_schema(error: Any) -> Iterator[str]:
    """A mistake by what was violated, and never by the value that did."""
    where = _where(error.absolute_path, "")
    if error.validator == "required":
        for name in error.validator_value:
            if name not in error.instance:
                yield f"{where}.{name} missing" if where else f"{name} missing"
    elif error.validator == "type":
        yield f"{where or 'the record'} invalid-type"
    else:
        wanted = json.dumps(error.validator_value)
        told = f": {wanted}" if len(wanted) <= _TOLD else ""
        yield f"{where or 'the record'} violates {error.validator}{told}"


def _where(path: Iterable[str | int], whole: str) -> str:
    """A place in a record, as `lines[0].price`."""
    told = ""
    for part in path:
        told += f"[{part}]" if isinstance(part, int) else f".{part}" if told else part
    return told or whole
