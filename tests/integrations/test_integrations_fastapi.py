"""FastAPI: the page is followed and served by uvicorn; what requests see of the runtime."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from oneiric import Portal, Runtime
from oneiric.integrations.fastapi import health_routes, lifespan, live, portal, wiring
from starlette.requests import HTTPConnection

from tests.integrations.howto import (
    Page,
    ask,
    free_port,
    operated,
    order,
    started,
    swaps_under_load,
    wait_until_listening,
)
from tests.unit.runtime.shop.parts import Cache
from tests.unit.runtime.shop.wiring import Wiring

PAGE = Page("fastapi")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("fastapi") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root)


def test_four_workers_of_uvicorn_take_swaps_under_load(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    uvicorn = [*PAGE.program("uvicorn"), "--port", str(port), "--log-level", "warning"]
    with operated(PAGE, root, monkeypatch), started(root, *uvicorn):
        wait_until_listening(port)
        swaps_under_load(root, lambda: order(port))
        assert order(port, **{"x-tenant": "acme"}) == "invoices"
        assert ask(port, "GET", "/readyz") == (200, {"ok": True})
        status, said = ask(port, "GET", "/orders/1", **{"x-tenant": "nobody"})
        assert (status, "nobody" in said["detail"]) == (404, True)


def tenant_of(connection: HTTPConnection) -> str | None:
    return connection.headers.get("x-tenant")


def served() -> FastAPI:
    app = FastAPI(routes=[*health_routes], lifespan=lifespan(Runtime(Wiring), tenant=tenant_of))

    @app.get("/remember")
    async def remember(word: str, cache: Annotated[Cache, Depends(live("adapter:cache"))]) -> str | None:
        before = await cache.get("word")
        await cache.set("word", word.encode())
        return None if before is None else before.decode()

    @app.get("/fetch")
    def fetch(
        shop: Annotated[Any, Depends(wiring)], loop: Annotated[Portal[Any], Depends(portal)]
    ) -> tuple[list[str], int]:
        database = shop.adapters.database.live
        return loop.call(database.fetch, "q"), database.size()

    @app.websocket("/talk")
    async def talk(socket: WebSocket, cache: Annotated[Cache, Depends(live("adapter:cache"))]) -> None:
        await socket.accept()
        await socket.send_bytes(await cache.get("word") or b"")
        await socket.close()

    return app


def test_each_request_is_handed_what_its_tenant_has() -> None:
    with TestClient(served()) as client:
        acme = {"x-tenant": "acme"}
        assert client.get("/remember?word=base").json() is None
        assert client.get("/remember?word=own", headers=acme).json() is None
        assert client.get("/remember?word=base", headers={"x-tenant": "plain"}).json() == "base"
        for headers, word in ((acme, b"own"), ({}, b"base")):
            with client.websocket_connect("/talk", headers=headers) as socket:
                assert socket.receive_bytes() == word


def test_endpoints_in_threads_call_by_the_portal() -> None:
    with TestClient(served()) as client:
        assert client.get("/fetch").json() == [["q"], 3]


def test_clients_are_told_of_nothing_of_it() -> None:
    described = served().openapi()
    assert set(described["paths"]) == {"/remember", "/fetch"}
    assert [each["name"] for each in described["paths"]["/remember"]["get"]["parameters"]] == ["word"]
    assert "parameters" not in described["paths"]["/fetch"]["get"]
