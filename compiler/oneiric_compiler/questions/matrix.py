"""Keys by profiles and tenants, where winners differ: what runs where, on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from oneiric.report import Json, Report, Served

from oneiric_compiler.questions.explain.rows import counted
from oneiric_compiler.text.paint import Line, columns, padded
from oneiric_compiler.text.visible import visible


@dataclass(frozen=True, slots=True)
class Row:
    """What serves a key in each profile, with its layers (`redis in timeout, retry`), or `= KEY` where it is an alias,
    and where it is another for tenants; None where it is not bound."""

    key: str
    profiles: Mapping[str, str | None]
    tenants: Mapping[str, Mapping[str, str | None]]


def matrix(reports: Mapping[str, Report]) -> list[Row]:
    """The keys that are not served alike everywhere, sorted."""
    keys = {key for report in reports.values() for key in (*report.bindings, *report.aliases)}
    rows = (_row(reports, key) for key in sorted(keys))
    return [row for row in rows if row.tenants or len(set(row.profiles.values())) > 1]


def tell(reports: Mapping[str, Report], rows: list[Row]) -> list[Line]:
    """A column for each profile, a row for each key, and one under it for tenants that are served alike."""
    if not rows:
        return [[("every key is served by the same provider in ", "plain"), (_scopes(reports), "plain")]]
    table: list[tuple[str, list[str]]] = [("", list(reports))]
    for row in rows:
        table.append((row.key, [each or "-" for each in row.profiles.values()]))
        alike: dict[tuple[str, ...], list[str]] = {}
        for tenant, served in row.tenants.items():
            alike.setdefault(tuple(each or "-" for each in served.values()), []).append(tenant)
        table += [(f"  {counted(tenants)}", list(cells)) for cells, tenants in alike.items()]
    shown = [(visible(name), [visible(cell) for cell in cells]) for name, cells in table]
    first = max(columns(name) for name, _ in shown)
    wide = [max(columns(cells[column]) for _, cells in shown) for column in range(len(reports))]
    lines: list[Line] = []
    for index, (name, cells) in enumerate(shown):
        text = "  ".join(padded(cell, width) for cell, width in zip(cells, wide, strict=True))
        lines.append([(f"{padded(name, first)}  ", "plain"), (text, "bold" if index == 0 else "green")])
    return lines


def document(reports: Mapping[str, Report], rows: list[Row]) -> dict[str, Json]:
    """The rows, by key; of tenants those alone that are served otherwise than their profile's base."""
    keys: dict[str, Json] = {row.key: {"profiles": row.profiles, "tenants": dict(row.tenants)} for row in rows}
    return {"format": "oneiric.matrix/1", "profiles": list(reports), "keys": keys}


def _row(reports: Mapping[str, Report], key: str) -> Row:
    bindings = {profile: report.bindings.get(key) for profile, report in reports.items()}
    profiles = {profile: _cell(each) for profile, each in bindings.items()}
    aliases = {profile: report.aliases[key].target for profile, report in reports.items() if key in report.aliases}
    profiles |= {profile: f"= {target}" for profile, target in aliases.items()}
    names = sorted({tenant for each in bindings.values() if each for tenant in each.tenants})
    tenants: dict[str, Mapping[str, str | None]] = {}
    for tenant in names:
        own = {profile: _cell(each and each.tenants.get(tenant, each)) for profile, each in bindings.items()}
        if own != profiles:
            tenants[tenant] = own
    return Row(key, profiles, tenants)


def _cell(binding: Served | None) -> str | None:
    """What serves, with what is around it."""
    if binding is None or binding.unbound:
        return None
    if not binding.layers:
        return binding.provider
    return f"{binding.provider} in {', '.join(key.partition('/')[2] for key in binding.layers)}"


def _scopes(reports: Mapping[str, Report]) -> str:
    return f"every profile ({', '.join(map(visible, reports))}) and for every tenant"
