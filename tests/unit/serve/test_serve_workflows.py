"""Runs of a process and of none, by command: started, waited for, looked at, ended, tried again."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.running import fits, run_here
from tests.unit.serve.serving import Served, until
from tests.unit.serve.working import lines, make_works


@pytest.fixture
def works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_works(tmp_path)


def asked(root: Path, *call: str, code: int = 0) -> Any:
    """What a command answers, as its schema has it."""
    done = run_here(root, [*call, "--json"])
    assert done.returncode == code, (call, done.stdout, done.stderr)
    document = json.loads(done.stdout)
    fits(document)
    return document


def said(root: Path, *call: str, code: int = 0) -> str:
    done = run_here(root, [*call])
    assert done.returncode == code, (call, done.stdout, done.stderr)
    return str(done.stdout + done.stderr)


PAYLOAD = ("--payload", '{"name": "a"}')


def test_a_workflow_runs_without_a_process(works: Path) -> None:
    run = asked(works, "workflow", "run", "two", *PAYLOAD, "--id", "r1")
    assert (run["id"], run["state"], run["result"]) == ("r1", "completed", {"heard": ["A-1", "A-2"]})
    assert run["nodes"] == {"first": {"state": "completed"}, "second": {"state": "completed"}}
    assert lines(works, "done") == ["a-1", "a-2"]
    assert not (works / ".oneiric").exists()


def test_a_task_runs_as_well_and_a_payload_comes_from_a_file(works: Path) -> None:
    (works / "payload.json").write_text('{"name": "b"}')
    run = asked(works, "workflow", "run", "task:note", "--payload", "@payload.json")
    assert (run["key"], run["result"]) == ("task:note", "B")


def test_a_run_that_fails_ends_with_1_and_says_why(works: Path) -> None:
    (works / "a-2.fails").touch()
    run = asked(works, "workflow", "run", "two", *PAYLOAD, code=1)
    assert run["state"] == "failed"
    assert run["errors"] == [{"node": "second", "type": "RuntimeError", "message": "a-2 fails", "attempts": 1}]
    told = said(works, "workflow", "run", "two", *PAYLOAD, code=1)
    assert "failed: workflow:two, run" in told
    assert "second  RuntimeError: a-2 fails" in told


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("run", "twoo"), "the wiring has no key workflow:twoo; did you mean workflow:two?"),
        (("run", "two", "--payload", "{"), "--payload is not JSON"),
        (("run", "two", "--payload", "[]"), "--payload is not an object of JSON"),
        (("run", "two", "--payload", "@nothing.json"), "nothing.json: No such file"),
        (("run", "two", "--queue", "many"), "there is no queue many; the settings have few"),
        (("run", "two", "--tenant", "acme"), "there is no tenant 'acme'"),
        (("show", "r9"), "there is no run r9"),
        (("steps", "r9"), "there is no run r9"),
        (("cancel", "r9"), "there is no run r9"),
        (("retry", "r9"), "there is no run r9"),
        (("list", "--status", "done"), "there is no state done"),
        (("graph", "one"), "the settings declare no workflow:one"),
    ],
)
def test_a_mistake_ends_with_2_and_a_sentence(works: Path, call: tuple[str, ...], says: str) -> None:
    document = asked(works, "workflow", *call, code=2)
    assert says in document["error"]["message"]


def test_the_graph_is_read_from_the_wiring(works: Path) -> None:
    graph = asked(works, "workflow", "graph", "two")
    assert graph["levels"] == [["first"], ["second"]]
    assert "2  second  task:note  after first" in said(works, "workflow", "graph", "two")


def test_both_options_of_checkpoints_exclude_each_other(works: Path) -> None:
    both = ("--no-workflow-checkpoints", "--workflow-checkpoints", "x")
    assert "exclude each other" in asked(works, "workflow", "run", "two", *both, code=2)["error"]["message"]


def test_checkpoints_are_kept_in_a_file_between_two_commands(works: Path) -> None:
    file = ("--workflow-checkpoints", "runs.db")
    assert asked(works, "workflow", "enqueue", "two", *PAYLOAD, *file, "--id", "r1")["state"] == "queued"
    assert lines(works, "begun") == []
    assert asked(works, "workflow", "run", "two", *PAYLOAD, *file, "--id", "r1")["result"] == {"heard": ["A-1", "A-2"]}
    assert asked(works, "workflow", "run", "two", *PAYLOAD, *file, "--id", "r1")["state"] == "completed"
    assert lines(works, "done") == ["a-1", "a-2"]
    assert (works / "runs.db").exists()


def test_a_process_that_is_killed_in_the_middle_of_runs_loses_none(works: Path) -> None:
    """Finished steps are not made again; of those that were under way one for each run may be."""
    names = [f"n{number}" for number in range(6)]
    for name in names:
        (works / f"{name}-2.waits").touch()
    with Served(works, "--workflow-checkpoints", "runs.db", name="works") as served:
        for name in names:
            asked(works, "workflow", "enqueue", "two", "--payload", f'{{"name": "{name}"}}', "--id", name)
        until(lambda: len([line for line in lines(works, "begun") if line.endswith("-2")]) == 2)
        served.process.kill()
        served.process.wait(20)
    finished = set(lines(works, "done"))
    for name in names:
        (works / f"{name}-2.waits").unlink()
    with Served(works, "--workflow-checkpoints", "runs.db", name="works"):
        for name in names:
            until(lambda name=name: asked(works, "workflow", "show", name)["state"] == "completed")
    done, begun = lines(works, "done"), lines(works, "begun")
    assert sorted(done) == sorted(f"{name}-{step}" for name in names for step in (1, 2))
    assert all(begun.count(step) == 1 for step in finished)


def test_runs_of_a_process_are_started_and_looked_after(works: Path) -> None:
    with Served(works, name="works"):
        assert asked(works, "queue", "list")["queues"] == [
            {"name": "few", "paused": False, "waiting": 0, "running": 0, "failed": 0, "dead": 0,
             "limits": {"at_once": 2, "at_once_here": None, "rate": None}}
        ]  # fmt: skip
        assert asked(works, "workflow", "run", "two", *PAYLOAD, "--id", "r1")["state"] == "completed"
        assert asked(works, "workflow", "run", "two", *PAYLOAD, "--id", "r1")["result"] == {"heard": ["A-1", "A-2"]}
        assert lines(works, "done") == ["a-1", "a-2"]

        (works / "b-2.fails").touch()
        asked(works, "workflow", "enqueue", "two", "--payload", '{"name": "b"}', "--id", "r2")
        until(lambda: asked(works, "workflow", "show", "r2")["state"] == "failed")
        assert [each["name"] for each in asked(works, "workflow", "steps", "r2")["steps"]] == ["first", "second"]
        assert asked(works, "status")["queues"][0]["failed"] == 1
        (works / "b-2.fails").unlink()
        assert asked(works, "workflow", "retry", "r2")["changed"]
        until(lambda: asked(works, "workflow", "show", "r2")["state"] == "completed")
        assert lines(works, "done")[2:] == ["b-1", "b-2"]

        (works / "c-1.waits").touch()
        asked(works, "workflow", "enqueue", "two", "--payload", '{"name": "c"}', "--id", "r3")
        until(lambda: "c-1" in lines(works, "begun"))
        assert asked(works, "status")["queues"][0]["running"] == 1
        assert asked(works, "workflow", "cancel", "r3")["state"] == "cancelled"
        assert not asked(works, "workflow", "cancel", "r3", code=1)["changed"]
        assert {run["id"]: run["state"] for run in asked(works, "workflow", "list", "two")["runs"]} == {
            "r1": "completed", "r2": "completed", "r3": "cancelled"
        }  # fmt: skip
        assert [run["id"] for run in asked(works, "workflow", "list", "--status", "cancelled")["runs"]] == ["r3"]
        assert "r3  workflow:two  cancelled" in said(works, "workflow", "list")

        assert asked(works, "queue", "pause", "few")["queues"][0]["paused"]
        asked(works, "workflow", "enqueue", "two", "--payload", '{"name": "d"}', "--id", "r4")
        assert asked(works, "status")["queues"][0]["waiting"] == 1
        assert "few" in said(works, "queue", "resume")
        until(lambda: asked(works, "workflow", "show", "r4")["state"] == "completed")

        asked(works, "pause", "workflow:two", "--note", "maintenance")
        refused = asked(works, "workflow", "run", "two", *PAYLOAD, code=2)
        assert "maintenance" in refused["error"]["message"]
        asked(works, "pause", "workflow:two", "--resume")
        assert asked(works, "workflow", "run", "two", *PAYLOAD)["state"] == "completed"


def test_a_step_that_hangs_is_cancelled_when_the_process_is_told_twice(works: Path) -> None:
    (works / "a-1.waits").touch()
    with Served(works, name="works") as served:
        asked(works, "workflow", "enqueue", "two", *PAYLOAD, "--id", "r1")
        until(lambda: lines(works, "begun") == ["a-1"])
        served.signal(signal.SIGTERM)
        until(lambda: served.state() == "stopping")
        os.kill(served.process.pid, signal.SIGTERM)
        assert served.process.wait(20) is not None
    assert lines(works, "done") == []


def test_work_is_asked_for_over_http_with_the_token(works: Path) -> None:
    with Served(works, "--http", "127.0.0.1:0", "--http-token", "s3cret", name="works") as served:
        address = served.ask("status")["http"]

        def post(path: str, body: object, token: str = "s3cret") -> tuple[int, Any]:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            asked = urllib.request.Request(
                f"{address}{path}", data=data, headers={"Authorization": f"Bearer {token}"}, method="POST"
            )
            try:
                with urllib.request.urlopen(asked, timeout=30) as answer:
                    return answer.status, json.loads(answer.read())
            except urllib.error.HTTPError as error:
                return error.code, json.loads(error.read())

        assert post("/calls/task:note", {"name": "a"}) == (200, {"result": "A"})
        assert post("/calls/task:note", {"nam": "a"})[0] == 400
        assert post("/calls/task:nope", {})[0] == 404
        assert post("/calls/task:note", {"name": "a"}, "wrong") == (
            401,
            {"error": "the token of this address is wanted"},
        )
        assert post("/calls/task:note", b"{")[0] == 400
        assert post("/calls/task:note", b"[]")[0] == 400
        assert post("/calls/task:note", b" " * 2_000_000)[0] == 413
        status, run = post("/calls/workflow:two?id=h1", {"name": "h"})
        assert (status, run["id"], run["result"]) == (200, "h1", {"heard": ["H-1", "H-2"]})
        (works / "f-1.fails").touch()
        assert post("/tasks/workflow", {"workflow": "two", "run_id": "h2", "context": {"name": "f"}})[0] == 500
        assert post("/tasks/workflow", {"run_id": "h2"})[0] == 400
        assert post("/events/nothing", {})[0] == 404
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:
            assert answer.status == 200
        assert post("/status", {})[0] in (404, 405)
