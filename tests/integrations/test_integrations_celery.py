"""Celery: the page is followed with a Redis, and served by a pool that forks; what tasks see of the runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.app.task import Context
from oneiric import Runtime, RuntimeNotRunning, UnknownKey, UnknownTenant
from oneiric.integrations.celery import call, connect, live, stop, wiring

from tests.backends.harness.kinds import REDIS
from tests.backends.harness.servers import private
from tests.integrations.howto import Page, operated, started, swap
from tests.unit.runtime.conftest import nothing_leaks
from tests.unit.runtime.shop.wiring import Wiring
from tests.unit.serve.following import wait_for

PAGE = Page("celery")
__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("celery") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root)


def test_a_pool_of_processes_takes_a_swap(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private(REDIS) as redis:
        monkeypatch.setenv("REDIS_URL", f"redis://{redis.host}:{redis.port}/0")
        celery = [*PAGE.program("celery"), "--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
        with operated(PAGE, root, monkeypatch), started(root, *celery):
            pids = wait_for(root, 2)
            assert PAGE.sent(root, "ada", "1").startswith("balance/")
            assert PAGE.sent(root, "ada", "1", "acme").startswith("invoices/")
            assert swap(root, "invoice") == pids
            assert PAGE.sent(root, "ada", "1").startswith("invoices/")


def tenant_of(request: Context) -> str | None:
    return (request.headers or {}).get("tenant")


@pytest.fixture
def app() -> Iterator[Celery]:
    """An application whose tasks are called where they are sent."""
    app = Celery("test", set_as_current=False)
    app.conf.task_always_eager = True
    connect(app, lambda: Runtime(Wiring), tenant=tenant_of)

    @app.task(name="remember")
    def remember(word: str) -> str | None:
        cache = wiring().adapters.cache.live
        before: bytes | None = call(cache.get, "word")
        call(cache.set, "word", word.encode())
        return None if before is None else before.decode()

    @app.task(name="use")
    def use(key: str) -> int:
        size: int = live(key).size()
        return size

    yield app
    stop(app)


def sent(app: Celery, task: str, argument: str, tenant: str | None = None) -> Any:
    return app.tasks[task].apply_async((argument,), headers={"tenant": tenant}).get()


@pytest.mark.usefixtures("nothing_leaks")
def test_each_task_sees_its_tenant(app: Celery) -> None:
    assert sent(app, "remember", "base") is None
    assert sent(app, "remember", "own", "acme") is None
    assert sent(app, "remember", "base", "plain") == "base"
    assert sent(app, "remember", "own", "acme") == "own"
    assert sent(app, "use", "adapter:database", "acme") == 3
    with pytest.raises(UnknownTenant, match="nobody"):
        sent(app, "remember", "x", "nobody")
    with pytest.raises(UnknownKey, match="did you mean adapter:database"):
        sent(app, "use", "adapter:databse")
    stop(app)


def test_an_application_without_a_runtime_says_so() -> None:
    app = Celery("test", set_as_current=False)
    app.conf.task_always_eager = True
    app.task(name="all")(wiring)
    with pytest.raises(RuntimeNotRunning, match="connect"):
        app.tasks["all"].delay().get()
