"""What `provider_settings` give each candidate in a scope, merged over the layers and held against its signature."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from oneiric_compiler.annotations import Scalar, Type, Unchecked
from oneiric_compiler.diagnostics import Diagnostics, did_you_mean
from oneiric_compiler.documents import Value
from oneiric_compiler.expressions import Converted, Unfit, convert
from oneiric_compiler.model import Candidate, Key, Layer, Section, Setting, Stated
from oneiric_compiler.resolve import NOTHING, Scope

_SECRET_NAME = re.compile(r"(^|_)(password|passwd|secret|token|api_key|private_key|credential)s?$", re.IGNORECASE)


@dataclass(slots=True)
class ProviderSettings:
    """The settings of a scope; `below` are those of the scope it lies in.

    `broken` are the parameters, by key and provider, whose values do not fit.
    """

    scope: Scope
    diagnostics: Diagnostics
    below: ProviderSettings | None = None
    broken: dict[tuple[Key, str], set[str]] = field(default_factory=dict)
    _by_provider: dict[tuple[str, str], list[Candidate]] = field(default_factory=dict)
    _converted: dict[tuple[int, int], Converted | None] = field(default_factory=dict)

    def of(self, candidate: Candidate) -> dict[str, Setting]:
        """The candidate's settings by parameter, sorted; what does not fit is reported and left out."""
        stated: dict[str, Stated[Value]] = {}
        for name in (candidate.provider, f"{candidate.key.name}/{candidate.provider}"):
            for layer in self.scope.layers:
                section = layer.get(candidate.key.domain, NOTHING)
                stated.update(section.provider_settings.get(name, {}))
        found: dict[str, Setting] = {}
        for name, each in sorted(stated.items()):
            if setting := self._setting(candidate, name, each):
                found[name] = setting
        return found

    def check(self, layers: Iterable[Layer], incomplete: bool) -> None:
        """Reports what the layers set that no candidate takes, losers included."""
        self._index()
        for domain, section, name in _entries(layers):
            served = list(self._served(domain, name))
            if served:
                for parameter, stated in section.provider_settings[name].items():
                    self._check_field(served, name, parameter, stated)
            elif not incomplete:
                self._tell_unknown(domain, section, name)

    def touched(self, layer: Layer) -> set[Key]:
        """The keys with a candidate that the layer sets something of."""
        self._index()
        return {each.key for domain, _, name in _entries((layer,)) for each in self._served(domain, name)}

    def _index(self) -> None:
        if self._by_provider:
            return
        added = self.scope.tenant_candidates
        if self.below is not None:
            self.below._index()
            self._by_provider = self.below._by_provider if not added else dict(self.below._by_provider)
        for candidates in added.values() if self.below else map(self.scope.candidates, sorted(self.scope.known_keys())):
            for candidate in candidates:
                name = (candidate.key.domain, candidate.provider)
                self._by_provider[name] = [*self._by_provider.get(name, ()), candidate]

    def _served(self, domain: str, name: str) -> Iterator[Candidate]:
        """The candidates that a `provider` or `key/provider` entry is for."""
        key, _, provider = name.rpartition("/")
        for candidate in self._by_provider.get((domain, provider), ()):
            if not key or candidate.key.name == key:
                yield candidate

    def _check_field(self, served: list[Candidate], name: str, parameter: str, stated: Stated[Value]) -> None:
        lacking = [each for each in served if not _takes(each, parameter)]
        if not lacking:
            for candidate in served:
                self._setting(candidate, parameter, stated)
            return
        lacks, has = lacking[0], [each for each in served if each not in lacking]
        known = lacks.signature.parameters or {}
        if has:
            help = f"set it for one key: `{has[0].key.name}/{has[0].provider}: {{{parameter}: …}}`"
            message = f"`{name}` serves {lacks.key} too, where it takes no `{parameter}`"
        else:
            help = did_you_mean(parameter, known.keys() - lacks.needs.keys()) or ""
            message = f"`{name}` takes no `{parameter}`"
        related = [("its factory", lacks.signature.place)]
        self.diagnostics.add("ONE407", message, stated.place, help=help or None, related=related)

    def _tell_unknown(self, domain: str, section: Section, name: str) -> None:
        key, _, provider = name.rpartition("/")
        known = {name for each, name in self._by_provider if each == domain}
        if key:
            known = {f"{c.key.name}/{c.provider}" for p in known for c in self._by_provider[domain, p]}
        help = did_you_mean(name, known, "")
        message = f"nothing declares a provider `{provider}`" + (f" of {domain}:{key}" if key else f" in {domain}s")
        self.diagnostics.add("ONE301", message, section.setting_places[name], help=help or None)

    def _setting(self, candidate: Candidate, name: str, stated: Stated[Value]) -> Setting | None:
        if not _takes(candidate, name):
            return None
        type = _type_of(candidate, name)
        converted = self._convert(candidate, name, stated, type)
        if converted is None:
            self.broken.setdefault((candidate.key, candidate.provider), set()).add(name)
            return None
        if _SECRET_NAME.search(name) and type == Scalar("str") and not converted.reads and stated.value:
            help = "annotate the parameter as `oneiric.Secret` and write ${ONEIRIC_SECRET_NAME}"
            message = f"`{name}` of `{candidate.provider}` looks like a secret and is committed in plain text"
            self.diagnostics.add("ONE414", message, stated.place, help=help)
        unchecked = isinstance(type, Unchecked) or candidate.signature.parameters is None
        return Setting(stated, converted.expr, frozenset(converted.secrets), converted.reads, unchecked)

    def _convert(self, candidate: Candidate, name: str, stated: Stated[Value], type: Type) -> Converted | None:
        cached = (id(stated), id(type))
        if cached not in self._converted:
            try:
                self._converted[cached] = convert(stated.value, type)
            except Unfit as error:
                self._converted[cached] = None
                message = f"`{name}` of `{candidate.provider}`: {error.message}"
                related = [("its factory", candidate.signature.place)]
                self.diagnostics.add(error.code, message, stated.place, help=error.help, related=related)
        return self._converted[cached]


def _entries(layers: Iterable[Layer]) -> Iterator[tuple[str, Section, str]]:
    for layer in layers:
        for domain, section in layer.items():
            for name in section.provider_settings:
                yield domain, section, name


_ANYTHING = Scalar("Any")


def _type_of(candidate: Candidate, name: str) -> Type:
    parameters = candidate.signature.parameters
    return parameters[name].type if parameters is not None and name in parameters else _ANYTHING


def _takes(candidate: Candidate, name: str) -> bool:
    parameters = candidate.signature.parameters
    return parameters is None or candidate.signature.open or name in parameters
