"""taskiq: the page is followed with a Redis, and served by its workers; what tasks see of the runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import pytest
from oneiric import ActivationError, Runtime
from oneiric.integrations.taskiq import connect, live, wiring
from taskiq import InMemoryBroker, TaskiqDepends, TaskiqMessage

from tests.backends.harness.kinds import REDIS
from tests.backends.harness.servers import private
from tests.integrations.howto import Page, operated, started, swap
from tests.unit.runtime.conftest import nothing_leaks
from tests.unit.runtime.making import key, run, wiring_of
from tests.unit.runtime.shop.parts import Cache
from tests.unit.runtime.shop.wiring import Wiring
from tests.unit.serve.following import wait_for

PAGE = Page("taskiq")
__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("taskiq") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root)


def test_workers_take_a_swap(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with private(REDIS) as redis:
        monkeypatch.setenv("REDIS_URL", f"redis://{redis.host}:{redis.port}/0")
        with operated(PAGE, root, monkeypatch), started(root, *PAGE.program("taskiq")):
            pids = wait_for(root, 2)
            assert PAGE.sent(root, "ada", "1").startswith("balance/")
            assert PAGE.sent(root, "ada", "1", "acme").startswith("invoices/")
            assert swap(root, "invoice") == pids
            assert PAGE.sent(root, "ada", "1").startswith("invoices/")


def tenant_of(message: TaskiqMessage) -> str | None:
    return message.labels.get("tenant")


async def remember(word: str, cache: Annotated[Cache, TaskiqDepends(live("adapter:cache"))]) -> str | None:
    before = await cache.get("word")
    await cache.set("word", word.encode())
    return None if before is None else before.decode()


async def fetch(shop: Annotated[Any, TaskiqDepends(wiring)]) -> Any:
    return await shop.adapters.database.live.fetch("q")


@asynccontextmanager
async def running(wiring: type[Any] | None) -> AsyncIterator[InMemoryBroker]:
    """A broker that has its tasks done at once, with a runtime, or without."""
    broker = InMemoryBroker(await_inplace=True)
    broker.register_task(remember, "remember")
    broker.register_task(fetch, "fetch")
    if wiring is not None:
        connect(broker, lambda: Runtime(wiring), tenant=tenant_of)
    try:
        await broker.startup()
        yield broker
    finally:
        await broker.shutdown()


async def sent(broker: InMemoryBroker, task: str, *arguments: str, tenant: str | None = None) -> Any:
    found = broker.find_task(task)
    assert found is not None
    labels = {} if tenant is None else {"tenant": tenant}
    kicked = await found.kicker().with_labels(**labels).kiq(*arguments)
    result = await kicked.wait_result(timeout=10)
    result.raise_for_error()
    return result.return_value


@pytest.mark.usefixtures("nothing_leaks")
def test_each_task_is_handed_what_its_tenant_has() -> None:
    async def story() -> None:
        async with running(Wiring) as broker:
            assert await sent(broker, "remember", "base") is None
            assert await sent(broker, "remember", "own", tenant="acme") is None
            assert await sent(broker, "remember", "base", tenant="plain") == "base"
            assert await sent(broker, "remember", "own", tenant="acme") == "own"
            assert await sent(broker, "fetch") == ["q"]
            with pytest.raises(Exception, match="nobody"):
                await sent(broker, "fetch", tenant="nobody")

    run(story())


def test_workers_that_cannot_start_do_not() -> None:
    def broken(_: Any) -> object:
        raise ValueError

    async def story() -> None:
        async with running(wiring_of(part=key(broken, eager=True))):
            raise AssertionError("it started")

    with pytest.raises(ActivationError, match="factory raised ValueError"):
        run(story())


def test_a_broker_without_a_runtime_says_so() -> None:
    async def story() -> None:
        async with running(None) as broker:
            with pytest.raises(Exception, match="the broker has no runtime"):
                await sent(broker, "fetch")

    run(story())
