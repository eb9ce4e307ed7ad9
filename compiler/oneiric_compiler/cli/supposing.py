"""`oneiric explain --what-if`: what would change, without a file being touched."""

from __future__ import annotations

import re
from pathlib import Path

from oneiric.report import Served

from oneiric_compiler.cli import reports
from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.diagnostics.found import Diagnostics, did_you_mean

with compiler_extra("explain --what-if"):
    from oneiric_compiler.cli import projects
    from oneiric_compiler.model import Key
    from oneiric_compiler.questions import what_if
    from oneiric_compiler.questions.diff import tell
    from oneiric_compiler.tables.options import KEY_OPTIONS
    from oneiric_compiler.tables.tiers import RANKS

_RANK = re.compile(r"(?:(?P<provider>.+):)?(?P<rank>[-+]?[0-9]{1,4})")


def suppose(
    root: Path, key: str, domain: str | None, stated: list[str], profile: str | None, tenant: str | None, json: bool
) -> None:
    """Shows what would change in every profile, or the one named. Exits 1 if it would not
    compile, 2 if it does not now."""
    diagnostics = Diagnostics()
    with working("compiling"):
        now = what_if.compiled(projects.project_at(root), profile, diagnostics)
    if now is None:
        raise projects.failed(diagnostics, root, json=json)
    report = reports.of_tenant(next(iter(now.reports.values())), tenant)
    full = reports.full_key(report, key, domain)
    suppositions = [_supposition(each, report.bindings[full]) for each in stated]
    for each in suppositions:
        if each.option is None:
            reports.check_provider(report, full, each.provider)
    found = Diagnostics()
    with working("supposing"):
        changes = what_if.suppose(now, Key(*full.split(":", 1)), suppositions, found, profile=profile, tenant=tenant)
    if changes is None:
        ended = projects.failed(found, root, json=json, code=1)
        if not json:
            result([[("this would not compile", "red")]])
        raise ended
    if json:
        result_json(tell.document(changes))
    else:
        result(tell.lines(changes))


def _supposition(text: str, binding: Served) -> what_if.Supposition:
    """What `provider=NAME`, `eager=true|false`, `restart=on-failure|never`, `priority=[PROVIDER:]N` or
    `stack_level=[PROVIDER:]N` says."""
    what, _, value = text.partition("=")
    if what == "provider":
        return what_if.Supposition(value)
    if option := next((each for each in KEY_OPTIONS if each.name == what), None):
        values = {each if isinstance(each, str) else str(each).lower(): each for each in option.values}
        if value not in values:
            raise CommandError(f"`{what}` cannot be `{value}`", help=did_you_mean(value, values))
        return what_if.Supposition(binding.provider, value=values[value], option=option)
    rank = next((each for each in RANKS if each.fact == what), None)
    if rank is None:
        known = ("provider", *(each.name for each in KEY_OPTIONS), *(each.fact for each in RANKS))
        raise CommandError(f"`{text}` is not something that can be supposed", help=did_you_mean(what, known))
    match = _RANK.fullmatch(value)
    if match is None or abs(int(match["rank"])) > rank.bound:
        help = f"write `{what}=N` for {binding.provider}, or `{what}=PROVIDER:N`"
        raise CommandError(f"`{value}` is not a {rank.words} from -{rank.bound} to {rank.bound}", help=help)
    return what_if.Supposition(match["provider"] or binding.provider, rank, int(match["rank"]))
