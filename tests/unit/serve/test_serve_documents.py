"""Every command answers with one JSON document, and so does every mistake in how it is called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from oneiric_compiler.cli.app import application

from tests.unit.cli.running import fits, run_here
from tests.unit.serve.serving import Served

CALLS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("init",): ("init", "made"),
    ("compile",): ("diagnostics",),
    ("fix",): ("fix",),
    ("schema",): ("schema",),
    ("demo",): ("demo",),
    ("explain",): ("explain",),
    ("plan",): ("plan",),
    ("diff",): ("diff", "generated", "generated/other"),
    ("list",): ("list",),
    ("matrix",): ("matrix",),
    ("report",): ("report",),
    ("env",): ("env",),
    ("verify",): ("verify",),
    ("explain-code",): ("codes",),
    ("status",): ("status",),
    ("health",): ("health", "--probe"),
    ("swap",): ("change", "service:greeter", "loud"),
    ("reload",): ("change",),
    ("rollback",): ("change",),
    ("secrets", "rotate"): ("change",),
    ("history",): ("history",),
    ("pause",): ("note", "service:lazy"),
    ("drain",): ("note", "service:lazy", "--resume"),
    ("remote-sync",): ("diagnostics",),
    ("remote-status",): ("remote-status",),
    ("manifest", "export"): ("manifest-export", "--out", "own.json"),
    ("manifest", "keygen"): ("manifest-keygen",),
    ("manifest", "sign"): ("manifest-sign", "own.json", "--key", "oneiric.key"),
    ("manifest", "verify"): ("manifest-verify", "own.json"),
}
"""Command -> the name of its format, and what it is called with; in this order."""
APART = ("workflow", "queue", "event", "schedule", "action", "action-invoke")
"""Commands about what this project has none of: `test_serve_workflows`, `test_serve_actions` and others."""


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from _commands(inner, (*path, name))
        elif not inner.hidden:
            yield (*path, name)


COMMANDS = [each for each in _commands(typer.main.get_command(application())) if each not in (("serve",), ("lsp",))]


def test_every_command_but_serve_and_lsp_answers_with_a_document(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {*CALLS} == {each for each in COMMANDS if each[0] not in APART}
    with Served(project):
        for command, (name, *arguments) in CALLS.items():
            done = run_here(project, [*command, *arguments, "--json"])
            document = json.loads(done.stdout)
            assert document["format"] == f"oneiric.{name}/1", (command, document)
            fits(document)
            assert done.returncode == (command == ("diff",)), (command, document, done.stderr)
            if command == ("manifest", "keygen"):
                monkeypatch.setenv("ONEIRIC_TRUSTED_PUBLIC_KEYS", document["public_key"])
        every = run_here(project, ["swap", "service:greeter", "plain", "--all-processes", "--json"])
        fits(json.loads(every.stdout))
        fits(keys := json.loads(run_here(project, ["list", "--name", "lab", "--json"]).stdout))
        assert keys["format"] == "oneiric.keys/1"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_mistake_in_how_it_is_called_is_a_document(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run_here(tmp_path, [*command, "--json", "--nope"])
    assert (done.returncode, done.stderr) == (2, "")
    fits(document := json.loads(done.stdout))
    assert document["error"]["message"] == f"`oneiric {' '.join(command)}` has no option `--nope`"


@pytest.mark.parametrize(
    "call",
    [
        ("list", "--unused"),
        ("compile",),
        ("schema",),
        ("remote-status",),
        ("remote-sync",),
        ("manifest", "export"),
        ("explain", "service:greeter", "--what-if", "provider=loud"),
    ],
    ids=" ".join,
)
def test_settings_with_errors_are_a_document(call: tuple[str, ...], project: Path) -> None:
    (project / "settings/services.yml").write_text("selections: {greeter: nobody}\nnope: 1\n")
    done = run_here(project, [*call, "--json"])
    assert (done.returncode, done.stderr) == (2, "")
    fits(document := json.loads(done.stdout))
    assert (document["format"], document["status"]) == ("oneiric.diagnostics/1", "failed")
    assert document["diagnostics"]


def test_what_excludes_json_says_so(project: Path) -> None:
    for call in (
        ("compile", "--format", "sarif"),
        ("diff", "generated", "generated", "--format", "markdown"),
        ("manifest", "keygen", "--out", "-"),
        ("remote-sync", "--watch"),
    ):
        done = run_here(project, [*call, "--json"])
        assert (done.returncode, done.stderr) == (2, "")
        fits(document := json.loads(done.stdout))
        assert "--json" in document["error"]["message"]


def test_documents_of_what_is_not_so(project: Path) -> None:
    """Not running, a manifest that is rejected, one question after the other."""
    for call, code in (
        (("status",), 1),
        (("health",), 1),
        (("list", "--unused"), 0),
        (("explain", "service:greeter"), 0),
        (("explain", "service:greeter", "--tenant", "acme"), 0),
        (("explain", "service:greeter", "--uses"), 0),
        (("explain", "service:greeter", "--why-not", "loud"), 0),
        (("explain", "service:greeter", "--what-if", "provider=loud"), 0),
        (("explain-code", "one301"), 0),
        (("manifest", "export"), 0),
        (("compile", "--check"), 0),
        (("remote-sync", "--check"), 0),
    ):
        done = run_here(project, [*call, "--json"])
        assert done.returncode == code, (call, done.stdout)
        fits(json.loads(done.stdout))
    run_here(project, ["manifest", "keygen", "--json"])
    run_here(project, ["manifest", "export", "--out", "own.json"])
    key = "x" * 43 + "="
    rejected = run_here(project, ["manifest", "verify", "own.json", "--key", key, "--json"])
    fits(document := json.loads(rejected.stdout))
    assert (rejected.returncode, document["ok"], document["rejected"]["rule"]) == (1, False, "signature")
