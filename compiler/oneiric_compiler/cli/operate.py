"""`oneiric swap`, `reload` and `rollback`: changing what a running process is wired to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oneiric_compiler.cli import complete, followers, processes
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import log, result, result_json
from oneiric_compiler.cli.processes import Asked, Domain, Json, Key, Name, Silent, State, Timeout, reason
from oneiric_compiler.questions.diff import tell
from oneiric_compiler.text.paint import Line, columns, padded
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.folder import StateFolder

Plan = Annotated[bool, typer.Option("--plan", help="Show what it would do, and do nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Accept components whose health check fails.")]


def swap(
    context: typer.Context,
    key: Key,
    provider: Annotated[
        str | None,
        typer.Argument(metavar="[PROVIDER]", help="What serves KEY from now on.", autocompletion=complete.PROVIDERS),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Withdraw an earlier swap.")] = False,
    domain: Domain = None,
    tenant: Annotated[
        str | None, typer.Option(metavar="T", help="For this tenant alone.", autocompletion=complete.TENANTS)
    ] = None,
    all_tenants: Annotated[
        bool, typer.Option("--all-tenants", help="Also for tenants that decide on KEY themselves.")
    ] = False,
    plan: Plan = False,
    note: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; shown by `oneiric history`.")] = None,
    with_settings: Annotated[
        bool,
        typer.Option("--with-settings", help="Include settings that were edited since the wiring was compiled."),
    ] = False,
    force: Force = False,
    name: Name = None,
    state: State = None,
    all_processes: Annotated[
        bool, typer.Option("--all-processes", help="In every running process of the project.")
    ] = False,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Let another provider serve a key, without a failed call. Kept across restarts; 1 when it is rejected."""
    if (provider is None) != clear:
        raise CommandError("swap takes a PROVIDER, or --clear")
    if tenant is not None and all_tenants:
        raise CommandError("--tenant and --all-tenants exclude each other")
    full = processes.full_key(key, domain)
    arguments = {"key": full, "provider": provider, "tenant": tenant, "force": force, "all_tenants": all_tenants}
    arguments |= {"plan": plan, "with_settings": with_settings, "note": note}
    whose = f" for tenant {tenant}" if tenant else ""
    did = ("would clear" if clear else "would swap") if plan else ("cleared" if clear else "swapped")
    done = f"{did} {full}{whose}" if clear else f"{did} {full}{whose} to {provider}"
    if not all_processes:
        change(Asked(context.obj, name, state, timeout, json), done, "swap", **arguments)
    if name is not None or state is not None:
        raise CommandError("--all-processes is about every process: leave out --name and --state")
    _every(Asked(context.obj, timeout=timeout), done, json, "swap", **arguments)


def reload(
    context: typer.Context,
    plan: Plan = False,
    force: Force = False,
    recompile: Annotated[bool, typer.Option("--recompile", help="Compile the settings first.")] = False,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Take over the wiring as it is on disk now; 1 when it is rejected, and nothing changed."""
    asked = Asked(context.obj, name, state, timeout, json)
    if recompile:
        if plan:
            raise CommandError("--plan does nothing, --recompile writes: compile first, then plan")
        from oneiric_compiler.cli.serve import compile_first

        asked.one()
        compile_first(context.obj, json=json)
    change(asked, "planned" if plan else "reloaded", "reload", plan=plan, force=force)


def rollback(
    context: typer.Context,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="GENERATION", help="To this generation of `oneiric history`; its first digits suffice."
        ),
    ] = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Go back to the generation before, with fresh instances; 1 when that is rejected."""
    change(Asked(context.obj, name, state, timeout, json), "rolled back", "rollback", to=to)


def change(asked: Asked, done: str, operation: str, **arguments: object) -> None:
    """Ask for a change, show what it came to, and exit."""
    answer = _answer(asked, asked.one(), operation, **arguments)
    if asked.json:
        result_json(answer)
    else:
        show(answer, done)
    raise typer.Exit(0 if answer["accepted"] else 1)


def _answer(asked: Asked, folder: StateFolder, operation: str, **arguments: object) -> dict[str, Any]:
    """What the process answers, and, where it went over to another generation, who of those that follow it has that."""
    answer = asked.ask(folder, operation, **arguments)
    if answer["accepted"] and answer["code"] != "planned":
        answer["followers"] = followers.converged(folder, answer["generation"], asked.timeout)
    return answer


def _every(asked: Asked, done: str, json: bool, operation: str, **arguments: object) -> None:
    """One process after the other; one that does not answer keeps no other from being asked."""
    answers: dict[str, dict[str, Any]] = {}
    for folder in asked.every():
        try:
            answer = _answer(asked, folder, operation, **arguments)
            if not json:
                show(answer, done, process=folder.name)
        except Silent as silent:
            answer = dict(silent.document())
            if not json:
                log(silent.lines())
        answers[folder.name] = answer
    if json:
        result_json({"format": "oneiric.changes/1", "processes": answers})
    raise typer.Exit(0 if all(answer.get("accepted") for answer in answers.values()) else 1)


def show(answer: dict[str, Any], done: str, process: str | None = None) -> None:
    """What a process answers: the plan and what it means, or on stderr why it rejects a change."""
    prefix = f"{process}: " if process else ""
    if not answer["accepted"]:
        code = f"[{answer['code']}]" if answer["code"] else ""
        first, *rest = reason(answer).splitlines()
        told: Line = [(f"{prefix}rejected{code}", "red"), (f": {visible(first)}", "plain")]
        more: list[Line] = [[(visible(line), "plain")] for line in rest]
        log([told, *more])
        return
    lines: list[Line] = [[(f"{prefix}{done}", "green"), (f": generation {str(answer['generation'])[:12]}", "plain")]]
    changed = [(each, entry) for each in ("start", "replace", "stop") for entry in answer["plan"][each]]
    wide = max((columns(_key(entry)) for _, entry in changed), default=0)
    for each, entry in changed:
        lines.append([(f"  {each:<8} {padded(_key(entry), wide)}  {_providers(entry)}", "plain")])
    kept = len(answer["plan"]["keep"])
    lines.append([(f"  keep     {kept} key{'' if kept == 1 else 's'}", "dim")])
    if answer["diff"]:
        lines += tell.lines(tell.stated(answer["diff"]))
    followed = answer.get("followers", [])
    result([*lines, *followers.summed_up(followed)])
    log(followers.warnings(followed))
    log([[("warning", "yellow"), (f": {visible(report)}", "plain")] for report in answer["reports"]])


def _providers(entry: dict[str, Any]) -> str:
    """What served the key, and what will: the same where only its settings or needs are others."""
    before, after = (visible(entry[side] or "") for side in ("from", "to"))
    return before if before == after else " -> ".join(filter(None, (before, after)))


def _key(entry: dict[str, Any]) -> str:
    return visible(entry["key"] + (f" of tenant {entry['tenant']}" if entry["tenant"] else ""))
