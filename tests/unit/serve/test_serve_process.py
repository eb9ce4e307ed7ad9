"""A process from its start to its end: signals, sockets, kills, logs, the lifecycle snapshot."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from oneiric.serve.client import NotRunning, ask, running
from oneiric.serve.folder import StateFolder

from tests.unit.serve.serving import Served, command, refused, select, until


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _get(address: str, host: str | None = None) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_what_is_eager_is_active_and_the_rest_waits(project: Path) -> None:
    with Served(project) as served:
        keys = {f"{row['domain']}:{row['key']}": row["state"] for row in served.ask("keys")["keys"]}
        assert (keys["service:greeter"], keys["task:talker"]) == ("active", "active")
        assert keys["adapter:database"] == "inactive"
        until(lambda: served.heard() == "hello")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_everything_and_leaves_a_snapshot(project: Path, number: signal.Signals) -> None:
    with Served(project) as served:
        served.signal(number)
        assert served.wait() == 0
    assert (project / "closed").read_text().splitlines().count("Plain") == 1
    assert not (served.folder.path / "control.sock").exists()
    left = json.loads(served.folder.status.read_text())
    assert (left["state"], left["components"]) == ("stopped", [])
    told = command(project, "status", "--json", code=1)
    assert json.loads(told.stdout) == {**left, "running": False, "followers": []}


def test_the_folder_and_what_is_in_it_are_private(project: Path) -> None:
    with Served(project) as served:
        assert _mode(served.folder.path) == 0o700
        assert _mode(served.folder.path / "control.sock") == 0o600
        assert _mode(served.folder.status) == 0o600


def test_a_folder_that_was_open_is_tightened(project: Path) -> None:
    folder = project / ".oneiric" / "lab"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with Served(project):
        assert _mode(folder) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_modes_would_let_them(project: Path) -> None:
    ask_as_nobody = (
        "import os, socket, sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "end = socket.socket(socket.AF_UNIX); end.connect(sys.argv[1])\n"
        "end.sendall(b'POST /status HTTP/1.1\\r\\nHost: process\\r\\nContent-Length: 2\\r\\n\\r\\n{}')\n"
        "print(end.recv(4096).decode())\n"
    )
    with TemporaryDirectory() as state:
        served = Served(project, "--state", state)
        served.folder = StateFolder(Path(state))
        arguments = [sys.executable, "-c", ask_as_nobody, f"{state}/control.sock"]
        with served:
            closed = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
            assert "PermissionError" in closed.stderr
            Path(state).chmod(0o711)
            Path(state, "control.sock").chmod(0o666)
            opened = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False)
            assert opened.stdout.startswith("HTTP/1.1 403"), opened.stderr
            assert "belongs to another user" in opened.stdout
            assert until(lambda: served.events("refused another user"))[0]["uid"] == 65534
            assert served.state() == "running"


def test_a_killed_process_is_replaced(project: Path) -> None:
    with Served(project) as killed:
        killed.signal(signal.SIGKILL)
        killed.wait()
    assert (killed.folder.path / "control.sock").exists()
    assert not running(killed.folder)
    told = command(project, "status", code=1).stdout
    assert told.startswith("lab gone: it was running")
    with Served(project) as again:
        assert again.ask("status")["pid"] == again.process.pid


def test_a_name_is_one_process(project: Path) -> None:
    with Served(project) as first:
        second = command(project, "serve", code=2)
        assert second.stderr.startswith("error: a process lab is running already\n  = help: `oneiric status` shows it;")
        assert first.state() == "running"
        with Served(project, "--name", "second", name="second") as other:
            assert other.ask("status")["name"] == "second"
            assert first.ask("status")["pid"] != other.ask("status")["pid"]


def test_the_loopback_port_tells_alive_and_ready(project: Path) -> None:
    with Served(project, "--port", "0") as served:
        address = served.ask("status")["address"]
        assert address.startswith("http://127.0.0.1:")
        assert _get(f"{address}/healthz") == (200, {"ok": True})
        assert _get(f"{address}/readyz") == (200, {"ok": True, "state": "running"})
        status, document = _get(f"{address}/status")
        assert (status, document["name"]) == (200, "lab")
        assert _get(f"{address}/status", host="evil.example")[0] == 421
        assert _get(f"{address}/healthz", host="evil.example:80")[0] == 421


def test_a_port_in_use_is_an_error(project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = command(project, "serve", "--port", str(taken.getsockname()[1]), code=2)
    assert " is taken: another process listens there\n" in done.stderr


def test_without_a_port_nothing_listens(project: Path) -> None:
    with Served(project) as served:
        assert served.ask("status")["address"] is None


def test_a_component_that_does_not_start_fails_the_process(project: Path) -> None:
    select(project, "broken")
    served = Served(project)
    assert served.wait() == 1
    failed = served.events("error")
    assert failed[-1]["key"] in ("greeter", "talker")
    assert "hunter2" not in served.text()
    assert json.loads(served.folder.status.read_text())["state"] == "failed"


def test_log_lines_are_json_with_what_they_are_about(project: Path) -> None:
    with Served(project) as served:
        activated = [line for line in until(lambda: served.events("activate")) if line["key"] == "greeter"]
        generation = served.ask("status")["generation"]
    assert activated[0]["domain"] == "service"
    assert activated[0]["provider"] == "plain"
    assert activated[0]["generation"] == generation
    assert activated[0]["level"] == "info"
    for line in served.text().splitlines():
        assert json.loads(line)["timestamp"]


def test_sighup_reloads(project: Path) -> None:
    with Served(project) as served:
        until(lambda: served.heard() == "hello")
        select(project, "loud")
        served.signal(signal.SIGHUP)
        until(lambda: served.heard() == "HELLO")
        assert until(lambda: served.events("reload accepted"))[0]["by"] == "SIGHUP"
        assert not (project / "failures").exists()


def test_a_wiring_that_is_not_there_is_told(project: Path) -> None:
    assert "there is no wiring" in command(project, "serve", "--wiring", "nowhere.py", code=2).stderr
    assert "is not a valid profile name" in command(project, "serve", "--profile", "a/b", code=2).stderr
    (project / "torn.py").write_text("from oneiric.wiring import Wiring\n")
    assert "is incomplete" in command(project, "serve", "--wiring", "torn.py", code=2).stderr


def test_a_profile_is_served(project: Path) -> None:
    with Served(project, "--profile", "other") as served:
        assert served.ask("status")["profile"] == "other"
        until(lambda: served.heard() == "HELLO")


def test_what_makes_no_sense_is_refused(project: Path) -> None:
    with Served(project) as served:
        assert "no operation" in refused(served, "exit")
        assert "is not an object with key, note, resume" in refused(served, "pause", key="service:greeter")
        assert "plan is not true or false" in refused(served, "reload", plan="no", force=False)
        assert "no key service:greter" in refused(served, "pause", key="service:greter", note="", resume=False)
        assert served.state() == "running"


def test_nobody_answers_without_a_process(project: Path) -> None:
    served = Served(project)
    with served:
        pass
    with pytest.raises(NotRunning):
        ask(served.folder, "status")
