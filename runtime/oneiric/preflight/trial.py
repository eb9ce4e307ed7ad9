"""What an environment lacks of what a report says that a key needs: tried without importing or starting anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, cast

from oneiric.convert import boolean, convert, one_of
from oneiric.preflight.missing import Missing, Want
from oneiric.preflight.reads import Facts, is_made, mapping, nodes, place_of, settings_of
from oneiric.references import load
from oneiric.secret import PREFIX

_CONVERTERS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": boolean}
_CONVERTING = ("oneiric.texts", "uuid", "ipaddress")
"""Modules of converters that are nobody's own: what a report names is called from no other."""
_READ = "ca_file"
"""The setting, of whatever component, that names a file which has to be there: `docs/settings.md` has the words."""
_REFERRING = ("make", "enum", "flags", "record", "then")
_SEQUENCES = ("list", "tuple", "set", "frozenset")
_MALFORMED = (AttributeError, KeyError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Trial:
    """Tries keys in one environment, whose variables are `environ`; each extra and module once. Where the folder of
    pinned `artifacts` is given, they are looked for too."""

    environ: Mapping[str, str]
    artifacts: str | None = None
    _extras: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    _modules: dict[str, bool] = field(default_factory=dict[str, bool])

    def lacking(self, key: str, facts: Facts, tenant: str | None = None) -> list[Missing]:
        """The variables, extras, modules and files that what serves a key needs and this process has not.

        What is unbound lacks nothing, and so do facts that are not as a compile writes them: what they would need is
        not known.
        """
        if not is_made(facts):
            return []
        try:
            wanted = Want(key, tenant, None, _text(facts.get("decided_at", facts.get("placed_at"))))
            return [
                *self._lacking_variables(key, facts, tenant),
                *self._lacking_extras(key, facts, wanted),
                *self._lacking_modules(facts, wanted),
                *self._lacking_files(key, facts, tenant),
                *self._lacking_artifacts(facts, wanted),
            ]
        except _MALFORMED:
            return []

    def secrets(self, key: str, facts: Facts, tenant: str | None = None) -> list[tuple[str, Want]]:
        """The secrets that would be asked for in this environment, each with what wants it."""
        found: list[tuple[str, Want]] = []
        try:
            for parameter, setting in settings_of(facts):
                for node, _, _ in nodes(setting["expr"], environ=self.environ):
                    if "secret" in node:
                        name = str(node["secret"])
                        found.append((name, Want(key, tenant, parameter, place_of(setting, PREFIX + name))))
        except _MALFORMED:
            return []
        return found

    def _lacking_variables(self, key: str, facts: Facts, tenant: str | None) -> Iterator[Missing]:
        for parameter, setting in settings_of(facts):
            for node, _, _ in nodes(setting["expr"], environ=self.environ):
                if "env" in node and (reason := _wrong(node, self.environ)):
                    name = str(node["env"])
                    want = Want(key, tenant, parameter, place_of(setting, name))
                    yield Missing("variable", name, reason, (want,))

    def _lacking_extras(self, key: str, facts: Facts, wanted: Want) -> Iterator[Missing]:
        if str(facts.get("factory")).startswith("oneiric."):
            extra = f"{key.partition(':')[2]}-{facts['provider']}"
            if extra not in self._extras:
                self._extras[extra] = extra_lacks(extra)
            if reason := self._extras[extra]:
                yield Missing("extra", extra, reason, (wanted,))

    def _lacking_modules(self, facts: Facts, wanted: Want) -> Iterator[Missing]:
        named = [facts.get("factory"), facts.get("port")]
        for setting in mapping(facts.get("settings")).values():
            named += _references(mapping(setting).get("expr"))
        ours = {"oneiric", _top(facts["factory"])} if "artifact" in facts else {"oneiric"}
        for top in dict.fromkeys(_top(each) for each in named if isinstance(each, str)):
            if top not in self._modules:
                self._modules[top] = _found(top)
            if not self._modules[top] and top not in ours:
                yield Missing("module", top, "is not on the path", (wanted,))

    def _lacking_files(self, key: str, facts: Facts, tenant: str | None) -> Iterator[Missing]:
        setting = mapping(mapping(facts.get("settings")).get(_READ))
        file = text_of(setting.get("expr"), self.environ)
        if file and not os.path.exists(file):
            yield Missing("file", file, "does not exist", (Want(key, tenant, _READ, _text(setting.get("from"))),))

    def _lacking_artifacts(self, facts: Facts, wanted: Want) -> Iterator[Missing]:
        if self.artifacts is not None and "artifact" in facts:
            digest, _, name = facts["artifact"].partition(" ")
            file = os.path.join(self.artifacts, digest + os.path.splitext(name)[1])
            if not os.path.exists(file):
                yield Missing("file", os.path.relpath(file), f"does not exist, the artifact {name}", (wanted,))


def _wrong(node: Facts, environ: Mapping[str, str]) -> str | None:
    """What is wrong with a variable. Its text is not told, which may be a secret's."""
    text = environ.get(node["env"])
    if not text and "default" in node:
        stands_in = text_of(node["default"], environ)
        expected = None if stands_in is None else _expected(node.get("as"), stands_in)
        return expected and f"is not set, and what stands in for it cannot be read: expected {expected}"
    if text is None or (not text and "why" in node):
        why = f": {node['why']}" if node.get("why") else ""
        return f"is {'not set' if text is None else 'empty'}{why}"
    expected = _expected(node.get("as"), text)
    return expected and f"cannot be read: expected {expected}"


def text_of(expression: object, environ: Mapping[str, str]) -> str | None:
    """The text that an expression comes to; None where that is not known, or is no text."""
    if isinstance(expression, str):
        return expression
    node = mapping(expression)
    if "env" in node:
        text = environ.get(node["env"])
        return text_of(node["default"], environ) if not text and "default" in node else text
    if "text" in node:
        parts = [text_of(part, environ) for part in cast("list[object]", node["text"])]
        return None if None in parts else "".join(cast("list[str]", parts))
    return _text(node.get("path", node.get("value")))


def _expected(kind: object, text: str) -> str | None:
    """What a text had to be, where it cannot be converted."""
    converter = _converter(kind)
    if converter is None:
        return None
    try:
        convert(converter, text)
    except ValueError as error:
        return str(error)
    return None


def _converter(kind: object) -> Callable[[str], Any] | None:
    """What a text is converted by; None where it needs no conversion, or a module that would have to be imported."""
    if isinstance(kind, str):
        return _CONVERTERS.get(kind)
    facts = mapping(kind)
    if "one_of" in facts:
        return one_of(*facts["one_of"])
    if "by" in facts or "enum" in facts:
        by = str(facts.get("by", ""))
        return load(by) if by.partition(":")[0] in _CONVERTING else None
    return _structure(facts)


def _structure(facts: Facts) -> Callable[[str], Any] | None:
    """What reads a list, a mapping or an object as far as that imports no module of anybody's."""
    from oneiric import structures

    def part(kind: object) -> Callable[[str], Any]:
        return structures.anything if kind == "any" else _converter(kind) or str

    if "record" in facts:
        fields = {name: part(each) for name, each in facts["fields"].items()}
        return structures.record(_record, fields, *facts["required"])
    if "fixed" in facts:
        return structures.fixed(*map(part, facts["fixed"]))
    if "then" in facts:
        return part(facts["of"])
    if "optional" in facts:
        return structures.optional(part(facts["optional"]))
    if "dict" in facts:
        return structures.dict_of(part(facts["dict"]))
    item = next((facts[kind] for kind in _SEQUENCES if kind in facts), None)
    return None if item is None else structures.list_of(part(item))


def _record(**fields: Any) -> dict[str, Any]:
    """In place of an object, whose class would have to be imported."""
    return fields


def extra_lacks(extra: str) -> str | None:
    """What is not installed of an extra of this distribution; None where all is, or it has no such extra."""
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

    try:
        stated = map(Requirement, requires("oneiric") or ())
    except PackageNotFoundError:  # not installed as a distribution: nothing says what its extras are
        return None
    absent = [
        f"{each.name}{each.specifier}"
        for each in stated
        if each.marker is not None
        and not each.marker.evaluate({"extra": ""})
        and each.marker.evaluate({"extra": extra})
        and not _installed(each.name)
    ]
    return f"is not installed: {', '.join(absent)}" if absent else None


def _installed(name: str) -> bool:
    """Whether a distribution is there, in whatever version: which are fit is for who installs. A module of its name,
    from wherever, does too."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        version(name)
    except PackageNotFoundError:
        return _found(name.replace("-", "_"))
    return True


def _references(expression: object) -> Iterator[str]:
    """What an expression imports, as `module:name`."""
    if isinstance(expression, list):
        for each in cast("list[object]", expression):
            yield from _references(each)
    elif "value" not in (node := mapping(expression)):
        yield from (node[name] for name in _REFERRING if isinstance(node.get(name), str) and ":" in node[name])
        for each in node.values():
            yield from _references(each)


def _top(reference: str) -> str:
    return reference.partition(":")[0].partition(".")[0]


def _found(module: str) -> bool:
    """Whether a module at the top can be imported; that it is looked for imports nothing."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # refused; or loaded without a spec, as __main__ is
        return False


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
