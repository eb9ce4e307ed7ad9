"""The action `validation.schema`: whether a record is what it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any, Final, Literal, NotRequired, Protocol, TypeAlias, TypedDict, cast

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._payload import Fields, chosen, one_record, payload_of, settings_of
from oneiric.actions._schemas import KEY, Model, Schema

FieldType: TypeAlias = Literal["str", "int", "float", "bool", "dict", "list", "any"]

_PROVIDER: Final = "builtin-validation-schema"
_TYPES: tuple[FieldType, ...] = ("str", "int", "float", "bool", "dict", "list", "any")
_RULE = ("name", "type", "required", "allow_null")
_PYTHON: dict[FieldType, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (float, int),
    "bool": bool,
    "dict": dict,
    "list": list,
    "any": object,
}


class FieldRule(TypedDict):
    """What one field of a record should be.

    `name`: of the field.
    `type`: of its value; `str` by default. `true` is no `int`, and a whole number is a `float` too.
    `required`: whether it has to be there; true by default.
    `allow_null`: whether it may be null; false by default, and one that is not required may always be.
    """

    name: str
    type: NotRequired[FieldType]
    required: NotRequired[bool]
    allow_null: NotRequired[bool]


class Validated(TypedDict):
    """Whether the record is what it should be, and why not.

    `status`: `valid` or `invalid`.
    `data`: the record.
    `validated`: what of it is as it should be; of a `model` all of it, as the model has it.
    `errors`: a text for each mistake; none shows a value.
    """

    status: str
    data: dict[str, Json]
    validated: dict[str, Json]
    errors: list[str]


class Validate(Protocol):
    """Holds a record against rules for its fields, a JSON Schema or a model.

    `data`: the record.
    `record`: the same.
    `fields`: a rule for each field; the setting by default.
    `allow_extra`: whether there may be fields that no rule names; the setting by default.
    `fail_fast`: whether the first mistake is the last; the setting by default.
    `schema`: a JSON Schema (2020-12 unless it says otherwise) that the record has to fit as well.
    `model`: the name of one of the `models` in the settings, that the record has to fit as well.
    """

    async def __call__(
        self,
        *,
        data: Mapping[str, Json] | None = None,
        record: Mapping[str, Json] | None = None,
        fields: list[FieldRule] | None = None,
        allow_extra: bool | None = None,
        fail_fast: bool | None = None,
        schema: Mapping[str, Json] | None = None,
        model: str | None = None,
    ) -> Validated: ...


def validate(
    data: Mapping[str, Json],
    *,
    fields: Sequence[FieldRule] = (),
    allow_extra: bool = True,
    fail_fast: bool = False,
    schema: Mapping[str, Json] | None = None,
    model: Any = None,
) -> Validated:
    """As the action `validation.schema`; `model` is a class: a model of pydantic, a dataclass or a TypedDict.

    Raises `InvalidPayload` for rules and schemas that are none, `ActionMissingExtra` where a schema or a model is given
    and its library is not installed.
    """
    checks = payload_of(KEY)
    return _validated(
        checks.mapping("data", data),
        _rules(checks, fields),
        checks.boolean("allow_extra", allow_extra),
        checks.boolean("fail_fast", fail_fast),
        None if schema is None else Schema(checks, schema),
        None if model is None else Model(model, checks),
    )


def _validated(
    record: dict[str, Json],
    rules: list[FieldRule],
    allow_extra: bool,
    fail_fast: bool,
    schema: Schema | None,
    model: Model | None,
) -> Validated:
    right: dict[str, Json] = {}
    mistakes = chain(
        _field_mistakes(record, rules, right),
        () if allow_extra else _extra_mistakes(record, rules),
        () if schema is None else schema.mistakes(record),
        () if model is None else model.mistakes(record),
    )
    errors = list(dict.fromkeys(islice(mistakes, 1 if fail_fast else None)))
    if not errors and model is not None:
        right = model.made(record)
    elif not errors and not rules:
        right = dict(record)
    return {"status": "invalid" if errors else "valid", "data": record, "validated": right, "errors": errors}


def _field_mistakes(record: dict[str, Json], rules: list[FieldRule], right: dict[str, Json]) -> Iterator[str]:
    """What is wrong by the rules; what is right is put where the caller says."""
    for rule in rules:
        name = rule["name"]
        value = record.get(name)
        required = rule.get("required", True)
        if value is None and required and not (name in record and rule.get("allow_null", False)):
            yield f"{name} missing"
        elif value is not None and not _fits(value, rule.get("type", "str")):
            yield f"{name} invalid-type"
        else:
            right[name] = value


def _fits(value: Json, type: FieldType) -> bool:
    return isinstance(value, _PYTHON[type]) and not (isinstance(value, bool) and type in ("int", "float"))


def _extra_mistakes(record: dict[str, Json], rules: list[FieldRule]) -> Iterator[str]:
    named = {rule["name"] for rule in rules}
    if extra := [name for name in record if name not in named]:
        yield f"unexpected-fields: {','.join(extra)}"


def _rules(checks: Fields, rules: object) -> list[FieldRule]:
    """The rules, each with all that it says checked."""
    if not isinstance(rules, list | tuple):
        raise checks.wrong("fields", "is not a list of rules")
    return [_rule(checks, each) for each in cast("list[object]", rules)]


def _rule(checks: Fields, rule: object) -> FieldRule:
    found = checks.mapping("fields", rule)
    if unknown := [name for name in found if name not in _RULE]:
        raise checks.wrong("fields", f"has a rule with {unknown[0]!r}: it may have {', '.join(_RULE)}")
    if "name" not in found:
        raise checks.wrong("fields", "has a rule without a name")
    return {
        "name": checks.text("fields", found["name"]),
        "type": checks.one_of("fields", found.get("type", "str"), _TYPES),
        "required": checks.boolean("fields", found.get("required", True)),
        "allow_null": checks.boolean("fields", found.get("allow_null", False)),
    }


@component(
    "action",
    "validation.schema",
    provider="builtin-validation-schema",
    priority=0,
    stack_level=-10,
    capabilities=("validate", "guard", "schema"),
    port="oneiric.actions.validation:Validate",
)
class Validation:
    """Holds records against rules, schemas and models.

    Needs the extra `action-validation` for schemas and models.

    `fields`: a rule for each field, where a payload has none.
    `allow_extra`: whether there may be fields that no rule names, where a payload does not say.
    `fail_fast`: whether the first mistake is the last, where a payload does not say.
    `schema`: a JSON Schema, where a payload has none.
    `models`: classes, as `module:Class`, by the names that payloads call them by: models of pydantic, dataclasses or
    TypedDicts.
    `model`: the one of `models` that is used where a payload names none.
    """

    def __init__(
        self,
        *,
        fields: list[FieldRule] | None = None,
        allow_extra: bool = True,
        fail_fast: bool = False,
        schema: dict[str, Any] | None = None,
        models: dict[str, str] | None = None,
        model: str | None = None,
    ) -> None:
        self._settings = settings_of(KEY, _PROVIDER)
        self._rules = _rules(self._settings, fields or [])
        self._allow_extra = allow_extra
        self._fail_fast = fail_fast
        self._schema = None if schema is None else Schema(self._settings, schema)
        self._models = models or {}
        self._loaded: dict[str, Model] = {}
        self._model = model
        if model is not None and model not in self._models:
            raise self._settings.wrong("model", "is not one of `models`")

    def start(self) -> None:
        """See that the schema of the settings is one, and that their models can be loaded."""
        if self._schema is not None:
            self._schema.check()
        for name in self._models:
            self._named(self._settings, name)

    async def __call__(
        self,
        *,
        data: Mapping[str, Json] | None = None,
        record: Mapping[str, Json] | None = None,
        fields: list[FieldRule] | None = None,
        allow_extra: bool | None = None,
        fail_fast: bool | None = None,
        schema: Mapping[str, Json] | None = None,
        model: str | None = None,
    ) -> Validated:
        checks = payload_of(KEY)
        return _validated(
            one_record(checks, data, record),
            self._rules if fields is None else _rules(checks, fields),
            checks.boolean("allow_extra", chosen(allow_extra, self._allow_extra)),
            checks.boolean("fail_fast", chosen(fail_fast, self._fail_fast)),
            self._schema if schema is None else Schema(checks, schema),
            self._named(checks, chosen(model, self._model)),
        )

    def _named(self, checks: Fields, name: str | None) -> Model | None:
        """The model that goes by a name, loaded once."""
        if name is None:
            return None
        name = checks.text("model", name)
        if name not in self._models:
            known = ", ".join(sorted(self._models)) or "none"
            raise checks.wrong("model", f"is not one of the settings' `models`: {known}")
        if name not in self._loaded:
            self._loaded[name] = Model.named(self._models[name], self._settings)
        return self._loaded[name]
