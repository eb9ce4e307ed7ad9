"""The Procfile of the page of `serve` is started as platforms start it, and answers probes where `PORT` says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.docs.test_docs import ROOT

DEADLINE = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answer(port: int, process: subprocess.Popen[bytes]) -> int:
    """What `/readyz` answers, once it does."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as found:
                status: int = found.status
                return status
        except OSError:
            assert process.poll() is None, "it ended"
            assert time.monotonic() < deadline, "nothing answers"
            time.sleep(0.1)


def test_the_procfile_serves_a_new_project(tmp_path: Path) -> None:
    (line,) = re.findall(r"^web: .*$", (ROOT / "docs/serve.md").read_text("utf-8"), re.MULTILINE)
    (tmp_path / "Procfile").write_text(f"{line}\n")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environ = {**os.environ, "PATH": path, "PORT": str(free_port())}
    subprocess.run(["oneiric", "init"], cwd=tmp_path, env=environ, capture_output=True, timeout=DEADLINE, check=True)
    command = [sys.executable, "-m", "honcho", "start", "--no-prefix"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=log, stderr=log, start_new_session=True)
    with process:
        try:
            assert answer(int(environ["PORT"]), process) == 200
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=DEADLINE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert b"Traceback" not in (tmp_path / "log").read_bytes()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(environ["PORT"]))) != 0, "it left a process"
