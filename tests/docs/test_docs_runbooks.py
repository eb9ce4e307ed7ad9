"""docs/how-to/runbooks.md is rehearsed: each situation is made, and its commands say what the page shows."""

from __future__ import annotations

import re
import resource
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.docs.sessions import Sessions
from tests.docs.test_docs import ROOT
from tests.unit.cli.running import run
from tests.unit.serve.serving import Served, command, copy_project, state_of, until

PAGE = (ROOT / "docs/how-to/runbooks.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^##? (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))
SETTINGS = {
    "app.yml": "name: shop\npackages: [shop]\n",
    "services.yml": "selections: {payments: prepaid}\nprovider_settings: {prepaid: {limit: 1000}}\n",
}
PARTS = '''
from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Protocol

from oneiric import component


class Payments(Protocol):
    async def charge(self, cents: int) -> str: ...


@component("service", "payments", provider="prepaid", eager=True, port="shop.payments:Payments")
class Prepaid:
    """Unwell while `Prepaid.down` is there; holds the loop up while `stuck` is."""

    def __init__(self, *, limit: int = 1000) -> None:
        self._limit = limit

    async def start(self) -> None:
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            while Path("stuck").exists():
                Path("stands").touch()
                time.sleep(0.01)
            await asyncio.sleep(0.01)

    async def charge(self, cents: int) -> str:
        return type(self).__name__

    def health(self) -> bool:
        return not Path(f"{type(self).__name__}.down").exists()

    async def aclose(self) -> None:
        self._task.cancel()


@component("service", "payments", provider="invoice", eager=True, port="shop.payments:Payments")
class Invoice(Prepaid):
    pass
'''
MANIFEST = """source: acme
entries:
  - {domain: service, key: payments, provider: cash, factory: "shop.payments:Invoice"}
"""


def runbook(title: str, root: Path) -> Sessions:
    return Sessions(SECTIONS[title], root)


@pytest.fixture(name="made", scope="module")
def a_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runbooks") / "shop"
    files = {f"settings/{name}": text for name, text in SETTINGS.items()}
    for name, text in {**files, "shop/__init__.py": "", "shop/payments.py": PARTS}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    command(root, "compile")
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    return copy_project(made, tmp_path / "shop")


def swap(root: Path, *more: str) -> None:
    command(root, "swap", "service:payments", "invoice", *more)


def test_every_section_is_rehearsed() -> None:
    rehearsed = re.findall(r' runbook\("(.+?)"', Path(__file__).read_text("utf-8"))
    assert sorted(rehearsed) == sorted(SECTIONS)


def test_a_bad_swap(root: Path) -> None:
    with Served(root, "--health-period", "0.1", name="shop") as served:
        swap(root, "--note", "cheaper fees")
        (root / "Invoice.down").touch()
        until(lambda: not served.ask("health", probe=False, within=1)["ok"])
        book = runbook("Runbooks", root)
        book.happen("status", "health --probe", "history")
        book.over()
        book = runbook("A bad swap", root)
        book.happen("health", "history", "rollback", "health")
        book.over()


def test_drift(root: Path) -> None:
    with Served(root, name="shop"):
        services = root / "settings/services.yml"
        services.write_text(services.read_text().replace("1000", "5"))
        book = runbook("Drift", root)
        book.happen("swap", "compile --check", "plan", "compile", "reload")
        book.over()


def test_a_stuck_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    with Served(root, name="shop") as served:
        book = runbook("A stuck process", root)
        book.pid = served.process.pid
        served.signal(signal.SIGSTOP)
        until(lambda: state_of(served.process.pid).startswith("T"))
        book.happen("status", "ps", "kill -CONT", "health")
        (root / "stuck").touch()
        until(lambda: (root / "stands").exists())
        book.happen("kill -ABRT")
        assert served.wait() == -signal.SIGABRT
        book.happen("status")
        book.over()
        first, thread, at = re.findall(r"^```text\n(.*)\n\n(.*)\n(.*)\n```$", SECTIONS["A stuck process"], re.M)[0]
        shape = re.sub(r"0x\w+", "0x\\\\w+", re.escape(thread)), re.sub(r"line\\ \d+", r"line \\d+", re.escape(at))
        said = served.text().replace(str(root), "/srv/shop")
        assert re.search("\n".join((re.escape(first), "", *shape)), said), said


def test_lost_state(root: Path) -> None:
    with Served(root, name="shop"):
        swap(root)
    (root / ".oneiric/shop/current.json").write_text("cut")
    book = runbook("Lost state", root)
    book.happen("serve", "cat", "mv")
    with Served(root, name="shop"):
        book.done("systemctl start")
        book.happen("swap", "history")
        book.over()


def publish(root: Path, expires: timedelta) -> bool:
    """Publish and pin a manifest that is good for that long; whether it still was when it came."""
    at = (datetime.now(UTC) + expires).strftime("%Y-%m-%dT%H:%M:%SZ")
    (root / "incoming/acme.yaml").write_text(MANIFEST)
    command(root, "manifest", "sign", "incoming/acme.yaml", "--key", "acme.key", "--version", "1", "--expires-at", at)
    return all(run(each, cwd=root).returncode == 0 for each in ("remote-sync", "compile"))


def test_an_expired_manifest(root: Path) -> None:
    (root / "incoming").mkdir()
    key = command(root, "manifest", "keygen", "--out", "acme.key").stdout.strip()
    source = f"{{name: acme, address: incoming/acme.yaml, allow: [shop], keys: ['{key}']}}"
    (root / "settings/remote.yml").write_text(f"roots: [incoming]\nsources:\n  - {source}\n")
    assert any(publish(root, timedelta(seconds=each)) for each in (3, 10, 30))
    with Served(root, name="shop"):
        until(lambda: "ONE608" in run("compile", "--check", cwd=root).stderr, within=40)
        book = runbook("An expired manifest", root)
        book.happen("swap", "remote-status", "manifest sign", "remote-sync", "compile", "reload")
        book.over()


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of another process can be set here")
def test_a_full_disk(root: Path) -> None:
    with Served(root, name="shop") as served:
        book = runbook("A full disk", root)
        _, most = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        book.happen("swap", "health", "df", "du")
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (most, most))
        book.happen("swap")
        book.over()
