"""What the commands that compile have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import typer

from oneiric_compiler.checking import check
from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import columns, log_text, result_text, source_width, styled
from oneiric_compiler.diagnostics.found import Diagnostic, Diagnostics, Source, Span
from oneiric_compiler.diagnostics.render import as_json, as_text
from oneiric_compiler.model import Project

FINDINGS = frozenset(("ONE502", "ONE503", "ONE505"))


def project_at(root: Path, overrides: Path | None = None) -> Project:
    """The project of a folder, with this process's environment."""
    return Project.at(root, os.environ, overrides)


def time_of(option: str, text: str | None) -> datetime | None:
    """The time that an option states in ISO 8601; without an offset it is in UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option} is not a valid time: `{text}`; write 2027-01-31T12:00:00Z") from error


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Diagnostics as text, on stderr."""
    import sys

    log_text(as_text(diagnostics, styled=styled(sys.stderr), width=source_width(), wrap=columns(sys.stderr)))


def failed(diagnostics: Iterable[Diagnostic], root: Path, *, json: bool, code: int = 2) -> typer.Exit:
    """What a command ends with that cannot go on: its diagnostics as text, or as its document."""
    found = as_seen(diagnostics, root)
    if json:
        result_text(as_json(found, status="failed", files=[]))
    else:
        show(found)
    return typer.Exit(code)


def as_seen(diagnostics: Iterable[Diagnostic], root: Path) -> list[Diagnostic]:
    """The diagnostics with the project's files named as they are reached from the working directory."""
    prefix = Path(os.path.relpath(root)).as_posix()
    if prefix == ".":
        return list(diagnostics)
    moved: dict[Source, Source] = {}

    def seen(span: Span) -> Span:
        source = span.source
        if source not in moved:
            here = (root / source.path).exists()
            moved[source] = Source(f"{prefix}/{source.path}", source.text) if here else source
        return span._replace(source=moved[source])

    return [
        replace(
            each,
            span=seen(each.span) if each.span else None,
            related=tuple((label, seen(span)) for label, span in each.related),
        )
        for each in diagnostics
    ]


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """0 without errors, 1 when outputs are stale or edited and nothing else is wrong, 2 else."""
    codes = {each.code for each in diagnostics if each.severity == "error"}
    if codes - FINDINGS:
        return 2
    return 1 if codes else 0


def differs_from_settings(root: Path, profile: str | None) -> str | None:
    """Why a committed report is not what a compile would write now, if it is not."""
    diagnostics = Diagnostics()
    check(project_at(root), diagnostics, profile=profile)
    told = {
        0: None,
        1: "the report is not what the settings say now; run `oneiric compile`",
        2: "the settings have errors (`oneiric compile` shows them); this is what they last compiled to",
    }
    return told[exit_code(diagnostics)]
