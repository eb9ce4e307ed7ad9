"""What `provider_settings` give each candidate in a scope, merged over the levels and held against its signature."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from oneiric.secrecy.names import secret_name
from oneiric.texts import duration

from oneiric_compiler.diagnostics.edits import writing
from oneiric_compiler.diagnostics.found import Diagnostics, Help, did_you_mean
from oneiric_compiler.linking.aliases import stated_aliases
from oneiric_compiler.linking.doubts import doubts
from oneiric_compiler.linking.expressions import Converted, convert
from oneiric_compiler.linking.lacking import need_help, served_types
from oneiric_compiler.linking.layers import everywhere
from oneiric_compiler.linking.merging import merged
from oneiric_compiler.linking.plain_secrets import plain_secrets
from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.linking.unfit import Unfit
from oneiric_compiler.linking.vocabulary import answer
from oneiric_compiler.model import Candidate, Key, Level, Section, Setting, Stated
from oneiric_compiler.settings.documents import Path_, Value, json_pointer
from oneiric_compiler.source.types import Scalar, Type, Unchecked, all_in, inside, parts, record_in, unread
from oneiric_compiler.tables.layers import INNER


@dataclass(slots=True)
class ProviderSettings:
    """The settings of a scope; `below` are those of the scope it lies in.

    `broken` are the parameters, by key and provider, whose values do not fit.
    """

    scope: Scope
    diagnostics: Diagnostics
    below: ProviderSettings | None = None
    broken: dict[tuple[Key, str], set[str]] = field(default_factory=dict[tuple[Key, str], set[str]])
    _served_types: frozenset[str] | None = None
    _by_provider: MutableMapping[tuple[str, str], list[Candidate]] = field(
        default_factory=dict[tuple[str, str], list[Candidate]]
    )
    _merged_levels: dict[tuple[int, int, int], Stated[Value]] = field(
        default_factory=dict[tuple[int, int, int], Stated[Value]]
    )
    _converted: dict[tuple[int, int, bool], Converted | None] = field(
        default_factory=dict[tuple[int, int, bool], Converted | None]
    )

    def of(self, candidate: Candidate, layer: str = "") -> dict[str, Setting]:
        """The candidate's settings by parameter, sorted; what does not fit is reported and left out. One that is placed
        as a `layer`, `NAME:LABEL`, may have some under its label."""
        stated: dict[str, Stated[Value]] = {}
        key = candidate.key.name
        names = (candidate.provider, f"{key}/{candidate.provider}", *((f"{key}/{layer}",) if ":" in layer else ()))
        for name in names:
            for level in self.scope.levels.values():
                section = level.get(candidate.key.domain, NOTHING)
                for parameter, each in section.provider_settings.get(name, {}).items():
                    stated[parameter] = self._merged(candidate, parameter, stated.get(parameter), each)
        found: dict[str, Setting] = {}
        for name, each in sorted(stated.items()):
            if setting := self._setting(candidate, name, each):
                found[name] = setting
        return found

    def _merged(
        self, candidate: Candidate, name: str, lower: Stated[Value] | None, upper: Stated[Value]
    ) -> Stated[Value]:
        if lower is None or not isinstance(lower.value, dict) or not isinstance(upper.value, dict):
            return upper
        type = _type_of(candidate, name)
        levels = (id(lower), id(upper), id(type))
        if levels not in self._merged_levels:
            self._merged_levels[levels] = merged(lower, upper, type)
        return self._merged_levels[levels]

    def check(self, levels: Iterable[Level], incomplete: bool) -> None:
        """Reports what the levels set that no candidate takes, losers included."""
        self._index()
        aliases = stated_aliases(self.scope)
        for domain, section, name in _entries(levels):
            served = list(self._served(domain, name))
            if served:
                for parameter, stated in section.provider_settings[name].items():
                    self._check_field(served, name, parameter, stated)
            elif not incomplete and Key(domain, name.partition("/")[0]) not in aliases:
                self._tell_unknown(domain, section, name)

    def touched(self, level: Level) -> set[Key]:
        """The keys with a candidate that the level sets something of."""
        self._index()
        return {each.key for domain, _, name in _entries((level,)) for each in self._served(domain, name)}

    def _instances(self) -> frozenset[str]:
        if self._served_types is None:
            self._served_types = served_types(self.scope)
        return self._served_types

    def _index(self) -> None:
        if self._by_provider:
            return
        added = self.scope.added.get("tenant", {})
        if self.below is None:
            for text, layer in everywhere(self.scope.settings, self.scope.catalog):
                self._by_provider.setdefault((layer.key.domain, text), []).append(layer)
        if self.below is not None:
            self.below._index()
            self._by_provider = ChainMap({}, self.below._by_provider) if added else self.below._by_provider
        for candidates in added.values() if self.below else map(self.scope.candidates, sorted(self.scope.known_keys())):
            for candidate in candidates:
                name = (candidate.key.domain, candidate.provider)
                if self.below:
                    self._by_provider[name] = [*self._by_provider.get(name, ()), candidate]
                else:
                    self._by_provider.setdefault(name, []).append(candidate)

    def _served(self, domain: str, name: str) -> Iterator[Candidate]:
        """The candidates that a `provider` or `key/provider` entry is for."""
        key, _, provider = name.rpartition("/")
        for candidate in self._by_provider.get((domain, provider), ()):
            if (not key and ":" not in provider) or candidate.key.name == key:
                yield candidate

    def _check_field(self, served: list[Candidate], name: str, parameter: str, stated: Stated[Value]) -> None:
        lacking = [each for each in served if not takes(each, parameter)]
        if not lacking:
            for candidate in served:
                self._setting(candidate, parameter, stated, lacks=True)
            return
        lacks, has = lacking[0], [each for each in served if takes(each, parameter)]
        help: Help
        if has:
            help = f"set it for one key: `{has[0].key.name}/{has[0].provider}: {{{parameter}: …}}`"
            message = f"`{name}` serves {lacks.key} too, where it takes no `{parameter}`"
        else:
            help = partial(_other_parameter, lacks, parameter)
            message = f"`{name}` takes no `{parameter}`"
        related = [("its factory", lacks.signature.place)]
        self.diagnostics.add("ONE407", message, stated.name_place or stated.place, help=help, related=related)

    def _tell_unknown(self, domain: str, section: Section, name: str) -> None:
        key, _, provider = name.rpartition("/")
        help = partial(self._other_provider, domain, name)
        of = f"of {domain}:{key}" if key else f"of domain `{domain}`"
        message = f"nothing declares a provider `{provider}` {of}"
        if ":" in provider:
            message = f"nothing places a layer `{provider}` around {domain}:{key}"
        self.diagnostics.add("ONE301", message, section.setting_places[name], help=help)

    def _other_provider(self, domain: str, name: str) -> str | None:
        known = {name for each, name in self._by_provider if each == domain}
        if "/" in name:
            known = {f"{c.key.name}/{c.provider}" for p in known for c in self._by_provider[domain, p]}
        return did_you_mean(name, known, "declare it, or remove its settings")

    def _setting(
        self, candidate: Candidate, name: str, stated: Stated[Value], *, lacks: bool = False
    ) -> Setting | None:
        if not takes(candidate, name):
            return None
        type = _type_of(candidate, name)
        converted = self._convert(candidate, name, stated, type, lacks)
        if converted is None:
            self.broken.setdefault((candidate.key, candidate.provider), set()).add(name)
            return None
        self._tell_unchecked(candidate, name, type, converted)
        unchecked = tuple(sorted(converted.unchecked, key=lambda path: json_pointer(*path)))
        return Setting(stated, converted.expr, frozenset(converted.secrets), converted.reads, unchecked)

    def _convert(
        self, candidate: Candidate, name: str, stated: Stated[Value], type: Type, lacks: bool
    ) -> Converted | None:
        lacks = (lacks or self.scope.settings.unsettled) and record_in(type) is not None
        cached = (id(stated), id(type), lacks)
        if cached not in self._converted:
            refused = self._tell_plain_secrets(candidate, name, stated, type)
            self._converted[cached] = None
            try:
                converted = convert(stated.value, type, self._instances(), partial(_written, stated), partial=lacks)
                self._tell_doubts(candidate, name, stated, type)
                self._converted[cached] = None if refused else converted
            except Unfit as error:
                for each in (error, *error.others):
                    if each.path not in refused:
                        self._tell_unfit(each, candidate, name, stated, type)
        return self._converted[cached]

    def _tell_plain_secrets(
        self, candidate: Candidate, name: str, stated: Stated[Value], type: Type
    ) -> set[tuple[str | int, ...]]:
        """Reports secrets that a setting writes out; where in it they are refused."""
        refused: set[tuple[str | int, ...]] = set()
        for path, reason in plain_secrets(name, stated.value, named=_takes_text(type)):
            place = stated.at(*path)
            shown = ".".join(map(str, (name, *path)))
            if reason is not None:
                refused.add(path)
                message = f"`{shown}` of `{candidate.provider}`: {reason}"
                related = [("its factory", candidate.signature.place)]
                help = "put a reference in its place: ${ONEIRIC_SECRET_NAME}"
                self.diagnostics.add("ONE410", message, place, help=help, related=related)
            elif not path or any(map(_takes_text, inside(type, path))):
                message = f"`{shown}` of `{candidate.provider}` looks like a secret and is committed in plain text"
                help = "write ${ONEIRIC_SECRET_NAME} in its place" if path else _SECRET_PARAMETER
                self.diagnostics.add("ONE414", message, place, help=help)
        return refused

    def _tell_unchecked(self, candidate: Candidate, name: str, type: Type, converted: Converted) -> None:
        """Notes a parameter, once, whose type is not read where its setting has something."""
        if not converted.unchecked:
            return
        if parameter := (candidate.signature.parameters or {}).get(name):
            types = ", ".join(f"`{each}`" for each in dict.fromkeys(unread(type)))
            message, place = f"`{name}` has a type that the compiler does not read: {types}", parameter.place
            help = "state one of those in docs/components.md, or leave its settings to the type checker"
        else:
            message = f"the compiler does not read the parameters of `{candidate.factory}`: `{name}` is not checked"
            help, place = "it sees through no decorator, nor bases out of sight", candidate.signature.place
        self.diagnostics.add("ONE416", message, place, help=help)

    def _tell_doubts(self, candidate: Candidate, name: str, stated: Stated[Value], type: Type) -> None:
        for each in doubts(name, stated.value, connects=candidate.is_builtin):
            if each.code == "ONE408" or _takes_text(type):
                message = f"`{name}` of `{candidate.provider}`: {each.reason}"
                place = stated.at(*each.path)
                self.diagnostics.add(each.code, message, place, help=each.help)

    def _tell_unfit(self, unfit: Unfit, candidate: Candidate, name: str, stated: Stated[Value], type: Type) -> None:
        names = (name, *(part for part in unfit.path if isinstance(part, str)))
        hidden = unfit.code == "ONE408" and any(map(secret_name, names))
        reason = f"the value is not {type}" if hidden else unfit.message
        message = f"`{name}` of `{candidate.provider}`: {reason}"
        related = [("its factory", candidate.signature.place)]
        help = _in_seconds(name, unfit, stated.value, type) or unfit.help or f"the parameter is annotated as {type}"
        if unfit.instance and unfit.path:
            help = "components are needs, not settings: let `needs` list their keys for the parameter"
        elif unfit.instance:
            help = need_help(self.scope, candidate, name, unfit.instance)
        place = stated.at(*unfit.path)
        self.diagnostics.add(unfit.code, message, place, help=help, related=related)


def _entries(levels: Iterable[Level]) -> Iterator[tuple[str, Section, str]]:
    for level in levels:
        for domain, section in level.items():
            for name in section.provider_settings:
                yield domain, section, name


_ANYTHING = Scalar("Any")
_DURATIONS = ("timeout", "ttl", "delay", "interval")
_UNREAD = Unchecked("of a signature that is not read")
_SECRET_PARAMETER = "annotate the parameter as `oneiric.Secret` and write ${ONEIRIC_SECRET_NAME}"


def _other_parameter(lacks: Candidate, parameter: str) -> str:
    if lacks.layer and parameter == INNER:
        return f"remove it: `{INNER}` is what the layer wraps"
    taken = {name for name, each in (lacks.signature.parameters or {}).items() if each.by_name}
    known = taken - lacks.handed.keys() - ({INNER} if lacks.layer else set())
    return answer(lacks, parameter, known) or did_you_mean(parameter, known) or "remove it, or add the parameter"


def _written(stated: Stated[Value], path: Path_, value: float) -> str:
    """A number as its file writes it."""
    span = stated.at(*path).span
    if span is None or span.line != span.end_line:
        return repr(value)
    text = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
    try:
        return text if float(text) == value else repr(value)
    except ValueError:
        return repr(value)


def _in_seconds(name: str, unfit: Unfit, value: Value, type: Type) -> str | None:
    """What to write for a duration where a number is taken that has to be one of seconds, by its name."""
    for part in unfit.path:
        value = cast("Any", value)[part]
    called = next((part for part in reversed(unfit.path) if isinstance(part, str)), name)
    numbers = {Scalar("float"), Scalar("int")} & {type, *parts(type)}
    if not isinstance(value, str) or not numbers or not called.endswith(_DURATIONS):
        return None
    try:
        seconds = duration(value).total_seconds()
    except ValueError:
        return None
    return writing(f"write {seconds:g}, it is in seconds", value, f"{seconds:g}")


def _takes_text(type: Type) -> bool:
    """Whether any text may stand there, or in it."""
    return any(isinstance(each, Unchecked) or each in (Scalar("str"), _ANYTHING) for each in all_in(type))


def _type_of(candidate: Candidate, name: str) -> Type:
    parameters = candidate.signature.parameters
    if parameters is None:
        return _UNREAD
    return parameters[name].type if name in parameters else _ANYTHING


def takes(candidate: Candidate, name: str) -> bool:
    parameters = candidate.signature.parameters
    if candidate.layer and name == INNER:
        return False
    if parameters is not None and name in parameters:
        return parameters[name].by_name
    return parameters is None or candidate.signature.open
