"""Two reports to the changes between them, each of a class, those first that a reviewer must care about most.

Where something is declared may move, files and declarations may be reordered: only what they come to is compared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias, get_args

from oneiric.report import Candidate, Evidence, Json, Layer, Report, Served, Setting

from oneiric_compiler.questions.diff.declared import declared
from oneiric_compiler.questions.malformed import as_written
from oneiric_compiler.tables.options import BOUND
from oneiric_compiler.tables.tiers import RANKS
from oneiric_compiler.text.redact import MASK

Class: TypeAlias = Literal[
    "winner",
    "trust",
    "moved",
    "workflow",
    "topic",
    "subscription",
    "schedule",
    "queue",
    "layer",
    "port",
    "need",
    "setting",
    "rule",
    "standby",
    "candidate",
    "provenance",
]
CLASSES: tuple[Class, ...] = get_args(Class)
How: TypeAlias = Literal["added", "removed", "changed"]

_OPTIONS = ("async", "entered", *BOUND)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: `what` of a key (of a tenant) was `old` and is `new`; `how` tells null from nothing."""

    kind: Class
    key: str
    tenant: str | None
    what: str
    old: Json
    new: Json
    because: str = ""
    how: How = "changed"


def compare(old: Report, new: Report) -> list[Difference]:
    """The changes by class, then key, then tenant (the base first)."""
    found = list(_inputs(old, new))
    before, after = (_mapping(each.raw.get("bindings")) for each in (old, new))
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            found += _key(key, old.bindings.get(key), new.bindings.get(key))
    found += _aliases(old, new)
    with as_written():
        found += _declared(old, new)
    return sorted(found, key=lambda each: (CLASSES.index(each.kind), each.key, each.tenant or "", each.what))


def _aliases(old: Report, new: Report) -> Iterator[Difference]:
    """Keys that have become another one, or are no longer."""
    before, after = old.aliases, new.aliases
    for key in sorted({*before, *after}):
        was, now = before.get(key), after.get(key)
        if (was and was.target) != (now and now.target):
            because = f"{now.stated_at.partition('#')[0]} makes it one" if now else ""
            sides = was.target if was else None, now.target if now else None
            yield Difference("winner", key, None, "alias of", *sides, because, _how(was, now))
        elif was and now and was.stated_at != now.stated_at:
            yield Difference("provenance", key, None, "alias stated at", was.stated_at, now.stated_at)


def _declared(old: Report, new: Report) -> Iterator[Difference]:
    """What is declared besides components."""
    for each in declared(old, new):
        because = f"{each.at.partition('#')[0]} says so" if each.at and each.how != "removed" else ""
        yield Difference(each.kind, each.name, each.tenant, each.what, each.old, each.new, because, each.how)


def without(changes: Iterable[Difference], ignored: Iterable[str]) -> list[Difference]:
    """The changes that no pattern names: `CLASS`, or `CLASS:KEY` with a key that may hold `*`."""
    patterns = [each.partition(":") for each in ignored]
    return [
        change
        for change in changes
        if not any(kind in ("*", change.kind) and fnmatchcase(change.key, key or "*") for kind, _, key in patterns)
    ]


def _key(key: str, old: Served | None, new: Served | None) -> Iterator[Difference]:
    """The changes of the base, and those of tenants that are not the base's."""
    base = list(_binding(key, None, old, new))
    yield from base
    told = {_told(each) for each in base}
    for tenant in sorted({*(old.tenants if old else ()), *(new.tenants if new else ())}):
        sides = [side and side.tenants.get(tenant, side) for side in (old, new)]
        yield from (each for each in _binding(key, tenant, *sides) if _told(each) not in told)


def _told(change: Difference) -> tuple[str, ...]:
    return change.kind, change.what, change.how, _written([change.old, change.new])


def _binding(key: str, tenant: str | None, old: Served | None, new: Served | None) -> Iterator[Difference]:
    told = new.unbound_at if new is not None and new.unbound else None
    old, new = (None if each is None or each.unbound else each for each in (old, new))
    if old is None and new is None:
        return
    change = _served(key, tenant, old, new)
    if change and told:
        change = replace(change, because=f"{told.partition('#')[0]} unbinds it")
    served = change.kind if change else None
    made = [*([change] if change else ()), *_made(key, tenant, old, new, served)]
    yield from made
    yield from _standby(key, tenant, old, new)
    if old is None or new is None:
        return
    if served != "winner":
        yield from _decided(key, tenant, old, new, moved=served == "moved")
        yield from _converted(key, tenant, old, new)
        yield from _facts("provenance", key, tenant, *(_places(each, old, new) for each in (old, new)))
        yield from _facts("provenance", key, tenant, *(_options_at(each, old, new) for each in (old, new)))
        yield from _facts("provenance", key, tenant, *(_layers_at(each) for each in (old, new)))
        if not made:
            yield from _hidden(key, tenant, old, new)
    if tenant is None:
        yield from _candidates(key, old, new, moved=served == "moved")


def _served(key: str, tenant: str | None, old: Served | None, new: Served | None) -> Difference | None:
    """What serves the key: another component, or the same one from another place in the code."""
    if old is None or new is None:
        was, serves = old.provider if old else None, new.provider if new else None
        because = new.because if new else ""
        return Difference("winner", key, tenant, "", was, serves, because, _how(old, new))
    if (old.provider, old.factory) == (new.provider, new.factory):
        return None
    if old.provider != new.provider:
        return Difference("winner", key, tenant, "", old.provider, new.provider, new.because)
    if _moved(old, new):
        return Difference("moved", key, tenant, "", old.factory, new.factory)
    return Difference("winner", key, tenant, "", old.factory, new.factory, new.because)


def _moved(old: Served, new: Served) -> bool:
    """Whether one candidate of the same kind of source has another path, and not that another of its name wins."""
    one, other = _winner(old), _winner(new)
    if one is None or other is None or one.source.partition(":")[0] != other.source.partition(":")[0]:
        return False
    return all(each.factory != old.factory for each in new.candidates) and all(
        each.factory != new.factory for each in old.candidates
    )


def _made(
    key: str, tenant: str | None, old: Served | None, new: Served | None, served: Class | None
) -> Iterator[Difference]:
    """What the component is, promises and is made with, whether or not it is the one that served the key before."""
    yield from _facts("trust", key, tenant, *(_trust(each) for each in (old, new)))
    yield from _facts("port", key, tenant, *(_promised(each, served) for each in (old, new)))
    yield from _facts("need", key, tenant, *(_needed(each) if each else dict[str, Json]() for each in (old, new)))
    options = [_stated(each, **{name: name for name in _OPTIONS}) for each in (old, new)]
    settings = [{**_settings(each), **own} for each, own in zip((old, new), options, strict=True)]
    yield from _facts("setting", key, tenant, *settings)
    yield from _layers(key, tenant, old, new)


def _layers(key: str, tenant: str | None, old: Served | None, new: Served | None) -> Iterator[Difference]:
    """What wraps the component: the layers in their order, and what each is made of."""
    before, after = _wrapping(old), _wrapping(new)
    if [*before] != [*after]:
        was, now = [*before] or None, [*after] or None
        yield Difference("layer", key, tenant, "", was, now, how=_how(was, now))
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        made = list(_layer(key, tenant, name, one, other))
        yield from made
        if one and other and not made:
            yield from _facts("provenance", key, tenant, *(_layer_places(name, each) for each in (one, other)))


def _wrapping(binding: Served | None) -> dict[str, Layer]:
    return {key.partition("/")[2]: layer for key, layer in binding.layers.items()} if binding else {}


def _layer(key: str, tenant: str | None, name: str, old: Layer | None, new: Layer | None) -> Iterator[Difference]:
    facts = [_layer_facts(name, each, known=bool(old and new)) for each in (old, new)]
    found = [each for kind in facts[0] for each in _facts(kind, key, tenant, *(side[kind] for side in facts))]
    yield from found
    if old and new and not found and old.raw.get("fingerprint") != new.raw.get("fingerprint"):
        because = "the fingerprint of the layer differs, and nothing else that it is made of"
        yield Difference("setting", key, tenant, name, MASK, MASK, because=because)


def _layer_facts(name: str, layer: Layer | None, *, known: bool) -> dict[Class, dict[str, Json]]:
    """By class, what a layer is made of; its class is told where it was `known` before."""
    facts: dict[Class, dict[str, Json]] = {"layer": {}, "trust": {}, "need": {}, "setting": {}}
    if layer is not None:
        facts["layer"] = {"factory": layer.factory} if known else {}
        facts["trust"] = {"trust": _written_trust(layer.trust)} if layer.trust else {}
        facts["need"] = {**layer.needs, **{each: list(layer.gathers[each].members) for each in layer.gathers}}
        facts["setting"] = {each: _value(layer.settings[each]) for each in layer.settings}
    return {kind: {f"{name} {what}": fact for what, fact in found.items()} for kind, found in facts.items()}


def _layer_places(name: str, layer: Layer) -> dict[str, Json]:
    return {f"{name} {each} stated at": layer.settings[each].stated_at for each in layer.settings}


def _layers_at(binding: Served) -> dict[str, Json]:
    return {"layers stated at": binding.layers_at} if binding.layers_at else {}


def _needed(binding: Served) -> dict[str, Json]:
    several: dict[str, Json] = {name: list(each.members) for name, each in binding.gathers.items()}
    found: dict[str, Json] = {**binding.needs, **several}
    return {**found, **{f"{name} is lazy": True for name in binding.lazy}}


def _decided(key: str, tenant: str | None, old: Served, new: Served, *, moved: bool) -> Iterator[Difference]:
    by_itself = all((winner := _winner(each)) and winner.declared_at == each.decided_at for each in (old, new))
    if old.decided_by != new.decided_by:
        yield Difference("rule", key, tenant, "", old.decided_by, new.decided_by, because=new.because)
    elif old.decided_at != new.decided_at and not (moved and by_itself):
        yield Difference("provenance", key, tenant, "decided at", old.decided_at, new.decided_at, because=new.because)


def _hidden(key: str, tenant: str | None, old: Served, new: Served) -> Iterator[Difference]:
    """A change of what both reports mask: the fingerprint of the binding alone tells of it."""
    masked = [name for name, each in new.settings.items() if each.masked and name in old.settings]
    if masked and old.raw.get("fingerprint") != new.raw.get("fingerprint"):
        because = "the fingerprint of the binding differs, and nothing else that it is made of"
        yield Difference("setting", key, tenant, " or ".join(masked), MASK, MASK, because=because)


def _promised(binding: Served | None, served: Class | None) -> dict[str, Json]:
    """The port, and the class of the instances where what `served` says does not come to it already."""
    if binding is None:
        return {}
    port: dict[str, Json] = {"port": binding.port} if binding.port else {}
    instances = _stated(binding, instances="result")
    implied = {"winner": bool(port), "moved": instances.get("instances") == binding.factory}
    return port if served and implied.get(served) else {**port, **instances}


def _trust(binding: Served | None) -> dict[str, Json]:
    winner = _winner(binding) if binding else None
    return {**_stated(binding, artifact="artifact"), **(_trusted(winner) if winner else {})}


def _trusted(candidate: Candidate) -> dict[str, Json]:
    """The manifest that a candidate is believed for, under its name; nothing for one of the project's own."""
    if candidate.trust is None:
        return {}
    return {f"{candidate.provider} trust": _written_trust(candidate.trust)}


def _written_trust(trust: Evidence) -> dict[str, Json]:
    return {name: fact for name, fact in asdict(trust).items() if fact is not None}


def _winner(binding: Served) -> Candidate | None:
    return next((each for each in binding.candidates if each.won), None)


def _stated(binding: Served | None, **names: str) -> dict[str, Json]:
    """Facts of a binding by what they are called here, those that the report states."""
    raw: Mapping[str, Json] = binding.raw if binding else {}
    return {called: raw[name] for called, name in names.items() if raw.get(name) is not None}


def _facts(
    kind: Class, key: str, tenant: str | None, old: Mapping[str, Json], new: Mapping[str, Json]
) -> Iterator[Difference]:
    for name in sorted({*old, *new}):
        if (name in old) != (name in new) or not _equal(old.get(name), new.get(name)):
            how: How = "added" if name not in old else "removed" if name not in new else "changed"
            yield Difference(kind, key, tenant, name, old.get(name), new.get(name), how=how)


def _how(old: object, new: object) -> How:
    return "added" if old is None else "removed" if new is None else "changed"


def _equal(one: Json, other: Json) -> bool:
    """Whether two values are one; Python takes 1, 1.0 and true for equal."""
    return one == other and (isinstance(one, str) or _written(one) == _written(other))


_written = json.JSONEncoder(sort_keys=True).encode


def _settings(binding: Served | None) -> dict[str, Json]:
    return {name: _value(each) for name, each in binding.settings.items()} if binding else {}


def _value(setting: Setting) -> Json:
    if setting.masked:
        return MASK
    return setting.value if setting.reference is None else setting.reference


def _converted(key: str, tenant: str | None, old: Served, new: Served) -> Iterator[Difference]:
    """Settings that are stated alike, and become something else: the parameter has another type."""
    for name in _alike(old, new):
        one, other = (_mapping(_mapping(each.raw.get("settings")).get(name)).get("expr") for each in (old, new))
        if one != other:
            stated = _value(new.settings[name])
            yield Difference("setting", key, tenant, name, stated, stated, because="converted otherwise")


def _alike(old: Served, new: Served) -> list[str]:
    """The settings that both have, with one value."""
    others = _settings(new)
    return [name for name, each in _settings(old).items() if name in others and _equal(others[name], each)]


def _places(binding: Served, old: Served, new: Served) -> dict[str, Json]:
    """Where the settings that both have, with one value, are stated."""
    return dict(each for name in _alike(old, new) for each in _stated_at(name, binding.settings[name]))


def _stated_at(name: str, setting: Setting) -> Iterator[tuple[str, Json]]:
    """Where a setting is stated, and each part of it that another level states."""
    yield f"{name} stated at", setting.stated_at
    yield from ((f"{name}{path} stated at", place) for path, place in setting.from_at.items())


def _options_at(binding: Served, old: Served, new: Served) -> dict[str, Json]:
    """Where those options of the key that both state, with one value, are stated."""
    alike = [
        name for name, each in old.options.items() if name in new.options and each.value == new.options[name].value
    ]
    return {f"{name} stated at": binding.options[name].stated_at for name in alike}


def _standby(key: str, tenant: str | None, old: Served | None, new: Served | None) -> Iterator[Difference]:
    """What changed of the settings of those that a swap could bring in; of a winner's, if it only wins on one side."""
    before, after = (_by_identity(each) if each else {} for each in (old, new))
    for identity in sorted({*before, *after}):
        one, other = before.get(identity), after.get(identity)
        if all(each is None or each.won for each in (one, other)):
            continue
        was, now = (_given(side, each) for side, each in ((old, one), (new, other)))
        name, values = identity[0], [{each: _value(setting) for each, setting in side.items()} for side in (was, now)]
        yield from _facts("standby", key, tenant, *({f"{name} {each}": side[each] for each in side} for side in values))
        for each in sorted(was.keys() & now.keys()):
            if not _equal(values[0][each], values[1][each]):
                continue
            if _expression(one, each) != _expression(other, each) and one and other and one.won == other.won:
                yield Difference(
                    "standby", key, tenant, f"{name} {each}", values[0][each], values[1][each], "converted otherwise"
                )
            places = [dict(_stated_at(f"{name} {each}", side[each])) for side in (was, now)]
            yield from _facts("provenance", key, tenant, *places)


def _given(binding: Served | None, candidate: Candidate | None) -> Mapping[str, Setting]:
    """What a candidate is made with, or would be."""
    if binding is None or candidate is None:
        return {}
    return binding.settings if candidate.won else candidate.settings


def _expression(candidate: Candidate | None, setting: str) -> Json:
    return _mapping(_mapping(candidate.raw.get("settings")).get(setting)).get("expr") if candidate else None


def _candidates(key: str, old: Served, new: Served, *, moved: bool) -> Iterator[Difference]:
    """What changed of those that could serve; of the winners' trust, and of one that moved, is told already."""
    before, after = _by_identity(old), _by_identity(new)
    winners = [_identity(each) for each in map(_winner, (old, new)) if each]
    if moved:
        before[winners[1]] = before.pop(winners[0])
    for identity in sorted({*before, *after}):
        name, one, other = identity[0], before.get(identity), after.get(identity)
        if one is None or other is None:
            yield Difference("candidate", key, None, name, _rank(one), _rank(other), how=_how(one, other))
            continue
        if identity not in winners:
            yield from _facts("trust", key, None, _trusted(one), _trusted(other))
        was, ranks = _ranks(name, one), _ranks(name, other)
        if moved and identity == winners[1]:
            was[f"{name} factory"] = ranks[f"{name} factory"]
        yield from _facts("candidate", key, None, was, ranks)


def _ranks(name: str, candidate: Candidate) -> dict[str, Json]:
    """What a candidate brings, besides its place in the order, which tells nothing by itself."""
    facts: dict[str, Json] = {
        "factory": candidate.factory,
        **{rank.words: candidate.raw[rank.fact] for rank in RANKS if rank.fact in candidate.raw},
        "capabilities": candidate.capabilities,
        **({"idempotent": candidate.raw["idempotent"]} if "idempotent" in candidate.raw else {}),
    }
    excluded: dict[str, Json] = {"excluded by": candidate.excluded_by} if candidate.excluded_by else {}
    return {f"{name} {fact}": each for fact, each in {**facts, **excluded}.items()}


def _rank(candidate: Candidate | None) -> str | None:
    if candidate is None:
        return None
    return ", ".join(f"{rank.words} {candidate.raw[rank.fact]}" for rank in RANKS if rank.fact in candidate.raw)


def _by_identity(binding: Served) -> dict[tuple[str, str], Candidate]:
    return {_identity(each): each for each in binding.candidates}


def _identity(candidate: Candidate) -> tuple[str, str]:
    return candidate.provider, candidate.source


def _inputs(old: Report, new: Report) -> Iterator[Difference]:
    """Manifests, plugins and the environment, under no key."""
    before, after = ({**_mapping(each.raw.get("inputs"))} for each in (old, new))
    kinds: dict[str, Class] = {"manifests": "trust"}
    kinds |= dict.fromkeys(("plugins", "distributions", "environment"), "provenance")
    for name, kind in kinds.items():
        facts = [
            {f"{name} {item}": each for item, each in _mapping(side.get(name)).items()} for side in (before, after)
        ]
        yield from _facts(kind, "", None, *facts)
    engines = (
        {f"engine of {domain}": each for domain, each in _mapping(side.raw.get("engines")).items()}
        for side in (old, new)
    )
    yield from _facts("setting", "", None, *engines)
    roles = ({f"role {name}": each for name, each in _mapping(side.raw.get("roles")).items()} for side in (old, new))
    yield from _facts("setting", "", None, *roles)


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}
