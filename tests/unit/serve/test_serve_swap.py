"""`swap` plans, notes and takes no edited settings along; `history` and `rollback --to`."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

from tests.unit.cli.running import run
from tests.unit.serve.serving import PARTS, Served, command, until

EDITED = PARTS.replace('"service", "lazy", provider="only"', '"service", "lazy", provider="only", eager=True')


def _json(project: Path, *arguments: str, code: int = 0) -> Any:
    return json.loads(command(project, *arguments, "--json", code=code).stdout)


def test_a_plan_shows_every_consequence_and_changes_nothing(project: Path) -> None:
    with Served(project) as served:
        before = served.ask("status")
        told = command(project, "swap", "service:greeter", "loud", "--plan").stdout
        assert told.startswith("would swap service:greeter to loud: generation ")
        assert "replace  service:greeter  plain -> loud" in told
        assert "winner     service:greeter  plain -> loud  (an operator's override selects loud)" in told
        planned = _json(project, "swap", "service:greeter", "loud", "--plan")
        assert (planned["accepted"], planned["code"]) == (True, "planned")
        assert planned["plan"]["replace"] == [{"tenant": None, "key": "service:greeter", "from": "plain", "to": "loud"}]
        (winner,) = planned["diff"]["profiles"]["default"]
        assert (winner["class"], winner["old"], winner["new"]) == ("winner", "plain", "loud")
        assert "would clear service:greeter" in command(project, "swap", "service:greeter", "--clear", "--plan").stdout
        after = served.ask("status")
        for status in (before, after):
            status |= {"written_at": None, "components": [{**each, "leases": None} for each in status["components"]]}
        assert after == before
        until(lambda: served.heard() == "hello")
        assert [each["what"] for each in _json(project, "history")["changes"]] == ["start"]


def test_edited_settings_are_refused_shown_and_taken_along_when_that_is_said(project: Path) -> None:
    with Served(project) as served:
        deployed = served.ask("status")["generation"]
        (project / "lab/parts.py").write_text(EDITED)
        refused = command(project, "swap", "service:greeter", "loud", code=1)
        assert refused.stderr.startswith("rejected[drift]: the settings are not those that the running wiring was")
        assert "setting    service:lazy  eager: added true" in refused.stderr
        assert "--with-settings" in refused.stderr
        status = served.ask("status")
        assert (status["generation"], status["dropped"], status["baseline"]["accepted"]) == (deployed, None, False)
        told = command(project, "swap", "service:greeter", "loud", "--with-settings").stdout
        assert "replace  service:greeter  plain -> loud" in told
        assert "service:lazy" in told
        until(lambda: served.heard() == "HELLO")
        assert f"accepted over the deployed one, {deployed[:12]}" in command(project, "status").stdout
        assert served.ask("status")["baseline"]["deployed"] == deployed
        assert ", with settings that were edited since" in command(project, "history").stdout
    with Served(project) as served:
        assert served.ask("status")["baseline"]["accepted"] is True
        command(project, "swap", "service:greeter", "--clear")
        assert _json(project, "reload")["generation"] == deployed
        assert "accepted over" not in command(project, "status").stdout


def test_edited_settings_of_what_is_swapped_in_are_refused_as_well(project: Path) -> None:
    method = 'async def greet(self) -> str:\n        return "HELLO"'
    assert method in PARTS
    made = "def __init__(self, *, word: str) -> None:\n        self.word = word\n\n    "
    (project / "lab/parts.py").write_text(PARTS.replace(method, made + method.replace('"HELLO"', "self.word")))
    settings = project / "settings/services.yml"
    reviewed = settings.read_text() + "provider_settings:\n  loud: {word: HI}\n"
    settings.write_text(reviewed)
    command(project, "compile")
    with Served(project) as served:
        settings.write_text(reviewed.replace("HI", "HEY"))
        refused = command(project, "swap", "service:greeter", "loud", code=1)
        assert refused.stderr.startswith("rejected[drift]: the settings are not those that the running wiring was")
        assert "standby    service:greeter  loud word: HI -> HEY" in refused.stderr
        until(lambda: served.heard() == "hello")
        command(project, "swap", "service:greeter", "loud", "--with-settings")
        until(lambda: served.heard() == "HEY")
        command(project, "swap", "service:greeter", "--clear")
        settings.write_text(reviewed)
        command(project, "swap", "service:greeter", "loud")
        until(lambda: served.heard() == "HI")


def test_swaps_that_a_deploy_does_not_take_are_named(project: Path) -> None:
    with Served(project) as served:
        served.swap("service:greeter", "loud")
    (project / "lab/parts.py").write_text(EDITED)
    command(project, "compile")
    (project / "lab/parts.py").write_text(PARTS)
    with Served(project) as served:
        until(lambda: served.heard() == "hello")
        status = command(project, "status").stdout
        assert "dropped     service:greeter -> loud" in status
        assert "the settings are not those" in status
        last = _json(project, "history")["changes"][0]
        assert (last["what"], last["dropped"]["overrides"]) == ("start", {"service:greeter": "loud"})
        assert "dropped the swaps of the last run: service:greeter -> loud" in command(project, "history").stdout


def test_a_swap_for_a_tenant_that_has_left_is_dropped_by_name(project: Path) -> None:
    with Served(project):
        command(project, "swap", "service:greeter", "loud", "--tenant", "acme")
    (project / "settings/tenants/acme.yml").unlink()
    command(project, "compile")
    with Served(project):
        status = command(project, "status").stdout
        assert "dropped     service:greeter -> loud for tenant acme" in status
        assert "tenant `acme` has no file" in status


def test_history_says_who_when_why_and_what_and_rollback_goes_to_any_of_it(project: Path) -> None:
    with Served(project) as served:
        first = served.ask("status")["generation"]
        command(project, "swap", "service:greeter", "loud", "--note", "louder,\nthey said")
        second = served.ask("status")["generation"]
        command(project, "swap", "service:greeter", "plain", "--tenant", "acme")
        document = _json(project, "history")
        changes = document["changes"]
        assert [each["what"] for each in changes] == ["swap", "swap", "start"]
        assert changes[1]["note"] == "louder,\nthey said"
        assert {each["by"] for each in changes[:2]} == {getpass.getuser()}
        assert changes[0]["tenant"] == "acme"
        assert [each["generation"] for each in document["generations"]][1:] == [second, first]
        told = command(project, "history").stdout.splitlines()
        assert told[0].startswith("* ") and told[0].endswith("swap service:greeter -> plain for tenant acme")
        assert told[1].startswith(f"+ {second[:12]}  ")
        assert told[2:4] == ["    louder,", "    they said"]
        assert (
            "no generation before this one begins with 0x" in command(project, "rollback", "--to", "0x", code=1).stderr
        )
        answer = _json(project, "rollback", "--to", first[:8])
        assert answer["rolled_back_to"] == first == served.ask("status")["generation"]
        until(lambda: served.heard() == "hello")
        told = command(project, "history").stdout.splitlines()
        assert f"* {first[:12]}" in told[0] and "rollback from" in told[0]
        assert not any(line.startswith("+") for line in told)
        left = _json(project, "history")
    assert _json(project, "history") == left, "as it was when the process ended"
    assert run("history", "--name", "lab", cwd=project, blocked=("aiohttp", "structlog", "rich")).returncode == 0
    assert "no process is running here" in command(project, "history", "--name", "nobody", code=2).stderr
    (project / ".oneiric/lab/current.json").write_text('{"format": "oneiric.state/1"}')
    assert "current.json cannot be used: it has no `baseline`" in command(project, "history", code=2).stderr


def test_a_reload_by_a_signal_is_told_apart_from_one_by_a_user(project: Path) -> None:
    with Served(project) as served:
        settings = project / "settings/services.yml"
        settings.write_text(settings.read_text().replace("plain", "loud"))
        command(project, "reload", "--recompile")
        assert _json(project, "history")["changes"][0]["by"] == getpass.getuser()
        settings.write_text(settings.read_text().replace("loud", "calm"))
        command(project, "compile")
        served.signal(1)
        until(lambda: _json(project, "history")["changes"][0]["by"] == "SIGHUP")
