"""`oneiric status` and `health`, and `list` of a running process: looking at what runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from oneiric.errors import StateError
from oneiric.reload.outcome import Overrides
from oneiric.serve.folder import STATUS_FORMAT, StateFolder

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.followers import followers_of, rows
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Asked, Json, Name, State, Timeout, reason
from oneiric_compiler.text.paint import Line, Style
from oneiric_compiler.text.visible import visible


def status(
    context: typer.Context, name: Name = None, state: State = None, timeout: Timeout = None, json: Json = False
) -> None:
    """Show what a process is doing, or what it was doing when it went; 1 when it is not running."""
    asked = Asked(context.obj, name, state, timeout, json)
    up = asked.at_most_one()
    if up is not None:
        document: dict[str, Any] = {**asked.ask(up, "status"), "running": True}
        document["followers"] = followers_of(up, document["generation"])
    else:
        document = _left(asked)
    if json:
        result_json(document)
    else:
        result(_told(document))
    raise typer.Exit(0 if document["running"] else 1)


def _left(asked: Asked) -> dict[str, Any]:
    """What the process that went last left, and who follows it still."""
    folders = asked.folders()
    try:
        left = [(str(found["written_at"]), number, found) for number, f in enumerate(folders) if (found := f.left())]
        if left:
            _, number, document = max(left, key=lambda each: each[:2])
            following = followers_of(folders[number], document["generation"])
        else:
            document, following = {}, [each for folder in folders for each in followers_of(folder, _current(folder))]
    except StateError as error:
        raise CommandError(str(error)) from error
    return {"format": STATUS_FORMAT, **document, "running": False, "followers": following}


def _current(folder: StateFolder) -> str | None:
    from oneiric.reload.state import recorded

    record = recorded(folder.path)
    return None if record is None else record.generation


def health(
    context: typer.Context,
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask every active component now, instead of showing the last answers.")
    ] = False,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Tell whether a process is up and its components are well; 1 when not."""
    asked = Asked(context.obj, name, state, timeout, json)
    up = asked.at_most_one()
    not_running: dict[str, Any] = {"ok": False, "state": "not running", "components": []}
    answer = asked.ask(up, "health", probe=probe, within=asked.within("health")) if up else not_running
    if json:
        result_json({"format": "oneiric.health/1", **answer})
    else:
        well: tuple[str, Style] = ("ok", "green") if answer["ok"] else ("not ok", "red")
        result([[well, (f": {answer['state']}", "plain")], *map(_health, answer["components"])])
    raise typer.Exit(0 if answer["ok"] else 1)


def list_running(asked: Asked, domain: str | None) -> None:
    """Every key of a running process."""
    answer = asked.ask(asked.one(), "keys")
    rows = [row for row in answer["keys"] if domain is None or row["domain"] == domain]
    if not rows:
        raise CommandError(f"no key is bound in domain `{domain}`")
    if asked.json:
        result_json({"format": "oneiric.keys/1", **answer, "keys": rows})
    else:
        result(_rows(rows, answer["notes"]))


def _told(document: Mapping[str, Any]) -> list[Line]:
    if "name" not in document:
        return [
            [("not running", "red"), (": no process has left anything here", "plain")],
            *rows(document["followers"]),
        ]
    facts = [
        ("generation", str(document["generation"])[:12]),
        ("wiring", f"{document['wiring']} (app {document['app']}, profile {document['profile']})"),
        ("since", document["started_at"]),
    ]
    if document.get("role") is not None:
        facts.insert(2, ("role", document["role"]))
    if document.get("serial") is not None:
        facts.insert(1, ("serial", document["serial"]))
    baseline: Mapping[str, Any] = document.get("baseline") or {}
    if baseline.get("accepted"):
        deployed, accepted = (str(baseline[name])[:12] for name in ("deployed", "baseline"))
        facts.append(("settings", f"{accepted}, accepted over the deployed one, {deployed}"))
    facts += [("override", f"{key} -> {provider}") for key, provider in document["overrides"]["overrides"].items()]
    for tenant, keys in document["overrides"]["tenants"].items():
        facts += [("override", f"{key} -> {provider} for tenant {tenant}") for key, provider in keys.items()]
    if dropped := document.get("dropped"):
        facts.append(("dropped", f"{Overrides.of(dropped).words()}\n{dropped['reason']}"))
    if document["last_change"]:
        facts.append(("last change", _change(document["last_change"])))
    if document["rejected"]:
        facts.append(("rejected", f"{document['rejected']['generation'][:12]} {reason(document['rejected'])}"))
    for key, notes in document["notes"].items():
        facts += [(kind, f"{key}: {note['note']} (since {note['since']})") for kind, note in notes.items()]
    facts += _work(document)
    running = document["running"]
    head: Line = [(str(document["name"]), "bold"), (f" {_state(document)}", "green" if running else "red")]
    lines: list[Line] = [head]
    for name, text in facts:
        for number, line in enumerate(str(text).strip().splitlines()):
            lines.append([(f"  {'' if number else name:<12}", "dim"), (visible(line), "plain")])
    active = f"{len(document['components'])} active; {document['keys']} keys" + ("" if running else ", when last seen")
    lines.append([("  components  ", "dim"), (active, "plain")])
    return [*lines, *_rows(document["components"], document["notes"]), *rows(document["followers"])]


def _work(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What runs, waits and has failed, of all and of each queue."""
    if "runs" not in document:
        return []
    facts = [("runs", _counts(document["runs"]))]
    for each in document["queues"]:
        paused = " (paused)" if each["paused"] else ""
        facts.append(("queue", f"{each['name']}{paused}: {_counts(each)}"))
    return facts


def _counts(counts: Mapping[str, Any]) -> str:
    names = ("queued", "waiting", "running", "parked", "failed", "dead")
    return ", ".join(f"{counts[name]} {name}" for name in names if name in counts)


def _state(document: Mapping[str, Any]) -> str:
    if document["running"]:
        return f"{document['state']} (pid {document['pid']})"
    if document["state"] in ("stopped", "failed"):
        return f"{document['state']} at {document['written_at']}"
    return f"gone: it was {document['state']} at {document['written_at']} (pid {document['pid']})"


def _change(change: Mapping[str, Any]) -> str:
    told = f"{change['what']} {'accepted' if change['accepted'] else 'rejected'} at {change['at']}"
    if change["from"] != change["to"]:
        told += f", {change['from'][:12]} -> {change['to'][:12]}"
    return f"{told}: {change['reason']}" if change["accepted"] and change["reason"] else told


def _health(each: Mapping[str, Any]) -> Line:
    of_tenant = f" of tenant {each['tenant']}" if each["tenant"] else ""
    what = "ok" if each["ok"] else str(each["reason"])
    told = f"  {each['key']}{of_tenant} ({each['provider']}): "
    return [(visible(told), "plain"), (visible(what), "green" if each["ok"] else "red")]


def _rows(rows: list[Any], notes: Mapping[str, Any]) -> list[Line]:
    """One line per key: its name, provider, state, and what an operator noted."""
    names = [f"{row['domain']}:{row['key']}" for row in rows]
    wide = max(map(len, names), default=0)
    providers = max((len(row["provider"]) for row in rows), default=0)
    lines: list[Line] = []
    for key, row in zip(names, rows, strict=True):
        more = [f"of tenant {row['tenant']}"] if row["tenant"] else []
        more += [f"{row['leases']} in use"] if row["leases"] else []
        more += [f"unwell: {row['unwell']}"] if row.get("unwell") else []
        more += sorted(notes.get(key, {}))
        lines.append(
            [
                (f"  {visible(key):<{wide}}  ", "plain"),
                (f"{visible(row['provider']):<{providers}}  ", "green"),
                (visible("  ".join([f"{row['state']:<10}", *more])), "plain"),
            ]
        )
    return lines
