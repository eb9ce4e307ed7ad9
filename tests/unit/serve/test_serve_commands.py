"""The commands against a running process: what they show, their JSON, their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oneiric.serve.folder import StateFolder

from tests.unit.cli.running import COMPILER_EXTRA, run
from tests.unit.serve.serving import Served, command, select, until


def _json(project: Path, *arguments: str, code: int = 0) -> Any:
    return json.loads(command(project, *arguments, "--json", code=code).stdout)


def _change_of(served: Served, what: str) -> Any:
    """The last change, if it is that."""
    change = served.ask("status")["last_change"]
    return change if change is not None and change["what"] == what else None


def test_without_a_process_every_command_says_so(project: Path) -> None:
    assert "not running" in command(project, "status", code=1).stdout
    assert _json(project, "health", code=1)["ok"] is False
    for asked in (("swap", "cache", "memory"), ("reload",), ("rollback",), ("pause", "cache"), ("drain", "cache")):
        told = command(project, *asked, code=2)
        assert told.stdout == ""
        assert "no process is running here" in told.stderr
    assert "no process `lab` is running" in command(project, "reload", "--name", "lab", code=2).stderr
    assert "is not a valid process name" in command(project, "reload", "--name", "../lab", code=2).stderr


def test_asking_needs_neither_the_compiler_nor_an_http_library_where_nobody_answers(project: Path) -> None:
    done = run("status", cwd=project, blocked=(*COMPILER_EXTRA, "rich", "asyncio", "aiohttp", "structlog"))
    assert (done.returncode, done.stdout) == (1, "not running: no process has left anything here\n")


def test_swap_rollback_and_clear(project: Path) -> None:
    with Served(project) as served:
        told = command(project, "swap", "greeter", "loud", "--domain", "service").stdout
        assert told.startswith("swapped service:greeter to loud: generation ")
        assert "replace  service:greeter" in told
        until(lambda: served.heard() == "HELLO")
        status = _json(project, "status")
        assert status["overrides"] == {"overrides": {"service:greeter": "loud"}, "tenants": {}}
        assert "service:greeter -> loud" in command(project, "status").stdout
        assert _json(project, "rollback")["accepted"] is True
        until(lambda: served.heard() == "hello")
        _json(project, "swap", "service:greeter", "loud")
        until(lambda: served.heard() == "HELLO")
        assert _json(project, "swap", "service:greeter", "--clear")["accepted"] is True
        until(lambda: served.heard() == "hello")
        assert not (project / "failures").exists()
    assert command(project, "compile", "--check").stderr == ""


def test_components_are_imported_from_the_source_roots_that_the_project_states(project: Path) -> None:
    (project / "lib").mkdir()
    (project / "lab").rename(project / "lib" / "lab")
    app = project / "settings" / "app.yml"
    app.write_text(app.read_text() + "source_roots: [lib]\n")
    command(project, "compile")
    with Served(project) as served:
        until(lambda: served.heard() == "hello")
        assert _json(project, "swap", "service:greeter", "loud")["accepted"] is True
        until(lambda: served.heard() == "HELLO")


def test_a_rejected_swap_is_a_finding_and_changes_nothing(project: Path) -> None:
    with Served(project) as served:
        before = served.ask("status")["generation"]
        unknown = command(project, "swap", "service:greeter", "loudd", code=1)
        assert unknown.stdout == ""
        told = "\nerror[ONE301]: service:greeter has no candidate `loudd`\n  = help: did you mean `loud`?\n"
        assert told in unknown.stderr, "the compiler's words keep their lines, and nobody wrote the overrides"
        assert "error[ONE301]: " in command(project, "status").stdout
        broken = _json(project, "swap", "service:greeter", "broken", code=1)
        assert (broken["accepted"], broken["code"], broken["generation"]) == (False, "start", before)
        status = served.ask("status")
        assert (status["generation"], status["overrides"]["overrides"]) == (before, {})
        assert "broken" in status["rejected"]["reason"]
        assert "hunter2" not in served.text()
        until(lambda: served.heard() == "hello")
        assert not (project / "failures").exists()


def test_a_key_of_another_domain_is_found_by_its_name(project: Path) -> None:
    with Served(project):
        for asked in (("swap", "greeter", "loud"), ("pause", "greeter"), ("drain", "greter")):
            told = command(project, *asked, code=2).stderr
            assert told.endswith("; did you mean service:greeter?\n")


def test_force_accepts_what_is_not_well(project: Path) -> None:
    with Served(project) as served:
        until(lambda: served.heard() == "hello")
        (project / "Loud.sick").touch()
        assert _json(project, "swap", "service:greeter", "loud", code=1)["code"] == "health"
        assert _json(project, "swap", "service:greeter", "loud", "--force")["accepted"] is True
        until(lambda: served.heard() == "HELLO")


def test_health_asks_only_when_told_to(project: Path) -> None:
    with Served(project, "--health-period", "0"):
        (project / "Plain.sick").touch()
        assert _json(project, "health") == {
            "format": "oneiric.health/1",
            "ok": True,
            "state": "running",
            "components": [],
        }
        probed = _json(project, "health", "--probe", code=1)
        sick = {each["key"]: each["reason"] for each in probed["components"] if not each["ok"]}
        assert sick["service:greeter"] == "health() answered False"
        assert "not ok: running" in command(project, "health", "--probe", code=1).stdout


def test_reload_plans_compiles_and_takes_over(project: Path) -> None:
    with Served(project) as served:
        assert _json(project, "reload")["code"] == "unchanged"
        nothing = _json(project, "reload", "--plan")["plan"]
        assert nothing["keep"]
        assert not nothing["start"] + nothing["replace"] + nothing["stop"]
        settings = project / "settings" / "services.yml"
        settings.write_text(settings.read_text().replace("plain", "loud"))
        told = command(project, "reload", "--recompile").stdout
        assert "replace  service:greeter" in told
        until(lambda: served.heard() == "HELLO")
        select(project, "calm")
        plan = _json(project, "reload", "--plan")
        assert [entry["key"] for entry in plan["plan"]["replace"]] == ["service:greeter"]
        assert plan["code"] == "planned"
        assert served.heard() == "HELLO"
        settings.write_text("selections:\n  greeter: nobody\n")
        assert "nobody" in command(project, "reload", "--recompile", code=2).stderr
        assert "--plan does nothing" in command(project, "reload", "--recompile", "--plan", code=2).stderr


def test_tenants_are_swapped_by_name_or_all_together(project: Path) -> None:
    with Served(project) as served:
        assert _json(project, "swap", "service:greeter", "loud", "--tenant", "acme")["accepted"]
        assert served.ask("status")["overrides"]["tenants"] == {"acme": {"service:greeter": "loud"}}
        assert _json(project, "swap", "service:greeter", "plain", "--all-tenants")["accepted"]
        assert len(served.events("recompile")) == 2, "one swap compiles once, for however many tenants"
        swapped = {"overrides": {"service:greeter": "plain"}, "tenants": {"acme": {"service:greeter": "plain"}}}
        assert served.ask("status")["overrides"] == swapped
        assert not _json(project, "swap", "service:greeter", "broken", "--all-tenants", code=1)["accepted"]
        assert served.ask("status")["overrides"] == swapped
        assert _json(project, "swap", "service:greeter", "--clear", "--all-tenants")["accepted"]
        assert served.ask("status")["overrides"] == {"overrides": {}, "tenants": {}}


def test_one_of_several_processes_is_named_and_all_can_be_swapped(project: Path) -> None:
    with Served(project) as one, Served(project, "--name", "two", name="two") as two:
        told = command(project, "reload", code=2)
        assert "several processes are running: lab, two" in told.stderr
        assert command(project, "status", "--name", "two").stdout.startswith("two running")
        _json(project, "swap", "service:greeter", "loud", "--name", "two")
        assert one.ask("status")["overrides"]["overrides"] == {}
        answers = _json(project, "swap", "service:greeter", "loud", "--all-processes")["processes"]
        assert {name: answer["accepted"] for name, answer in answers.items()} == {"lab": True, "two": True}
        assert one.ask("status")["generation"] == two.ask("status")["generation"]


def test_a_state_folder_elsewhere(project: Path, tmp_path: Path) -> None:
    served = Served(project, "--state", str(tmp_path / "elsewhere"))
    served.folder = StateFolder(tmp_path / "elsewhere")
    with served:
        assert "no process is running here" in command(project, "reload", code=2).stderr
        assert _json(project, "status", "--state", str(tmp_path / "elsewhere"))["name"] == "lab"
        assert not (project / ".oneiric" / "lab" / "status.json").exists()


def test_a_path_too_long_for_a_socket_is_told(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    assert "103 are allowed" in command(project, "serve", "--state", str(folder), code=2).stderr


def test_list_by_name_is_of_the_process(project: Path) -> None:
    with Served(project):
        rows = {row["key"]: row for row in _json(project, "list", "--name", "lab")["keys"]}
        assert (rows["greeter"]["provider"], rows["greeter"]["state"]) == ("plain", "active")
        told = command(project, "list", "--name", "lab", "--domain", "service").stdout
        assert "service:greeter" in told and "adapter:cache" not in told
        assert "leave out" in command(project, "list", "--name", "lab", "--profile", "other", code=2).stderr


def test_pause_and_drain_show_their_notes(project: Path) -> None:
    with Served(project):
        told = command(project, "pause", "service:greeter", "--note", "maintenance").stdout
        assert told.startswith("paused: service:greeter\n  pause  maintenance (since ")
        told = command(project, "drain", "lazy", "--domain", "service").stdout
        assert "drain  no note" in told
        status = command(project, "status").stdout
        assert "pause       service:greeter: maintenance (since" in status
        assert _json(project, "pause", "service:greeter", "--resume")["notes"] == {}
        assert "leave out --note" in command(project, "pause", "x", "--resume", "--note", "y", code=2).stderr


def test_a_swap_outlives_a_kill(project: Path) -> None:
    with Served(project) as served:
        served.swap("service:greeter", "loud")
        generation = served.ask("status")["generation"]
        served.process.kill()
        served.wait()
    with Served(project) as again:
        status = again.ask("status")
        assert (status["generation"], status["overrides"]["overrides"]) == (generation, {"service:greeter": "loud"})
        until(lambda: again.heard() == "HELLO")


def test_swaps_under_load_lose_no_call(project: Path) -> None:
    with Served(project) as served:
        until(lambda: served.heard() == "hello")
        for provider in ("loud", "calm", "plain"):
            assert served.swap("service:greeter", provider)["accepted"]
        assert not (project / "failures").exists()


def test_an_unhealthy_component_brings_the_previous_generation_back(project: Path) -> None:
    with Served(project, "--provisional", "60") as served:
        until(lambda: served.heard() == "hello")
        before = served.ask("status")["generation"]
        assert served.swap("service:greeter", "loud")["accepted"]
        sick = served.ask("status")["generation"]
        (project / "Loud.sick").touch()
        until(lambda: served.ask("status")["generation"] == before)
        change = until(lambda: _change_of(served, "rollback"))
        assert (change["accepted"], change["from"], change["to"]) == (True, sick, before)
        assert "turned unhealthy: service:greeter (loud)" in change["reason"]
        assert "turned unhealthy" in command(project, "status").stdout
