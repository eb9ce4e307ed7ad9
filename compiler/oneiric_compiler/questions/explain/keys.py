"""Keys told to a person, one line each: what serves them and why, or what stands in its shadow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oneiric.report import Report, Served

from oneiric_compiler.questions.explain.key import difference
from oneiric_compiler.tables.tiers import ALONE, ORDER, TIERS, Rank
from oneiric_compiler.text.paint import Line, padded
from oneiric_compiler.text.visible import visible

_MARKS = {
    "o": "registration order alone decided",
    "1": "won by a margin of one",
    "s": "sole candidate",
    "r": "depends on a remote manifest, itself or by what it needs",
}


def summary(report: Report, keys: Mapping[str, Served]) -> list[Line]:
    """One line per key, grouped by domain: what serves it, and why; marked where the decision is fragile."""
    marks = fragile(report, keys)
    used: list[Line] = [
        [(f"  {mark}  {meaning}", "dim")] for mark, meaning in _MARKS.items() if mark in "".join(marks.values())
    ]
    legend: list[Line] = [[], *used] if used else []
    return _by_domain(keys, _why, marks) + legend


def fragile(report: Report, keys: Mapping[str, Served]) -> dict[str, str]:
    """For each key the marks of what makes its decision fragile: none, one, or several."""
    remote = {key for key, binding in report.bindings.items() if _is_remote(binding)}
    users, waiting = report.users() if remote else {}, list(remote)
    while waiting:
        above = users.get(waiting.pop(), {}).keys() - remote
        remote |= above
        waiting += above
    return {key: _mark(binding) + ("r" if key in remote else "") for key, binding in keys.items()}


def _is_remote(binding: Served) -> bool:
    return any(each.won and each.source.startswith("manifest:") for each in binding.candidates)


def _mark(binding: Served) -> str:
    if binding.decided_by in (ORDER.rule, ALONE):
        return "o" if binding.decided_by == ORDER.rule else "s"
    compared = next((each.compared for each in binding.candidates if each.lost_by), None)
    if compared is None or not isinstance(TIERS.get(binding.decided_by), Rank):
        return ""
    own, winning = compared
    return "1" if isinstance(own, int) and isinstance(winning, int) and winning - own == 1 else ""


def listing(keys: Mapping[str, Served]) -> list[Line]:
    """One line per key, grouped by domain: what serves it, the rule, the candidates in its shadow."""
    return _by_domain(keys, _shadow)


def _why(_: str, binding: Served) -> str:
    if binding.unbound:
        return f"unbound: {binding.unbound_at.partition('#')[0]} unbinds it"
    differ = [name for name, own in binding.tenants.items() if difference(binding, own, str)[0]]
    more = f" (tenants that differ: {len(differ)})" if differ else ""
    if binding.shared:
        more = " (shared)"
    elif binding.rebuilt_for:
        more = f" (its own instance since it needs {', '.join(binding.rebuilt_for)})"
    return binding.because + more


def _shadow(_: str, binding: Served) -> str:
    if binding.unbound:
        return "unbound"
    lost, excluded = binding.judged()
    shadowed = [f"{each.provider} ({each.lost_by})" for each in lost]
    shadowed += [f"{each.provider} (filtered out by {each.excluded_by})" for each in excluded]
    return f"{binding.decided_by:<18}" + (f" before {', '.join(shadowed)}" if shadowed else "")


def _serving(binding: Served) -> str:
    return "-" if binding.unbound else binding.provider


def _by_domain(
    keys: Mapping[str, Served], told: Callable[[str, Served], str], marks: Mapping[str, str] | None = None
) -> list[Line]:
    wide = max(map(len, marks.values()), default=0) if marks else 0
    names = max((len(key.partition(":")[2]) for key in keys), default=0)
    providers = max((len(_serving(binding)) for binding in keys.values()), default=0)
    lines: list[Line] = []
    domain = None
    for key, binding in sorted(keys.items()):
        own_domain, _, name = key.partition(":")
        if own_domain != domain:
            lines.extend([[]] if lines else [])
            lines.append([(visible(own_domain), "bold")])
            domain = own_domain
        mark = f"  {marks.get(key, ''):<{wide}}" if marks and wide else ""
        cells = (f"{mark}  {padded(visible(name), names)}  ", f"{padded(visible(_serving(binding)), providers)}  ")
        lines.append([(cells[0], "plain"), (cells[1], "green"), (visible(told(key, binding)), "plain")])
    return lines
