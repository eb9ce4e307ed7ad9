"""`oneiric init`: a project to start from."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from oneiric_compiler.cli import scaffold
from oneiric_compiler.cli.errors import CommandError, compiler_extra
from oneiric_compiler.cli.output import log, result, result_json
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.cli.scaffold import Template
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.visible import visible

_WHY = ("oneiric explain service:payments", "why this provider")
_FIRST = {
    Template.SHOP: (("python main.py", "take two orders"), _WHY),
    Template.API: (("uvicorn shop.web:make_app --factory", "take orders over HTTP"), _WHY),
    Template.WORKER: (
        ("python main.py", "place an order as an event"),
        ("oneiric serve", "carry on what is left"),
        _WHY,
    ),
    Template.BARE: (("python main.py", "use the cache"), ("oneiric explain adapter:cache", "why this provider")),
}
_NEXT = (
    ("oneiric list", "every key and what serves it"),
    ("oneiric compile --check", "in CI: is the output what the settings say?"),
    ("pytest", "its tests; requirements.txt names what they need"),
)


def init(
    context: typer.Context,
    directory: Annotated[Path | None, typer.Argument(metavar="[DIR]", help="Where (default: here).")] = None,
    name: Annotated[str | None, typer.Option(help="The application's name (default: the folder's).")] = None,
    template: Annotated[Template, typer.Option(help="What to start from.")] = Template.SHOP,
    json: Json = False,
) -> None:
    """Start a project: settings with embedded defaults, a small example package with its tests, compiled once."""
    root: Path = context.obj / directory if directory else context.obj
    with compiler_extra("init"):
        from oneiric_compiler.cli import projects
        from oneiric_compiler.diagnostics.found import Diagnostics
        from oneiric_compiler.editor.project_schemas import FOLDER, project_schemas
        from oneiric_compiler.pipeline import compile_project
        from oneiric_compiler.stages.write import write

    if name is not None and name != scaffold.project_name(name):
        raise CommandError(
            f"`{visible(name)}` is no name for an application",
            help="letters, digits, `-`, `_` and `.`, with none of these three at an end",
        )
    if os.path.lexists(root / "settings" / "app.yml"):
        raise CommandError(
            f"{root / 'settings' / 'app.yml'} exists: this is a project already",
            help="`oneiric compile` compiles it",
        )
    written, left = scaffold.write_new(
        root, scaffold.project_files(name or scaffold.project_name(root.resolve().name), template)
    )
    diagnostics = Diagnostics()
    project = projects.project_at(root)
    files = project_schemas(project, diagnostics) or {}
    made = scaffold.write_new(root, {f"settings/{FOLDER}/{name}": text.encode() for name, text in files.items()})
    written, left = written + made[0], left + made[1]
    if not json:
        log(_told("written", written) + _told("left as it is", left))
    with working("compiling"):
        outputs = compile_project(project, diagnostics)
        if outputs is not None:
            write(outputs, diagnostics)
    if projects.exit_code(diagnostics):
        raise projects.failed(diagnostics, root, json=json)
    projects.show(projects.as_seen(diagnostics, root))
    if json:
        folder = Path(os.path.relpath(root)).as_posix()
        result_json({"format": "oneiric.init/1", "folder": folder, "written": written, "left": left})
    else:
        result(_next_steps(root, template))


def _told(what: str, names: list[str]) -> list[Line]:
    return [[(f"{what:<14} ", "dim"), (visible(name), "plain")] for name in names]


def _next_steps(root: Path, template: Template) -> list[Line]:
    here = os.path.relpath(root)
    steps = (*(((f"cd {quote(here)}", ""),) if here != "." else ()), *_FIRST[template], *_NEXT)
    wide = max(len(command) for command, _ in steps)
    lines: list[Line] = [[("compiled into ", "green"), (f"{here}/generated" if here != "." else "generated", "plain")]]
    lines.extend(([], [("next:", "bold")]))
    lines.extend([(f"  {visible(command):<{wide}}  ", "cyan"), (about, "plain")] for command, about in steps)
    return lines
