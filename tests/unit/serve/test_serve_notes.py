"""Pausing and draining: no new activations, for as long as anybody's note says so."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from threading import Thread

from tests.unit.serve.serving import Served, until


def _closed(project: Path) -> int:
    file = project / "closed"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_pausing_an_active_key_changes_nothing_for_who_uses_it(project: Path) -> None:
    with Served(project) as served:
        served.note("pause", "service:greeter", "maintenance")
        until(lambda: served.heard() == "hello")
        assert served.ask("status")["notes"]["service:greeter"]["pause"]["note"] == "maintenance"
        assert not (project / "failures").exists()


def test_draining_closes_and_refuses_until_it_is_resumed(project: Path) -> None:
    with Served(project) as served:
        answer = served.note("drain", "service:greeter", "new disks")
        assert answer["reports"] == []
        assert _closed(project) == 1
        until(lambda: served.heard() == "Paused: service:greeter takes no new activations: drain: new disks")
        served.note("drain", "service:greeter", resume=True)
        until(lambda: served.heard() == "hello")
        assert served.ask("status")["notes"] == {}


def _drained_while_used(served: Served) -> Thread:
    """A drain of the slow greeter that has begun, and waits for the call under way."""
    served.swap("service:greeter", "slow")
    until((served.root / "asked").exists)
    draining = Thread(target=served.note, args=("drain", "service:greeter", "soon"))
    draining.start()
    until(lambda: served.ask("status")["notes"])
    return draining


def test_draining_waits_for_what_is_under_way(project: Path) -> None:
    with Served(project) as served:
        draining = _drained_while_used(served)
        assert draining.is_alive()
        assert "Slow" not in (project / "closed").read_text()
        (project / "go").touch()
        draining.join(20)
        assert (project / "closed").read_text().splitlines().count("Slow") == 1
        until(lambda: "drain: soon" in served.heard())
        assert (project / "failures").read_text().splitlines()[0].startswith("Paused")


def test_a_shutdown_waits_for_a_drain_and_a_second_signal_for_nothing(project: Path) -> None:
    with Served(project) as served:
        draining = _drained_while_used(served)
        served.signal(signal.SIGTERM)
        until(lambda: served.state() == "stopping")
        assert "Slow" not in (project / "closed").read_text()
        served.signal(signal.SIGTERM)
        assert served.wait() == 0
        draining.join(20)
    assert (project / "closed").read_text().splitlines().count("Slow") == 1


def test_the_two_notes_of_a_key_do_not_touch_each_other(project: Path) -> None:
    with Served(project) as served:
        served.note("pause", "service:greeter", "one")
        served.note("drain", "service:greeter", "two")
        notes = served.note("pause", "service:greeter", resume=True)["notes"]
        assert [(kind, note["note"]) for kind, note in notes.items()] == [("drain", "two")]
        until(lambda: "drain: two" in served.heard())


def test_notes_outlive_the_process(project: Path) -> None:
    with Served(project) as served:
        served.note("pause", "service:lazy", "later")
        served.signal(signal.SIGKILL)
        served.wait()
    with Served(project) as again:
        status = again.ask("status")
        assert status["notes"]["service:lazy"]["pause"]["note"] == "later"
        again.note("pause", "service:lazy", resume=True)
    assert json.loads(again.folder.notes.read_text())["keys"] == {}


def _states(served: Served) -> dict[str, str]:
    return {row["key"]: row["state"] for row in served.ask("keys")["keys"]}


def test_what_is_eager_and_needs_a_paused_key_waits_until_it_is_resumed(project: Path) -> None:
    with Served(project) as served:
        served.note("pause", "service:lazy", "broken upstream")
        served.signal(signal.SIGTERM)
        served.wait()
    with Served(project) as again:
        assert (_states(again)["talker"], _states(again)["greeter"]) == ("inactive", "active")
        assert again.swap("service:greeter", "loud")["accepted"]
        assert _states(again)["talker"] == "inactive"
        again.note("pause", "service:lazy", resume=True)
        assert _states(again)["talker"] == "active"
        until(lambda: again.heard() == "HELLO")


def test_a_paused_key_that_is_active_can_be_swapped(project: Path) -> None:
    with Served(project) as served:
        served.note("pause", "service:greeter", "no newcomers")
        assert served.swap("service:greeter", "loud")["accepted"]
        until(lambda: served.heard() == "HELLO")
        assert not (project / "failures").exists()


def test_a_swap_of_a_drained_key_starts_nothing_of_it(project: Path) -> None:
    with Served(project) as served:
        served.note("drain", "service:greeter", "empty")
        assert served.swap("service:greeter", "loud")["accepted"]
        assert _states(served)["greeter"] == "inactive"
        served.note("drain", "service:greeter", resume=True)
        until(lambda: served.heard() == "HELLO")
