"""What `oneiric demo` does and shows: a project in a temporary folder, from settings to figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from oneiric.report import read_report

from oneiric_compiler.cli import scaffold
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_text, source_width, styled
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
RIGHT, WRONG = "payments: prepaid", "payments: prepayed"
DEADLINE = 60
"""Seconds until the run of the demo's shop is given up."""


def tell_story() -> None:
    """Scaffold, compile, explain, run, make a mistake, show figures. Raises CommandError where a step fails."""
    begin = perf_counter()
    with TemporaryDirectory(prefix="oneiric-demo-") as folder:
        project = Project.at(Path(folder), {})
        _chapter("a project: settings, and a shop that can be paid in two ways")
        scaffold.write_new(project.root, scaffold.project_files("demo"))
        _show_file(project.root / "settings" / "services.yml")

        _chapter("oneiric compile: which component serves which key is decided now, and written down")
        compile_seconds = _compile(project)
        _show_block(project.root / "generated" / "wiring.py", KEY)

        _chapter(f"oneiric explain {KEY}: why")
        report = read_report(project.root / "generated" / "explain.json")
        result(tell(report, KEY, Locator(project.root, project.settings)))

        _chapter("a run of the profile `production`, where invoices are selected, and swapped under load")
        figures = _run(project.root)

        _chapter(f"a mistake: `{WRONG}` in settings/services.yml")
        _make_mistake(project)

        _chapter("figures of this machine")
        result(_figures(compile_seconds, figures, perf_counter() - begin))


def _chapter(title: str) -> None:
    result([[], [("── ", "dim"), (title, "bold")], []])


def _show_file(path: Path) -> None:
    result_text("".join(f"    {line}\n" for line in path.read_text(encoding="utf-8").splitlines()))


def _show_block(path: Path, key: str) -> None:
    """One key's block of a wiring: from its `@bind` to the next blank line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if f'@bind("{key}"' in line)
    end = next((number for number in range(start, len(lines)) if not lines[number].strip()), len(lines))
    result_text("".join(f"{line}\n" for line in lines[start:end]))


def _compile(project: Project) -> float:
    """Compiles and writes; the seconds it took."""
    begin = perf_counter()
    diagnostics = Diagnostics()
    outputs: Outputs | None = compile_project(project, diagnostics)
    if outputs is None or not write(outputs, diagnostics):
        raise CommandError(f"the demo does not compile:\n{as_text(diagnostics)}")
    return perf_counter() - begin


def _run(root: Path) -> dict[str, float]:
    """Runs the shop in a process of its own and shows what it prints; its figures, times in seconds."""
    (root / "run.py").write_bytes((templates() / "demo" / "run.py").read_bytes())
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environ |= {"ONEIRIC_SECRET_INVOICE_KEY": "only-for-this-demo", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "run.py"]
    try:
        run = subprocess.run(
            command, cwd=root, env=environ, capture_output=True, encoding="utf-8", timeout=DEADLINE, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"the demo's shop took longer than {DEADLINE} seconds") from error
    if run.returncode:
        raise CommandError(f"the demo's shop failed: {run.stderr.strip().splitlines()[-1:]}")
    *told, figures = run.stdout.splitlines()
    result_text("".join(f"{line}\n" for line in told))
    return {name: float(value) for name, value in json.loads(figures).items()}


def _make_mistake(project: Project) -> None:
    services = project.settings / "services.yml"
    services.write_text(services.read_text(encoding="utf-8").replace(RIGHT, WRONG), encoding="utf-8")
    diagnostics = Diagnostics()
    compile_project(project, diagnostics)
    result_text(as_text(diagnostics, styled=styled(sys.stdout), width=source_width()))
    result_text("nothing was written: what was compiled before still stands\n")


def _figures(compile_seconds: float, run: dict[str, float], whole_seconds: float) -> list[Line]:
    rows = [
        (
            "compile",
            f"{compile_seconds * 1000:.0f} ms",
            "settings and sources to wirings and reports of two profiles",
        ),
        ("start", f"{run['start'] * 1000:.1f} ms", "import the runtime and the wiring, build every slot"),
        ("first order", f"{run['first'] * 1000:.0f} ms", "import and activate everything it needs, then place it"),
        ("orders", f"{run['orders']:,.0f} /s", "through `live`: cache, SQLite, a signed invoice on disk each"),
        ("cache reads", f"{run['reads']:,.0f} /s", "through `live`, one after the other"),
        ("swap", f"{run['swap'] * 1000:.0f} ms", "under load: compile, load, start, switch, drain, close"),
        ("all of this", f"{whole_seconds:.1f} s", ""),
    ]
    wide = max(len(figure) for _, figure, _ in rows)
    return [
        [(f"  {name:<12} ", "plain"), (f"{figure:>{wide}}", "green"), (f"  {about}", "dim")]
        for name, figure, about in rows
    ]
