"""What the page shows, as a document: keys and why, what they need, workflows, the matrix, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from oneiric.report import Candidate, Json, Report, Served

from oneiric_compiler.questions import matrix
from oneiric_compiler.questions.diff import tell
from oneiric_compiler.questions.explain.key import difference, edit_row, excluded_by, lost_by, settings_rows
from oneiric_compiler.questions.malformed import as_written

FORMAT = "oneiric.report/1"


def document(reports: Mapping[str, Report], changes: tell.Differences | None) -> dict[str, Json]:
    """Format `oneiric.report/1` (`schemas/report.schema.json`); values that look secret are masked."""
    return {
        "format": FORMAT,
        "app": next(iter(reports.values())).app,
        "profiles": {name: _profile(report) for name, report in reports.items()},
        "matrix": matrix.document(reports, matrix.matrix(reports)),
        "diff": None if changes is None else tell.document(changes),
    }


def _profile(report: Report) -> dict[str, Json]:
    keys = {key: _key(report, key, binding) for key, binding in sorted(report.bindings.items())}
    facts: Any = report.raw
    with as_written():
        flows: dict[str, Json] = {
            name: {each: {"call": node["call"], "after": node["after"]} for each, node in flow["nodes"].items()}
            for name, flow in facts.get("workflows", {}).items()
        }
    return {"keys": keys, "workflows": flows}


def _key(report: Report, key: str, binding: Served) -> dict[str, Json]:
    """What is told of a key; what there is none of is left out."""
    if binding.unbound:
        return {"provider": "", "because": "unbound", "rule": "unbound", "at": binding.unbound_at}
    beaten, filtered = binding.judged()
    tenants = {name: difference(binding, own, str)[0] for name, own in binding.tenants.items()}
    more: dict[str, Json] = {
        "lost": [_loser(each, lost_by(each)) for each in beaten]
        + [_loser(each, excluded_by(each)) for each in filtered],
        "settings": [list(row) for row in settings_rows(binding.settings, str)],
        "layers": [each.partition("/")[2] for each in binding.layers],
        "needs": report.needs(key),
        "tenants": {name: told for name, told in tenants.items() if told},
    }
    return {
        "provider": binding.provider,
        "because": binding.because,
        "rule": binding.decided_by,
        "at": binding.decided_at,
        "factory": binding.factory,
        **{name: each for name, each in more.items() if each},
    }


def _loser(each: Candidate, told: str) -> dict[str, Json]:
    """One that does not serve, why not, and the edits after any of which it would."""
    ways: list[Json] = [[" ".join(edit_row(edit, str)[:2]) for edit in way] for way in each.wins_if or ()]
    return {"provider": each.provider, "why": told, **({"wins_if": ways} if ways else {})}
