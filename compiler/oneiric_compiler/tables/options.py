"""The options of a candidate: what `@component`, `components:` in settings and a manifest's entry may say of it; and
those of a key, which the levels of the settings state whatever serves it.

A row here, a field of `model.Candidate` and an argument of `oneiric.component` make an option; `just generate` brings
schemas and docs in step. What has a rule of its own (an inferred priority, a need's place) is read in `stages.catalog`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

from oneiric_compiler.tables.tiers import RANKS, Rank

Schema: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: the JSON Schema of its value, and where that is handed on to.

    `in_manifests` is what of the schema is another one there, and `upstream` what `true` is called there as well. A
    decorator may state one item of a list `alone`.
    A candidate in a report has it if it is `reported`. What is `emitted` is in the wiring and in tenants' lines, under
    that name; what is `targeted`, only where the project's target of that name is not set.
    """

    name: str
    schema: Schema
    default: Any = None
    in_manifests: Schema = field(default_factory=dict[str, Any])
    upstream: str = ""
    alone: bool = False
    reported: bool = False
    emitted: str = ""
    targeted: bool = False

    def read(self, fields: Mapping[str, Any]) -> Any:
        """The value of a candidate that is declared with these fields."""
        value = fields.get(self.name, self.default)
        return tuple(sorted(cast("list[str]", value))) if isinstance(value, list) else value

    def stated(self, candidate: object) -> Any:
        """A candidate's value as JSON has it; None where it is the default."""
        value = getattr(candidate, self.name)
        plain: Any = list(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value
        return None if plain == self.default else plain


def _rank(rank: Rank) -> Option:
    tier = f"Precedence tier {RANKS.index(rank) + 2}"
    bounds: Schema = {"type": "integer", "minimum": -rank.bound, "maximum": rank.bound}
    default = {} if rank.default is None else {"default": rank.default}
    return Option(
        name=rank.fact,
        schema={"description": f"{tier}: the higher wins.", **bounds, **default},
        in_manifests={"description": f"{tier}, held under the source's ceiling.", **bounds},
        default=rank.default,
    )


_PLATFORMS = ("linux", "darwin", "windows")
_TEXT: Schema = {"type": "string", "minLength": 1}
_KEY = "([a-z_][a-z0-9_]*:)?[A-Za-z0-9][A-Za-z0-9._-]*"
_NAMES: Schema = {"type": "array", "items": _TEXT, "uniqueItems": True}

OPTIONS = (
    *map(_rank, RANKS),
    Option(
        name="capabilities",
        schema={"description": "What `requires` can ask for.", "type": "array", "items": _TEXT, "uniqueItems": True},
        default=[],
        in_manifests={
            "description": "What `requires` in settings can ask for: names, or mappings with a `name`.",
            "type": "array",
            "items": {
                "type": ["string", "object"],
                "minLength": 1,
                "required": ["name"],
                "properties": {
                    "name": {"description": "What it is called.", **_TEXT},
                    "description": {"type": "string"},
                    "event_types": {"type": "array", "items": _TEXT},
                    "payload_schema": {"type": "object"},
                    "schema_format": {"type": "string"},
                    "security": {"type": "object"},
                    "metadata": {"type": "object"},
                },
            },
        },
    ),
    Option(
        name="needs",
        schema={
            "description": "Parameter -> key of the component handed to it, keys in a list, or a pattern.",
            "type": "object",
            "propertyNames": {
                "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                "maxLength": 128,
                "description": "A Python name.",
                "format": "python-name",
            },
            "additionalProperties": {
                "type": ["string", "array"],
                "pattern": f"^({_KEY}|[a-z_][a-z0-9_]*:([A-Za-z0-9][A-Za-z0-9._-]*)?\\*)$",
                "maxLength": 255,
                "items": {"type": "string", "pattern": f"^{_KEY}$", "maxLength": 255, "description": "A key."},
                "minItems": 1,
                "uniqueItems": True,
                "description": "A key, such as `adapter:cache`, a list of keys, or a pattern: `service:plugin.*`.",
            },
        },
        default={},
    ),
    Option(
        name="optional",
        schema={"description": "Parameters whose needs may be lacking.", **_NAMES},
        default=[],
    ),
    Option(
        name="lazy",
        schema={"description": "Parameters whose needs are activated by their first call, not before.", **_NAMES},
        default=[],
    ),
    Option(
        name="layer",
        schema={
            "description": "Whether it wraps what serves the key, which it takes as `inner`: a layer is no candidate.",
            "type": "boolean",
        },
        default=False,
    ),
    Option(
        name="idempotent",
        schema={
            "description": "Whether a call can be made again with no other effect: `true`, or the methods that can.",
            "type": ["boolean", "array"],
            "items": _TEXT,
            "uniqueItems": True,
        },
        default=False,
        upstream="side_effect_free",
        reported=True,
    ),
    Option(
        name="port",
        schema={
            "description": "`module:Protocol` that the key promises to its users.",
            "type": "string",
            "pattern": r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*$",
            "maxLength": 255,
            "format": "python-reference",
        },
    ),
    Option(
        name="eager",
        schema={"description": "Activated when the runtime starts.", "type": "boolean"},
        default=False,
        emitted="eager",
    ),
    Option(
        name="blocking",
        schema={
            "description": "Whether what is synchronous of its factory, start, health and close runs in a thread: "
            "`false` where none of it ever waits.",
            "type": "boolean",
        },
        default=True,
        emitted="blocking",
    ),
    Option(
        name="python_version",
        schema={"description": "Python versions it runs on (PEP 440).", **_TEXT},
        reported=True,
        emitted="python",
        targeted=True,
    ),
    Option(
        name="os_platform",
        schema={
            "description": "Platforms it runs on.",
            "type": "array",
            "items": {"enum": [*_PLATFORMS]},
            "minItems": 1,
            "uniqueItems": True,
        },
        default=[],
        in_manifests={
            "description": f"Platforms it runs on, such as {', '.join(_PLATFORMS)}; others are those of no target.",
            "type": "array",
            "items": _TEXT,
            "minItems": 1,
            "uniqueItems": True,
        },
        alone=True,
        reported=True,
        emitted="os",
        targeted=True,
    ),
)
UPSTREAM = {option.upstream: option.name for option in OPTIONS if option.upstream}
"""What a manifest may call an option that is `true` as well."""
EMITTED = tuple(option for option in OPTIONS if option.emitted)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyOption:
    """An option of a key: a section `NAME: {KEY: VALUE}` of a domain's settings, an argument of `bind`, a line's field.

    Where the settings say nothing it is what the candidate declares, if candidates have an option of that name.
    """

    name: str
    schema: Schema
    described: str
    default: Any

    @property
    def values(self) -> list[Any]:
        return self.schema.get("enum") or [False, True]

    def of(self, candidate: object, stated: Mapping[str, Any]) -> Any:
        """The value for a key that a candidate serves; None where it is the default."""
        value = stated.get(self.name, getattr(candidate, self.name, self.default))
        return None if value == self.default else value


KEY_OPTIONS = (
    KeyOption(
        name="eager",
        schema={"description": "Whether it is activated when the runtime starts.", "type": "boolean"},
        described="Key -> whether it is activated when the runtime starts, such as `mailer: true`.",
        default=False,
    ),
    KeyOption(
        name="restart",
        schema={
            "description": "`on-failure` where an instance that turns unhealthy is replaced by another, or `never`.",
            "enum": ["never", "on-failure"],
        },
        described="Key -> `on-failure` or `never`: whether an instance that turns unhealthy is replaced, such as "
        "`mailer: on-failure`.",
        default="never",
    ),
)
BOUND = tuple(dict.fromkeys((*(option.emitted for option in EMITTED), *(option.name for option in KEY_OPTIONS))))
"""The names of all that a wiring, its report and tenants' lines say of how a key is activated."""
