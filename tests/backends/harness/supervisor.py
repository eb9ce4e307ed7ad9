"""Runs one server for whoever started this, and ends with them: `python supervisor.py FOLDER USER COMMAND...`

Obeys lines on stdin, `start`, `kill` (SIGKILL), `freeze` (SIGSTOP), `thaw` and `look`, each answered by a line: `runs`
or `ended`. At the end of stdin, which comes however its parent ends, it kills the server and removes FOLDER.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys


def main(folder: str, user: str, *command: str) -> None:
    server: subprocess.Popen[bytes] | None = None
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    try:
        for line in sys.stdin:
            if line == "start\n":
                server = started(folder, user, command)
            elif server is not None and line != "look\n":
                obey(server, line.strip())
            print("runs" if server is not None and server.poll() is None else "ended", flush=True)
    finally:
        if server is not None:
            obey(server, "kill")
        shutil.rmtree(folder, ignore_errors=True)


def started(folder: str, user: str, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    with open(os.path.join(folder, "log"), "ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=user or None,
            process_group=0,
            restore_signals=True,
        )


def obey(server: subprocess.Popen[bytes], order: str) -> None:
    try:
        if order == "kill":
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        else:
            os.killpg(server.pid, {"freeze": signal.SIGSTOP, "thaw": signal.SIGCONT}[order])
    except ProcessLookupError:
        server.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
