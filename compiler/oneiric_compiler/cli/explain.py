"""`oneiric explain`: why."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from oneiric.report import Report

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Json

if TYPE_CHECKING:
    from oneiric_compiler.cli.overridden import Override
    from oneiric_compiler.questions.explain.key import Locate


def explain(
    context: typer.Context,
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="[KEY]", help="`cache`, or `adapter:cache`; all keys without it.", autocompletion=complete.KEYS
        ),
    ] = None,
    domain: Annotated[
        str | None,
        typer.Option(
            metavar="D", help="Domain of KEY (default: adapter), or of the keys shown.", autocompletion=complete.DOMAINS
        ),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="T", help="As the tenant gets it.", autocompletion=complete.TENANTS)
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="P", help="The profile (default: the base).", autocompletion=complete.PROFILES)
    ] = None,
    from_report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read this report: no settings, no imports.")
    ] = None,
    why_not: Annotated[
        str | None,
        typer.Option(
            "--why-not",
            metavar="PROVIDER",
            help="Why PROVIDER does not serve KEY, and what would.",
            autocompletion=complete.PROVIDERS,
        ),
    ] = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if",
            metavar="WHAT=VALUE",
            help="What would change with provider=NAME, eager=true|false or restart=on-failure|never, or "
            "priority=[PROVIDER:]N or stack_level=[PROVIDER:]N (default: the winner's). Repeatable.",
        ),
    ] = None,
    uses: Annotated[bool, typer.Option("--uses", help="What needs KEY, and breaks if it goes.")] = False,
    json: Json = False,
) -> None:
    """Tell why a key is served by what serves it; without KEY, one line per key."""
    from oneiric_compiler.cli import overridden, reports
    from oneiric_compiler.questions.explain import documents
    from oneiric_compiler.questions.explain.keys import summary

    asked = [name for name, given in (("--why-not", why_not), ("--what-if", what_if), ("--uses", uses)) if given]
    if len(asked) > 1:
        raise CommandError(f"{' and '.join(asked)} are questions of their own: ask one at a time")
    if asked and key is None:
        raise CommandError(f"{asked[0]} is about one key: name it")
    if key is not None and what_if:
        if from_report is not None:
            raise CommandError("--what-if resolves the settings again: leave out --from-report")
        from oneiric_compiler.cli import supposing

        supposing.suppose(context.obj, key, domain, what_if, profile, tenant, json)
        return
    report, locate = reports.load(context.obj, profile, from_report)
    gc.freeze()  # nor is it all looked through at the exit
    everything = reports.of_tenant(report, tenant)
    swapped = [] if from_report is not None else overridden.overrides(context.obj, report, tenant)
    if key is None:
        keys = reports.of_domain(everything, domain)
        if json:
            result_json(documents.report_document(everything, keys, tenant=tenant))
        else:
            of_keys = [each for each in swapped if each.key in keys]
            result([*summary(everything, keys), *overridden.tell(of_keys, named=True)])
        return
    full = reports.full_key(everything, key, domain)
    if uses:
        _tell_uses(context.obj, report, full, profile is None and from_report is None, tenant, json)
    elif why_not is not None:
        _tell_why_not(everything, full, why_not, locate, json)
    else:
        others = _others(context.obj, report, tenant) if from_report is None else None
        _tell_key(everything, full, locate, others, [each for each in swapped if each.key == full], json)


def _tell_key(
    report: Report,
    key: str,
    locate: Locate,
    others: Mapping[str, Report] | None,
    swapped: Sequence[Override],
    json: bool,
) -> None:
    from oneiric_compiler.cli import overridden
    from oneiric_compiler.questions.explain.documents import key_document
    from oneiric_compiler.questions.explain.key import tell

    if json:
        here = {} if others is None else {"running": [each.document() for each in swapped]}
        result_json({**key_document(report, key, tenant=report.tenant, profiles=others), **here})
    else:
        told = tell(report, key, locate, tenant=report.tenant, profiles=others)
        result([*told, *overridden.tell(swapped, named=False)])


def _tell_why_not(report: Report, key: str, provider: str, locate: Locate, json: bool) -> None:
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions.explain.documents import why_not_document
    from oneiric_compiler.questions.explain.key import why_not

    reports.check_provider(report, key, provider)
    if json:
        result_json(why_not_document(report, key, provider))
    else:
        result(why_not(report, key, provider, locate))


def _others(root: Path, report: Report, tenant: str | None) -> Mapping[str, Report]:
    """The project's other reports, as the tenant gets them."""
    from oneiric_compiler.cli import reports

    found = {name: each for name, each in reports.committed(root).items() if name != report.profile}
    return {name: each.for_tenant(tenant) if tenant else each for name, each in found.items()}


def _tell_uses(root: Path, report: Report, key: str, everywhere: bool, tenant: str | None, json: bool) -> None:
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions import uses

    found = reports.committed(root) if everywhere else {report.profile: report}
    if tenant is not None:
        found = {name: each.for_tenant(tenant) for name, each in found.items()}
    if json:
        result_json(uses.document(found, key))
    else:
        result(uses.tell(found, key))
