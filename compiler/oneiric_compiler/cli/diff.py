"""`oneiric diff`: what a change means for what the application runs on."""

from __future__ import annotations

import gc
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from oneiric.report import Report, read_report

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json, result_text
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.diagnostics.found import did_you_mean

Reports: TypeAlias = dict[str, Report]
"""By profile."""


class Format(StrEnum):
    text = "text"
    markdown = "markdown"
    json = "json"


def diff(
    context: typer.Context,
    old: Annotated[Path | None, typer.Argument(metavar="[OLD]", help="A report, or a compiled folder.")] = None,
    new: Annotated[Path | None, typer.Argument(metavar="[NEW]", help="Another.")] = None,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="What HEAD changes since it left REF, both read from git.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How changes are written.")] = Format.text,
    json: Json = False,
    fail_on: Annotated[
        str | None, typer.Option(metavar="CLASS,…", help="1 only for changes of these classes, such as winner,trust.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="CLASS[:KEY]", help="Leave these out; KEY may hold *. Repeatable.")
    ] = None,
) -> None:
    """Show what changed between two explain reports, by meaning: 1 when they differ.

    Without arguments, what the working tree changes over the index of git. Classes, by what a reviewer must care about:
    winner, trust, moved, port, need, setting, rule, standby, candidate, provenance.
    """
    from oneiric_compiler.questions.diff import tell
    from oneiric_compiler.questions.diff.compare import CLASSES, compare, without

    if json and format is Format.markdown:
        raise CommandError("--json and --format markdown exclude each other")
    gc.disable()  # it takes a third of the time of large ones, and the process ends with it
    failing = _classes(CLASSES if fail_on is None else fail_on.split(","), CLASSES)
    _check_ignored(ignore or (), (*CLASSES, "*"))
    before, after = _sides(context.obj, old, new, base)
    empty = Report("", "", {}, {})
    changes = {
        profile: without(compare(before.get(profile, empty), after.get(profile, empty)), ignore or ())
        for profile in sorted({*before, *after}, key=lambda each: (each != "default", each))
    }
    if json or format is Format.json:
        result_json(tell.document(changes))
    elif format is Format.markdown:
        result_text(tell.markdown(changes))
    else:
        result(tell.lines(changes))
    raise typer.Exit(1 if any(each.kind in failing for found in changes.values() for each in found) else 0)


def _classes(names: Iterable[str], known: tuple[str, ...]) -> set[str]:
    for name in names:
        if name not in known:
            raise CommandError(f"`{name}` is not a class of change", help=did_you_mean(name, known))
    return set(names)


def _check_ignored(patterns: Iterable[str], known: tuple[str, ...]) -> None:
    for pattern in patterns:
        name, colon, key = pattern.partition(":")
        _classes([name], known)
        if colon and not key:
            raise CommandError(f"`{pattern}` names no key", help=f"`{name}` leaves out every change of the class")


def _sides(root: Path, old: Path | None, new: Path | None, base: str | None) -> tuple[Reports, Reports]:
    if old is None:
        from oneiric_compiler.cli import in_git

        return in_git.unstaged(root) if base is None else in_git.reports(root, base)
    if base is not None or new is None:
        raise CommandError("name two reports, or one place in git: `oneiric diff OLD NEW` or `oneiric diff --base REF`")
    for each in (old, new):
        if not each.exists():
            raise CommandError(f"{each} does not exist", help="name two reports, or two compiled folders")
    if old.is_dir() and new.is_dir() and _is_inside(old, new):
        old, new = old / "explain.json", new / "explain.json"  # the base and a profile, which lies in its folder
    if old.is_dir() != new.is_dir():
        raise CommandError("name two reports, or two compiled folders", help="a folder stands for all its profiles")
    if old.is_dir():
        return _of_folder(old), _of_folder(new)
    one, other = read_report(old), read_report(new)
    return {other.profile: one}, {other.profile: other}


def _is_inside(one: Path, other: Path) -> bool:
    """Whether the one folder lies in the other, as a profile's lies in the base's."""
    return one.resolve() == other.resolve().parent or other.resolve() == one.resolve().parent


def _of_folder(folder: Path) -> Reports:
    reports = [read_report(path) for path in sorted([*folder.glob("explain.json"), *folder.glob("*/explain.json")])]
    if not reports:
        raise CommandError(f"there is no report in {folder}", help="run `oneiric compile` first")
    return {report.profile: report for report in reports}
