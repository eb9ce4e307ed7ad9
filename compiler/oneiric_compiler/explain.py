"""Why each key is served by what serves it: a report told to a person, or handed on to a machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from oneiric.report import Binding, Candidate, Edit, Json, Report, Setting

from oneiric_compiler.paint import Line
from oneiric_compiler.redact import mask, mask_urls, secret_name, visible

Locate: TypeAlias = Callable[[str], str]

_RULES = {
    "only-candidate": "nothing else could serve it",
    "tenant-override": "an operator's swap for the tenant outranks all else",
    "tenant-selection": "a tenant's selection outranks overrides and selections of the base",
    "override": "an operator's swap outranks selections",
    "profile-selection": "a profile's selection outranks the base's",
    "selection": "a selection outranks priority, stack level and order",
    "priority": "nothing is selected, so the highest priority wins",
    "stack-level": "nothing is selected and priorities are equal, so the highest stack level wins",
    "registration-order": "all else is equal, so the last declaration wins",
}
_LONGEST_VALUE = 80
_MARKS = {
    "o": "registration order alone decided",
    "1": "won by a margin of one",
    "s": "sole candidate",
    "r": "depends on a remote manifest, itself or by what it needs",
}


def tell(
    report: Report, key: str, locate: Locate, *, tenant: str | None = None, profiles: Mapping[str, Report] | None = None
) -> list[Line]:
    """Everything about one key: winner, rule, losers, what is filtered out, settings, needs, tenants.

    With `tenant`, the report is that tenant's. `locate` shows a place of the report as it is today. `profiles` are the
    reports of the others.
    """
    binding = report.bindings[key]
    lost, excluded = binding.judged()
    lines: list[Line] = [
        [
            (visible(key), "bold"),
            (" is served by ", "plain"),
            (visible(binding.provider), "green"),
            (f" for tenant {tenant}" if tenant else "", "plain"),
        ]
    ]
    lines += _rows(_winner(binding, locate))
    lines += section("lost", [(each.provider, _lost(each), _origin(each, locate)) for each in lost])
    filtered = [(each.provider, _excluded(each), _origin(each, locate)) for each in excluded]
    lines += section("filtered out", filtered)
    lines += section("settings", _settings(binding.settings, locate))
    lines += _tree_section("needs", key, report.needs, report)
    users = report.users()
    lines += _tree_section("needed by", key, lambda each: users.get(each, {}), report)
    differing = [(name, *_difference(binding, each, locate)) for name, each in binding.tenants.items()]
    lines += section("tenants that differ", [row for row in differing if row[1]])
    others = {name: other.bindings.get(key) for name, other in (profiles or {}).items()}
    rows = [
        (name, *(_difference(binding, each, locate) if each else ("not bound", ""))) for name, each in others.items()
    ]
    return lines + section("profiles that differ", [row for row in rows if row[1]])


def why_not(report: Report, key: str, provider: str, locate: Locate) -> list[Line]:
    """Why a provider's candidates do not serve a key, and the edits that would let each."""
    binding = report.bindings[key]
    lines: list[Line] = []
    for each in (each for each in binding.candidates if each.provider == provider):
        subject = f"{visible(provider)} ({visible(each.source)})"
        if each.won:
            lines.append([(subject, "green"), (f" serves {visible(key)}: {visible(binding.because)}", "plain")])
            continue
        told = f"lost {_lost(each)}" if each.lost_by else f"filtered out {_excluded(each)}"
        lines.append([(subject, "red"), (f" does not serve {visible(key)}, {visible(binding.provider)} does", "plain")])
        facts = [("because", told, ""), ("decided at", locate(binding.decided_at), "")]
        lines += _rows([*facts, ("declared", _origin(each, locate), "")])
        for number, edits in enumerate(each.wins_if or ()):
            rows = [_edit(edit, locate) for edit in edits]
            lines += section("or it wins if" if number else "it wins if", rows)
        if each.wins_if == ():
            lines += section("it wins if", [("nothing", "no edit of this project's own files is enough", "")])
    return lines


def why_not_document(report: Report, key: str, provider: str) -> dict[str, Json]:
    """The facts of a provider's candidates for a key, as the report has them, and what decided."""
    raw = report.bindings[key].raw
    candidates = cast("list[Mapping[str, Json]]", raw.get("candidates", ()))
    decided = {name: raw.get(name) for name in ("provider", "decided_by", "decided_at", "because")}
    found: list[Json] = [each for each in candidates if each.get("provider") == provider]
    scope: dict[str, Json] = {"app": report.app, "profile": report.profile, "tenant": report.tenant}
    return {**scope, "key": key, **decided, "candidates": found}


def _edit(edit: Edit, locate: Locate) -> tuple[str, str, str]:
    declaration = edit.at.rpartition("/")[0]
    today = next((found for place in (edit.at, declaration) if (found := locate(place)) != place), "")
    return edit.at, f"is {_text(edit.value)}" if edit.given else "is set, to a value of yours", today


def summary(report: Report, keys: Mapping[str, Binding]) -> list[Line]:
    """One line per key, grouped by domain: what serves it, and why; marked where the decision is fragile."""
    marks = fragile(report, keys)
    used: list[Line] = [
        [(f"  {mark}  {meaning}", "dim")] for mark, meaning in _MARKS.items() if mark in "".join(marks.values())
    ]
    legend: list[Line] = [[], *used] if used else []
    return _by_domain(keys, _why, marks) + legend


def fragile(report: Report, keys: Mapping[str, Binding]) -> dict[str, str]:
    """For each key the marks of what makes its decision fragile: none, one, or several."""
    remote = {key for key, binding in report.bindings.items() if _is_remote(binding)}
    users, waiting = report.users() if remote else {}, list(remote)
    while waiting:
        above = users.get(waiting.pop(), {}).keys() - remote
        remote |= above
        waiting += above
    return {key: _mark(binding) + ("r" if key in remote else "") for key, binding in keys.items()}


def _is_remote(binding: Binding) -> bool:
    return any(each.won and each.source.startswith("manifest:") for each in binding.candidates)


def _mark(binding: Binding) -> str:
    if binding.decided_by in ("registration-order", "only-candidate"):
        return "o" if binding.decided_by == "registration-order" else "s"
    compared = next((each.compared for each in binding.candidates if each.lost_by), None)
    if binding.decided_by not in ("priority", "stack-level") or compared is None:
        return ""
    own, winning = compared
    return "1" if isinstance(own, int) and isinstance(winning, int) and winning - own == 1 else ""


def listing(keys: Mapping[str, Binding]) -> list[Line]:
    """One line per key, grouped by domain: what serves it, the rule, the candidates in its shadow."""
    return _by_domain(keys, _shadow)


def key_document(
    report: Report, key: str, *, tenant: str | None = None, profiles: Mapping[str, Report] | None = None
) -> dict[str, Json]:
    """The facts of one key, as the report has them, who needs it, and how other profiles that differ serve it."""
    of_tenant: dict[str, Json] = {"tenant": tenant} if tenant else {}
    facts: dict[str, Json] = {"app": report.app, "profile": report.profile, **of_tenant, "key": key}
    binding = report.bindings[key]
    others: dict[str, Json] = {}
    for name, other in (profiles or {}).items():
        own = other.bindings.get(key)
        if own is None or _difference(binding, own, str)[0]:
            others[name] = _public(own.raw) if own else None
    of_profiles: dict[str, Json] = {"profiles": others} if profiles is not None else {}
    return {**facts, "binding": _public(binding.raw), "needed_by": report.users().get(key, {}), **of_profiles}


def report_document(report: Report, keys: Mapping[str, Binding], *, tenant: str | None = None) -> dict[str, Json]:
    """The report, with these keys alone."""
    of_tenant: dict[str, Json] = {"tenant": tenant} if tenant else {}
    return {**report.raw, **of_tenant, "bindings": {key: _public(each.raw) for key, each in keys.items()}}


def listing_document(report: Report, keys: Mapping[str, Binding]) -> dict[str, Json]:
    """For each key its provider, the rule, and the candidates in its shadow with the reason of each."""
    rows: list[Json] = []
    for key, binding in keys.items():
        lost, excluded = binding.judged()
        rows.append(
            {
                "key": key,
                "provider": binding.provider,
                "factory": binding.factory,
                "decided_by": binding.decided_by,
                "decided_at": binding.decided_at,
                "shadowed": [{"provider": each.provider, "lost_by": each.lost_by} for each in lost],
                "excluded": [{"provider": each.provider, "excluded_by": each.excluded_by} for each in excluded],
                "tenants": sorted(binding.tenants),
            }
        )
    return {"app": report.app, "profile": report.profile, "keys": rows}


def _winner(binding: Binding, locate: Locate) -> list[tuple[str, str, str]]:
    rule = _RULES.get(binding.decided_by)
    facts = [
        ("because", binding.because, ""),
        ("rule", f"{binding.decided_by}: {rule}" if rule else binding.decided_by, ""),
        ("decided at", locate(binding.decided_at), ""),
        ("factory", binding.factory, ""),
    ]
    facts += [("port", binding.port, "")] if binding.port else []
    facts += [("declared", _origin(each, locate), "") for each in binding.candidates if each.won]
    if binding.rebuilt_for:
        facts.append(("own instance", f"since it needs {', '.join(binding.rebuilt_for)}", ""))
    if binding.shared:
        facts.append(("instance", "the base's, shared", ""))
    return facts


def _origin(each: Candidate, locate: Locate) -> str:
    inferred = "" if each.priority_from in ("declared", "default") else f" from {each.priority_from}"
    held = {name: f" (held, stated {_text(value)})" for name, value in each.held.items()}
    ranks = f"priority {each.priority}{inferred}{held.get('priority', '')}"
    ranks += f", stack level {each.stack_level}{held.get('stack_level', '')}"
    return f"{locate(each.declared_at)} ({each.source}; {ranks}{_trust(each)})"


def _trust(each: Candidate) -> str:
    """Why a manifest's candidate is believed."""
    trust = each.trust
    if trust is None:
        return ""
    version = "unversioned" if trust.version is None else f"version {trust.version}"
    expires = f", expires {trust.expires_at}" if trust.expires_at else ", never expires"
    keys = ", ".join(f"{key[:12]}…" for key in trust.keys)
    return f"; {version}, SHA-256 {trust.digest[:12]}…, signed by {keys}{expires}"


def _lost(each: Candidate) -> str:
    rule = each.lost_by or ""
    if each.compared is None:
        return f"by {rule}"
    own, winning = map(_text, each.compared)
    if rule in ("priority", "stack-level"):
        return f"by {rule}: {own} is less than {winning}"
    if rule == "registration-order":
        return f"by {rule}: declared as number {own}, before number {winning}"
    return f"by {rule}: {winning} is chosen, not {own}"


def _excluded(each: Candidate) -> str:
    rule = each.excluded_by or ""
    if each.compared is None:
        return f"by {rule}"
    own, wanted = map(_text, each.compared)
    told = {
        "capability": f"has {own or 'none'}, required: {wanted}",
        "python-version": f"runs on Python {own}, the target is {wanted}",
        "os-platform": f"runs on {own}, the target is {wanted}",
        "allowlist": f"{own} is outside what its source may bring: {wanted or 'nothing'}",
        "requires": f"needs {own}, and {wanted if each.compared[1] else 'nothing of it'} is there",
        "conflicts": f"cannot be with {own}, and {wanted} is there",
    }
    return f"by {rule}: " + told.get(rule, f"{own}, wanted: {wanted}")


def _text(value: Json) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value)


def _settings(settings: Mapping[str, Setting], locate: Locate) -> list[tuple[str, str, str]]:
    return [(name, _value(name, each), locate(each.stated_at)) for name, each in settings.items()]


def _value(name: str, setting: Setting) -> str:
    if setting.masked:
        return "****"
    if isinstance(setting.reference, str):
        return mask_urls(setting.reference)
    stated = setting.value if setting.reference is None else setting.reference
    shown = json.dumps(_redacted(name, stated), ensure_ascii=False)
    shown = shown if len(shown) <= _LONGEST_VALUE else shown[: _LONGEST_VALUE - 1] + "…"
    return shown + (" (unchecked)" if setting.unchecked else "")


def _redacted(name: str, value: Json) -> Json:
    """The value with what a secret-looking name holds, and passwords in URLs, masked."""
    if isinstance(value, Mapping):
        return {each: _redacted(name if secret_name(name) else each, inner) for each, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(name, inner) for inner in value]
    if secret_name(name) and value is not None:
        return mask(_text(value))
    return mask_urls(value) if isinstance(value, str) else value


def _public(raw: Mapping[str, Json]) -> dict[str, Json]:
    """A binding's facts without values that look secret."""
    facts = dict(raw)
    settings = cast("Mapping[str, Mapping[str, Json]]", raw.get("settings", {}))
    tenants = cast("Mapping[str, Mapping[str, Json]]", raw.get("tenants", {}))
    facts["settings"] = {name: _public_setting(name, each) for name, each in settings.items()}
    if tenants:
        facts["tenants"] = {name: _public(each) for name, each in tenants.items()}
    return facts


def _public_setting(name: str, setting: Mapping[str, Json]) -> Mapping[str, Json]:
    if "value" not in setting or _redacted(name, setting["value"]) == setting["value"]:
        return setting
    return {"masked": True, "from": setting.get("from")}


def _tree_section(title: str, key: str, below: Callable[[str], Mapping[str, list[str]]], report: Report) -> list[Line]:
    """Keys reached from `key`, indented by distance; what is below a key is told of once."""
    lines: list[Line] = []
    seen = {key}
    waiting = [(each, parameters, 2) for each, parameters in reversed(list(below(key).items()))]
    while waiting:
        each, parameters, depth = waiting.pop()
        binding = report.bindings.get(each)
        provider = f" ({binding.provider})" if binding else ""
        again = " …" if each in seen and below(each) else ""
        lines.append([("  " * depth + visible(f"{each}{provider} for {', '.join(parameters)}{again}"), "plain")])
        if each not in seen:
            seen.add(each)
            waiting += [(next_, names, depth + 1) for next_, names in reversed(list(below(each).items()))]
    return [[], [(f"  {title}", "bold")], *lines] if lines else []


def _difference(base: Binding, own: Binding, locate: Locate) -> tuple[str, str]:
    """How a tenant's or profile's binding differs, and where that is stated; nothing when it does not."""
    if own.provider != base.provider or own.decided_at != base.decided_at:
        return f"{own.provider} by {own.decided_by}", locate(own.decided_at)
    changed = [name for name, setting in own.settings.items() if setting != base.settings.get(name)]
    if changed:
        places = {locate(own.settings[name].stated_at): None for name in changed}
        return f"{own.provider}, with its own {', '.join(changed)}", ", ".join(places)
    if own.rebuilt_for:
        return f"{own.provider}, its own instance since it needs {', '.join(own.rebuilt_for)}", ""
    return "", ""


def _why(_: str, binding: Binding) -> str:
    differ = [name for name, own in binding.tenants.items() if _difference(binding, own, str)[0]]
    more = f" (tenants that differ: {len(differ)})" if differ else ""
    if binding.shared:
        more = " (shared)"
    elif binding.rebuilt_for:
        more = f" (its own instance since it needs {', '.join(binding.rebuilt_for)})"
    return binding.because + more


def _shadow(_: str, binding: Binding) -> str:
    lost, excluded = binding.judged()
    shadowed = [f"{each.provider} ({each.lost_by})" for each in lost]
    shadowed += [f"{each.provider} (filtered out by {each.excluded_by})" for each in excluded]
    return f"{binding.decided_by:<18}" + (f" before {', '.join(shadowed)}" if shadowed else "")


def _by_domain(
    keys: Mapping[str, Binding], told: Callable[[str, Binding], str], marks: Mapping[str, str] | None = None
) -> list[Line]:
    wide = max(map(len, marks.values()), default=0) if marks else 0
    names = max((len(key.partition(":")[2]) for key in keys), default=0)
    providers = max((len(binding.provider) for binding in keys.values()), default=0)
    lines: list[Line] = []
    domain = None
    for key, binding in sorted(keys.items()):
        own_domain, _, name = key.partition(":")
        if own_domain != domain:
            lines.extend([[]] if lines else [])
            lines.append([(visible(own_domain), "bold")])
            domain = own_domain
        mark = f"  {marks.get(key, ''):<{wide}}" if marks and wide else ""
        cells = (f"{mark}  {visible(name):<{names}}  ", f"{visible(binding.provider):<{providers}}  ")
        lines.append([(cells[0], "plain"), (cells[1], "green"), (visible(told(key, binding)), "plain")])
    return lines


def section(title: str, rows: list[tuple[str, str, str]]) -> list[Line]:
    """A heading and rows of a name, a text and what more there is; nothing without rows."""
    return [[], [(f"  {title}", "bold")], *_rows(rows)] if rows else []


def _rows(rows: list[tuple[str, str, str]]) -> list[Line]:
    """Names in a column, each with a text; what stands third goes under the text, or beside it when short."""
    shown = [tuple(map(visible, row)) for row in rows]
    first = max((len(name) for name, _, _ in shown), default=0)
    second = max((len(text) for _, text, _ in shown), default=0)
    lines: list[Line] = []
    for name, text, more in shown:
        start = f"    {name:<{first}}  "
        if more and len(start) + second + 2 + len(more) > 110:
            lines.append([(start, "plain"), (text, "plain")])
            lines.append([(" " * len(start) + more, "dim")])
        else:
            lines.append([(start, "plain"), (f"{text:<{second}}", "plain"), (f"  {more}" if more else "", "dim")])
    return lines
