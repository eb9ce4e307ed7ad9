"""A project compiled in this process, and all that holds of what comes of it whatever it is."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import oneiric
from oneiric.report import Report, parse_report
from oneiric_compiler.checking import check
from oneiric_compiler.diagnostics.codes import CODES
from oneiric_compiler.diagnostics.found import Diagnostic, Diagnostics, Span
from oneiric_compiler.diagnostics.render import as_github, as_json, as_sarif, as_text
from oneiric_compiler.discovery import plugins
from oneiric_compiler.model import Outputs, Project
from oneiric_compiler.pipeline import compile_project
from oneiric_compiler.questions.diff import tell
from oneiric_compiler.questions.diff.compare import compare
from oneiric_compiler.source.modules import Module, Sources
from oneiric_compiler.stages import leftovers
from oneiric_compiler.stages.emit import emit
from oneiric_compiler.stages.report import render_report
from oneiric_compiler.stages.write import write
from oneiric_compiler.verify import choosing, verify

from tests.attacks.trees import CANARY
from tests.golden.golden_cases import NOW, surroundings

BUILTINS = Path(oneiric.__file__).parents[1]
SECRETS = dict.fromkeys(("A", "B", "ONEIRIC_SECRET_X", "SHOP_CACHE_TTL", "DB"), f"{CANARY}environment")
Rendered = dict[str, str]


def remember_installed(stack: ExitStack) -> None:
    """What is installed is read once in this process, since it is not what is attacked."""
    known: dict[Path, Module | None] = {}
    parse = Sources._parse

    def remembered(sources: Sources, name: str, path: Any, shown: str) -> Module | None:
        if not isinstance(path, Path) or not path.is_relative_to(BUILTINS):
            return parse(sources, name, path, shown)
        if path not in known:
            known[path] = parse(sources, name, path, shown)
        return known[path]

    stack.enter_context(patch.object(Sources, "_parse", remembered))
    offering, offered = plugins._offering, tuple(plugins._offering())

    def remembered_offering() -> Iterator[str]:
        """Of a project with no plugins of its own: those of this environment."""
        return offering() if Path(sys.path[0]).is_dir() else iter(offered)

    stack.enter_context(patch.object(plugins, "_offering", remembered_offering))


def project_of(root: Path) -> tuple[Project, dict[str, Any]]:
    options = json.loads(_text(root / "options.json") or "{}")
    environ = dict(line.split("=", 1) for line in _text(root / "env").splitlines() if line)
    overrides = root / "overrides.json"
    project = Project.at(root, {**SECRETS, **environ}, overrides if overrides.exists() else None)
    return replace(project, evaluated_at=NOW), options


def hold(root: Path, choose: random.Random, *, canaries: bool) -> str:
    """Compiles, and says in a word what came of it; AssertionError where a promise is broken."""
    project, options = project_of(root)
    with surroundings(root):
        found = Diagnostics(strict=options.get("strict", False))
        outputs = compile_project(project, found, profile=options.get("profile"))
        rendered = render(found)
        judge_diagnostics(found, outputs, rendered, canaries=canaries)
        if outputs is not None:
            judge_outputs(outputs, canaries=canaries)
            if choose.random() < 0.1:
                asked(outputs)
        again(project, options, outputs, rendered)
    return "refused" if outputs is None else "compiled"


def judge_diagnostics(found: Diagnostics, outputs: Outputs | None, rendered: Rendered, *, canaries: bool) -> None:
    for each in found:
        assert each.code in CODES, each.code
        assert each.message.strip(), each.code
        for span in filter(None, (each.span, *(span for _, span in each.related))):
            _inside(span, each.code)
        assert each.span is not None or each.code in UNPLACED, f"{each.code} has no place: {each.message}"
    assert found.failed == (outputs is None), "an error and outputs, or neither"
    for form, text in rendered.items():
        assert not (canaries and CANARY in text), f"a secret in {form}: {text}"
        assert f"{CANARY}environment" not in text, f"a variable's value in {form}: {text}"
    json.loads(rendered["json"])
    json.loads(rendered["sarif"])


UNPLACED = frozenset(("ONE101", "ONE116", "ONE208"))
"""What is of no file: no settings, a profile asked for, a plugin that is installed and not listed."""


def judge_outputs(outputs: Outputs, *, canaries: bool) -> None:
    reports = {name: json.loads(files["explain.json"]) for name, (_, files) in outputs.profiles.items()}
    chooser = outputs.profiles.get("default", ("", dict[str, bytes]()))[1].get("choose.py")
    assert chooser is None or [*choosing(reports, chooser)] == [], "what chooses a profile is not of the reports"
    for folder, files in outputs.profiles.values():
        source, report = files["wiring.py"], json.loads(files["explain.json"])
        compile(source, f"{folder}/wiring.py", "exec", dont_inherit=True)
        assert render_report(report).encode() == files["explain.json"], "the report is not written as it is read"
        emitted = {name: text.encode() for name, text in emit(report).items()}
        of_one = {name: data for name, data in files.items() if name not in ("explain.json", "choose.py")}
        assert emitted == of_one, "not of the report alone"
        findings = list(verify(report, source, files.get("tenants.jsonl", b"")))
        assert findings == [], findings
        for name, data in files.items():
            assert b"canaryenvironment" not in data, f"a variable's value in {name}"
            assert not (canaries and f":{CANARY}@".encode() in data), f"a secret in {name}"


def asked(outputs: Outputs) -> None:
    """Differences are told in every form."""
    for _, files in outputs.profiles.values():
        report = parse_report(files["explain.json"])
        assert not compare(report, report)
        changes = {"default": compare(Report("", "", {}, {}), report)}
        tell.lines(changes)
        tell.markdown(changes)


def again(project: Project, options: Mapping[str, Any], outputs: Outputs | None, rendered: Rendered) -> None:
    """The same with files listed in another order; where there are outputs, as a check of what was written."""
    profile, found = options.get("profile"), Diagnostics(strict=options.get("strict", False))
    if outputs is None:
        with otherwise_listed():
            assert compile_project(project, found, profile=profile) is None, "compiled at the second try"
        assert as_json(found) == rendered["json"], "told otherwise at the second try"
        return
    unwritten = Diagnostics()
    if not write(outputs, unwritten):
        assert unwritten.failed
        return
    if profile is None:
        leftovers.remove(outputs, unwritten)
    with otherwise_listed():
        fresh = check(project, found, profile=profile)
    told = [each for each in found if each.code not in ("ONE502", "ONE503")]
    assert fresh is True or any(unwritten), f"not fresh: {as_text(found)}"
    assert as_json(told) == rendered["json"], "told otherwise by the check"


def render(found: Iterable[Diagnostic]) -> Rendered:
    return {
        "text": as_text(found),
        "a narrow terminal": as_text(found, styled=True, width=60, wrap=60),
        "json": as_json(found),
        "sarif": as_sarif(found, version="1"),
        "github": as_github(found),
    }


@contextmanager
def otherwise_listed() -> Iterator[None]:
    """Folders are listed the other way round."""
    listdir, scandir = os.listdir, os.scandir

    class Reversed:
        def __init__(self, path: Any) -> None:
            with scandir(path) as entries:
                self._entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

        def __iter__(self) -> Iterator[Any]:
            return self._entries

        def __next__(self) -> Any:
            return next(self._entries)

        def __enter__(self) -> Reversed:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def close(self) -> None:
            pass

    with (
        patch.object(os, "listdir", lambda *path: sorted(listdir(*path), reverse=True)),
        patch.object(os, "scandir", Reversed),
    ):
        yield


def _inside(span: Span, code: str) -> None:
    assert not Path(span.source.path).is_absolute(), f"{code} at the absolute {span.source.path}"
    if not span.source.text:
        return
    lines = span.source.text.split("\n")
    place = f"{code} at {span.source.path}:{span.line}:{span.column} to {span.end_line}:{span.end_column}"
    assert 1 <= span.line <= len(lines), place
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1, place
    assert (span.line, span.column) <= (span.end_line, span.end_column), place
    assert span.end_line <= len(lines) + 1, place


def _text(file: Path) -> str:
    return file.read_text("utf-8") if file.exists() else ""
