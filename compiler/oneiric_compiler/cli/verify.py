"""`oneiric verify`: a second opinion on what was compiled."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from oneiric_compiler.cli.errors import CommandError
from oneiric_compiler.cli.output import result, result_json
from oneiric_compiler.cli.processes import Json
from oneiric_compiler.cli.progress import working
from oneiric_compiler.text.paint import Line
from oneiric_compiler.text.redact import python_line
from oneiric_compiler.text.visible import visible


def verify(
    context: typer.Context,
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[FOLDER]...", help="Compiled folders (default: the project's own).")
    ] = None,
    json: Json = False,
) -> None:
    """Work out every winner again from the report alone, and hold the wiring's source against it.

    Uses no code of the compiler's stages, no settings and no imports: 1 when something does not hold.
    """
    from oneiric_compiler.cli import reports

    gc.disable()  # it takes a third of the time of a large one, and the process ends with it
    if not folders:
        output = reports.committed_folder(context.obj, None)
        folders = [each.parent for each in sorted([*output.glob("explain.json"), *output.glob("*/explain.json")])]
        if not folders:
            raise CommandError(f"there is no report in {output}", help="run `oneiric compile` first")
    with working("verifying"):
        findings = {str(folder): _findings(folder) for folder in folders}
    if json:
        verified = [each for each, found in findings.items() if not found]
        result_json({"format": "oneiric.verify/1", "verified": verified, "findings": findings})
    else:
        result(line for folder, found in findings.items() for line in _told(folder, found))
    raise typer.Exit(1 if any(findings.values()) else 0)


def _findings(folder: Path) -> list[str]:
    from oneiric.report import read_report

    from oneiric_compiler.verify import verify

    tenants = folder / "tenants.jsonl"
    report = read_report(folder / "explain.json", strict=True)
    source = (folder / "wiring.py").read_bytes()
    lines = tenants.read_bytes() if tenants.exists() else b""
    try:
        found = [*verify(report.raw, source, lines), *_chosen(folder, report.raw)]
        return [python_line(each.replace("\n", " "), 1) for each in found]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return [f"explain.json lacks what a report must have: {type(error).__name__}: {error}"]


def _chosen(folder: Path, base: Mapping[str, Any]) -> Iterator[str]:
    """What does not hold of the module that chooses a profile, where the folder is a base's and has one."""
    from oneiric.report import read_report

    from oneiric_compiler.verify import choosing

    chooser = folder / "choose.py"
    if base["profile"] != "default" or not chooser.exists():
        return
    reports = {each.parent.name: read_report(each, strict=True).raw for each in sorted(folder.glob("*/explain.json"))}
    profiles = {name: each for name, each in reports.items() if (each["app"], each["profile"]) == (base["app"], name)}
    if profiles:  # else the project has none, and the module is its own
        yield from choosing({"default": base, **profiles}, chooser.read_bytes())


def _told(folder: str, found: list[str]) -> list[Line]:
    if not found:
        return [[("verified ", "green"), (visible(folder), "plain")]]
    return [[("does not hold ", "red"), (visible(f"{folder}: {each}"), "plain")] for each in found]
