"""References in the templates of a workflow: `${input.id}`, `${item}`, `${reserve.cents:-0}`, `${nodes['a.b'].x}`.

A text that is one reference becomes the value itself, whatever its type; where there is more in the text, the value is
written into it: a text as it is, anything else as JSON. `$${` is a plain `${`. The default after `:-` is JSON where it
can be read as that, else text; it stands in for what is missing, and not for a null.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, cast

from oneiric.flows.paths import MISSING, Path, found, is_list, parsed

ROOTS = ("input", "item", "tick")
"""What a reference may begin with besides the name of a node."""

_BEGIN = re.compile(r"\$\$\{|\$\{")
_NODES = re.compile(r"nodes(?=\[')")


class Reference(NamedTuple):
    """`${…}`, as it is written between the braces; `root` is a node unless it is one of `ROOTS`."""

    text: str
    root: str
    path: Path
    default: Any = MISSING

    @property
    def has_default(self) -> bool:
        return self.default is not MISSING

    @property
    def node(self) -> str | None:
        """The node whose result is meant; None where none is."""
        return None if self.root in ROOTS else self.root


class Missing(LookupError):
    """There is nothing where a reference without default points to."""

    def __init__(self, reference: str) -> None:
        self.reference = reference
        super().__init__(f"there is no `{reference}`")

    def __reduce__(self) -> tuple[type[Missing], tuple[str], dict[str, Any]]:
        return Missing, (self.reference,), vars(self)


@lru_cache(4096)
def parts(text: str) -> tuple[str | Reference, ...]:
    """A text as what stands in it. Raises `ValueError` where a reference cannot be read."""
    found: list[str | Reference] = []
    at, plain = 0, ""
    while begin := _BEGIN.search(text, at):
        plain += text[at : begin.start()]
        if begin[0] == "$${":
            plain, at = f"{plain}${{", begin.end()
            continue
        end = _end(text, begin.end())
        if plain:
            found.append(plain)
        found.append(_reference(text[begin.end() : end]))
        at, plain = end + 1, ""
    if plain + text[at:]:
        found.append(plain + text[at:])
    return tuple(found)


def references(template: Any, at: Path = ()) -> Iterator[tuple[Path, Reference]]:
    """Every reference in a template, with its place there. Raises `ValueError` for one that cannot be read."""
    if isinstance(template, str):
        for part in parts(template):
            if isinstance(part, Reference):
                yield at, part
    elif isinstance(template, Mapping):
        for name, each in cast("Mapping[str, Any]", template).items():
            yield from references(each, (*at, name))
    elif is_list(template):
        for index, each in enumerate(template):
            yield from references(each, (*at, index))


def rendered(template: Any, scope: Mapping[str, Any]) -> Any:
    """A template with the values of what it refers to: `scope` has input, item and results by the name of their node.
    Raises `Missing`."""
    if isinstance(template, str):
        return _text(parts(template), scope)
    if isinstance(template, Mapping):
        return {name: rendered(each, scope) for name, each in cast("Mapping[str, Any]", template).items()}
    if is_list(template):
        return [rendered(each, scope) for each in template]
    return template


def _text(found: tuple[str | Reference, ...], scope: Mapping[str, Any]) -> Any:
    if len(found) == 1 and isinstance(found[0], Reference):
        return _value(found[0], scope)
    return "".join(part if isinstance(part, str) else _written(_value(part, scope)) for part in found)


def _value(reference: Reference, scope: Mapping[str, Any]) -> Any:
    value = found(scope.get(reference.root, MISSING), reference.path)
    if value is MISSING:
        value = reference.default
    if value is MISSING:
        raise Missing(reference.text)
    return value


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _end(text: str, begin: int) -> int:
    """Where the brace is that ends a reference; those within quotes and within a default's JSON do not."""
    depth = 0
    for at in range(begin, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            if not depth:
                return at
            depth -= 1
    raise ValueError(f"the reference `${{{text[begin:]}` has no closing `}}`")


def _reference(text: str) -> Reference:
    named, has_default, default = text.partition(":-")
    try:
        root, *path = parsed(_NODES.sub("", named))
    except ValueError:
        raise ValueError(f"`${{{text}}}` is not a reference: write `input`, `item` or a node, then a path") from None
    if not isinstance(root, str):
        raise ValueError(f"`${{{text}}}` begins with an index: write `input`, `item` or a node first")
    return Reference(text, root, tuple(path), _default(default) if has_default else MISSING)


def _default(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(text: str) -> Any:
    raise ValueError(text)
