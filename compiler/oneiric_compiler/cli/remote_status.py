"""`oneiric remote-status`: how the manifest sources are, without asking them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.remote import valid_settings
from oneiric_compiler.text.paint import Line, Style
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric_compiler.manifests.lock import Pin
    from oneiric_compiler.model import RemoteSource
    from oneiric_compiler.remote.status import Look


def remote_status(context: typer.Context, json: Json = False) -> None:
    """Show what is pinned of each source, how long it is good, and the last look; 1 when something is wrong."""
    with compiler_extra("remote-status"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.manifests.lock import LockError
        from oneiric_compiler.remote.pins import Pins
        from oneiric_compiler.remote.status import Memory

    diagnostics = Diagnostics()
    project = projects.project_at(context.obj)
    settings = valid_settings(project, diagnostics)
    if settings is None:
        raise projects.failed(diagnostics, context.obj, json=json)
    try:
        pinned = Pins(project.root, settings.app.output).lock().sources
    except LockError as error:
        raise CommandError(f"the lock of the manifests cannot be read: {error}") from error
    memory = Memory(project.root)
    remembered = memory.read()
    now = datetime.now(UTC)
    rows = [
        _row(source, pinned.get(source.name), remembered.sources.get(source.name), now)
        for source in settings.remote.sources
    ]
    steps = {name: {"reason": each.reason, "since": each.since} for name, each in sorted(remembered.steps.items())}
    ok = not steps and all(row["ok"] for row in rows)
    if json:
        facts = {"ok": ok, "watched": memory.watched, "sources": rows, "steps": steps}
        result_json({"format": "oneiric.remote-status/1", **facts})
    else:
        result(_told(rows, steps, memory.watched))
    raise typer.Exit(0 if ok else 1)


def _row(source: RemoteSource, pin: Pin | None, look: Look | None, now: datetime) -> dict[str, Any]:
    from oneiric_compiler.manifests.lock import render_time

    expires = pin.expires_at if pin else None
    expired = expires is not None and expires <= now
    failure = look.failure if look else None
    return {
        "name": source.name,
        "ok": not expired and failure is None and (pin is not None or not source.required),
        "address": source.address,
        "required": source.required,
        "pinned": pin is not None,
        "version": pin.version if pin else None,
        "digest": pin.digest if pin else None,
        "signers": [*pin.signers] if pin else [],
        "expires_at": render_time(expires),
        "expires_in": int((expires - now).total_seconds()) if expires else None,
        "looked_at": look.looked_at if look else None,
        "outcome": look.outcome if look else None,
        "breaker": look.breaker if look else None,
        "failure": asdict(failure) if failure else None,
    }


def _told(rows: list[dict[str, Any]], steps: Mapping[str, Any], watched: bool) -> list[Line]:
    if not rows:
        return [[("settings/remote.yml names no source", "plain")]]
    lines: list[Line] = []
    for row in rows:
        lines.append([(str(row["name"]), "bold"), (f" {visible(row['address'])}", "dim")])
        for name, text, style in _facts_of(row):
            lines.append([(f"  {name:<10} ", "dim"), (visible(text), style)])
    for name, step in steps.items():
        lines.append([(f"{name} fails", "red"), (f" since {step['since']}: {visible(step['reason'])}", "plain")])
    lines.append([("watch        ", "dim"), ("running" if watched else "not running", "plain")])
    return lines


def _facts_of(row: Mapping[str, Any]) -> list[tuple[str, str, Style]]:
    facts: list[tuple[str, str, Style]] = []
    if row["pinned"]:
        version = "without version" if row["version"] is None else f"version {row['version']}"
        facts.append(("pinned", f"{version}, {row['digest'][:12]}", "green"))
        facts.append(("signers", ", ".join(row["signers"]), "plain"))
    else:
        facts.append(("pinned", "nothing", "red" if row["required"] else "yellow"))
    if row["expires_at"]:
        facts.append(
            ("expires", _when(row["expires_in"], row["expires_at"]), "red" if row["expires_in"] <= 0 else "plain")
        )
    look = f"{row['outcome']} at {row['looked_at']}" if row["looked_at"] else "never here"
    facts.append(("last look", look, "plain"))
    if row["failure"]:
        failure = row["failure"]
        facts.append(("failing", f"{failure['rule']} since {failure['since']}: {failure['reason']}", "red"))
    if row["breaker"] not in (None, "closed"):
        facts.append(("breaker", row["breaker"], "yellow"))
    return facts


def _when(seconds: int, at: str) -> str:
    """How far a moment is, in words that do not change every second."""
    span = timedelta(seconds=abs(seconds))
    units = {"days": timedelta(days=1), "hours": timedelta(hours=1), "minutes": timedelta(minutes=1)}
    unit = next((name for name, unit in units.items() if span >= 2 * unit), "minutes")
    far = f"{span // units[unit]} {unit}"
    return f"in {far}, at {at}" if seconds > 0 else f"{far} ago, at {at}"
