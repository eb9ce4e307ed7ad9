"""A watch pins, compiles and reloads what is new. What fails keeps the last good one, is told, and never ends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from oneiric.serve.client import ask, running
from oneiric.serve.folder import StateFolder

from tests.remote.mirror import Mirror, hanging, status
from tests.remote.project import DEADLINE, MAIN, Signer, Site, signed

PARTS = """
class Base:
    def ping(self) -> str:
        return type(self).__name__

class One(Base): pass
class Two(Base): pass
class Three(Base): pass

class Sick(Base):
    def health(self) -> bool:
        return False
"""


def component(factory: str) -> dict[str, Any]:
    stated = {"domain": "service", "key": "pinger", "provider": "acme", "eager": True}
    return {**stated, "factory": f"parts:{factory}"}


class Watched:
    """A project with one source, served by a mirror, and at version 1 pinned and compiled."""

    def __init__(self, site: Site, mirror: Mirror) -> None:
        self.site, self.mirror, self.signer = site, mirror, Signer()
        self.errors = site.root / "watch.log"
        (site.root / "parts.py").write_text(PARTS)
        self.state()
        self.publish(1, "One")
        assert site.run("remote-sync").returncode == 0
        assert site.run("compile").returncode == 0

    def state(self, **more: Any) -> None:
        address, keys = self.mirror.url("/acme.json"), [self.signer.public]
        self.site.state({"name": "acme", "address": address, "keys": keys, "allow": ["parts"], "refresh": 1, **more})

    def publish(self, version: int, factory: str) -> None:
        self.mirror.put("/acme.json", signed(self.signer, version=version, entries=[component(factory)]))

    def served(self) -> str:
        """The class that the committed wiring binds."""
        wiring = (self.site.root / "generated/wiring.py").read_text()
        return next(name for name in ("One", "Two", "Three", "Sick") if f"import {name}\n" in wiring)

    def failing(self) -> set[str]:
        """The rules and steps that failed last."""
        remembered = self.site.remembered()
        return {look.failure.rule for look in remembered.sources.values() if look.failure} | set(remembered.steps)

    def reported(self) -> set[str]:
        """The same as `remote-status` tells it, by its exit code and its words."""
        done = self.site.run("remote-status", "--json")
        told = json.loads(done.stdout)
        rules = {each["failure"]["rule"] for each in told["sources"] if each["failure"]} | set(told["steps"])
        assert (done.returncode, told["ok"]) == ((1, False) if rules else (0, True))
        return rules

    @contextmanager
    def process(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that goes on; ended by SIGTERM, which it answers with 0."""
        with self.errors.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", MAIN, *arguments],
                cwd=self.site.root,
                env={**self.site.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        try:
            yield process
            assert process.poll() is None, self.errors.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
            assert "Traceback" not in self.errors.read_text()
        finally:
            process.kill()
            process.communicate()

    def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < end, self.errors.read_text()
            time.sleep(0.05)

    @contextmanager
    def watch(self) -> Iterator[None]:
        before = len(self.mirror.requests)
        with self.process("remote-sync", "--watch"):
            self.until(lambda: len(self.mirror.requests) > before)
            yield

    def logged(self, *words: str) -> bool:
        return any(all(word in line for word in words) for line in self.errors.read_text().splitlines())


@pytest.fixture
def watched(tmp_path: Path, mirror: Mirror) -> Watched:
    return Watched(Site(tmp_path / "p"), mirror)


def test_a_new_version_reaches_the_running_process(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(watched.site.root)
    folder = StateFolder.of(watched.site.root, "t")
    with watched.process("serve", "--name", "t"):
        watched.until(lambda: running(folder) and ask(folder, "status")["state"] == "running")
        before = ask(folder, "status")["generation"]
        with watched.watch():
            watched.publish(2, "Two")
            watched.until(lambda: ask(folder, "status")["generation"] != before)
            assert watched.served() == "Two"
            now = ask(folder, "status")["generation"]
            watched.publish(3, "Sick")
            watched.until(lambda: watched.logged("reload rejected"))
            assert ask(folder, "status")["generation"] == now
            assert "reload" in watched.reported()
            watched.publish(4, "Three")
            watched.until(lambda: watched.served() == "Three" and ask(folder, "status")["generation"] != now)
            watched.until(lambda: not watched.reported())
    assert watched.site.run("compile", "--check").returncode == 0
    assert watched.site.check() == []


def test_no_failure_ends_it_or_takes_the_last_good_one(watched: Watched) -> None:
    good = watched.site.pinned()
    data = signed(watched.signer, version=2, entries=[component("Two")])
    with watched.watch():
        watched.mirror.behave("/acme.json", status(503))
        watched.until(lambda: watched.failing() & {"status", "breaker"})
        watched.mirror.put("/acme.json", data.replace(b"parts:Two", b"parts:Six"))
        watched.until(lambda: watched.failing() == {"signature"})
        watched.publish(0, "Two")
        watched.until(lambda: watched.failing() == {"version"})
        watched.publish(2, "Missing")
        watched.until(lambda: watched.reported() == {"compile"})
        watched.until(lambda: watched.site.pinned() == good)  # while it is tried again, the new one is pinned
        assert watched.served() == "One"
        (watched.site.root / "settings/app.yml").write_text("name: [")
        watched.until(lambda: watched.logged("settings"))
        (watched.site.root / "settings/app.yml").write_text("name: shop\n")
        watched.publish(3, "Three")
        watched.until(lambda: watched.served() == "Three" and not watched.failing())
    assert watched.site.lock().sources["acme"].version == 3
    assert watched.site.run("compile", "--check").returncode == 0


def test_what_a_look_cannot_answer_does_not_end_it(watched: Watched) -> None:
    """A lock that is none, and no place for what is remembered."""
    lock = watched.site.root / "generated/manifests/lock.json"
    good, memory = lock.read_bytes(), watched.site.root / ".oneiric/remote/sources.json"

    def harmed() -> bool:
        lock.write_text("{")  # again and again: a look that is under way mends it
        return watched.logged("pin failed", "ONE606", "not JSON")

    def in_the_way() -> bool:
        with suppress(OSError):  # where the watch was faster, the next time
            if memory.is_file():
                memory.unlink()
            memory.mkdir()
        return watched.logged('"event": "look"', '"level": "error"')

    with watched.watch():
        watched.until(harmed)
        lock.write_bytes(good)
        watched.until(in_the_way)
        memory.rmdir()
        watched.publish(2, "Two")
        watched.until(lambda: watched.served() == "Two" and not watched.failing())


def test_it_ends_while_a_fetch_hangs(watched: Watched) -> None:
    watched.mirror.behave("/acme.json", hanging())
    with watched.watch():
        pass
    assert watched.site.check() == []


def test_there_is_one_watch(watched: Watched) -> None:
    with watched.watch():
        done = watched.site.run("remote-sync", "--watch")
        assert (done.returncode, "running already" in done.stderr) == (2, True)
        assert "running" in watched.site.run("remote-status").stdout
    assert "not running" in watched.site.run("remote-status").stdout


def test_what_a_watch_lost_when_it_was_killed_is_compiled_by_the_next(watched: Watched) -> None:
    """Killed between pinning and compiling: the pins are new and the wiring is not."""
    watched.publish(2, "Two")
    assert watched.site.run("remote-sync").returncode == 0
    assert watched.site.run("compile", "--check").returncode == 1
    with watched.watch():
        watched.until(lambda: watched.served() == "Two")


def test_sources_that_were_never_pinned_are_pinned_together(watched: Watched, other: Mirror) -> None:
    address, keys = other.url("/beta.json"), [watched.signer.public]
    beta = {"name": "beta", "address": address, "keys": keys, "allow": ["parts"], "refresh": 1}
    text = (watched.site.root / "settings/remote.yml").read_text()
    watched.site.state(*json.loads(text)["sources"], beta)
    watched.publish(2, "Two")
    with watched.watch():
        watched.until(lambda: "status" in watched.failing())
        assert watched.site.lock().sources.keys() == {"acme"}
        other.put("/beta.json", signed(watched.signer, source="beta", version=1, entries=[]))
        watched.until(lambda: watched.site.lock().sources.keys() == {"acme", "beta"} and watched.served() == "Two")
