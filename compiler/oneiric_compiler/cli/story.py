"""What `oneiric demo` does and shows: a project in a temporary folder, from settings to figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TypeAlias

from oneiric.report import read_report

from oneiric_compiler.cli import killed, scaffold
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json, result_text, source_width, styled
from oneiric_compiler.cli.progress import working
from oneiric_compiler.diagnostics.found import Diagnostics
from oneiric_compiler.diagnostics.render import as_text
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.questions.explain.key import tell
from oneiric_compiler.questions.places import Locator
from oneiric_compiler.resources import templates
from oneiric_compiler.stages.write import write
from oneiric_compiler.text.paint import Line

KEY = "service:payments"
_FIGURES: Mapping[str, str | None] = {
    "compile_seconds": None,
    "start_seconds": "start",
    "first_order_seconds": "first",
    "swap_seconds": "swap",
    "orders_per_second": "orders",
    "reads_per_second": "reads",
}
"""The figures, and what those are called that the run measures."""
Told: TypeAlias = str | list[Line]
RIGHT, WRONG = "payments: prepaid", "payments: prepayed"
DEADLINE = 60
"""Seconds until the run of the demo's shop is given up."""


def tell_story(json: bool) -> None:
    """Shows the story as it goes, and its figures; with `json` these alone. Raises CommandError where a step fails."""
    begin = perf_counter()
    figures: dict[str, float] = {}
    with TemporaryDirectory(prefix="oneiric-demo-") as folder:
        for told in _story(Project.at(Path(folder), {}), figures):
            if not json:
                _show(told)
        figures["seconds"] = perf_counter() - begin
    if json:
        result_json({"format": "oneiric.demo/1", **figures})
    else:
        _show(_chapter("figures of this machine"))
        _show(_told(figures))


def _show(told: Told) -> None:
    if isinstance(told, str):
        result_text(told)
    else:
        result(told)


def _story(project: Project, figures: dict[str, float]) -> Iterator[Told]:
    """Scaffold, compile, explain, run, kill, make a mistake: what is to be shown of each. Fills in the figures."""
    yield _chapter("a project: settings, and a shop that can be paid in two ways")
    scaffold.write_new(project.root, scaffold.project_files("demo", scaffold.Template.SHOP))
    yield _file(project.root / "settings" / "services.yml")

    yield _chapter("oneiric compile: which component serves which key is decided now, and written down")
    figures["compile_seconds"] = compile_now(project)
    yield _block(project.root / "generated" / "wiring.py", KEY)

    yield _chapter(f"oneiric explain {KEY}: why")
    report = read_report(project.root / "generated" / "explain.json")
    yield tell(report, KEY, Locator(project.root, project.settings))

    yield _chapter("a run of the profile `production`, where invoices are selected, and swapped under load")
    told, measured = _run(project.root)
    figures.update(measured)
    yield told

    yield _chapter("orders as events, fulfilled by a durable workflow, and kill -9 in the middle")
    if killed.is_durable():
        scaffold.write_new(project.root, killed.files())
        compile_now(project)
        told, measured = killed.kill_and_go_on(project.root, _environ())
        figures.update(measured)
        yield told
    else:
        yield killed.LEFT_OUT

    yield _chapter(f"a mistake: `{WRONG}` in settings/services.yml")
    yield _mistake(project)


def _chapter(title: str) -> list[Line]:
    return [[], [("── ", "dim"), (title, "bold")], []]


def _file(path: Path) -> str:
    return "".join(f"    {line}\n" for line in path.read_text(encoding="utf-8").splitlines())


def _block(path: Path, key: str) -> str:
    """One key's block of a wiring: from its `@bind` to the next blank line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if f'@bind("{key}"' in line)
    end = next((number for number in range(start, len(lines)) if not lines[number].strip()), len(lines))
    return "".join(f"{line}\n" for line in lines[start:end])


def compile_now(project: Project) -> float:
    """Compiles and writes; the seconds it took."""
    begin = perf_counter()
    diagnostics = Diagnostics()
    with working("compiling"):
        outputs: Outputs | None = compile_project(project, diagnostics)
        written = outputs is not None and write(outputs, diagnostics)
    if not written:
        raise CommandError(f"the demo does not compile:\n{as_text(diagnostics)}")
    return perf_counter() - begin


def _run(root: Path) -> tuple[str, dict[str, float]]:
    """Runs the shop in a process of its own: what it prints, and its figures."""
    (root / "run.py").write_bytes((templates() / "demo" / "run.py").read_bytes())
    command = [sys.executable, "run.py"]
    try:
        with working("running the shop"):
            run = subprocess.run(
                command, cwd=root, env=_environ(), capture_output=True, encoding="utf-8", timeout=DEADLINE, check=False
            )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"the demo's shop took longer than {DEADLINE} seconds") from error
    if run.returncode:
        raise CommandError(f"the demo's shop failed: {run.stderr.strip().splitlines()[-1:]}")
    *told, figures = run.stdout.splitlines()
    measured = json.loads(figures)
    return "".join(f"{line}\n" for line in told), {
        name: float(measured[each]) for name, each in _FIGURES.items() if each
    }


def _environ() -> dict[str, str]:
    """The environment of the demo's processes: none of what changes a Python."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return environ | {"ONEIRIC_SECRET_INVOICE_KEY": "only-for-this-demo", "PYTHONIOENCODING": "utf-8"}


def _mistake(project: Project) -> str:
    services = project.settings / "services.yml"
    services.write_text(services.read_text(encoding="utf-8").replace(RIGHT, WRONG), encoding="utf-8")
    diagnostics = Diagnostics()
    compile_project(project, diagnostics)
    told = as_text(diagnostics, styled=styled(sys.stdout), width=source_width())
    return f"{told}nothing was written: what was compiled before still stands\n"


def _told(figures: dict[str, float]) -> list[Line]:
    rows = [
        (
            "compile",
            f"{figures['compile_seconds'] * 1000:.0f} ms",
            "settings and sources to wirings and reports of two profiles",
        ),
        ("start", f"{figures['start_seconds'] * 1000:.1f} ms", "import the runtime and the wiring, build every slot"),
        (
            "first order",
            f"{figures['first_order_seconds'] * 1000:.0f} ms",
            "import and activate everything it needs, then place it",
        ),
        (
            "orders",
            f"{figures['orders_per_second']:,.0f} /s",
            "through `live`: cache, SQLite, a signed invoice on disk each",
        ),
        ("cache reads", f"{figures['reads_per_second']:,.0f} /s", "through `live`, one after the other"),
        (
            "swap",
            f"{figures['swap_seconds'] * 1000:.0f} ms",
            "under load: compile, load, start, switch, drain, close",
        ),
        *(
            [
                (
                    "after kill -9",
                    f"{figures['recovery_seconds']:.1f} s",
                    "another process: start, take up the orders, and finish the last",
                )
            ]
            if "recovery_seconds" in figures
            else []
        ),
        ("all of this", f"{figures['seconds']:.1f} s", ""),
    ]
    wide = max(len(figure) for _, figure, _ in rows)
    return [
        [(f"  {name:<13} ", "plain"), (f"{figure:>{wide}}", "green"), (f"  {about}", "dim")]
        for name, figure, about in rows
    ]
