"""`plan` tells what edited settings would change, as committed and in processes; `explain` tells their swaps."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.unit.cli.running import COMPILER_EXTRA, run
from tests.unit.serve.serving import PARTS, Served, command, compile_project

STAYING = PARTS.replace(
    "class Lazy(Plain):\n    pass", 'class Lazy(Plain):\n    def __stays__(self) -> str:\n        return "it is busy"'
)


def _plan(project: Path, *options: str, code: int = 1) -> Any:
    return json.loads(command(project, "plan", *options, "--json", code=code).stdout)


def _select(project: Path, provider: str) -> None:
    (project / "settings/services.yml").write_text(f"selections:\n  greeter: {provider}\n")


def _classes(diff: Any, profile: str = "default") -> list[tuple[str, str, Any, Any]]:
    return [(each["class"], each["key"], each["old"], each["new"]) for each in diff["profiles"][profile]]


def _files(project: Path) -> dict[Path, bytes]:
    passing = {"status.json", "heard", "heard.part"}
    return {
        path: path.read_bytes()
        for folder in ("generated", ".oneiric")
        for path in (project / folder).rglob("*")
        if path.is_file() and path.name not in passing
    }


def test_nothing_is_planned_where_nothing_was_edited(project: Path) -> None:
    assert command(project, "plan").stdout == "default: no change\nother: no change\n"
    assert _plan(project, code=0) == {
        "format": "oneiric.plan/1",
        "changes": False,
        "diff": {"format": "oneiric.diff/1", "profiles": {"default": [], "other": []}},
        "processes": {},
    }


def test_what_a_compile_would_change_is_what_a_diff_tells_after_it(project: Path) -> None:
    before = _files(project)
    _select(project, "loud")
    planned = _plan(project)
    assert ("winner", "service:greeter", "plain", "loud") in _classes(planned["diff"])
    assert [*_plan(project, "--profile", "other", code=0)["diff"]["profiles"]] == ["other"]
    assert _files(project) == before
    os.rename(project / "generated", project / "old")
    compile_project(project)
    assert json.loads(command(project, "diff", "old", "generated", "--json", code=1).stdout) == planned["diff"]


def test_a_profile_that_comes_and_one_that_goes(project: Path) -> None:
    app = project / "settings/app.yml"
    app.write_text(app.read_text().replace("[other]", "[another]"))
    (project / "settings/profiles/another.yml").write_text("{}\n")
    planned = _plan(project)["diff"]
    assert ("winner", "service:greeter", None, "plain") in _classes(planned, "another")
    assert ("winner", "service:greeter", "loud", None) in _classes(planned, "other")


def test_settings_with_errors_plan_nothing(project: Path) -> None:
    _select(project, "nobody")
    done = command(project, "plan", code=2)
    assert "`nobody`" in done.stderr
    assert done.stdout == ""
    assert _plan(project, code=2)["format"] == "oneiric.diagnostics/1"


def test_it_needs_the_compiler(project: Path) -> None:
    done = run("plan", cwd=project, blocked=COMPILER_EXTRA)
    assert done.returncode == 2
    assert "`oneiric plan` needs the extra `compiler`" in done.stderr


def test_a_process_tells_what_it_would_restart_and_changes_nothing(project: Path) -> None:
    with Served(project) as served:
        assert _plan(project, code=0)["processes"]["lab"]["code"] == "planned"
        before, generation = _files(project), served.ask("status")["generation"]
        _select(project, "calm")
        planned = _plan(project)["processes"]["lab"]
        assert planned["plan"]["replace"] == [{"tenant": None, "key": "service:greeter", "from": "plain", "to": "calm"}]
        assert ("winner", "service:greeter", "plain", "calm") in _classes(planned["diff"])
        told = command(project, "plan", code=1).stdout
        assert told.count("winner ") == 1, "what is told of the committed wiring is not told again of the process"
        assert f"lab: would reload: generation {generation[:12]}" in told
        assert "  replace  service:greeter  plain -> calm\n" in told
        status = served.ask("status")
        assert (status["generation"], status["rejected"], status["last_change"]) == (generation, None, None)
        assert _files(project) == before
        _select(project, "broken")
        assert _plan(project)["processes"]["lab"]["accepted"], "nothing is started for a plan"


def test_a_process_that_was_not_reloaded_has_more_to_change(project: Path) -> None:
    with Served(project):
        _select(project, "loud")
        compile_project(project)
        planned = _plan(project)
        assert planned["diff"]["profiles"] == {"default": [], "other": []}
        assert _classes(planned["processes"]["lab"]["diff"])[0] == ("winner", "service:greeter", "plain", "loud")
        told = command(project, "plan", code=1).stdout
        assert told.startswith("default: no change\nother: no change\nlab: would reload")
        assert "winner     service:greeter  plain -> loud" in told


def test_swaps_stay_in_what_is_planned(project: Path) -> None:
    with Served(project) as served:
        assert served.swap("service:greeter", "loud")["accepted"]
        assert _plan(project, code=0)["processes"]["lab"]["plan"]["replace"] == []
        _select(project, "calm")
        planned = _plan(project)["processes"]["lab"]
        assert planned["accepted"] and planned["plan"]["replace"] == []
        assert all(kind != "winner" for kind, *_ in _classes(planned["diff"]))
        assert served.ask("status")["overrides"]["overrides"] == {"service:greeter": "loud"}


def test_what_cannot_be_replaced_while_the_process_runs_is_told(project: Path) -> None:
    (project / "lab/parts.py").write_text(STAYING)
    compile_project(project)
    with Served(project):
        (project / "lab/parts.py").write_text(STAYING.replace("class Lazy(Plain)", "class Idle(Plain)"))
        command(project, "plan", code=1)
        planned = _plan(project)["processes"]["lab"]
        assert [each["key"] for each in planned["plan"]["replace"]] == ["service:lazy"]
        assert planned["reports"] == ["restart needed: service:lazy (only) cannot be replaced: it is busy"]
        assert "warning: restart needed" in command(project, "plan", code=1).stderr


def test_processes_of_other_profiles_and_those_that_are_named(project: Path) -> None:
    with Served(project), Served(project, "--profile", "other", "--name", "second", name="second"):
        (project / "settings/profiles/other.yml").write_text("services:\n  selections:\n    greeter: calm\n")
        planned = _plan(project)["processes"]
        assert {name: len(each["plan"]["replace"]) for name, each in planned.items()} == {"lab": 0, "second": 1}
        assert [*_plan(project, "--name", "second")["processes"]] == ["second"]
        left_out = command(project, "plan", "--profile", "default")
        assert "process second runs profile other: it is left out" in left_out.stderr
    assert "no process `second` is running" in command(project, "plan", "--name", "second", code=2).stderr


def test_a_process_that_is_stopped_is_a_finding(project: Path) -> None:
    with Served(project) as served:
        os.kill(served.process.pid, signal.SIGSTOP)
        try:
            planned = _plan(project, "--timeout", "0.3")
            assert "did not answer" in planned["processes"]["lab"]["error"]["message"]
            assert "did not answer" in command(project, "plan", "--timeout", "0.3", code=1).stderr
        finally:
            os.kill(served.process.pid, signal.SIGCONT)


def test_explain_tells_the_swaps_of_processes_that_run(project: Path) -> None:
    (project / "settings/tenants/blue.yml").write_text("{}\n")
    compile_project(project)
    with Served(project) as served:
        assert "running" not in command(project, "explain", "service:greeter").stdout
        assert served.swap("service:greeter", "loud")["accepted"]
        assert served.swap("service:greeter", "slow", tenant="acme")["accepted"]
        told = command(project, "explain", "service:greeter").stdout
        assert told.endswith("\n  running\n    lab  swapped to loud\n    lab  swapped to slow  for tenant acme\n")
        assert "    lab  service:greeter swapped to loud\n" in command(project, "explain").stdout
        report = "generated/explain.json"
        for other in (["service:lazy"], ["--profile", "other"], ["service:greeter", "--from-report", report]):
            assert "swapped" not in command(project, "explain", *other).stdout
        key = json.loads(command(project, "explain", "service:greeter", "--tenant", "blue", "--json").stdout)
        assert key["running"] == [{"process": "lab", "tenant": None, "provider": "loud"}]
    assert "swapped" not in command(project, "explain", "service:greeter").stdout
