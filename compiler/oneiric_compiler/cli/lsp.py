"""`oneiric lsp`: the language server of a project, for editors, over stdin and stdout."""

from __future__ import annotations

from dataclasses import replace

import typer

from oneiric_compiler.cli.errors import CommandError, compiler_extra


def lsp(context: typer.Context) -> None:
    """Serve an editor: diagnostics, completion, what a key is, and quick fixes, over stdin and stdout."""
    with compiler_extra("lsp"):
        from oneiric_compiler.cli import projects
    try:
        from oneiric_compiler.editor.server import serving
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        message = f"`oneiric lsp` needs the extra `lsp` of oneiric (no module `{error.name}` here)"
        raise CommandError(message, help="install oneiric with its extras `compiler` and `lsp`") from error
    project = projects.project_at(context.obj.resolve())
    serving(replace(project, settings=project.settings.resolve())).start_io()
