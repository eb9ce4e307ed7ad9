"""Flask: the page is followed and served by gunicorn, which forks; what requests and processes have of a runtime."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request, request
from oneiric import ActivationError, Runtime, RuntimeNotRunning, UnknownKey, UnknownTenant
from oneiric.integrations.flask import call, health, init_app, live, start, stop, wiring

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
from tests.integrations.parts import Moody, moods
from tests.unit.runtime.conftest import nothing_leaks
from tests.unit.runtime.making import Part, key, wiring_of
from tests.unit.runtime.shop.wiring import Wiring

PAGE = Page("flask")
__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("flask") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root)


def test_forked_workers_of_gunicorn_take_swaps_under_load(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    gunicorn = [*PAGE.program("gunicorn"), "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    with operated(PAGE, root, monkeypatch), started(root, *gunicorn):
        wait_until_listening(port)
        swaps_under_load(root, lambda: order(port))
        assert order(port, **{"x-tenant": "acme"}) == "invoices"
        assert ask(port, "POST", "/orders", **{"x-tenant": "nobody"})[0] == 404
        assert ask(port, "GET", "/readyz") == (200, {"ok": True})


def tenant_of(request: Request) -> str | None:
    return request.headers.get("x-tenant")


def served(make: Callable[[], Runtime[Any]]) -> Flask:
    app = Flask("test")
    app.testing = True  # errors are the test's
    init_app(app, make, tenant=tenant_of)
    app.register_blueprint(health)

    @app.get("/remember")
    def remember() -> list[str]:
        cache = wiring().adapters.cache.live
        before = call(cache.get, "word")
        call(cache.set, "word", request.args["word"].encode())
        return [] if before is None else [before.decode()]

    @app.get("/use")
    def use() -> list[int]:
        return [live(request.args["key"]).size()]

    return app


@pytest.mark.usefixtures("nothing_leaks")
def test_each_request_sees_its_tenant() -> None:
    app = served(lambda: Runtime(Wiring))
    client = app.test_client()
    acme = {"x-tenant": "acme"}
    assert client.get("/remember?word=base").get_json() == []
    assert client.get("/remember?word=own", headers=acme).get_json() == []
    assert client.get("/remember?word=base", headers={"x-tenant": "plain"}).get_json() == ["base"]
    assert client.get("/remember?word=own", headers=acme).get_json() == ["own"]
    assert client.get("/use?key=adapter:database", headers=acme).get_json() == [3]
    with app.app_context():
        assert call(wiring().adapters.cache.live.get, "word") == b"base"
    with pytest.raises(UnknownTenant, match="nobody"):
        client.get("/remember?word=x", headers={"x-tenant": "nobody"})
    with pytest.raises(UnknownKey, match="did you mean adapter:database"):
        client.get("/use?key=adapter:databse")
    stop(app)


def test_an_application_without_a_runtime_says_so() -> None:
    with Flask("test").app_context(), pytest.raises(RuntimeNotRunning, match="init_app"):
        wiring()


def test_requests_at_once_share_one_runtime() -> None:
    made: list[Runtime[Any]] = []

    def make() -> Runtime[Any]:
        made.append(Runtime(Wiring))
        return made[-1]

    app = served(make)
    users = [threading.Thread(target=app.test_client().get, args=("/use?key=adapter:database",)) for _ in range(20)]
    for each in users:
        each.start()
    for each in users:
        each.join()
    assert len(made) == 1
    stop(app)
    stop(app)
    start(app)
    assert len(made) == 2
    stop(app)


def test_what_could_not_start_is_tried_again() -> None:
    tries: list[int] = []

    def part(_: Any) -> object:
        tries.append(1)
        if len(tries) == 1:
            raise ValueError
        return object()

    app = served(lambda: Runtime(wiring_of(part=key(part, eager=True))))
    with pytest.raises(ActivationError, match="factory raised ValueError"):
        app.test_client().get("/readyz")
    assert app.test_client().get("/readyz").status_code == 200
    stop(app)


def test_a_child_process_has_a_runtime_of_its_own_and_leaves_its_parents_alone() -> None:
    made: list[Part] = []
    app = served(lambda: Runtime(wiring_of(part=key(lambda _: Part(made), eager=True))))
    start(app)
    child = os.fork()
    if not child:
        try:
            ready = app.test_client().get("/readyz").status_code
            stop(app)
            os._exit(0 if (ready, [each.closes for each in made]) == (200, [0, 1]) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [each.closes for each in made] == [0]
    stop(app)
    assert [each.closes for each in made] == [1]


def test_probes_ask_for_readiness_alone_and_for_what_the_application_is_for() -> None:
    eager = Moody()
    app = served(lambda: Runtime(moods(eager, Moody(), Moody())))
    client = app.test_client()
    assert (client.get("/healthz").status_code, eager.asked) == (200, 0)
    assert client.get("/readyz").get_json() == {"ok": True}
    eager.well = False
    assert (client.get("/readyz").status_code, client.get("/healthz").status_code) == (503, 200)
    stop(app)
