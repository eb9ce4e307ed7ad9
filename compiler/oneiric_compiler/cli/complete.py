"""What a shell completes to: read from the committed report alone, and nothing where there is none to read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

_RUNS = ("workflow", "task", "action")


def keys(ctx: Any, incomplete: str) -> list[str]:
    """Keys: by their names in the domain that is named, else the adapter's, and by their full names."""
    report = _report(ctx)
    domain = ctx.params.get("domain") or "adapter"
    full = list(report.get("bindings", ()))
    return _starting([*(key.partition(":")[2] for key in full if key.startswith(f"{domain}:")), *full], incomplete)


def providers(ctx: Any, incomplete: str) -> list[str]:
    """The candidates of the key that is named, else of all."""
    bindings: Mapping[str, Any] = _report(ctx).get("bindings", {})
    key = ctx.params.get("key")
    full = key if key and ":" in key else f"{ctx.params.get('domain') or 'adapter'}:{key}"
    asked = [bindings[full]] if full in bindings else bindings.values()
    return _starting((each["provider"] for binding in asked for each in binding.get("candidates", ())), incomplete)


def profiles(ctx: Any, incomplete: str) -> list[str]:
    from oneiric_compiler.cli.reports import committed_folder

    folder = committed_folder(_root(ctx), None)
    return _starting(["default", *(path.parent.name for path in folder.glob("*/explain.json"))], incomplete)


def tenants(ctx: Any, incomplete: str) -> list[str]:
    import os

    from oneiric_compiler.settings.folder import settings_folder

    files = (settings_folder(_root(ctx), os.environ) / "tenants").glob("*.yml")
    return _starting((path.stem for path in files), incomplete)


def domains(ctx: Any, incomplete: str) -> list[str]:
    return _starting((key.partition(":")[0] for key in _report(ctx).get("bindings", ())), incomplete)


def processes(ctx: Any, incomplete: str) -> list[str]:
    """Those that have a state folder in the project, running or not."""
    from oneiric.serve.folder import StateFolder

    return _starting((folder.name for folder in StateFolder.all(_root(ctx))), incomplete)


def roles(ctx: Any, incomplete: str) -> list[str]:
    return _starting(_report(ctx).get("roles", {}), incomplete)


def workflows(ctx: Any, incomplete: str) -> list[str]:
    """Workflows by their names, and whatever else can run by its full name."""
    full = [key for key in _report(ctx).get("bindings", ()) if key.partition(":")[0] in _RUNS]
    names = (key.partition(":")[2] for key in full if key.startswith("workflow:"))
    return _starting([*names, *full], incomplete)


def actions(ctx: Any, incomplete: str) -> list[str]:
    """Those that are bound, and those that come along, which have a folder of schemas each."""
    from oneiric_compiler.resources import schemas

    bound = (key.partition(":")[2] for key in _report(ctx).get("bindings", ()) if key.startswith("action:"))
    return _starting([*bound, *(each.name for each in (schemas() / "settings" / "action").iterdir())], incomplete)


def queues(ctx: Any, incomplete: str) -> list[str]:
    return _starting(_report(ctx).get("queues", {}), incomplete)


def topics(ctx: Any, incomplete: str) -> list[str]:
    return _starting(_report(ctx).get("topics", {}), incomplete)


def schedules(ctx: Any, incomplete: str) -> list[str]:
    return _starting(_report(ctx).get("schedules", {}), incomplete)


def secrets(ctx: Any, incomplete: str) -> list[str]:
    """Those that components of the base have, by the names that they are asked for."""
    bindings: Mapping[str, Any] = _report(ctx).get("bindings", {})
    return _starting((name for binding in bindings.values() for name in binding.get("secrets", ())), incomplete)


def codes(ctx: Any, incomplete: str) -> list[str]:
    from oneiric_compiler.diagnostics.codes import CODES

    return _starting(CODES, incomplete.upper())


def _quietly(complete: Callable[[Any, str], list[str]]) -> Callable[[Any, str], list[str]]:
    """Completes to nothing where there is no usable report: a shell shows no error."""

    def completed(ctx: Any, incomplete: str) -> list[str]:
        try:
            return complete(ctx, incomplete)
        except Exception:
            return []

    return completed


KEYS, PROVIDERS, PROFILES, TENANTS = map(_quietly, (keys, providers, profiles, tenants))
DOMAINS, PROCESSES, CODES, ROLES = map(_quietly, (domains, processes, codes, roles))
WORKFLOWS, QUEUES, TOPICS, SCHEDULES = map(_quietly, (workflows, queues, topics, schedules))
ACTIONS, SECRETS = map(_quietly, (actions, secrets))


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _root(ctx: Any) -> Path:
    return Path(ctx.find_root().params.get("project") or ".")


def _report(ctx: Any) -> Mapping[str, Any]:
    """The committed report, its shape unchecked: a check takes longer than a shell waits."""
    import json

    from oneiric_compiler.cli.reports import committed_folder

    path = committed_folder(_root(ctx), ctx.params.get("profile")) / "explain.json"
    report: Mapping[str, Any] = json.loads(path.read_bytes())
    return report
