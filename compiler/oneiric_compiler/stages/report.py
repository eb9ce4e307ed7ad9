"""Stage 6: bindings to the explain report, format `oneiric.explain/1` (`schemas/explain.schema.json`).

The report holds every fact of the wiring: `emit` reads nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from oneiric.report import flow_of

from oneiric_compiler.linking.scope import Scope
from oneiric_compiler.model import (
    FORMAT,
    App,
    Bound,
    Catalog,
    Decision,
    Evidence,
    Gathered,
    Gathering,
    Judgement,
    Key,
    Layer,
    Linked,
    Setting,
    Settings,
)
from oneiric_compiler.settings.documents import Value, json_pointer
from oneiric_compiler.stages.counterfactuals import Alternatives, wins_if
from oneiric_compiler.stages.link import differs
from oneiric_compiler.tables.engines import DRIVEN, ENGINES
from oneiric_compiler.tables.options import EMITTED, KEY_OPTIONS, OPTIONS
from oneiric_compiler.tables.tiers import RANKS

Report: TypeAlias = dict[str, Any]

_EXPANDED = 4
_RANKED = tuple(fact for rank in RANKS for fact in (rank.fact, rank.origin) if fact)
_encode = json.JSONEncoder().encode


def report(inputs: Gathered, linked: Linked, declared: Report, profile: str | None) -> Report:
    """The report of one profile, with what it declares besides components; None is the base, called `default`."""
    settings, catalog = inputs.settings, inputs.catalog
    scope = Scope.of_profile(inputs, profile)
    tenants: dict[str, dict[str, Report]] = {}
    for tenant, own in linked.tenants.items():
        inner = scope.of_tenant(tenant, catalog)
        for key, binding in own.items():
            base = linked.bindings[key]
            alike = binding.decision is base.decision and binding.standby == base.standby
            candidates = [] if alike else _candidates(inner, catalog, binding)
            theirs = _tenant(binding, base, settings, candidates, _flow(declared, key, binding, tenant))
            if base.unbound and not binding.unbound:
                selected = inner.levels["tenant"][key.domain].selections[key.name]
                theirs["bound_at"] = str(selected.place)
            tenants.setdefault(str(key), {})[tenant] = theirs
    bindings: dict[str, Report] = {}
    for key, binding in linked.bindings.items():
        flow = _flow(declared, key, binding, None)
        served = _binding(binding, settings, _candidates(scope, catalog, binding), flow)
        bindings[str(key)] = {**served, "tenants": tenants.get(str(key), {})}
    name = profile or "default"
    read: Report = {
        "settings": sorted(settings.files[name]),
        "environment": settings.environment,
        "plugins": dict(sorted(catalog.plugins.items())),
        "manifests": {trust.source: _trust(trust) for trust in sorted(catalog.manifests, key=lambda each: each.source)},
    }
    if catalog.distributions:
        read["distributions"] = dict(sorted(catalog.distributions.items()))
    if settings.app.source_roots != App().source_roots:
        read["source_roots"] = list(settings.app.source_roots)
    if overrides := _overrides(settings):
        read["overrides"] = overrides
    facts: Report = {
        "format": FORMAT,
        "app": settings.app.name,
        "profile": name,
        "domains": dict(sorted(settings.app.sections.items())),
        "inputs": read,
        **_of_profile(inputs, linked, declared),
        **declared,
    }
    return {**facts, "bindings": bindings}


def _flow(declared: Report, key: Key, binding: Bound, tenant: str | None) -> Report | None:
    """The workflow that serves a key, where settings or a manifest declare it, as the base or a tenant has it."""
    facts = declared.get("workflows", {}).get(key.name) if binding.decision.winner.is_declared else None
    return flow_of(facts, tenant) if facts else None


def _of_profile(inputs: Gathered, linked: Linked, declared: Report) -> Report:
    """What holds of a whole profile, where there is any of it."""
    settings, catalog = inputs.settings, inputs.catalog
    facts: Report = {}
    if barred := _barred(catalog):
        facts["barred"] = barred
    if settings.tenants:
        facts["tenants"] = sorted(settings.tenants)
    bound = {key.domain for key in linked.bindings}
    driven = {domain for domain, kinds in DRIVEN.items() if declared.keys() & {*kinds}} | (bound - DRIVEN.keys())
    if engines := {domain: ENGINES[domain] for domain in sorted(driven & ENGINES.keys())}:
        facts["engines"] = engines
    if linked.unbound:
        facts["unbound"] = {str(key): str(stated.place) for key, stated in linked.unbound.items()}
    if linked.aliases:
        stated = linked.aliases.items()
        facts["aliases"] = {str(key): {"target": str(to), "from": str(each.place)} for key, (to, each) in stated}
    if settings.app.roles:
        facts["roles"] = {name: list(stated.value) for name, stated in sorted(settings.app.roles.items())}
    return facts


def render_report(report: Report) -> str:
    """The report as JSON, one fact a line, so that edits of different keys merge and a diff reads."""
    return "".join(_lines(report, 0)) + "\n"


def _lines(value: Value, depth: int) -> Iterator[str]:
    inner = " " * (depth + 1)
    if depth >= _EXPANDED or not value or not isinstance(value, (dict, list)):
        yield _encode(value)
    elif isinstance(value, dict):
        yield "{"
        for index, (name, item) in enumerate(value.items()):
            yield f"{',' if index else ''}\n{inner}{_encode(name)}: "
            yield from _lines(item, depth + 1)
        yield f"\n{' ' * depth}}}"
    else:
        yield "["
        for index, item in enumerate(value):
            yield f"{',' if index else ''}\n{inner}"
            yield from _lines(item, depth + 1)
        yield f"\n{' ' * depth}]"


def _binding(binding: Bound, settings: Settings, candidates: list[Report], flow: Report | None = None) -> Report:
    facts = _made_by(binding, settings)
    facts["fingerprint"] = _fingerprint({**facts, "flow": without_places(flow)} if flow else facts, binding)
    facts.update(_decided(binding.decision))
    if candidates:
        facts["candidates"] = candidates
    facts["settings"] = {name: _setting(setting) for name, setting in binding.settings.items()}
    if binding.unbound:
        return {**facts, "needs": {}, "unbound_at": str(binding.unbound.place)}
    facts.update(_handed(binding))
    if binding.layers_at:
        facts["layers_from"] = str(binding.layers_at)
    if binding.layers:
        facts["layers"] = {str(layer.key): _layer(layer, settings) for layer in binding.layers}
    if binding.options:
        stated = sorted(binding.options.items())
        facts["options"] = {name: {"value": each.value, "from": str(each.place)} for name, each in stated}
    if binding.secrets:
        facts["secrets"] = list(binding.secrets)
    return facts


def without_places(facts: Any) -> Any:
    """Facts less the places that state them, at any depth."""
    if not isinstance(facts, dict):
        return facts
    return {name: without_places(each) for name, each in cast("Report", facts).items() if name != "from"}


def _layer(layer: Layer, settings: Settings) -> Report:
    """One layer around the instance; where it stands among others is no part of its fingerprint."""
    binding, winner = layer.bound, layer.bound.decision.winner
    facts = _made_by(binding, settings)
    facts.pop("port", None)
    facts["fingerprint"] = _fingerprint(facts, binding)
    facts |= {"placed_at": str(layer.placed), "source": winner.source, "declared_at": str(winner.place)}
    facts["settings"] = {name: _setting(setting) for name, setting in binding.settings.items()}
    facts.update(_handed(binding))
    if binding.secrets:
        facts["secrets"] = list(binding.secrets)
    return facts | ({"trust": _trust(winner.trust)} if winner.trust else {})


def _made_by(binding: Bound, settings: Settings) -> Report:
    """What makes the instance, and how it is activated."""
    winner = binding.decision.winner
    made = winner.signature
    facts: Report = {"provider": winner.provider, "factory": winner.factory}
    if made.is_async and not binding.unbound:
        facts["async"] = True
    if made.entered and not binding.unbound:
        facts["entered"] = True
    if made.result:
        facts["result"] = made.result
    if binding.port:
        facts["port"] = binding.port
    if winner.artifact:
        facts["artifact"] = winner.artifact
    return {**facts, "unbound": True} if binding.unbound else {**facts, **_activated(binding, settings)}


def _activated(binding: Bound, settings: Settings) -> Report:
    winner = binding.decision.winner
    facts: Report = {"provided": True} if winner.is_provided else {}
    for option in EMITTED:
        stated = option.stated(winner)
        if stated is not None and not (option.targeted and getattr(settings.app, option.emitted)):
            facts[option.emitted] = stated
    activation = binding.activation
    for name in (option.name for option in KEY_OPTIONS):
        facts.pop(name, None)
        if name in activation:
            facts[name] = activation[name]
    if lazy := [name for name in winner.lazy if name in (*binding.needs, *binding.gathers)]:
        facts["lazy"] = lazy
    return facts


def _fingerprint(facts: Report, binding: Bound) -> str:
    expressions = {name: setting.expr for name, setting in binding.settings.items()}
    parts = {**facts, "settings": expressions, "needs": _needs(binding)}
    if binding.gathers:
        parts["gathers"] = {name: [each.form, *map(str, each.members)] for name, each in binding.gathers.items()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]


def _needs(binding: Bound) -> dict[str, str]:
    return {name: str(key) for name, key in sorted(binding.needs.items())}


def _handed(binding: Bound) -> Report:
    """The components that it is handed, and those that it may lack."""
    winner = binding.decision.winner
    facts: Report = {"needs": _needs(binding)}
    if binding.gathers:
        facts["gathers"] = {name: _gathering(each) for name, each in binding.gathers.items()}
    if optional := {name: stated.value for name, stated in winner.handed.items() if name in winner.optional}:
        facts["optional"] = optional
    return facts


def _gathering(gathering: Gathering) -> Report:
    facts: Report = {"from": gathering.stated, "members": [str(key) for key in gathering.members]}
    if gathering.form != "list":
        facts["as"] = gathering.form
    if gathering.order:
        facts["ordered_by"] = str(gathering.order.place)
    return facts


def _tenant(binding: Bound, base: Bound, settings: Settings, candidates: list[Report], flow: Report | None) -> Report:
    facts = _binding(binding, settings, candidates, flow)
    if binding.rebuilt_for:
        facts["rebuilt_for"] = [str(key) for key in binding.rebuilt_for]
    elif not differs(binding, base):
        facts["shared"] = True
    return facts


def _decided(decision: Decision) -> Report:
    return {"decided_by": decision.decided_by, "decided_at": str(decision.decided_at), "because": decision.because}


def _candidates(scope: Scope, catalog: Catalog, binding: Bound) -> list[Report]:
    alternatives = {} if binding.unbound else wins_if(scope, catalog, binding.decision)
    standby = binding.standby
    return [
        _candidate(each, alternatives.get(each.order), standby.get(each.order, {}))
        for each in binding.decision.judgements
    ]


def _candidate(judgement: Judgement, alternatives: Alternatives | None, standby: Mapping[str, Setting]) -> Report:
    candidate = judgement.candidate
    facts: Report = {
        "provider": candidate.provider,
        "factory": candidate.factory,
        "source": candidate.source,
        "declared_at": str(candidate.place),
        **{fact: getattr(candidate, fact) for fact in _RANKED},
        "order": judgement.order,
        "capabilities": list(candidate.capabilities),
    }
    for option in OPTIONS:
        if option.reported and (stated := option.stated(candidate)) is not None:
            facts[option.name] = stated
    if candidate.held:
        facts["held"] = dict(candidate.held)
    if candidate.artifact:
        facts["artifact"] = candidate.artifact
    if candidate.trust:
        facts["trust"] = _trust(candidate.trust)
    facts["won"] = judgement.won
    for name, code in (("lost_by", judgement.lost_by), ("excluded_by", judgement.excluded_by)):
        if code:
            facts[name] = code
    if judgement.compared:
        facts["compared"] = list(judgement.compared)
    if alternatives is not None:
        facts["wins_if"] = alternatives
    if standby:
        facts["settings"] = {name: _setting(setting) for name, setting in standby.items()}
    return facts


def _trust(trust: Evidence) -> Report:
    facts: Report = {"source": trust.source, "digest": trust.digest, "keys": list(trust.keys)}
    facts.update({"unversioned": True} if trust.version is None else {"version": trust.version})
    return facts if trust.expires_at is None else {**facts, "expires_at": trust.expires_at}


def _barred(catalog: Catalog) -> dict[str, Report]:
    """By source and entry, what manifests offer that may not take part, whether or not its key is bound."""
    found: dict[str, Report] = {}
    offered = [(key, each) for found in (catalog.base, catalog.layers) for key, all in found.items() for each in all]
    for key, each in sorted(offered, key=lambda pair: pair[0]):
        if each.barred and each.trust:
            rule, compared = each.barred
            facts = {"factory": each.factory, "excluded_by": rule, "compared": list(compared)}
            found.setdefault(each.trust.source, {})[f"{key}/{each.provider}"] = facts
    return dict(sorted(found.items()))


def _setting(setting: Setting) -> Report:
    stated = setting.stated
    facts: Report = {"ref" if setting.reads else "value": stated.value, "from": str(stated.place)}
    if expr := _expression(setting):
        facts["expr"] = expr
    if setting.unchecked:
        facts["unchecked"] = True
    if any(setting.unchecked):
        facts["unchecked_at"] = [json_pointer(*path) for path in setting.unchecked]
    if stated.kept:
        facts["from_at"] = {json_pointer(*path): str(stated.at(*path)) for path in stated.kept}
    return facts


def _expression(setting: Setting) -> Mapping[str, Any] | None:
    """What the value becomes, where it is not simply the value."""
    return None if setting.expr == {"value": setting.stated.value} else setting.expr


def _overrides(settings: Settings) -> Report:
    overrides = settings.overrides
    found: Report = {}
    if overrides.base:
        found["overrides"] = {str(key): stated.value for key, stated in sorted(overrides.base.items())}
    if overrides.tenants:
        found["tenants"] = {
            tenant: {str(key): stated.value for key, stated in sorted(mapping.items())}
            for tenant, mapping in sorted(overrides.tenants.items())
        }
    return found
