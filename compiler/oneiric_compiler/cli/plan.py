"""`oneiric plan`: what edited settings would change, before anything is written."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
from oneiric.report import Report, ReportError, parse_report, read_report

from oneiric_compiler.cli import complete
from oneiric_compiler.cli.errors import compiler_extra
from oneiric_compiler.cli.output import log, result, result_json, warn
from oneiric_compiler.cli.processes import Asked, Json, Name, Silent, State, Timeout
from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.visible import visible

if TYPE_CHECKING:
    from oneiric.serve.folder import StateFolder

    from oneiric_compiler.model import Outputs
    from oneiric_compiler.questions.diff.compare import Difference

Differences: TypeAlias = "Mapping[str, list[Difference]]"
"""By profile."""
_PLAN_FORMAT = "oneiric.plan/1"


def plan(
    context: typer.Context,
    profile: Annotated[
        str | None,
        typer.Option(metavar="P", help="This profile alone (default: every one).", autocompletion=complete.PROFILES),
    ] = None,
    name: Name = None,
    state: State = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Show what a compile and a reload would change, and do neither; 1 when there is anything.

    Against what is committed, and against every process that runs, or the one named.
    """
    from oneiric_compiler.questions.diff import tell

    gc.disable()  # it takes half the time of a large compile, and the process ends with it
    asked = Asked(context.obj, name, state, timeout, json)
    processes = [asked.one()] if name is not None or state is not None else asked.running()
    outputs = _compiled(context.obj, profile, json=json)
    planned = {each: parse_report(files["explain.json"]) for each, (_, files) in outputs.profiles.items()}
    found = _against_committed(context.obj, planned, profile)
    if not json:
        result(tell.lines(found))
    answers = _against_processes(asked, processes, outputs, planned, found) if processes else {}
    changes = any(found.values()) or not all(map(_nothing, answers.values()))
    if json:
        result_json({"format": _PLAN_FORMAT, "changes": changes, "diff": tell.document(found), "processes": answers})
    raise typer.Exit(1 if changes else 0)


def _compiled(root: Path, profile: str | None, *, json: bool) -> Outputs:
    """What a compile would write now, with the signatures on disk that are still of it. Ends the command where the
    settings have errors."""
    with compiler_extra("plan"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.pipeline import compile_project
        from oneiric_compiler.stages.sign import signed

    diagnostics = Diagnostics()
    with working("compiling"):
        outputs = compile_project(projects.project_at(root), diagnostics, profile=profile)
    if outputs is None:
        raise projects.failed(diagnostics, root, json=json)
    projects.show(projects.as_seen(diagnostics, root))
    return signed(outputs)


def _against_committed(root: Path, planned: Mapping[str, Report], profile: str | None) -> Differences:
    from oneiric_compiler.cli import reports
    from oneiric_compiler.questions.diff.compare import compare

    before = reports.committed(root)
    empty = Report("", "", {}, {})
    return {
        each: compare(before.get(each, empty), planned.get(each, empty))
        for each in (*planned, *(() if profile else before.keys() - planned.keys()))
    }


def _against_processes(
    asked: Asked, processes: list[StateFolder], outputs: Outputs, planned: Mapping[str, Report], found: Differences
) -> dict[str, Any]:
    """What each process answers that runs one of the profiles: one after the other, as a reload would ask them."""
    from oneiric_compiler.diagnostics.found import Diagnostics
    from oneiric_compiler.stages.write import write

    answers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = outputs.moved(Path(folder))
        write(out, Diagnostics())
        for process in processes:
            try:
                runs = asked.ask(process, "status")
                if runs["profile"] not in planned:
                    warn(f"process {visible(process.name)} runs profile {visible(runs['profile'])}: it is left out")
                    continue
                wiring = out.root / out.profiles[runs["profile"]][0] / "wiring.py"
                answer = asked.ask(process, "plan", wiring=str(wiring))
                answers[process.name] = _meant(answer, process, runs, planned[runs["profile"]])
                if not asked.json:
                    _show(process.name, answers[process.name], found)
            except Silent as silent:
                answers[process.name] = silent.document()
                if not asked.json:
                    log(silent.lines())
    return answers


def _meant(answer: dict[str, Any], process: StateFolder, runs: Mapping[str, Any], planned: Report) -> dict[str, Any]:
    """The answer with what it means for the process, which compares by itself where swaps are compiled onto the plan.
    Under trust a state folder has no report."""
    from oneiric.reload.state import path_of

    from oneiric_compiler.questions.diff import tell
    from oneiric_compiler.questions.diff.compare import compare

    if answer["diff"] is not None or not answer["accepted"]:
        return answer
    changes: list[Difference] = []
    if not any(runs["overrides"].values()):
        try:
            present = read_report(path_of(process.path, runs["generation"]).with_name("explain.json"))
        except ReportError:
            return answer
        changes = compare(present, planned)
    return {**answer, "diff": tell.document({planned.profile: changes})}


def _show(process: str, answer: dict[str, Any], found: Differences) -> None:
    """The answer, without what is told of the committed wiring already."""
    from oneiric_compiler.cli import operate
    from oneiric_compiler.questions.diff import tell

    told = tell.document({each: found[each] for each in (answer["diff"] or {"profiles": ()})["profiles"]})
    operate.show(answer | ({"diff": None} if told == answer["diff"] else {}), "would reload", process)


def _nothing(answer: Mapping[str, Any]) -> bool:
    """Whether a process would go on as it is."""
    if not answer.get("accepted"):
        return False
    differs = answer["diff"] is not None and any(answer["diff"]["profiles"].values())
    return not differs and not any(answer["plan"][each] for each in ("start", "replace", "stop"))
