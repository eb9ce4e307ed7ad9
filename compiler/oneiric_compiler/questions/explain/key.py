"""One key told to a person: the winner, the rule that decided, what lost and by what, settings, needs, who differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

from oneiric.report import Candidate, Edit, Json, Report, Served, Setting
from oneiric.roles import named_by

from oneiric_compiler.questions.explain.flows import callers, levels, overlays
from oneiric_compiler.questions.explain.rows import rows, section
from oneiric_compiler.questions.malformed import as_written
from oneiric_compiler.tables.tiers import FILTERS, RANKS, TIERS, WHY, Rank
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.redact import masked, redacted
from oneiric_compiler.text.visible import visible

Locate: TypeAlias = Callable[[str], str]

_DEEPEST = 40
_LONGEST_VALUE = 80


def tell(
    report: Report, key: str, locate: Locate, *, tenant: str | None = None, profiles: Mapping[str, Report] | None = None
) -> list[Line]:
    """Everything about one key: winner, rule, losers, what is filtered out, settings, needs, tenants.

    With `tenant`, the report is that tenant's. `locate` shows a place of the report as it is today. `profiles` are the
    reports of the others.
    """
    binding = report.bindings[key]
    if binding.unbound:
        return _unbound(binding, key, locate, tenant)
    lost, excluded = binding.judged()
    lines: list[Line] = [
        [
            (visible(key), "bold"),
            (" is served by ", "plain"),
            (visible(binding.provider), "green"),
            (f" for tenant {visible(tenant)}" if tenant else "", "plain"),
        ]
    ]
    lines += rows(_winner(binding, locate))
    with as_written():
        flow, calling = [*levels(report, key, locate)], callers(report, key, locate)
    for title, nodes in flow:
        lines += section(title, nodes)
    lines += section("lost", [(each.provider, lost_by(each), _origin(each, locate)) for each in lost])
    filtered = [(each.provider, excluded_by(each), _origin(each, locate)) for each in excluded]
    lines += section("filtered out", filtered)
    lines += section("settings", settings_rows(binding.settings, locate))
    lines += section("layers, outermost first", _layers(binding, locate))
    aliases = [(name, "is this key", locate(at.stated_at)) for name, at in report.aliases.items() if at.target == key]
    lines += section("aliases", aliases)
    stated = [(name, _text(each.value), locate(each.stated_at)) for name, each in binding.options.items()]
    lines += section("stated for the key", stated + _roles(report, key, binding))
    lines += _tree_section("needs", key, report.needs, report)
    lines += section("gathers", _gathers(binding, locate))
    lacking = [name for name in binding.optional if name not in (*binding.needs, *binding.gathers)]
    lines += section("lacks", [(name, "what it needs is not bound: it has its default", "") for name in lacking])
    lines += section("called by", calling)
    users = report.users()
    lines += _tree_section("needed by", key, lambda each: users.get(each, {}), report)
    differing = [(name, *difference(binding, each, locate)) for name, each in binding.tenants.items()]
    with as_written():
        differing += overlays(report, key, locate)
    lines += section("tenants that differ", [row for row in differing if row[1]])
    others = {name: other.bindings.get(key) for name, other in (profiles or {}).items()}
    served = [
        (name, *(difference(binding, each, locate) if each else ("not bound", ""))) for name, each in others.items()
    ]
    return lines + section("profiles that differ", [row for row in served if row[1]])


def _unbound(binding: Served, key: str, locate: Locate, tenant: str | None) -> list[Line]:
    """A key that is taken away, and the tenants that have it."""
    of_tenant = f" for tenant {visible(tenant)}" if tenant else ""
    lines: list[Line] = [[(visible(key), "bold"), (" is unbound", "yellow"), (of_tenant, "plain")]]
    lines += rows([("unbound at", locate(binding.unbound_at), "")])
    having = [(name, f"{own.provider} by {own.decided_by}", locate(own.decided_at)) for name, own in _having(binding)]
    return lines + section("tenants that have it", having)


def _having(binding: Served) -> list[tuple[str, Served]]:
    return [(name, own) for name, own in binding.tenants.items() if not own.unbound]


def _roles(report: Report, key: str, binding: Served) -> list[tuple[str, str, str]]:
    """Where an eager key starts."""
    found = [name for name, patterns in report.roles.items() if named_by(patterns, key)]
    if not report.roles or not binding.raw.get("eager"):
        return []
    return [("roles", ", ".join(found) or "every one: none names it", "")]


def _layers(binding: Served, locate: Locate) -> list[tuple[str, str, str]]:
    """What wraps the instance, each with its settings."""
    found: list[tuple[str, str, str]] = []
    for key, layer in binding.layers.items():
        found.append((key.partition("/")[2], f"{layer.factory} ({layer.source})", locate(layer.placed_at)))
        found += [(f"  {name}", value, place) for name, value, place in settings_rows(layer.settings, locate)]
    return found


def _gathers(binding: Served, locate: Locate) -> list[tuple[str, str, str]]:
    """What patterns match, and what orders it."""
    found: list[tuple[str, str, str]] = []
    for name, each in binding.gathers.items():
        if each.pattern:
            members = ", ".join(key.partition(":")[2] for key in each.members) or "nothing"
            found.append((name, f"{each.pattern}: {members}", locate(each.ordered_at) if each.ordered_at else ""))
    return found


def why_not(report: Report, key: str, provider: str, locate: Locate) -> list[Line]:
    """Why a provider's candidates do not serve a key, and the edits that would let each."""
    binding = report.bindings[key]
    lines: list[Line] = []
    for each in (each for each in binding.candidates if each.provider == provider):
        subject = f"{visible(provider)} ({visible(each.source)})"
        if each.won:
            lines.append([(subject, "green"), (f" serves {visible(key)}: {visible(binding.because)}", "plain")])
            continue
        told = f"lost {lost_by(each)}" if each.lost_by else f"filtered out {excluded_by(each)}"
        lines.append([(subject, "red"), (f" does not serve {visible(key)}, {visible(binding.provider)} does", "plain")])
        facts = [("because", told, ""), ("decided at", locate(binding.decided_at), "")]
        lines += rows([*facts, ("declared", _origin(each, locate), "")])
        lines += section("it would be made with", settings_rows(each.settings, locate))
        for number, edits in enumerate(each.wins_if or ()):
            edited = [edit_row(edit, locate) for edit in edits]
            lines += section("or it wins if" if number else "it wins if", edited)
        if each.wins_if == ():
            lines += section("it wins if", [("nothing", "no edit of this project's own files is enough", "")])
    return lines


def edit_row(edit: Edit, locate: Locate) -> tuple[str, str, str]:
    declaration = edit.at.rpartition("/")[0]
    today = next((found for place in (edit.at, declaration) if (found := locate(place)) != place), "")
    return edit.at, f"is {_text(edit.value)}" if edit.given else "is set, to a value of yours", today


def _winner(binding: Served, locate: Locate) -> list[tuple[str, str, str]]:
    rule = WHY.get(binding.decided_by)
    facts = [
        ("because", binding.because, ""),
        ("rule", f"{binding.decided_by}: {rule}" if rule else binding.decided_by, ""),
        ("decided at", locate(binding.decided_at), ""),
        ("factory", binding.factory, "entered, and left in place of a close" if binding.raw.get("entered") else ""),
    ]
    facts += [("port", binding.port, "")] if binding.port else []
    facts += [("declared", _origin(each, locate), "") for each in binding.candidates if each.won]
    if binding.raw.get("provided"):
        facts.append(("instance", "the application hands it in: Runtime(…, provide=…)", ""))
    if binding.rebuilt_for:
        facts.append(("own instance", f"since it needs {', '.join(binding.rebuilt_for)}", ""))
    if binding.shared:
        facts.append(("instance", "the base's, shared", ""))
    return facts


def _origin(each: Candidate, locate: Locate) -> str:
    ranks = ", ".join(filter(None, (_rank(each, rank) for rank in RANKS)))
    return f"{locate(each.declared_at)} ({each.source}; {ranks}{_trust(each)})"


def _rank(each: Candidate, rank: Rank) -> str:
    """A number that it is ranked by, and where that is from; nothing in a report that does not have it."""
    if rank.fact not in each.raw:
        return ""
    origin = each.raw.get(rank.origin) if rank.origin else None
    inferred = f" from {origin}" if origin not in (None, "declared", "default") else ""
    held = f" (held, stated {_text(each.held[rank.fact])})" if rank.fact in each.held else ""
    return f"{rank.words} {_text(each.raw[rank.fact])}{inferred}{held}"


def _trust(each: Candidate) -> str:
    """Why a manifest's candidate is believed."""
    trust = each.trust
    if trust is None:
        return ""
    version = "unversioned" if trust.version is None else f"version {trust.version}"
    expires = f", expires {trust.expires_at}" if trust.expires_at else ", never expires"
    keys = ", ".join(f"{key[:12]}…" for key in trust.keys)
    return f"; {version}, SHA-256 {trust.digest[:12]}…, signed by {keys}{expires}"


def lost_by(each: Candidate) -> str:
    rule = each.lost_by or ""
    if each.compared is None or rule not in TIERS:
        return f"by {rule}"
    low, high = map(_text, each.compared)
    return f"by {rule}: {TIERS[rule].lost.format(low=low, high=high)}"


def excluded_by(each: Candidate) -> str:
    rule = each.excluded_by or ""
    if each.compared is None or rule not in FILTERS:
        return f"by {rule}"
    (has, wanted), sieve = each.compared, FILTERS[rule]
    told = sieve.reported.format(has=_text(has) or "none", wanted=_text(wanted) if wanted else sieve.nothing)
    return f"by {rule}: {told}"


def _text(value: Json) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def settings_rows(settings: Mapping[str, Setting], locate: Locate) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, each in settings.items():
        rows.append((name, _value(name, each), locate(each.stated_at)))
        rows += [(f"  {visible(path)}", "", locate(place)) for path, place in each.from_at.items()]
    return rows


def _value(name: str, setting: Setting) -> str:
    if setting.masked:
        return "****"
    places = f": {', '.join(map(visible, setting.unchecked_at))}" if setting.unchecked_at else ""
    mark = f" (unchecked{places})" if setting.unchecked else ""
    if isinstance(setting.reference, str):
        return masked(setting.reference) + mark
    stated = setting.value if setting.reference is None else setting.reference
    shown = json.dumps(redacted(name, stated), ensure_ascii=False)
    shown = shown if len(shown) <= _LONGEST_VALUE else shown[: _LONGEST_VALUE - 1] + "…"
    return shown + mark


def _tree_section(title: str, key: str, below: Callable[[str], Mapping[str, list[str]]], report: Report) -> list[Line]:
    """Keys reached from `key`, indented by distance, the farthest all alike; what is below a key is told of once."""
    lines: list[Line] = []
    seen = {key}
    waiting = [(each, parameters, 2) for each, parameters in reversed(list(below(key).items()))]
    while waiting:
        each, parameters, depth = waiting.pop()
        binding = report.bindings.get(each)
        provider = f" ({binding.provider})" if binding else ""
        again = " …" if each in seen and below(each) else ""
        lines.append(
            [("  " * min(depth, _DEEPEST) + visible(f"{each}{provider} for {', '.join(parameters)}{again}"), "plain")]
        )
        if each not in seen:
            seen.add(each)
            waiting += [(next_, names, depth + 1) for next_, names in reversed(list(below(each).items()))]
    return [[], [(f"  {title}", "bold")], *lines] if lines else []


def _layered(base: Served, own: Served, locate: Locate) -> tuple[str, str]:
    """How the layers of a binding differ from another's."""
    if [*own.layers] != [*base.layers]:
        names = ", ".join(key.partition("/")[2] for key in own.layers) or "no layers"
        return f"{own.provider}, in {names}", locate(own.layers_at) if own.layers_at else ""
    changed = {
        f"{key.partition('/')[2]} {name}": each.stated_at
        for key, layer in own.layers.items()
        for name, each in layer.settings.items()
        if each != base.layers[key].settings.get(name)
    }
    places = list({locate(place): None for place in changed.values()})
    return f"{own.provider}, with its own {', '.join(changed) or 'layers'}", ", ".join(places)


def difference(base: Served, own: Served, locate: Locate) -> tuple[str, str]:
    """How a tenant's or profile's binding differs, and where that is stated; nothing when it does not."""
    if own.unbound or base.unbound:
        return ("unbound", locate(own.unbound_at)) if not base.unbound else ("bound again", locate(own.decided_at))
    if own.provider != base.provider or own.decided_at != base.decided_at:
        return f"{own.provider} by {own.decided_by}", locate(own.decided_at)
    changed = {name: each.stated_at for name, each in own.settings.items() if each != base.settings.get(name)}
    for name, option in own.options.items():
        if name not in base.options or option.value != base.options[name].value:
            changed[name] = option.stated_at
    if changed:
        places = {locate(place): None for place in changed.values()}
        return f"{own.provider}, with its own {', '.join(changed)}", ", ".join(places)
    if own.layers != base.layers and not own.rebuilt_for:
        return _layered(base, own, locate)
    ordered = [each.ordered_at for name, each in own.gathers.items() if each != base.gathers.get(name)]
    if any(ordered) and not own.rebuilt_for:
        return f"{own.provider}, in an order of its own", ", ".join({locate(place): None for place in ordered if place})
    if own.rebuilt_for:
        return f"{own.provider}, its own instance since it needs {', '.join(own.rebuilt_for)}", ""
    return "", ""
