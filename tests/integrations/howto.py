"""A page of docs/how-to, followed in an empty folder: its commands, and its blocks as the files that they name."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.running import DEADLINE, environment
from tests.unit.serve.following import free_port, started, wait_for
from tests.unit.serve.serving import Served, command, until

PAGES = Path(__file__).parents[2] / "docs/how-to"
WORKERS = 4
USERS = 2


class Page:
    """One page, and the folder in which it was followed as far as `oneiric compile`."""

    def __init__(self, name: str) -> None:
        self.text = (PAGES / f"{name}.md").read_text("utf-8")
        self.files = dict(re.findall(r"^```\w+\n# (\S+\.\w+)\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL))
        assert len(self.files) == len(re.findall(r"^```\w+$", self.text, re.MULTILINE)), "a block that is no file"

    def commands(self) -> list[list[str]]:
        """The commands, without the variables before them."""
        lines = re.findall(r"^    (\S.*)$", self.text, re.MULTILINE)
        return [[word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)] for line in lines]

    def program(self, name: str) -> list[str]:
        """The arguments of Python for the one command with such a program in it."""
        ((program, *arguments),) = [words for words in self.commands() if name in words[:3]]
        return arguments if program == "python" else ["-m", program, *arguments]

    def follow(self, root: Path) -> Path:
        root.mkdir(parents=True)
        assert ["oneiric", "init"] in self.commands()
        command(root, "init")
        for path, text in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        command(root, "compile")
        return root

    def test(self, root: Path, program: str = "pytest") -> None:
        """Its tests pass, by the command that it has for them."""
        _run(root, self.program(program))

    def sent(self, root: Path, *arguments: str) -> str:
        """What its program that sends a task prints."""
        return _run(root, [self.program("send.py")[0], *arguments]).strip()


def _run(root: Path, arguments: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, Any]:
    """The status and the JSON of one answer, by a connection of its own, which any worker may take."""
    connection = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def order(port: int, **headers: str) -> str:
    """How an order that was placed is paid. Anything but that is a failure."""
    status, said = ask(port, "POST", "/orders?customer=ada&cents=1", **headers)
    assert status == 200, said
    return str(said["payment"]).partition("/")[0]


class Load:
    """Users who place orders all the time."""

    def __init__(self, place: Callable[[], object]) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._over = threading.Event()
        self._place = place
        self._users = [threading.Thread(target=self._run) for _ in range(USERS)]

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._place()
                self.answers += 1
                time.sleep(0.01)
            except Exception as error:
                self.failures.append(repr(error))

    def __enter__(self) -> Load:
        for each in self._users:
            each.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for each in self._users:
            each.join()


def swap(root: Path, provider: str) -> set[int]:
    """Who took a swap of the payments, of those that follow; nobody did not."""
    said = json.loads(command(root, "swap", "service:payments", provider, "--json").stdout)
    assert [each for each in said["followers"] if not each["took"]] == []
    return {each["pid"] for each in said["followers"]}


def swaps_under_load(root: Path, place: Callable[[], str], workers: int = WORKERS) -> None:
    """While users place orders all the time, each swap is taken by every worker, and none of the orders fails."""
    pids = wait_for(root, workers)
    with Load(place) as load:
        for provider, paid in (("invoice", "invoices"), ("prepaid", "balance")):
            assert swap(root, provider) == pids
            assert {place() for _ in range(5 * workers)} == {paid}
    assert load.failures == []
    assert load.answers > 0


def wait_until_listening(port: int) -> None:
    """Until somebody takes connections there."""

    def listens() -> bool:
        try:
            return ask(port, "GET", "/healthz") == (200, {"ok": True})
        except ConnectionError:
            return False

    until(listens, within=DEADLINE)


@contextmanager
def operated(page: Page, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The operator of the page's application."""
    assert ["oneiric", "serve"] in page.commands()
    monkeypatch.setenv("ONEIRIC_SECRET_INVOICE_KEY", "k")
    with Served(root, name="shop") as owner:
        yield owner


__all__ = ["free_port", "started"]
