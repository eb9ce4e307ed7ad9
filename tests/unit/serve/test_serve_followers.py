"""Many workers and one operator: a swap reaches all of them, or says by name which ones it does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from oneiric_compiler.cli import followers

from tests.unit.serve.following import (
    Client,
    all_say,
    following,
    free_port,
    make_application,
    started,
    swap,
    wait_for,
)
from tests.unit.serve.serving import Served, command, state_of, until

WORKERS = 4


@pytest.fixture(scope="session")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_application(tmp_path_factory.mktemp("followed") / "shop")


@pytest.fixture
def root(application: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(application, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__")))


UVICORN = ("-m", "uvicorn", "web:app", "--workers", str(WORKERS), "--log-level", "warning")
GUNICORN = ("-m", "gunicorn", "wsgi:app", "--workers", str(WORKERS), "-k", "gthread")
ON_ASGI = ("-m", "gunicorn", "web:app", "--workers", str(WORKERS), "-k", "asgi", "-c", "python:oneiric", "--preload")


@pytest.mark.parametrize("server", [UVICORN, GUNICORN, ON_ASGI], ids=["uvicorn", "gunicorn", "gunicorn on asgi"])
def test_a_swap_reaches_every_worker_of_a_server(root: Path, server: tuple[str, ...]) -> None:
    port = free_port()
    address = ("--port", str(port)) if server is UVICORN else ("--bind", f"127.0.0.1:{port}")
    with Served(root, name="shop") as owner, started(root, *server, *address):
        pids = wait_for(root, WORKERS)
        until(Client(port).listened_to)
        with Client(port) as client:
            for provider in ("loud", "plain", "loud"):
                assert swap(root, provider) == pids
                all_say(client, provider, pids)
        assert client.failures == []
        assert client.answers > 0
        killed = min(pids)
        os.kill(killed, signal.SIGKILL)
        pids = wait_for(root, WORKERS, without=frozenset([killed]))
        all_say(client, "loud", pids)
        owner.signal(signal.SIGKILL)
        owner.wait()
        all_say(client, "loud", pids)
        with Served(root, name="shop"):
            assert wait_for(root, WORKERS) == pids
            with Client(port) as client:
                assert swap(root, "plain") == pids
                all_say(client, "plain", pids)
            assert client.failures == []
    until(lambda: following(root) == [])


CELERY = ("-m", "celery", "-A", "work", "worker", "--pool", "prefork", "--concurrency", str(WORKERS))
CELERY += ("--without-gossip", "--without-mingle", "--loglevel", "WARNING")


def test_a_swap_reaches_every_process_of_a_celery_worker(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from celery import Celery

    monkeypatch.chdir(root)
    queue = Celery("work", broker="filesystem://", backend=f"file://{root}/results")
    queue.conf.broker_transport_options = {
        "data_folder_in": str(root / "messages"),
        "data_folder_out": str(root / "messages"),
        "control_folder": str(root / "control"),
    }
    with Served(root, name="shop"), started(root, *CELERY):
        pids = wait_for(root, WORKERS)
        for provider in ("loud", "plain"):
            before = [queue.send_task("work.greet") for _ in range(20)]
            assert swap(root, provider) == pids
            after = [queue.send_task("work.greet") for _ in range(20)]
            said = [str(each.get(timeout=60)).split() for each in (*before, *after)]
            assert {int(pid) for pid, _ in said} <= pids
            assert {told for _, told in said[20:]} == {provider}
    until(lambda: following(root) == [])


def test_what_celery_starts_in_place_of_a_killed_process_has_the_swap(root: Path) -> None:
    with Served(root, name="shop"), started(root, *CELERY) as worker:
        pids = wait_for(root, WORKERS)
        assert swap(root, "loud") == pids
        killed = min(pids)
        os.kill(killed, signal.SIGKILL)
        assert len(pids & wait_for(root, WORKERS, without=frozenset([killed]))) == WORKERS - 1
        os.killpg(worker.pid, signal.SIGKILL)  # Celery itself never ends after the loss of a process that was idle
        worker.wait()
        until(lambda: following(root) == [])


def test_one_that_refuses_is_named_and_tries_again_with_the_owners_next_change(root: Path) -> None:
    with Served(root, name="shop"), started(root, "worker.py") as one, started(root, "worker.py") as two:
        assert wait_for(root, 2) == {one.pid, two.pid}
        refuse = root / f"refuse.{two.pid}"
        refuse.touch()
        done = command(root, "swap", "service:greeter", "moody")
        assert f"taken by 1 of 2 followers: {one.pid}" in done.stdout
        assert f"warning: follower {two.pid} runs generation" in done.stderr
        assert "start raised ValueError" in done.stderr
        shown = command(root, "status").stdout
        assert len([line for line in shown.splitlines() if line.startswith("  follower ")]) == 2
        assert "has it" in shown
        assert "start raised ValueError" in shown
        (found,) = [each for each in following(root) if not each["took"]]
        assert found["pid"] == two.pid
        assert found["generation"] != found["seen"]
        refuse.unlink()
        answer = json.loads(command(root, "reload", "--json").stdout)
        assert {each["pid"] for each in answer["followers"] if each["took"]} == {one.pid, two.pid}


def test_one_that_is_stopped_is_named_after_a_short_wait(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "WAIT", 0.3)
    with Served(root, name="shop"), started(root, "worker.py") as one, started(root, "worker.py") as two:
        assert wait_for(root, 2) == {one.pid, two.pid}
        two.send_signal(signal.SIGSTOP)
        until(lambda: state_of(two.pid).startswith("T"))
        answer = json.loads(command(root, "swap", "service:greeter", "loud", "--json").stdout)
        assert answer["accepted"]
        found = {each["pid"]: each for each in answer["followers"]}
        assert (found[two.pid]["took"], found[two.pid]["reason"]) == (False, "it has not come to it yet")
        two.send_signal(signal.SIGCONT)
        assert wait_for(root, 2) == {one.pid, two.pid}


def test_those_that_follow_nobody_are_shown_as_well(root: Path) -> None:
    with started(root, "worker.py") as one:
        (found,) = _of(root)
        assert found["pid"] == one.pid
        with Served(root, name="shop"):
            assert wait_for(root, 1) == {one.pid}
        shown = command(root, "status", code=1).stdout
        assert "stopped at" in shown
        assert f"follower    {one.pid}" in shown


def _of(root: Path) -> list[dict[str, object]]:
    """Of a folder that no process has ever had, which has to be named."""
    options = ("status", "--state", str(root / ".oneiric/shop"), "--json")
    found: list[dict[str, object]] = until(lambda: json.loads(command(root, *options, code=1).stdout)["followers"])
    return found


def test_a_plan_and_a_rejection_wait_for_nobody(root: Path) -> None:
    with Served(root, name="shop"), started(root, "worker.py"):
        wait_for(root, 1)
        planned = json.loads(command(root, "swap", "service:greeter", "loud", "--plan", "--json").stdout)
        rejected = json.loads(command(root, "swap", "service:greeter", "nobody", "--json", code=1).stdout)
        assert "followers" not in planned
        assert "followers" not in rejected
