"""Actions `data.…`: records given other fields, and rid of what others must not see."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol, TypeAlias, TypedDict, cast

from oneiric import component
from oneiric.actions import Json
from oneiric.actions._payload import NOT_GIVEN, Fields, chosen, one_record, payload_of, settings_of

Record: TypeAlias = "Mapping[str, Json]"

_TRANSFORM: Final = "data.transform"
_SANITIZE: Final = "data.sanitize"
MASK: Final = "***"
"""What stands in place of a masked value, where nothing else is said."""


class TransformApplied(TypedDict):
    """What was done.

    `include_fields`: the fields that were left; null where all were.
    `exclude_fields`: the fields that were taken away.
    `rename_applied`: how many fields were renamed.
    `defaults_applied`: how many fields were added.
    """

    include_fields: list[str] | None
    exclude_fields: list[str]
    rename_applied: int
    defaults_applied: int


class Transformed(TypedDict):
    """The record as it is now, and what was done.

    `status`: `transformed`.
    `data`: the record.
    `applied`: what was done.
    """

    status: Literal["transformed"]
    data: dict[str, Json]
    applied: TransformApplied


class Transform(Protocol):
    """Selects, renames and adds fields of a record, in this order.

    `data`: the record.
    `record`: the same.
    `include_fields`: the fields that are left, in this order; the setting by default. An empty list leaves none.
    `exclude_fields`: the fields that are taken away; the setting by default.
    `rename_fields`: new names by the old ones, all given at once; the setting by default.
    `defaults`: fields that are added where there are none of these names; the setting by default.
    """

    async def __call__(
        self,
        *,
        data: Mapping[str, Json] | None = None,
        record: Mapping[str, Json] | None = None,
        include_fields: list[str] | None = None,
        exclude_fields: list[str] | None = None,
        rename_fields: dict[str, str] | None = None,
        defaults: Mapping[str, Json] | None = None,
    ) -> Transformed: ...


def transform(
    data: Record,
    *,
    include_fields: Sequence[str] | None = None,
    exclude_fields: Sequence[str] = (),
    rename_fields: Mapping[str, str] | None = None,
    defaults: Record | None = None,
) -> Transformed:
    """As the action `data.transform`. Raises `InvalidPayload`, also where two fields would have the same name."""
    checks = payload_of(_TRANSFORM)
    left = checks.mapping("data", data)
    included = None if include_fields is None else checks.texts("include_fields", include_fields)
    excluded = checks.texts("exclude_fields", exclude_fields)
    if included is not None:
        left = {name: left[name] for name in included if name in left}
    for name in excluded:
        left.pop(name, None)
    renamed, count = _renamed(checks, left, rename_fields or {})
    added = {name: value for name, value in checks.mapping("defaults", defaults or {}).items() if name not in renamed}
    return {
        "status": "transformed",
        "data": {**renamed, **added},
        "applied": {
            "include_fields": included,
            "exclude_fields": excluded,
            "rename_applied": count,
            "defaults_applied": len(added),
        },
    }


def _renamed(checks: Fields, record: dict[str, Json], names: Mapping[str, str]) -> tuple[dict[str, Json], int]:
    """The record with its fields so called, and how many have another name."""
    new = {old: checks.text("rename_fields", name) for old, name in checks.mapping("rename_fields", names).items()}
    found: dict[str, Json] = {}
    for old, value in record.items():
        name = new.get(old, old)
        if name in found:
            raise checks.wrong("rename_fields", f"gives two fields the name {name!r}")
        found[name] = value
    return found, sum(old in record for old in new)


@component(
    "action",
    "data.transform",
    provider="builtin-data-transform",
    priority=0,
    stack_level=-10,
    capabilities=("transform", "enrich"),
    port="oneiric.actions.data:Transform",
)
class Transforming:
    """Selects, renames and adds fields of records.

    `include_fields`: the fields that are left, where a payload does not say; all by default.
    `exclude_fields`: the fields that are taken away, where a payload does not say.
    `rename_fields`: new names by the old ones, where a payload does not say.
    `defaults`: fields that are added where there are none of these names, where a payload does not say.
    """

    def __init__(
        self,
        *,
        include_fields: list[str] | None = None,
        exclude_fields: list[str] | None = None,
        rename_fields: dict[str, str] | None = None,
        defaults: dict[str, Any] | None = None,
    ) -> None:
        checks = settings_of(_TRANSFORM, "builtin-data-transform")
        self._include = None if include_fields is None else checks.texts("include_fields", include_fields)
        self._exclude = checks.texts("exclude_fields", exclude_fields or [])
        self._rename = checks.mapping("rename_fields", rename_fields or {})
        self._defaults = checks.mapping("defaults", defaults or {})

    async def __call__(
        self,
        *,
        data: Mapping[str, Json] | None = None,
        record: Mapping[str, Json] | None = None,
        include_fields: list[str] | None = None,
        exclude_fields: list[str] | None = None,
        rename_fields: dict[str, str] | None = None,
        defaults: Mapping[str, Json] | None = None,
    ) -> Transformed:
        return transform(
            one_record(payload_of(_TRANSFORM), data, record),
            include_fields=chosen(include_fields, self._include),
            exclude_fields=chosen(exclude_fields, self._exclude),
            rename_fields=chosen(rename_fields, self._rename),
            defaults=chosen(defaults, self._defaults),
        )


class SanitizeApplied(TypedDict):
    """What was done.

    `removed`: how many fields were taken away by `drop_fields`, at whatever depth.
    `masked`: how many values were masked, at whatever depth.
    `allow_fields`: the fields of the record that were left; null where all were.
    """

    removed: int
    masked: int
    allow_fields: list[str] | None


class Sanitized(TypedDict):
    """The record as others may see it, and what was done.

    `status`: `sanitized`.
    `data`: the record.
    `applied`: what was done.
    """

    status: Literal["sanitized"]
    data: dict[str, Json]
    applied: SanitizeApplied


class Sanitize(Protocol):
    """Takes away or masks fields of a record.

    `data`: the record.
    `record`: the same.
    `allow_fields`: the fields of the record itself that are left; the setting by default. An empty list leaves none.
    `drop_fields`: names that are taken away wherever they stand; the setting by default.
    `mask_fields`: names whose values are masked wherever they stand; the setting by default.
    `mask_value`: what stands in place of a masked value; the setting by default.
    `case_sensitive`: whether `Password` is another name than `password`; the setting by default.
    """

    async def __call__(
        self,
        *,
        data: Mapping[str, Json] | None = None,
        record: Mapping[str, Json] | None = None,
        allow_fields: list[str] | None = None,
        drop_fields: list[str] | None = None,
        mask_fields: list[str] | None = None,
        mask_value: Json = NOT_GIVEN,
        case_sensitive: bool | None = None,
    ) -> Sanitized: ...


def sanitize(
    data: Record,
    *,
    allow_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
    mask_fields: Sequence[str] = (),
    mask_value: Json = MASK,
    case_sensitive: bool = False,
) -> Sanitized:
    """As the action `data.sanitize`. Raises `InvalidPayload`."""
    checks = payload_of(_SANITIZE)
    record = checks.mapping("data", data)
    sensitive = checks.boolean("case_sensitive", case_sensitive)
    allowed = None if allow_fields is None else checks.texts("allow_fields", allow_fields)
    left = _Names(allowed or (), sensitive)
    sieve = _Sieve(
        _Names(checks.texts("drop_fields", drop_fields), sensitive),
        _Names(checks.texts("mask_fields", mask_fields), sensitive),
        checks.json("mask_value", mask_value),
    )
    shown = sieve.mapping({name: value for name, value in record.items() if allowed is None or name in left})
    return {
        "status": "sanitized",
        "data": shown,
        "applied": {"removed": sieve.removed, "masked": sieve.masked, "allow_fields": allowed},
    }


class _Names:
    """Names that are meant, in whatever case and composition of their characters unless they are to be exact."""

    def __init__(self, names: Iterable[str], exact: bool) -> None:
        self._exact = exact
        self._names = frozenset(map(self._plain, names))

    def __contains__(self, name: str) -> bool:
        return self._plain(name) in self._names

    def _plain(self, name: str) -> str:
        return name if self._exact else unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


class _Sieve:
    """Goes through a value, and counts what it takes away and masks."""

    def __init__(self, dropped: _Names, hidden: _Names, mask: Json) -> None:
        self.removed = self.masked = 0
        self._dropped = dropped
        self._hidden = hidden
        self._mask = mask

    def mapping(self, record: dict[str, Json]) -> dict[str, Json]:
        shown: dict[str, Json] = {}
        for name, value in record.items():
            if name in self._dropped:
                self.removed += 1
            elif name in self._hidden:
                self.masked += 1
                shown[name] = self._mask
            else:
                shown[name] = self._value(value)
        return shown

    def _value(self, value: Json) -> Json:
        if isinstance(value, dict):
            return self.mapping(cast("dict[str, Json]", value))
        return list(map(self._value, cast("list[object]", value))) if isinstance(value, list) else value


@component(
    "action",
    "data.sanitize",
    provider="builtin-data-sanitize",
    priority=0,
    stack_level=-10,
    capabilities=("sanitize", "redact", "filter"),
    port="oneiric.actions.data:Sanitize",
)
class Sanitizing:
    """Takes away or masks fields of records.

    `allow_fields`: the fields of a record that are left, where a payload does not say; all by default.
    `drop_fields`: names that are taken away, where a payload does not say.
    `mask_fields`: names whose values are masked, where a payload does not say.
    `mask_value`: what stands in place of a masked value, where a payload does not say.
    `case_sensitive`: whether `Password` is another name than `password`, where a payload does not say.
    """

    def __init__(
        self,
        *,
        allow_fields: list[str] | None = None,
        drop_fields: list[str] | None = None,
        mask_fields: list[str] | None = None,
        mask_value: Any = "***",
        case_sensitive: bool = False,
    ) -> None:
        checks = settings_of(_SANITIZE, "builtin-data-sanitize")
        self._allow = None if allow_fields is None else checks.texts("allow_fields", allow_fields)
        self._drop = checks.texts("drop_fields", drop_fields or [])
        self._mask = checks.texts("mask_fields", mask_fields or [])
        self._mask_value = checks.json("mask_value", mask_value)
        self._case_sensitive = case_sensitive

    async def __call__(
        self,
        *,
        data: Mapping[str, Json] | None = None,
        record: Mapping[str, Json] | None = None,
        allow_fields: list[str] | None = None,
        drop_fields: list[str] | None = None,
        mask_fields: list[str] | None = None,
        mask_value: Json = NOT_GIVEN,
        case_sensitive: bool | None = None,
    ) -> Sanitized:
        return sanitize(
            one_record(payload_of(_SANITIZE), data, record),
            allow_fields=chosen(allow_fields, self._allow),
            drop_fields=chosen(drop_fields, self._drop),
            mask_fields=chosen(mask_fields, self._mask),
            mask_value=self._mask_value if mask_value is NOT_GIVEN else mask_value,
            case_sensitive=chosen(case_sensitive, self._case_sensitive),
        )
