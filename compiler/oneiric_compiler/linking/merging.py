"""What several levels state of one setting: the last one's value; of what has fields, each field's."""

from __future__ import annotations

from oneiric_compiler.diagnostics.found import Place
from oneiric_compiler.model import Stated
from oneiric_compiler.settings.documents import Path_, Value
from oneiric_compiler.source.types import Type, record_in


def merged(lower: Stated[Value], upper: Stated[Value], type: Type) -> Stated[Value]:
    """The setting as both levels state it, at the place of the upper one, which keeps fields of the lower one."""
    kept: list[Path_] = []
    value = _merged(lower.value, upper.value, type, (), kept)
    if not kept:
        return upper
    deeper = [path for path in lower.kept if any(_is_below(path, each) for each in kept)]
    own = frozenset(kept)

    def within(*path: str | int) -> Place:
        from_below = any(path[:length] in own for length in range(1, len(path) + 1))
        return (lower if from_below else upper).at(*path)

    return Stated(value, upper.place, upper.name_place, within, tuple(sorted((*kept, *deeper), key=str)))


def _merged(lower: Value, upper: Value, type: Type, path: Path_, kept: list[Path_]) -> Value:
    record = record_in(type)
    if record is None or not isinstance(lower, dict) or not isinstance(upper, dict):
        return upper
    types = {each.name: each.type for each in record.fields}
    found: dict[str, Value] = {}
    for name in {**lower, **upper}:
        at = (*path, name)
        if name not in upper:
            kept.append(at)
            found[name] = lower[name]
        elif name in lower and name in types:
            found[name] = _merged(lower[name], upper[name], types[name], at, kept)
        else:
            found[name] = upper[name]
    return found


def _is_below(path: Path_, other: Path_) -> bool:
    return len(path) > len(other) and path[: len(other)] == other
