"""Log lines: short digests for people, whole ones for machines."""

from __future__ import annotations

import errno
import json
import logging
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
from oneiric.logging import configure_logging, get_logger

from tests.unit.cli.running import DEADLINE, MAIN, environment
from tests.unit.serve.serving import Served, command, until

DIGEST = "0123456789abcdef" * 4


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


@pytest.mark.parametrize("plain", ["", "1"])
def test_a_terminal_shows_twelve_digits(monkeypatch: pytest.MonkeyPatch, plain: str) -> None:
    monkeypatch.setenv("NO_COLOR", plain)
    monkeypatch.setattr(sys, "stderr", out := Terminal())
    configure_logging()
    get_logger().info("reloaded", generation=DIGEST, reason=f"of {DIGEST}, not of {DIGEST[:40]} or {DIGEST}0")
    logging.getLogger("elsewhere").warning("file %s", DIGEST)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert f"generation={DIGEST[:12]} " in text
    assert f"of {DIGEST[:12]}, not of {DIGEST[:40]} or {DIGEST}0" in text
    assert f"file {DIGEST[:12]}" in text


def logged(monkeypatch: pytest.MonkeyPatch, level: str) -> list[dict[str, Any]]:
    """What two loggers told from a level on, of which one is the standard library's."""
    monkeypatch.setattr(sys, "stderr", out := StringIO())
    configure_logging(level)
    log = get_logger("shop.orders", customer="ada")
    log.debug("looked")
    log.bind(article="mug").info("sold")
    logging.getLogger("shop.tills").warning("till %s is open", 3)
    try:
        raise RuntimeError("no paper")
    except RuntimeError:
        log.exception("not printed")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_entries_have_facts_and_the_name_of_their_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    sold, till, failed = logged(monkeypatch, "info")
    del sold["timestamp"]
    assert sold == {"event": "sold", "level": "info", "logger": "shop.orders", "customer": "ada", "article": "mug"}
    assert (till["event"], till["logger"]) == ("till 3 is open", "shop.tills")
    assert failed["exception"].endswith("RuntimeError: no paper")


@pytest.mark.parametrize(("level", "entries"), [("DEBUG", 4), ("WARNING", 2), ("error", 1), ("CRITICAL", 0)])
def test_less_than_the_level_is_not_written(monkeypatch: pytest.MonkeyPatch, level: str, entries: int) -> None:
    assert len(logged(monkeypatch, level)) == entries


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="`loud` is not a level"):
        configure_logging("loud")


def test_a_terminal_shows_no_variables_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", out := Terminal())
    configure_logging()
    password = "hunter2-canary"
    try:
        raise RuntimeError(f"a text of {len(password)} letters")
    except RuntimeError:
        get_logger().exception("failed")
    assert "a text of 14 letters" in out.getvalue()
    assert password not in out.getvalue()


def test_json_has_them_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", out := StringIO())
    configure_logging()
    get_logger().info("reloaded", generation=DIGEST)
    assert f'"generation": "{DIGEST}"' in out.getvalue()


def test_a_process_on_a_terminal(project: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", MAIN, "serve"]
    process = subprocess.Popen(command, cwd=project, env=environment(NO_COLOR="1"), stderr=theirs)
    os.close(theirs)
    written = b""
    try:
        while b"running" not in written:
            written += os.read(ours, 65536)
        process.send_signal(signal.SIGTERM)
        while chunk := _read(ours):
            written += chunk
    finally:
        process.kill()
        process.wait(DEADLINE)
        os.close(ours)
    found = re.findall(r"generation=([0-9a-f]+)", written.decode())
    assert {len(each) for each in found} == {12}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # its other end was closed
        return b""


def test_a_process_in_a_pipe(project: Path) -> None:
    with Served(project) as served:
        (started,) = served.events("running")
    assert len(started["generation"]) == 64


def test_a_log_that_nobody_reads_keeps_nothing_from_being_done(project: Path) -> None:
    """As little as one that has no room."""
    theirs, ours = os.pipe()
    os.close(theirs)
    process = subprocess.Popen([sys.executable, "-c", MAIN, "serve"], cwd=project, env=environment(), stderr=ours)
    os.close(ours)
    try:
        until(lambda: (project / "heard").exists() or process.poll() is not None)
        assert command(project, "swap", "service:greeter", "loud").stdout.startswith("swapped service:greeter to loud")
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
    finally:
        process.kill()
        process.wait(DEADLINE)
    assert "stopped" in command(project, "status", code=1).stdout


def test_what_cannot_be_written_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stderr", Full())
    configure_logging()
    get_logger().info("sold")
    logging.getLogger("shop").warning("sold out")
