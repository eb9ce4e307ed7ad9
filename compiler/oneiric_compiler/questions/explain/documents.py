"""What a report says of keys, handed on to a machine without values that look secret."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from oneiric.report import Json, Report, Served

from oneiric_compiler.questions.explain.key import difference
from oneiric_compiler.text.redact import redacted


def why_not_document(report: Report, key: str, provider: str) -> dict[str, Json]:
    """The facts of a provider's candidates for a key, as the report has them, and what decided."""
    raw = report.bindings[key].raw
    candidates = cast("list[Mapping[str, Json]]", raw.get("candidates", ()))
    decided = {name: raw.get(name) for name in ("provider", "decided_by", "decided_at", "because")}
    found: list[Json] = [_public(each) for each in candidates if each.get("provider") == provider]
    scope: dict[str, Json] = {"app": report.app, "profile": report.profile, "tenant": report.tenant}
    return {"format": "oneiric.why-not/1", **scope, "key": key, **decided, "candidates": found}


def key_document(
    report: Report, key: str, *, tenant: str | None = None, profiles: Mapping[str, Report] | None = None
) -> dict[str, Json]:
    """The facts of one key, as the report has them, who needs it, and how other profiles that differ serve it."""
    of_tenant: dict[str, Json] = {"tenant": tenant} if tenant else {}
    facts: dict[str, Json] = {"format": "oneiric.key/1", "app": report.app, "profile": report.profile}
    facts |= {**of_tenant, "key": key}
    binding = report.bindings[key]
    others: dict[str, Json] = {}
    for name, other in (profiles or {}).items():
        own = other.bindings.get(key)
        if own is None or difference(binding, own, str)[0]:
            others[name] = _public(own.raw) if own else None
    of_profiles: dict[str, Json] = {"profiles": others} if profiles is not None else {}
    return {**facts, "binding": _public(binding.raw), "needed_by": report.users().get(key, {}), **of_profiles}


def report_document(report: Report, keys: Mapping[str, Served], *, tenant: str | None = None) -> dict[str, Json]:
    """The report, with these keys alone."""
    of_tenant: dict[str, Json] = {"tenant": tenant} if tenant else {}
    return {**report.raw, **of_tenant, "bindings": {key: _public(each.raw) for key, each in keys.items()}}


def listing_document(report: Report, keys: Mapping[str, Served]) -> dict[str, Json]:
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
    return {"format": "oneiric.list/1", "app": report.app, "profile": report.profile, "keys": rows}


def _public(raw: Mapping[str, Json]) -> dict[str, Json]:
    """A binding's facts, or a candidate's, without values that look secret."""
    facts = dict(raw)
    settings = cast("Mapping[str, Mapping[str, Json]] | None", raw.get("settings"))
    tenants = cast("Mapping[str, Mapping[str, Json]]", raw.get("tenants", {}))
    candidates = cast("Sequence[Mapping[str, Json]]", raw.get("candidates", ()))
    if settings is not None:
        facts["settings"] = {name: _public_setting(name, each) for name, each in settings.items()}
    if candidates:
        facts["candidates"] = [_public(each) for each in candidates]
    if tenants:
        facts["tenants"] = {name: _public(each) for name, each in tenants.items()}
    return facts


def _public_setting(name: str, setting: Mapping[str, Json]) -> Mapping[str, Json]:
    if "value" not in setting or redacted(name, setting["value"]) == setting["value"]:
        return setting
    return {"masked": True, "from": setting.get("from")}
