"""What a wiring reads of its environment: as lines by key, as a document, as a template of a .env file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from oneiric.preflight.reads import Read, bindings_of, mapping, reads
from oneiric.report import Json, Report
from oneiric.secrecy.names import secret_name
from oneiric.secret import PREFIX, SECRETS

from oneiric_compiler.questions.explain.rows import counted, section
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.redact import redacted
from oneiric_compiler.text.visible import visible

Locate: TypeAlias = Callable[[str], str]

if TYPE_CHECKING:
    from oneiric.preflight.check import Preflight
    from oneiric.preflight.missing import Want

_WITHOUT = {
    (True, False): "required",
    (False, True): "its default is not shown",
    (False, False): "instead of another",
}
_PLAIN = re.compile(r"[\w./:@%+,=-]*", re.ASCII)
_ENV = "oneiric.adapters.secrets.env:EnvSecrets"


def tell(report: Report, locate: Locate) -> list[Line]:
    """A section for each key that reads anything, also for tenants, with a row for each variable and secret."""
    found = reads(report)
    sections: dict[str, list[tuple[str, str, str]]] = {}
    for each in found:
        title = f"{each.key} of {_tenants(each.tenants)}" if each.tenants else each.key
        sections.setdefault(title, []).append((_called(each), _told(each), locate(each.place)))
    lines: list[Line] = []
    for title, rows in sections.items():
        lines += section(title, rows)
    if not lines:
        return [[("no key reads a variable or a secret", "green")]]
    if any(each.kind == "secret" for each in found):
        lines.append([])
        lines.append([(f"  Secrets are asked of {SECRETS}{_provider(report)}.", "dim")])
    return lines[1:]


def document(report: Report, locate: Locate) -> dict[str, Json]:
    """Format `oneiric.env/1` (`schemas/env.schema.json`)."""
    found = reads(report)
    variable_of = _variables_of_secrets(report)
    variables = [_facts(each, locate) for each in found if each.kind == "variable"]
    secrets: list[Json] = []
    for each in found:
        if each.kind == "secret":
            told = {name: fact for name, fact in _facts(each, locate).items() if name not in ("type", "default")}
            secrets.append({**told, "variable": variable_of(each.name)} if variable_of else told)
    facts: dict[str, Json] = {"format": "oneiric.env/1", "app": report.app, "profile": report.profile}
    return {**facts, "variables": variables, "secrets": secrets}


def dotenv(report: Report, locate: Locate) -> str:
    """A template with a line for each variable, those that need not be set as comments, and no value of a secret."""
    by_name: dict[tuple[str, str], list[Read]] = {}
    for each in reads(report):
        by_name.setdefault((each.kind, each.name), []).append(each)
    lines = [f"# What {visible(report.app)} reads of its environment, profile {visible(report.profile)}."]
    lines.append("# A line that begins with `# ` and a name has the default, or is for a tenant or in another's stead.")
    variable_of = _variables_of_secrets(report)
    for (kind, name), found in sorted(by_name.items(), key=lambda entry: (entry[0][0] == "secret", entry[0][1])):
        lines += ["", *_comments(found, locate)]
        variable = name if kind == "variable" else variable_of(name) if variable_of else None
        if variable is None:
            lines.append(f"# the secret {visible(name)} is asked of {SECRETS}{_provider(report)}, no variable")
        else:
            lines.append(_assignment(variable, found))
    return "\n".join(lines) + "\n"


def tell_missing(found: Preflight, locate: Locate) -> list[Line]:
    """A line for each thing that is missing."""
    if not found.missing:
        return [[("everything that the wiring needs is here", "green")]]
    return [[("missing", "red"), (f": {visible(each.told(locate))}", "plain")] for each in found.missing]


def missing_document(found: Preflight, locate: Locate) -> dict[str, Json]:
    """What `document` has more where the environment was tried."""
    missing: list[Json] = [
        {"kind": each.kind, "name": each.name, "reason": each.reason, "wanted": [_want(w, locate) for w in each.wanted]}
        for each in found.missing
    ]
    return {"missing": missing, "unasked": found.unasked}


def _want(want: Want, locate: Locate) -> dict[str, Json]:
    at = None if want.place is None else locate(want.place)
    return {"key": want.key, "tenant": want.tenant, "parameter": want.parameter, "at": at}


def _facts(read: Read, locate: Locate) -> dict[str, Json]:
    return {
        "name": read.name,
        "key": read.key,
        "tenants": list(read.tenants),
        "parameter": read.parameter,
        "type": read.type,
        "required": read.required,
        "default": _default(read),
        **({} if read.why is None else {"why": read.why}),
        "at": locate(read.place),
    }


def _called(read: Read) -> str:
    return read.name if read.kind == "variable" else f"secret {read.name}"


def _told(read: Read) -> str:
    """What it is for, what it becomes, and what is taken where it is not set."""
    default = _default(read)
    if read.why is not None:
        without = f"{_WITHOUT[read.required, False]} and not empty{': ' if read.why else ''}{read.why}"
    elif default is None:
        without = _WITHOUT[read.required, read.default is not None]
    else:
        without = f"default {default}" if default else "default is empty"
    return f"{read.parameter}: {read.type}, {without}"


def _default(read: Read) -> str | None:
    """The default as it may be shown: None where there is none, or all of it is secret."""
    if read.default is None or "Secret" in read.type or any(map(secret_name, (read.parameter, read.name))):
        return None
    return str(redacted("", read.default))


def _tenants(tenants: tuple[str, ...]) -> str:
    return f"tenant{'' if len(tenants) == 1 else 's'} {counted(tenants)}"


def _provider(report: Report) -> str:
    provider = bindings_of(report).get(SECRETS, {}).get("provider")
    return f" ({visible(provider)})" if isinstance(provider, str) else ""


def _variables_of_secrets(report: Report) -> Callable[[str], str] | None:
    """The variable that a secret is in, where secrets are variables."""
    facts = bindings_of(report).get(SECRETS, {})
    if facts.get("factory") != _ENV:
        return None
    settings = {name: mapping(setting) for name, setting in mapping(facts.get("settings")).items()}
    prefix = settings.get("prefix", {}).get("value", PREFIX)
    upper = settings.get("uppercase_keys", {}).get("value", True)

    def variable(name: str) -> str:
        kept = re.sub("[.-]", "_", name)
        return f"{prefix}{kept.upper() if upper else kept}"

    return variable


def _comments(found: Iterable[Read], locate: Locate) -> Iterator[str]:
    for each in found:
        tenants = f" of {_tenants(each.tenants)}" if each.tenants else ""
        yield f"# {visible(f'{each.key}{tenants}, {_told(each)}, {locate(each.place)}')}"


def _assignment(variable: str, found: list[Read]) -> str:
    if any(each.required and not each.tenants for each in found):
        return f"{variable}="
    defaults = {default for each in found if (default := _default(each)) is not None}
    return f"# {variable}={_quoted(defaults.pop()) if len(defaults) == 1 else ''}"


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return f"'{text}'" if text.isprintable() and "'" not in text else json.dumps(text)
