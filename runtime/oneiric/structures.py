"""Converters of texts to lists, mappings and settings objects, written as JSON or as YAML in flow style.

Numbers, words and null are those of YAML's core, as in settings files; a text is one in quotes, or one that is none of
them. A list may also be written as its items with commas between them. Each raises `Unshown` saying what it expected,
and where: a part of what it was given may be a secret.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from typing import Any, Generic, TypeGuard, TypeVar, cast

from oneiric.convert import Unshown, boolean, convert, one_of, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

T = TypeVar("T")
U = TypeVar("U")

MAX_DEPTH = 32
_LIST = "a list: [a, b], or a, b"
_MAPPING = "a mapping: {a: b}"
_NULL = frozenset(("~", "null", "Null", "NULL"))
_WORDS = {
    **dict.fromkeys(_NULL),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"(?![-+]?0[0-9])[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}", re.ASCII)
_FLOAT = re.compile(r"(?![-+]?0[0-9])[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_DOUBTFUL = re.compile(r"[-+]?[0-9][0-9.eE+-]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_BLANK = re.compile(r"[ \t\r\n]*")
_DOUBLE = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+"')
_SINGLE = re.compile(r"'(?:[^'\x00-\x1f]|'')*+'")
_ENDS = r"[\s,\[\]{}?]|\Z"
_COLON = rf":(?!{_ENDS})"
_PLAIN = re.compile(
    rf"(?!-(?:{_ENDS}))[^\s,\[\]{{}}\"'&*!|>%@`#?:](?:[^\s,\[\]{{}}:]|{_COLON}|[ \t]+(?=[^\s,\[\]{{}}#:]|{_COLON}))*"
)
_NAMES = re.compile(rf"[ \t]*:(?={_ENDS})")
_NAMES_QUOTED = re.compile(r"[ \t]*:")


class Plain(str):
    """A scalar without quotes."""

    __slots__ = ()

    @property
    def value(self) -> Any:
        """The number, word or null that it is, else its text. Raises `Unshown` for a number as no settings have it."""
        text = str(self)
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _FLOAT.fullmatch(text) and float(text) not in (float("inf"), float("-inf")):
            return float(text)
        if _DOUBTFUL.fullmatch(text):
            raise Unshown("a number of YAML 1.2, or a text in quotes")
        return text


def read(text: str) -> Any:
    """The list or dict that a text is, its scalars `Plain` or the texts that stood in quotes. Raises `Unshown`."""
    found, end = _value(text, _skip(text, 0), 0)
    if _skip(text, end) != len(text):
        raise Unshown("nothing after its end")
    return found


def natural(node: Any) -> Any:
    """What was read, each scalar the value that it is in settings."""
    if _is_list(node):
        return [natural(each) for each in node]
    if _is_dict(node):
        return {name: natural(each) for name, each in node.items()}
    return node.value if isinstance(node, Plain) else node


def items_of(text: str) -> list[Any]:
    """The items of a list that is written with brackets, or with commas between them; none of an empty text."""
    written = text.strip()
    if written.startswith("["):
        return list(read(written))
    return [each.strip() for each in written.split(",")] if written else []


def entries_of(text: str) -> dict[str, Any]:
    """The entries of a mapping; none of an empty text."""
    written = text.strip()
    if written and not written.startswith("{"):
        raise Unshown(_MAPPING)
    return dict(read(written)) if written else {}


class Converter(ABC, Generic[T]):
    """Of a text, or by `take` of what stands in one."""

    @abstractmethod
    def __call__(self, text: str) -> T: ...

    @abstractmethod
    def take(self, node: Any) -> T: ...


def take(converter: Callable[[str], T], node: Any, at: object) -> T:
    """A part of what was read, converted; an error says at which name or index it stands."""
    try:
        return _taken(converter, node)
    except Unshown as error:
        raise Unshown(error.expected, (at, *error.path)) from None


def _taken(converter: Callable[[str], T], node: Any) -> T:
    if isinstance(converter, Converter):
        return cast("Converter[T]", converter).take(node)
    return _scalar(converter, node)


def _scalar(converter: Callable[[str], T], node: Any) -> T:
    if not isinstance(node, str):
        raise Unshown("a text or a number")
    value: Any = node.value if isinstance(node, Plain) else node
    known: Any = {int: int, float: (int, float), boolean: bool}.get(cast("Any", converter))
    if known and isinstance(value, known) and isinstance(value, bool) == (known is bool):
        found: T = value
        return found
    plain = value is None or isinstance(value, int)
    try:
        return convert(converter, word(value) if plain and converter is not cast("Any", str) else str(node))
    except Unshown:
        raise
    except ValueError as error:
        raise Unshown(str(error)) from None


class _Items(Converter[T]):
    def __init__(self, item: Callable[[str], Any], make: Callable[[Iterable[Any]], T]) -> None:
        self._item, self._make = item, make

    def __call__(self, text: str) -> T:
        return self.take(items_of(text))

    def take(self, node: Any) -> T:
        if not _is_list(node):
            raise Unshown(_LIST)
        items = [take(self._item, each, at) for at, each in enumerate(node)]
        try:
            return self._make(items)
        except TypeError:
            raise Unshown("items that can be told apart") from None


class _Fixed(Converter[Any]):
    def __init__(self, items: tuple[Callable[[str], Any], ...]) -> None:
        self._items = items

    def __call__(self, text: str) -> Any:
        return self.take(items_of(text))

    def take(self, node: Any) -> Any:
        if not _is_list(node) or len(node) != len(self._items):
            raise Unshown(f"a list of {len(self._items)}")
        given = zip(self._items, node, strict=True)
        return tuple(take(item, each, at) for at, (item, each) in enumerate(given))


class _Entries(Converter["dict[str, T]"]):
    def __init__(self, item: Callable[[str], T]) -> None:
        self._item = item

    def __call__(self, text: str) -> dict[str, T]:
        return self.take(entries_of(text))

    def take(self, node: Any) -> dict[str, T]:
        if not _is_dict(node):
            raise Unshown(_MAPPING)
        return {name: take(self._item, each, name) for name, each in node.items()}


class _Record(Converter[T]):
    def __init__(
        self, make: Callable[..., T], fields: Mapping[str, Callable[[str], Any]], required: tuple[str, ...]
    ) -> None:
        self._make, self._fields, self._required = make, fields, required

    def __call__(self, text: str) -> T:
        return self.take(entries_of(text))

    def take(self, node: Any) -> T:
        if not _is_dict(node):
            raise Unshown(f"a mapping of {', '.join(self._fields)}")
        given = node
        for name in given:
            if name not in self._fields:
                raise Unshown(f"a mapping of {', '.join(self._fields)}")
        for name in self._required:
            if name not in given:
                raise Unshown(f"the field {name}")
        named = {name: take(self._fields[name], each, name) for name, each in given.items()}
        try:
            return self._make(**named)
        except (TypeError, ValueError) as error:
            what = getattr(self._make, "__name__", "the class")
            raise Unshown(f"what {what} takes, which raised {type(error).__name__}") from None


class _Optional(Converter["T | None"]):
    def __init__(self, converter: Callable[[str], T]) -> None:
        self._converter = converter

    def __call__(self, text: str) -> T | None:
        return None if text.strip() == "null" else convert(self._converter, text)

    def take(self, node: Any) -> T | None:
        if isinstance(node, Plain) and node.value is None:
            return None
        converter: Any = self._converter
        if isinstance(node, str) and node == "null" and converter is not str:
            return None
        return _taken(self._converter, node)


class _Then(Converter[U]):
    def __init__(self, converter: Callable[[str], Any], make: Callable[[Any], U]) -> None:
        self._converter, self._make = converter, make

    def __call__(self, text: str) -> U:
        return self._make(convert(self._converter, text))

    def take(self, node: Any) -> U:
        return self._make(_taken(self._converter, node))


class _Anything(Converter[Any]):
    def __call__(self, text: str) -> Any:
        return text

    def take(self, node: Any) -> Any:
        return natural(node)


anything = _Anything()
"""What is not read any further: a value as in settings."""


def choice(*choices: object) -> Callable[[str], Any]:
    """As `convert.one_of`, to stand in another: type checkers widen literals there."""
    return one_of(*choices)


def list_of(item: Callable[[str], T]) -> Converter[list[T]]:
    """A list."""
    return _Items(item, list)


def tuple_of(item: Callable[[str], T]) -> Converter[tuple[T, ...]]:
    """A tuple of any length, written as a list."""
    return _Items(item, tuple)


def set_of(item: Callable[[str], T]) -> Converter[set[T]]:
    """A set, written as a list."""
    return _Items(item, set)


def frozenset_of(item: Callable[[str], T]) -> Converter[frozenset[T]]:
    """A frozenset, written as a list."""
    return _Items(item, frozenset)


def fixed(*items: Callable[[str], Any]) -> Converter[Any]:
    """A tuple of so many, written as a list."""
    return _Fixed(items)


def dict_of(item: Callable[[str], T]) -> Converter[dict[str, T]]:
    """A dict from texts."""
    return _Entries(item)


def record(make: Callable[..., T], fields: Mapping[str, Callable[[str], Any]], *required: str) -> Converter[T]:
    """What a class makes of its fields, by keyword; those that are not given are left to it."""
    return _Record(make, fields, required)


def optional(converter: Callable[[str], T]) -> Converter[T | None]:
    """None for `null`, else what the converter gives."""
    return _Optional(converter)


def then(converter: Callable[[str], Any], make: Callable[[Any], U]) -> Converter[U]:
    """What `make` gives of what the converter gives."""
    return _Then(converter, make)


def _is_list(node: Any) -> TypeGuard[list[Any]]:
    return isinstance(node, list)


def _is_dict(node: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(node, dict)


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    assert blank is not None
    return blank.end()


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    """What begins at a place, and where it ends."""
    if depth > MAX_DEPTH:
        raise Unshown(f"at most {MAX_DEPTH} lists and mappings in each other")
    if text.startswith("[", at):
        return _list(text, at + 1, depth + 1)
    if text.startswith("{", at):
        return _mapping(text, at + 1, depth + 1)
    return _text(text, at)


def _text(text: str, at: int) -> tuple[str, int]:
    if found := _DOUBLE.match(text, at):
        try:
            return str(json.loads(found[0])), found.end()
        except ValueError:
            raise Unshown("a text in quotes with the escapes of JSON") from None
    if found := _SINGLE.match(text, at):
        return found[0][1:-1].replace("''", "'"), found.end()
    if found := _PLAIN.match(text, at):
        return Plain(found[0]), found.end()
    raise Unshown("JSON, or YAML in flow style")


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    at = _skip(text, at)
    while not text.startswith("]", at):
        item, at = _value(text, at, depth)
        items.append(item)
        at = _next(text, at, "]")
    return items, at + 1


def _mapping(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    entries: dict[str, Any] = {}
    at = _skip(text, at)
    while not text.startswith("}", at):
        name, at = _text(text, at)
        if isinstance(name, Plain) and not isinstance(name.value, str):
            raise Unshown("names that are texts: put numbers and words in quotes")
        if name in entries:
            raise Unshown("each name once")
        names = (_NAMES if isinstance(name, Plain) else _NAMES_QUOTED).match(text, at)
        if names is None:
            raise Unshown(_MAPPING)
        value, at = _value(text, _skip(text, names.end()), depth)
        entries[str(name)] = value
        at = _next(text, at, "}")
    return entries, at + 1


def _next(text: str, at: int, end: str) -> int:
    """Where the next item begins, or what is read ends."""
    at = _skip(text, at)
    if text.startswith(",", at):
        return _skip(text, at + 1)
    if text.startswith(end, at):
        return at
    raise Unshown(f"`,` or `{end}` after each")
