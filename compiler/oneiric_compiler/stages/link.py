"""Stage 4: decisions to bindings: what each needs, the port it promises, the settings it is made with."""

from __future__ import annotations

import keyword
from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from oneiric import roles
from oneiric.secrecy.names import secret_name

from oneiric_compiler.diagnostics.edits import renaming
from oneiric_compiler.diagnostics.found import Diagnostics, Help, Place, did_you_mean, nearest
from oneiric_compiler.linking.aliases import check_aliases, stated_aliases, targets
from oneiric_compiler.linking.entries import wanted
from oneiric_compiler.linking.gathering import check_handed, check_order, container, matched, ordered
from oneiric_compiler.linking.graph import closure, cycles, path_to, reversed_edges
from oneiric_compiler.linking.lacking import missing_help
from oneiric_compiler.linking.layers import (
    check_inner,
    check_methods,
    placed,
    tell_idle,
    tell_repeated,
    with_errors,
    without_keys,
)
from oneiric_compiler.linking.overlays import check_served, of_workflows
from oneiric_compiler.linking.ports import Ports
from oneiric_compiler.linking.scope import NOTHING, Scope
from oneiric_compiler.linking.settings import ProviderSettings
from oneiric_compiler.linking.unbinding import (
    check_unbinding,
    named_by,
    tell_needed,
    tell_secrets_needed,
    unbound_by,
)
from oneiric_compiler.model import (
    RUNTIME,
    SECRETS,
    Bound,
    Candidate,
    Decision,
    Gathered,
    Gathering,
    Judgement,
    Key,
    Layer,
    Level,
    Linked,
    Setting,
    Stated,
)
from oneiric_compiler.stages.resolve import Filtered, Resolution, tell
from oneiric_compiler.tables.builtins import ALWAYS_BOUND
from oneiric_compiler.tables.layers import INNER
from oneiric_compiler.tables.tiers import ALONE
from oneiric_compiler.text.redact import MASK

WIRING_NAMES = frozenset(
    (
        "Domain",
        "Wiring",
        "BaseWiring",
        "BaseTopics",
        "Topics",
        "bind",
        "flow",
        "topic",
        "Any",
        "TypedDict",
        "TYPE_CHECKING",
    )
)

Decisions: TypeAlias = "MutableMapping[Key, Decision | Filtered]"


def link(resolution: Resolution, inputs: Gathered, diagnostics: Diagnostics) -> Linked:
    """Binds every key of a profile that is declared, selected or needed, and what each tenant has of its own."""
    scope, incomplete = resolution.scope, inputs.incomplete
    ports = Ports(inputs.sources, diagnostics)
    ports.check(scope)
    settings = ProviderSettings(scope, diagnostics)
    settings.check(scope.levels.values(), incomplete)
    aliases = stated_aliases(scope)
    same = targets(aliases)
    linker = _Linker(scope, resolution.decisions, settings, ports, incomplete, diagnostics, same)
    kept = _bound_again(resolution)
    asked = (*named_by(kept.values()), *wanted(scope, resolution.decisions))
    linker.bind([*_roots(resolution), *same.values(), *(same.get(key, key) for key in asked)])
    linker.keep_typed(kept)
    if not incomplete:
        for each in (scope, *(inner for inner, _ in resolution.tenants.values())):
            check_unbinding(each, diagnostics)
            check_aliases(each, diagnostics)
    linker.check_needs_graph(linker.bindings, linker.bindings)
    *above, level = scope.levels.values()
    linker.check_options(above, linker.decisions)
    linker.check_options((level,), linker.bindings)
    linker.check_orders(scope.levels.values())
    bound = {key: (target, aliases[key][1]) for key, target in sorted(same.items()) if target in linker.bindings}
    _check_attributes(linker.bindings, bound, diagnostics)
    if scope.profile is None and not incomplete:
        _check_roles(inputs, diagnostics)
    users = reversed_edges({key: binding.edges for key, binding in linker.bindings.items()})
    tenants: dict[str, dict[Key, Bound]] = {}
    for name, (inner, decided) in resolution.tenants.items():
        own = _tenant_bindings(linker, inner, decided)
        if found := dict(sorted({**own, **_rebuilt(linker.bindings, own, users)}.items())):
            tenants[name] = found
    return Linked(linker.bindings, tenants, _unbound(scope), bound)


def _unbound(scope: Scope) -> dict[Key, Stated[str]]:
    """The keys that the profile takes away."""
    known = scope.known_keys()
    named = {key for level in scope.levels.values() for key, _ in unbound_by(level) if key in known}
    return {key: stated for key in sorted(named) if (stated := scope.unbound(key))}


def _bound_again(resolution: Resolution) -> dict[Key, Candidate]:
    """The keys that the profile takes away and a tenant selects again, with what serves them there."""
    found: dict[Key, Candidate] = {}
    for key in _unbound(resolution.scope):
        for inner, decided in resolution.tenants.values():
            decision = decided.get(key)
            if isinstance(decision, Decision) and not inner.unbound(key):
                found.setdefault(key, decision.winner)
    return found


def attribute_name(key: str) -> str:
    """The attribute of a key in the wiring; a layer's is none for applications."""
    if "/" in key:
        return f"_layer_{attribute_name(key.replace('/', '_'))}"
    name = "".join(char if char.isalnum() or char == "_" else "_" for char in key)
    name = f"_{name}" if name[0].isdigit() else name
    return f"{name}_" if keyword.iskeyword(name) or name in WIRING_NAMES else name


def differs(one: Bound, other: Bound) -> bool:
    """Whether two bindings of a key would make different instances."""
    if one.unbound or other.unbound:
        return not (one.unbound and other.unbound)
    return (
        _identity(one.decision.winner) != _identity(other.decision.winner)
        or {name: setting.expr for name, setting in one.settings.items()}
        != {name: setting.expr for name, setting in other.settings.items()}
        or one.needs != other.needs
        or {name: each.members for name, each in one.gathers.items()}
        != {name: each.members for name, each in other.gathers.items()}
        or one.activation != other.activation
        or one.overlay is not other.overlay
        or [layer.key for layer in one.layers] != [layer.key for layer in other.layers]
        or any(differs(mine.bound, theirs.bound) for mine, theirs in zip(one.layers, other.layers, strict=True))
    )


def _identity(candidate: Candidate) -> object:
    """What tells a candidate from others; a common layer becomes one of its own for each key."""
    return (candidate.provider, candidate.factory) if candidate.layer else id(candidate)


def _roots(resolution: Resolution) -> Iterator[Key]:
    """Keys that are bound of themselves: declared outside the built-ins, of an embedded adapter, or selected.

    What a manifest may not offer declares nothing.
    """
    levels = resolution.scope.levels.values()
    selecting = (resolution.scope, *(scope for scope, _ in resolution.tenants.values()))
    for key, decision in sorted(resolution.decisions.items()):
        candidates = [judgement.candidate for judgement in decision.judgements]
        if (
            any((not each.is_builtin or _is_always_bound(each)) and not each.barred for each in candidates)
            or any(scope.explicit(key) for scope in selecting)
            or any(key.name in section.requires for level in levels if (section := level.get(key.domain)))
        ):
            yield key


def _is_always_bound(builtin: Candidate) -> bool:
    return builtin.key.domain == "adapter" and builtin.key.name in ALWAYS_BOUND


@dataclass(slots=True)
class _Linker:
    scope: Scope
    decisions: Decisions
    settings: ProviderSettings
    ports: Ports
    incomplete: bool
    diagnostics: Diagnostics
    same: Mapping[Key, Key] = field(default_factory=dict[Key, Key])
    bindings: dict[Key, Bound] = field(default_factory=dict[Key, Bound])
    unserved: list[tuple[Decision, str, Stated[str]]] = field(default_factory=list[tuple[Decision, str, Stated[str]]])

    @property
    def settled(self) -> bool:
        """Whether all that could decide was read."""
        return not (self.incomplete or self.scope.settings.unsettled)

    def bind(self, keys: Iterable[Key]) -> None:
        """Binds the keys and all that they need."""
        pending = list(keys)
        while pending:
            key = pending.pop()
            decision = self.decisions.get(key)
            if key in self.bindings or key in self.same or decision is None or self.scope.unbound(key):
                continue
            tell(decision, self.scope.question(key), self.diagnostics, settled=self.settled)
            if isinstance(decision, Decision):
                self.bindings[key] = self.binding(decision)
                pending.extend(sorted(self.bindings[key].edges))
        self.bindings = dict(sorted(self.bindings.items()))
        self.bindings = {key: self.completed(binding, self.bindings) for key, binding in self.bindings.items()}
        self.tell_unserved(self.bindings)

    def keep_typed(self, keys: Iterable[Key]) -> None:
        """Keeps keys that are unbound, and some tenant has, for their types."""
        for key in keys:
            decision, stated = self.decisions.get(key), self.scope.unbound(key)
            if isinstance(decision, Decision) and stated is not None:
                self.bindings[key] = self.unbound(decision, stated)
        self.bindings = dict(sorted(self.bindings.items()))

    def unbound(self, decision: Decision, stated: Stated[str]) -> Bound:
        """What stands for a key that is taken away."""
        port = self.ports.of(self.scope, decision.key)
        return Bound(decision, port.value if port else None, {}, {}, unbound=stated)

    def binding(self, decision: Decision) -> Bound:
        """The decision bound, without what it is handed only where it is bound: see `completed`."""
        settings = self.settings.of(decision.winner)
        port = self.ports.of(self.scope, decision.key)
        standby = {
            each.order: found
            for each in decision.judgements
            if not (each.won or each.candidate.barred) and (found := self.settings.of(each.candidate))
        }
        bound = self._made(decision, settings, port.value if port else None)
        options = self.scope.options(decision.key)
        stated = self.scope.layers(decision.key)
        return replace(
            bound,
            options=options,
            standby=standby,
            layers=tuple(self._layers(decision, port)),
            layers_at=stated.place if stated else None,
        )

    def _layers(self, decision: Decision, port: Stated[str] | None) -> Iterator[Layer]:
        """What the settings place around the key, made concrete."""
        key, result = decision.key, decision.winner.signature.result
        promised = port.value if port else result
        for text, place, candidate in placed(self.scope, key, self.diagnostics):
            if promised is None:
                message = f"{key} has layers, and nothing says which port they have to offer"
                help = f"state it: `ports: {{{key.name}: module:Protocol}}`"
                self.diagnostics.add("ONE442", message, place, help=help)
                return
            if port:
                self.ports.fit(candidate, port)
            offered, sources = self.ports.promise(promised), self.ports.sources
            check_inner(candidate, offered, sources, self.diagnostics)
            settings = with_errors(candidate, self.settings.of(candidate, text), promised, sources, self.diagnostics)
            tell_repeated(candidate, settings, decision.winner, self.ports)
            check_methods(candidate, settings, offered, sources, self.diagnostics)
            tell_idle(candidate, offered, place, sources, self.diagnostics)
            layer, settings = without_keys(candidate, settings)
            judgement = Judgement(layer, 0, won=True)
            wrapping = Decision(Key(key.domain, f"{key.name}/{text}"), (judgement,), ALONE, place, "")
            yield Layer(place, self._made(wrapping, settings, promised))

    def _made(self, decision: Decision, settings: Mapping[str, Setting], port: str | None) -> Bound:
        winner = decision.winner
        needs = {
            name: key
            for name, stated in winner.needs.items()
            if name not in winner.optional and (key := self._needed(decision, name, stated))
        }
        gathers = {
            name: Gathering(stated.value, self._listed(decision, name, stated), container(winner, name) or "list")
            for name, stated in winner.gathers.items()
            if name not in winner.optional and not isinstance(stated.value, str)
        }
        self._check_names(winner, gathers)
        self._check_needs(winner, settings)
        check_handed(winner, self.ports.sources, self.diagnostics)
        self._check_complete(decision, settings)
        secret = next((each.stated.place for each in settings.values() if each.secrets), None)
        if secret is not None and self.scope.unbound(SECRETS):
            tell_secrets_needed(decision.key, winner, self.scope, secret, self.diagnostics)
        return Bound(decision, port, settings, needs, gathers=gathers)

    def completed(self, binding: Bound, bound: Collection[Key]) -> Bound:
        """With what it is handed only where something else has that bound: optional needs, and what patterns match."""
        decision, winner = binding.decision, binding.decision.winner
        needs, gathers = dict(binding.needs), dict(binding.gathers)
        for name, stated in winner.needs.items():
            key = self._needed(decision, name, stated, optional=True) if name in winner.optional else None
            if key is not None and (key in bound or key == RUNTIME):
                needs[name] = key
        for name, several in winner.gathers.items():
            if isinstance(several.value, str):
                gathers[name] = self._matched(binding, name, several.value, several.place, bound)
            elif name in winner.optional:
                members = tuple(key for key in self._listed(decision, name, several, optional=True) if key in bound)
                gathers[name] = Gathering(several.value, members, container(winner, name) or "list")
        layers = tuple(replace(layer, bound=self.completed(layer.bound, bound)) for layer in binding.layers)
        needs, gathers = dict(sorted(needs.items())), dict(sorted(gathers.items()))
        return replace(binding, needs=needs, gathers=gathers, layers=layers)

    def _matched(self, binding: Bound, name: str, pattern: str, place: Place, bound: Collection[Key]) -> Gathering:
        key, winner = binding.decision.key, binding.decision.winner
        own = Key(key.domain, key.name.partition("/")[0])
        members = matched(pattern, (each for each in bound if each != own))
        if not members and not self.incomplete:
            message = f"{key} ({winner.provider}) gathers {pattern}, and nothing that is bound matches"
            help = "what matches joins once it is bound: declare one, or select a built-in of such a name"
            self.diagnostics.add("ONE424", message, place, help=help)
        order = self.scope.gather_order(pattern)
        found = ordered(members, order.value if order else ())
        return Gathering(pattern, found, container(winner, name) or "list", order)

    def _listed(
        self, decision: Decision, name: str, several: Stated[str | tuple[str, ...]], *, optional: bool = False
    ) -> tuple[Key, ...]:
        stated = (Stated(need, several.place) for need in several.value if need != str(RUNTIME))
        found = (self._needed(decision, name, each, optional=optional) for each in stated)
        return tuple(key for key in found if key)

    def check_orders(self, levels: Iterable[Level]) -> None:
        """Reports orders of what nothing gathers so, and names in them that nothing has which is gathered."""
        several = [each for binding in self.bindings.values() for each in binding.gathers.values()]
        gathered = {each.stated: each.members for each in several if isinstance(each.stated, str)}
        for domain, section in (each for level in levels for each in level.items()):
            for names, order in section.gather_order.items() if not self.incomplete else ():
                check_order(f"{domain}:{names}", order, gathered, self.diagnostics)

    def check_options(self, levels: Iterable[Level], known: Collection[Key]) -> None:
        """Reports what the levels state of keys, how they are activated or wrapped, that are not known."""
        for domain, section in (each for level in levels for each in level.items()):
            stated_by_name: dict[str, Mapping[str, Stated[Any]]] = {**section.options, "layers": section.layers}
            for option, keys in stated_by_name.items():
                for name, stated in keys.items():
                    key = Key(domain, name)
                    if key not in known and not self.incomplete:
                        self._tell_not_bound(key, option, stated)

    def _tell_not_bound(self, key: Key, option: str, stated: Stated[Any]) -> None:
        decision = self.decisions.get(key)
        if isinstance(decision, Filtered) or key in self.same:
            return
        help: Help = f"select a provider of it: `selections: {{{key.name}: …}}`"
        if decision is None:
            names = [each.name for each in self.bindings if each.domain == key.domain]
            help = partial(did_you_mean, key.name, names, "declare a component for it")
        message = f"`{option}` is stated for {key}, which nothing binds"
        self.diagnostics.add("ONE305", message, stated.name_place or stated.place, help=help)

    def check_needs_graph(self, starts: Iterable[Key], bindings: Mapping[Key, Bound]) -> None:
        """Reports each cycle of needs that `starts` lead to, and secrets that need secrets."""
        awaited = {key: binding.awaited for key, binding in bindings.items()}
        for cycle in cycles(starts, awaited):
            self._tell_cycle(cycle, bindings)
        for key in sorted(closure(SECRETS, awaited)):
            if secrets := bindings[key].secrets:
                message = f"{key} asks for the secret `{secrets[0]}`, and {SECRETS} depends on it"
                place = next(each.stated.place for each in bindings[key].settings.values() if each.secrets)
                self.diagnostics.add("ONE412", message, place, help="name an environment variable there: ${NAME}")

    def _needed(self, decision: Decision, name: str, stated: Stated[str], *, optional: bool = False) -> Key | None:
        need, known = stated.value, self.decisions
        if need == str(RUNTIME):
            return RUNTIME
        if ":" in need:
            key = Key(*need.split(":", 1))
            key = self.same.get(key, key)
            keys = [key] if key in known else []
        else:
            keys = sorted({self.same.get(key, key) for key in (*known, *self.same) if key.name == need})
        if len(keys) == 1:
            if not self.scope.unbound(keys[0]):
                return keys[0]
            if not optional:
                tell_needed(decision.key, decision.winner, keys[0], stated.place, self.scope, self.diagnostics)
        elif keys:
            message = f"{decision.key} ({decision.winner.provider}) needs {need}, which several domains have"
            help = "write " + " or ".join(f"`{key}`" for key in keys)
            self.diagnostics.add("ONE403", message, stated.place, help=help)
        elif not optional:
            self.unserved.append((decision, name, stated))
        elif not self.incomplete:
            named = _named(name, need)
            message = f"{decision.key} ({decision.winner.provider}) is not handed {named}, which nothing declares"
            others = [str(key) for key in known if key != decision.key]
            near = partial(did_you_mean, named, others, "declare a component for it to have it handed over")
            self.diagnostics.add("ONE425", message, stated.place, help=near)
        return None

    def tell_unserved(self, bindings: Mapping[Key, Bound]) -> None:
        """Reports the needs that nothing serves, and by way of which keys they are needed."""
        edges = {key: binding.edges for key, binding in bindings.items()} if self.unserved else {}
        for decision, name, stated in self.unserved if not self.incomplete else ():
            need = _named(name, stated.value)
            help = partial(self._served_by_another, decision.key, need, edges)
            message = f"{decision.key} ({decision.winner.provider}) needs {need}, which nothing serves"
            self.diagnostics.add("ONE401", message, stated.place, help=help)
        self.unserved.clear()

    def _served_by_another(self, key: Key, need: str, edges: Mapping[Key, set[Key]]) -> str:
        near = nearest(need, map(str, (*(each for each in self.decisions if each != key), RUNTIME)))
        help = f"did you mean `{near}`?" if near else f"declare a component for {need}"
        above = path_to(key, edges)
        help += "" if len(above) < 2 else f" (needed by way of {' -> '.join(map(str, above))})"
        return renaming(help, need, near) if near else help

    def _check_names(self, winner: Candidate, gathers: Mapping[str, Gathering]) -> None:
        """Reports several needs of a mapping by name that come to one key."""
        for name, each in gathers.items():
            if each.form == "dict" and len({key.name for key in each.members}) < len(each.members):
                message = f"`{name}` of `{winner.provider}` is a mapping by name, and two of its needs have one name"
                place = winner.gathers[name].place
                self.diagnostics.add("ONE422", message, place, help="annotate the parameter as a list of them")

    def _check_needs(self, winner: Candidate, settings: Mapping[str, Setting]) -> None:
        signature = winner.signature
        for name, stated in winner.handed.items():
            if signature.parameters is not None and name not in signature.parameters and not signature.open:
                message = f"`{winner.provider}` needs `{name}`, which is not a parameter of {winner.factory}"
                add = "a need is `parameter: key`: add the parameter"
                near = partial(did_you_mean, name, signature.parameters, add)
                related = [("the factory", signature.place)]
                self.diagnostics.add("ONE404", message, stated.place, help=near, related=related)
            if name in settings:
                message = f"`{name}` of `{winner.provider}` is a need and a setting"
                help, related = "remove one of the two", [("the need", stated.place)]
                self.diagnostics.add("ONE404", message, settings[name].stated.place, help=help, related=related)

    def _check_complete(self, decision: Decision, settings: Mapping[str, Setting]) -> None:
        if self.scope.settings.unsettled:
            return
        winner, broken = decision.winner, self.settings.broken
        parameters = winner.signature.parameters or {}
        given = {*settings, *winner.handed, *broken.get((winner.key, winner.provider), ())}
        given |= {INNER} if winner.layer else set()
        served = f"{decision.key} is" if winner.layer else f"{decision.key} is served by"
        for parameter in parameters.values():
            if not parameter.by_name:
                message = f"{served} `{winner.provider}`, which takes `{parameter.name}` by position"
                help = "a wiring passes arguments by name: remove the `/` after the parameter"
                self.diagnostics.add("ONE409", message, winner.signature.place, help=help)
            elif parameter.required and parameter.name not in given:
                message = f"{served} `{winner.provider}`, which requires `{parameter.name}`"
                help = missing_help(self.scope, winner, parameter)
                place, factory = decision.decided_at, winner.signature.place
                related = [("the factory", factory)] if factory.span != place.span else []
                self.diagnostics.add("ONE409", message, place, help=help, related=related)

    def _tell_cycle(self, cycle: tuple[Key, ...], bindings: Mapping[Key, Bound]) -> None:
        chain = " -> ".join(str(key) for key in (*cycle, cycle[0]))
        winner, following = bindings[cycle[0]].decision.winner, cycle[1 % len(cycle)]
        first = bindings[cycle[0]]
        names = [name for name, key in first.needs.items() if key == following]
        names += [name for name, each in first.gathers.items() if following in each.members]
        related = [(f"{key} is declared here", bindings[key].decision.winner.place) for key in cycle[1:]]
        help = "let one of them be handed the other lazily (`lazy`), or split what both need into a third"
        place = winner.handed[names[0]].place if names else winner.place
        self.diagnostics.add("ONE402", f"a cycle of needs: {chain}", place, help=help, related=related)


def _named(parameter: str, need: str) -> str:
    """A need as messages name it: under a secret's name it may be one."""
    return MASK if secret_name(parameter) else need


def _check_attributes(
    bindings: Mapping[Key, Bound], aliases: Mapping[Key, tuple[Key, Stated[str]]], diagnostics: Diagnostics
) -> None:
    taken: dict[tuple[str, str], Key] = {}
    layers = {layer.key: layer.bound for binding in bindings.values() for layer in binding.layers}
    bindings = {**bindings, **layers}
    declared = {key: binding.decision.winner.place for key, binding in bindings.items()}
    declared |= {key: stated.place for key, (_, stated) in aliases.items()}
    for key in (*bindings, *(alias for alias in aliases if alias not in bindings)):
        name = attribute_name(key.name)
        first = taken.setdefault((key.domain, name), key)
        if first != key:
            message = f"{first} and {key} would both be the attribute `{name}`"
            help, related = "rename one of the keys", [(f"{first} is declared here", declared[first])]
            diagnostics.add("ONE413", message, declared[key], help=help, related=related)


def _check_roles(inputs: Gathered, diagnostics: Diagnostics) -> None:
    """Reports what a role names that no key is called, in any profile."""
    catalog = inputs.catalog
    known = {str(key) for found in (catalog.base, *catalog.profiles.values()) for key in found}
    for role, stated in inputs.settings.app.roles.items():
        for index, pattern in enumerate(stated.value):
            if not any(roles.named_by((pattern,), key) for key in known):
                place = stated.within(index) if stated.within else stated.place
                near = partial(
                    did_you_mean, pattern, known, "name a key, such as `task:mail`, or a pattern, such as `task:*`"
                )
                diagnostics.add("ONE123", f"role `{role}` names `{pattern}`, which matches no key", place, help=near)


def _tenant_bindings(base: _Linker, scope: Scope, decided: Decisions) -> dict[Key, Bound]:
    """What the tenant decides or sets of its own, where the base has the key."""
    settings = ProviderSettings(scope, base.diagnostics, base.settings)
    level = scope.levels["tenant"]
    settings.check((level,), base.incomplete)
    linker = replace(base, scope=scope, settings=settings, decisions=ChainMap(decided, base.decisions))
    own: dict[Key, Bound] = {}
    linker.check_options((level,), base.bindings)
    stating = {
        key
        for key, binding in base.bindings.items()
        if _states_option(level, key) or _orders(level, binding) or key.name in level.get(key.domain, NOTHING).layers
    }
    linker.check_orders((level,))
    overlays = of_workflows(scope)
    taken = {key for key, _ in unbound_by(level) if key in base.bindings and scope.unbound(key)}
    again = {key for key, binding in base.bindings.items() if binding.unbound and not scope.unbound(key)}
    bound = {key for key, binding in base.bindings.items() if not binding.unbound} - taken | again
    affected = {key for key, binding in base.bindings.items() if _is_affected(binding, taken, again)}
    for key in sorted(decided.keys() | settings.touched(level) | stating | overlays.keys() | taken | again | affected):
        if key not in base.bindings:
            _tell_unbound(linker, key, base.decisions)
            continue
        decision = linker.decisions[key]
        if stated := scope.unbound(key):
            if not base.bindings[key].unbound and isinstance(decision, Decision):
                own[key] = replace(linker.unbound(decision, stated), standby=base.bindings[key].standby)
            continue
        tell(decision, scope.question(key), base.diagnostics, settled=base.settled)
        if isinstance(decision, Decision):
            own[key] = replace(linker.completed(linker.binding(decision), bound), overlay=overlays.get(key))
            check_served(scope, base.bindings[key].decision.winner, own[key], base.diagnostics)
            if decision.winner.is_provided and decision.winner is not base.bindings[key].decision.winner:
                _tell_provided(linker, decision)
            for port in (base.ports.of(base.scope, key), base.ports.of(scope, key)):
                if port:
                    base.ports.fit(decision.winner, port)
    linker.tell_unserved({**base.bindings, **own} if linker.unserved else {})
    if any(binding.edges != base.bindings[key].edges for key, binding in own.items()):
        linker.check_needs_graph(own, {**base.bindings, **own})
    return own


def _tell_provided(tenant: _Linker, decision: Decision) -> None:
    message = f"{decision.key} is provided for tenant `{tenant.scope.tenant}`, and not for the base"
    help = "the application hands in one instance, for the base and every tenant: declare and select it there"
    tenant.diagnostics.add("ONE434", message, decision.winner.place, help=help)


def _is_affected(binding: Bound, taken: Collection[Key], again: Collection[Key]) -> bool:
    """Whether a tenant hands the component something else, since keys are taken away from it or bound again."""
    winners = [each.decision.winner for each in (binding, *(layer.bound for layer in binding.layers))]
    gains = bool(again) and any(winner.optional or winner.gathers for winner in winners)
    return gains or not binding.edges.isdisjoint(taken)


def _states_option(level: Level, key: Key) -> bool:
    return any(key.name in keys for keys in level.get(key.domain, NOTHING).options.values())


def _orders(level: Level, binding: Bound) -> bool:
    """Whether the level states an order of what the component gathers."""
    patterns = (each.stated.split(":") for each in binding.gathers.values() if isinstance(each.stated, str))
    return any(names in level.get(domain, NOTHING).gather_order for domain, names in patterns)


def _tell_unbound(tenant: _Linker, key: Key, known: Mapping[Key, Decision | Filtered]) -> None:
    decision = tenant.decisions.get(key)
    if key in known or decision is None or tenant.incomplete:
        return
    message = f"tenant `{tenant.scope.tenant}` adds {key}, which the wiring does not have"
    help = "a tenant's wiring is typed as the base's: declare a candidate of it there"
    tenant.diagnostics.add("ONE305", message, decision.judgements[0].candidate.place, help=help)


def _rebuilt(
    bindings: Mapping[Key, Bound], own: Mapping[Key, Bound], users: Mapping[Key, Iterable[Key]]
) -> dict[Key, Bound]:
    """The bindings that are rebuilt only because they need, at any distance, one that is the tenant's own."""
    changed = {key for key, binding in own.items() if differs(binding, bindings[key])}
    causes: dict[Key, set[Key]] = {}
    pending = sorted(changed)
    while pending:
        needed = pending.pop()
        for user in users.get(needed, ()):
            if user not in causes:
                pending.append(user)
            causes.setdefault(user, set()).add(needed)
    return {
        key: replace(own.get(key, bindings[key]), rebuilt_for=tuple(sorted(why)))
        for key, why in causes.items()
        if key not in changed
    }
