"""Finding the report a command is about: a given file, or the committed one of the project."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from oneiric.report import Report, Served, read_report

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import warn
from oneiric_compiler.cli.progress import working
from oneiric_compiler.diagnostics.found import did_you_mean, nearest
from oneiric_compiler.questions.explain.key import Locate
from oneiric_compiler.settings.folder import no_settings, settings_folder


def load(root: Path, profile: str | None, from_report: Path | None) -> tuple[Report, Locate]:
    """The report, and what finds its places: in the project's files, or nowhere for a report from elsewhere.

    Warns when a committed report is not what a compile would write now, where the compiler is installed.
    """
    if from_report is not None:
        report = _read(from_report)
        if profile is not None and profile != report.profile:
            raise CommandError(f"{from_report} is of profile `{report.profile}`, not `{profile}`")
        return report, str
    settings = settings_folder(root, os.environ)
    if not (settings / "app.yml").is_file():
        message, help = "settings/app.yml does not exist", "`oneiric init` writes one"
        if not settings.is_dir():
            message, help = no_settings(root, os.environ)
        raise CommandError(message, help=help, code="ONE101")
    path = _committed(root, profile)
    report = _read(path)
    _warn_when_stale(root, profile)

    from oneiric_compiler.questions.places import Locator

    return report, Locator(root, settings)


def committed(root: Path) -> dict[str, Report]:
    """Every report of the project by profile, the base's first. Raises CommandError where there is none."""
    folder = committed_folder(root, None)
    _committed(root, None)
    found = [_read(path) for path in (folder / "explain.json", *sorted(folder.glob("*/explain.json")))]
    return {report.profile: report for report in found}


def check_provider(report: Report, key: str, provider: str) -> None:
    """Raises CommandError for a provider that is not a candidate of the key, with the nearest names."""
    known = {each.provider for each in report.bindings[key].candidates}
    if provider not in known:
        help = did_you_mean(provider, known, f"candidates: {', '.join(sorted(known))}")
        raise CommandError(f"{key} has no candidate `{provider}`", help=help, code="ONE301")


def committed_folder(root: Path, profile: str | None) -> Path:
    """Where a compile writes the outputs of a profile. Raises CommandError for what is not a profile's name."""
    if profile is not None and not profile.isidentifier():
        raise CommandError(f"`{profile}` is not a valid profile name", help="profiles are identifiers", code="ONE114")
    folder = root / _output(settings_folder(root, os.environ))
    return folder if profile in (None, "default") else folder / profile


def of_domain(report: Report, domain: str | None) -> Mapping[str, Served]:
    """The keys of one domain, or all. Raises CommandError for a domain without keys."""
    domains = sorted({key.partition(":")[0] for key in report.bindings})
    if domain is not None and domain not in domains:
        near = nearest(domain, domains)
        raise CommandError(
            f"no key is bound in domain `{domain}`",
            help=f"did you mean `{near}`?" if near else f"domains with keys: {', '.join(domains) or 'none'}",
        )
    return {
        key: binding
        for key, binding in sorted(report.bindings.items())
        if domain is None or key.startswith(f"{domain}:")
    }


def full_key(report: Report, key: str, domain: str | None) -> str:
    """The full name of a key of the report, for an alias that of what it is. Raises CommandError with the nearest names
    for any other."""
    named_domain, colon, _ = key.rpartition(":")
    if colon and domain is not None and named_domain != domain:
        raise CommandError(f"`{key}` is not of domain `{domain}`", help="leave out --domain")
    full = key if colon else f"{domain or 'adapter'}:{key}"
    if full in report.bindings:
        return full
    if alias := report.aliases.get(full):
        return alias.target
    if at := report.unbound.get(full):
        raise CommandError(f"`{full}` is unbound", help=f"{at} takes it away", code="ONE305")
    raise CommandError(f"nothing is bound to `{full}`", help=_near_keys(full, report.bindings), code="ONE305")


def of_tenant(report: Report, tenant: str | None) -> Report:
    """The report as a tenant gets it. Raises CommandError for a tenant the report does not know."""
    if tenant is None:
        return report
    known = tenants(report)
    if tenant not in known:
        near = nearest(tenant, known)
        shown = ", ".join(sorted(known)) or "none"
        raise CommandError(
            f"the report knows no tenant `{tenant}`",
            help=f"did you mean `{near}`?" if near else f"tenants: {shown}",
        )
    return report.for_tenant(tenant)


def tenants(report: Report) -> set[str]:
    """Every tenant of a report: those with a settings file, and those that get an instance of their own."""
    inputs = report.raw.get("inputs")
    files = inputs.get("settings") if isinstance(inputs, Mapping) else None
    paths = [Path(file) for file in files if isinstance(file, str)] if isinstance(files, Iterable) else []
    named = {path.stem for path in paths if path.parent.as_posix() == "settings/tenants"}
    return named.union(*(binding.tenants for binding in report.bindings.values()))


def _near_keys(full: str, known: Iterable[str]) -> str:
    """Help naming the keys of the same or a near name, those of the same domain first."""
    from difflib import get_close_matches

    domain, _, name = full.partition(":")
    named: dict[str, list[str]] = {}
    for key in sorted(known, key=lambda each: (not each.startswith(f"{domain}:"), each)):
        named.setdefault(key.partition(":")[2], []).append(key)
    near = [key for each in get_close_matches(name, named, n=3, cutoff=0.6) for key in named[each]]
    if not near:
        return "`oneiric list` shows every key"
    return "did you mean " + " or ".join(f"`{key}`" for key in named.get(name, near)[:3]) + "?"


def _read(path: Path) -> Report:
    gc.disable()  # it takes a third of the time of a large report, and the process ends with it
    return read_report(path)


def _committed(root: Path, profile: str | None) -> Path:
    path = committed_folder(root, profile) / "explain.json"
    if not path.is_file():
        raise no_output(root, path, profile, "report")
    return path


def no_output(root: Path, path: Path, profile: str | None, what: str, *, in_project: bool = True) -> CommandError:
    """What to say where there is no report or wiring: no project, no such profile, or nothing at the path."""
    settings = settings_folder(root, os.environ)
    if in_project and not settings.is_dir():
        message, help = no_settings(root, os.environ)
        return CommandError(message, help=help, code="ONE101")
    first = "run `oneiric compile` first"
    if not in_project or profile in (None, "default"):
        return CommandError(f"there is no {what}: {path} does not exist", help=first)
    compiled = [each.parent.name for each in path.parent.parent.glob(f"*/{path.name}")]
    help = did_you_mean(profile, compiled) or first
    return CommandError(f"there is no {what} of profile `{profile}`: {path} does not exist", help=help)


def _output(settings: Path) -> str:
    return stated_output(_app(settings))


def _app(settings: Path) -> str:
    try:
        return (settings / "app.yml").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def stated_name(root: Path) -> str | None:
    """The name of the app of a project, where its settings are there and state one."""
    return _stated("name", _app(settings_folder(root, os.environ)))


def stated_output(text: str) -> str:
    """The output folder that the text of an app.yml states; `generated` where it states none."""
    return _stated("output", text) or "generated"


def _stated(field: str, text: str) -> str | None:
    """A text in an app.yml. On the base install, which has no YAML, one that stands on a line of its own is found."""
    try:
        from oneiric_compiler.settings.documents import parse_document
    except ModuleNotFoundError:
        found = re.search(rf"""^{field}: +(["']?)([\w./-]+)\1 *(?:#.*)?$""", text, re.MULTILINE)
        return found[2] if found else None
    from oneiric_compiler.diagnostics.found import Diagnostics, Source

    value = parse_document(Source("settings/app.yml", text), Diagnostics()).value
    stated = value.get(field) if isinstance(value, dict) else None
    return stated if isinstance(stated, str) else None


def _warn_when_stale(root: Path, profile: str | None) -> None:
    from oneiric_compiler.cli.errors import COMPILER_MODULES

    try:
        from oneiric_compiler.cli.projects import differs_from_settings
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in COMPILER_MODULES:
            raise
        return
    with working("comparing the report with the settings"):
        reason = differs_from_settings(root, profile)
    if reason:
        warn(reason)
