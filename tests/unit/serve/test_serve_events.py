"""Events and schedules by command, in a running process and without one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.running import environment, fits, run_apart
from tests.unit.serve.eventful import make_eventful
from tests.unit.serve.serving import Served, until


@pytest.fixture(name="shop")
def a_shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = make_eventful(tmp_path)
    done = run_apart(root, ["compile"], environ=environment())
    assert done.returncode == 0, (done.stdout, done.stderr)
    return root


def asked(root: Path, *call: str, code: int = 0) -> Any:
    """What a command answers, as its schema has it."""
    done = run_apart(root, [*call, "--json"], environ=environment())
    assert done.returncode == code, (call, done.stdout, done.stderr)
    document = json.loads(done.stdout)
    fits(document)
    return document


def said(root: Path, *call: str, code: int = 0) -> str:
    done = run_apart(root, [*call], environ=environment())
    assert done.returncode == code, (call, done.stdout, done.stderr)
    return str(done.stdout + done.stderr)


def notes(root: Path) -> list[str]:
    return sorted((root / "done").read_text().splitlines())


def test_an_event_is_delivered_without_a_process(shop: Path) -> None:
    payload = ("--payload", '{"id": "1", "cents": 5}')
    sent = ("--id", "e1", "--source", "till", "--time", "2026-01-01T00:00:00Z", "--subject", "s")
    done = asked(shop, "event", "emit", "order.placed", *payload, *sent)
    assert (done["id"], done["source"], done["time"]) == ("e1", "till", "2026-01-01T00:00:00Z")
    audit, mail = done["handlers"]
    assert (audit["handler"], audit["state"], audit["value"], audit["run"]) == ("audit", "completed", 7, None)
    assert (mail["handler"], mail["state"], mail["run"]) == ("mail", "completed", "till/e1/mail")
    assert notes(shop) == ["audit 1", "mail 1"]


def test_a_handler_that_fails_ends_with_1(shop: Path) -> None:
    done = asked(shop, "event", "emit", "order.lost", "--payload", '{"id": "bad"}', code=1)
    assert [each["error"] for each in done["handlers"]] == ["ValueError: no such order"]
    (shop / "mail.fails").touch()
    done = asked(shop, "event", "emit", "order.placed", "--payload", '{"id": "1", "cents": 5}', code=1)
    assert [each["error"] for each in done["handlers"]] == [None, "OSError: no mail today"]
    told = said(shop, "event", "emit", "order.lost", "--payload", '{"id": "bad"}', code=1)
    assert told.splitlines()[1].split() == ["failed", "audit:", "ValueError:", "no", "such", "order"]


def test_mistakes_are_told(shop: Path) -> None:
    assert "there is no topic order.place; did you mean order.placed" in said(
        shop, "event", "emit", "order.place", code=2
    )
    assert "missing required field `id`" in said(shop, "event", "emit", "order.placed", code=2)
    assert "is not an instant" in said(shop, "event", "emit", "order.lost", "--time", "soon", code=2)
    assert "`source` is not a URI reference" in said(shop, "event", "emit", "order.lost", "--source", "a b", code=2)
    assert "--payload is not an object of JSON" in said(shop, "event", "emit", "order.lost", "--payload", "1", code=2)
    assert "say --all" in said(shop, "event", "retry", code=2)
    assert "there is no dead letter outbox/1" in said(shop, "event", "retry", "outbox/1", code=2)
    assert "did you mean `nightly`?" in said(shop, "schedule", "next", "nightl", code=2)
    assert "has no offset" in said(shop, "schedule", "next", "nightly", "--from", "2026-01-01T00:00:00", code=2)
    assert "--due" in said(shop, "schedule", "fire", code=2)


def test_dead_letters_are_listed_retried_and_dropped(shop: Path) -> None:
    (shop / "mail.fails").touch()
    with Served(shop, name="shop"):
        for id in ("1", "2"):
            emitted = asked(
                shop, "event", "emit", "order.placed", "--payload", f'{{"id": "{id}", "cents": 5}}', "--id", id
            )
            assert [each["state"] for each in emitted["handlers"]] == ["completed", "submitted"]
        until(lambda: len(asked(shop, "event", "dead")["dead"]) == 2)
        dead = asked(shop, "event", "dead")
        assert {each["id"] for each in dead["dead"]} == {"shop/1/mail", "shop/2/mail"}
        assert dead["dead"][0]["errors"] == [
            {"node": "handle", "type": "OSError", "message": "no mail today", "attempts": 1}
        ]
        assert "OSError: no mail today" in said(shop, "event", "dead")
        assert asked(shop, "event", "dead", "--drop", "shop/1/mail")["ids"] == ["shop/1/mail"]
        (shop / "mail.fails").unlink()
        assert asked(shop, "event", "retry", "--all")["ids"] == ["shop/2/mail"]
        until(lambda: "mail 2" in notes(shop))
        assert said(shop, "event", "dead").strip() == "no dead letters"
        schedules = asked(shop, "schedule", "list")["schedules"]
        assert [(each["name"], each["timing"], each["runs"]) for each in schedules] == [
            ("nightly", "cron 30 2 * * * Europe/Berlin", 0),
            ("often", "every 900s", 0),
        ]
        assert all(each["newest"] is not None for each in schedules)
    assert notes(shop) == ["audit 1", "audit 2", "mail 2"]


def test_when_a_schedule_is_due(shop: Path) -> None:
    found = asked(shop, "schedule", "next", "nightly", "--from", "2026-10-24T12:00:00Z", "--count", "2")
    assert found["ticks"] == ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
    told = said(shop, "schedule", "next", "often", "--from", "2026-01-01T00:00:00+01:00", "--count", "1")
    assert told.strip() == "2025-12-31T23:15:00Z"
    assert said(shop, "schedule", "list").splitlines()[0].split() == [
        "schedule", "timing", "call", "next", "runs", "dropped"
    ]  # fmt: skip


def test_what_is_due_is_fired_where_no_process_stays(shop: Path) -> None:
    """The engine in memory has never seen the schedules: nothing before is due."""
    first = asked(shop, "schedule", "fire", "--due", "--wait", "--now", "2026-10-25T00:30:00Z")
    assert (first["now"], first["runs"], first["ended"]) == ("2026-10-25T00:30:00Z", [], True)
    assert said(shop, "schedule", "fire", "--due").strip() == "nothing is due"
