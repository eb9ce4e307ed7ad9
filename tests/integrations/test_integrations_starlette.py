"""Starlette: the page is followed and served by uvicorn; what requests, WebSockets and probes see of the runtime."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from oneiric import ActivationError, Runtime, RuntimeNotRunning, UnknownKey, UnknownTenant
from oneiric.integrations.starlette import health_routes, lifespan, live, portal, wiring
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from tests.integrations.howto import Page, ask, free_port, operated, order, started, wait_until_listening
from tests.integrations.parts import Moody, moods
from tests.unit.runtime.conftest import nothing_leaks
from tests.unit.runtime.making import key, wiring_of
from tests.unit.runtime.shop.wiring import Wiring

PAGE = Page("starlette")
__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("starlette") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root)


def test_the_page_is_served(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    uvicorn = [*PAGE.program("uvicorn"), "--port", str(port), "--log-level", "warning"]
    with operated(PAGE, root, monkeypatch), started(root, *uvicorn):
        wait_until_listening(port)
        assert order(port) == "balance"
        assert order(port, **{"x-tenant": "acme"}) == "invoices"
        assert ask(port, "POST", "/orders", **{"x-tenant": "nobody"})[0] == 404
        assert ask(port, "GET", "/readyz") == (200, {"ok": True})


def tenant_of(connection: HTTPConnection) -> str | None:
    return connection.headers.get("x-tenant")


async def remember(request: Request) -> JSONResponse:
    cache = wiring(request).adapters.cache.live
    before = await cache.get("word")
    await cache.set("word", request.query_params["word"].encode())
    return JSONResponse(None if before is None else before.decode())


async def talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_bytes(await (await live(socket, "adapter:cache")).get("word") or b"")
    await socket.close()


def fetch(request: Request) -> JSONResponse:
    database = wiring(request).adapters.database.live
    return JSONResponse([portal(request).call(database.fetch, "q"), database.size()])


async def use(request: Request) -> JSONResponse:
    return JSONResponse((await live(request, request.query_params["key"])).size())


async def lease(request: Request) -> JSONResponse:
    slot = getattr(wiring(request).adapters, request.query_params["key"])
    async with slot.lease():
        return JSONResponse(slot.state)


ROUTES = [
    Route("/remember", remember),
    Route("/fetch", fetch),
    Route("/use", use),
    Route("/lease", lease),
    WebSocketRoute("/talk", talk),
]


def served(runtime: Runtime[Any]) -> TestClient:
    """An application, which is mounted in another as well."""
    routes = [*ROUTES, *health_routes, Mount("/within", Starlette(routes=ROUTES))]
    return TestClient(Starlette(routes=routes, lifespan=lifespan(runtime, tenant=tenant_of)))


@pytest.mark.usefixtures("nothing_leaks")
def test_each_request_sees_its_tenant_also_in_what_is_mounted_and_by_websockets() -> None:
    with served(Runtime(Wiring)) as client:
        acme = {"x-tenant": "acme"}
        assert client.get("/remember?word=base").json() is None
        assert client.get("/remember?word=own", headers=acme).json() is None
        assert client.get("/within/remember?word=base", headers={"x-tenant": "plain"}).json() == "base"
        assert client.get("/within/remember?word=own", headers=acme).json() == "own"
        for headers, word in ((acme, b"own"), ({}, b"base")):
            with client.websocket_connect("/talk", headers=headers) as socket:
                assert socket.receive_bytes() == word


def test_a_tenant_that_is_not_there_and_a_key_that_is_not_are_named() -> None:
    with served(Runtime(Wiring)) as client:
        with pytest.raises(UnknownTenant, match="nobody"):
            client.get("/remember?word=x", headers={"x-tenant": "nobody"})
        with pytest.raises(UnknownKey, match="did you mean adapter:database"):
            client.get("/use?key=adapter:databse")


def test_endpoints_in_threads_call_by_the_portal() -> None:
    with served(Runtime(Wiring)) as client:
        assert client.get("/fetch").json() == [["q"], 3]


def test_a_key_is_ready_when_it_was_asked_for() -> None:
    with served(Runtime(Wiring)) as client:
        assert (
            client.get("/use?key=adapter:database").json() == 3
        )  # by a method that is not async, and activates nothing


def test_an_application_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeNotRunning, match="lifespan"):
        served(Runtime(Wiring)).get("/fetch")


def test_what_cannot_start_lets_the_application_not_start() -> None:
    def broken(_: Any) -> object:
        raise ValueError

    with (
        pytest.raises(ActivationError, match="factory raised ValueError"),
        served(Runtime(wiring_of(part=key(broken, eager=True)))),
    ):
        raise AssertionError("it started")


def test_another_lifespan_may_be_around_it() -> None:
    @asynccontextmanager
    async def around(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        async with lifespan(Runtime(Wiring))(app) as state:
            yield {**state, "mine": "x"}

    async def both(request: Request) -> JSONResponse:
        return JSONResponse([request.state.mine, await wiring(request).adapters.database.live.fetch("q")])

    with TestClient(Starlette(routes=[Route("/", both)], lifespan=around)) as client:
        assert client.get("/").json() == ["x", ["q"]]


def test_probes_ask_for_readiness_alone_and_for_what_the_application_is_for() -> None:
    eager, other, needed = Moody(), Moody(), Moody()
    runtime = Runtime(moods(eager, other, needed))
    with served(runtime) as client:
        before = eager.asked
        assert (client.get("/healthz").status_code, eager.asked) == (200, before)
        assert client.get("/readyz").json() == {"ok": True}
        assert eager.asked > before
        assert client.get("/lease?key=other").json() == "active"
        other.well = False
        assert client.get("/readyz").status_code == 200
        for each in (eager, needed):
            each.well = False
            found = client.get("/readyz")
            assert (found.status_code, found.json()) == (503, {"ok": False})
            assert client.get("/healthz").status_code == 200
            each.well = True
            assert client.get("/readyz").status_code == 200
