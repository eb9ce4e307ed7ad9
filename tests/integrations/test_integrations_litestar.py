"""Litestar: the page is followed and served by uvicorn; what requests, WebSockets and probes see of the runtime."""

from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar, Request, WebSocket, get, websocket
from litestar.di import NamedDependency
from litestar.params import FromQuery, SkipValidation
from litestar.testing import TestClient
from oneiric import ActivationError, Runtime
from oneiric.integrations.litestar import Connection, Oneiric, health_handlers, live, wiring

from tests.integrations.howto import Page, ask, free_port, operated, order, started, wait_until_listening
from tests.integrations.parts import Moody, moods
from tests.unit.runtime.conftest import nothing_leaks
from tests.unit.runtime.making import key, wiring_of
from tests.unit.runtime.shop.parts import Cache
from tests.unit.runtime.shop.wiring import Wiring

PAGE = Page("litestar")
__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("litestar") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root)


def test_the_page_is_served(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    uvicorn = [*PAGE.program("uvicorn"), "--port", str(port), "--log-level", "warning"]
    with operated(PAGE, root, monkeypatch), started(root, *uvicorn):
        wait_until_listening(port)
        assert order(port) == "balance"
        assert order(port, **{"x-tenant": "acme"}) == "invoices"
        assert ask(port, "GET", "/orders/1", **{"x-tenant": "nobody"})[0] == 404
        assert ask(port, "GET", "/readyz") == (200, {"ok": True})


def tenant_of(connection: Connection) -> str | None:
    return connection.headers.get("x-tenant")


@get("/remember")
async def remember(word: FromQuery[str], cache: NamedDependency[SkipValidation[Cache]]) -> list[str]:
    before = await cache.get("word")
    await cache.set("word", word.encode())
    return [] if before is None else [before.decode()]


@get("/fetch")
async def fetch(request: Request[Any, Any, Any]) -> list[str]:
    found: list[str] = await wiring(request).adapters.database.live.fetch("q")
    return found


@websocket("/talk")
async def talk(socket: WebSocket[Any, Any, Any], cache: NamedDependency[SkipValidation[Cache]]) -> None:
    await socket.accept()
    await socket.send_bytes(await cache.get("word") or b"")
    await socket.close()


def served(runtime: Runtime[Any]) -> TestClient[Litestar]:
    handlers = [remember, fetch, talk, *health_handlers]
    dependencies = {"cache": live("adapter:cache")}
    return TestClient(Litestar(handlers, dependencies=dependencies, plugins=[Oneiric(runtime, tenant=tenant_of)]))


@pytest.mark.usefixtures("nothing_leaks")
def test_each_request_is_handed_what_its_tenant_has() -> None:
    with served(Runtime(Wiring)) as client:
        acme = {"x-tenant": "acme"}
        assert client.get("/remember?word=base").json() == []
        assert client.get("/remember?word=own", headers=acme).json() == []
        assert client.get("/remember?word=base", headers={"x-tenant": "plain"}).json() == ["base"]
        for headers, word in ((acme, b"own"), ({}, b"base")):
            with client.websocket_connect("/talk", headers=headers) as socket:
                assert socket.receive_bytes() == word
        assert client.get("/fetch").json() == ["q"]


def test_what_cannot_start_lets_the_application_not_start() -> None:
    def broken(_: Any) -> object:
        raise ValueError

    with pytest.raises(ExceptionGroup) as found, served(Runtime(wiring_of(part=key(broken, eager=True)))):
        raise AssertionError("it started")
    assert found.group_contains(ActivationError, match="factory raised ValueError")


def test_an_application_without_the_plugin_says_so() -> None:
    with TestClient(Litestar([fetch, *health_handlers], debug=True)) as client:
        assert "the plugin `Oneiric`" in client.get("/fetch").text


def test_probes_ask_for_readiness_alone_and_for_what_the_application_is_for() -> None:
    eager = Moody()
    with served(Runtime(moods(eager, Moody(), Moody()))) as client:
        before = eager.asked
        assert (client.get("/healthz").status_code, eager.asked) == (200, before)
        assert client.get("/readyz").json() == {"ok": True}
        eager.well = False
        assert (client.get("/readyz").status_code, client.get("/healthz").status_code) == (503, 200)
