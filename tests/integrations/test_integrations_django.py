"""Django: the page is followed and served by gunicorn, which forks; what requests and tests have of a runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from oneiric import Runtime, RuntimeNotRunning, UnknownKey, UnknownTenant
from oneiric.integrations.django import call, health_urls, live, start, stop, wiring

from tests.integrations.howto import (
    Page,
    ask,
    free_port,
    operated,
    order,
    started,
    swap,
    wait_until_listening,
)
from tests.integrations.parts import Moody, moods
from tests.unit.runtime.conftest import nothing_leaks
from tests.unit.runtime.making import Part, key, wiring_of
from tests.unit.runtime.shop.wiring import Wiring
from tests.unit.serve.following import wait_for

PAGE = Page("django")
__all__ = ["nothing_leaks"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGE.follow(tmp_path_factory.mktemp("django") / "shop")


def test_the_tests_of_the_page_pass(root: Path) -> None:
    PAGE.test(root, "manage.py")


def test_forked_workers_of_gunicorn_take_a_swap(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    gunicorn = [*PAGE.program("gunicorn"), "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    with operated(PAGE, root, monkeypatch), started(root, *gunicorn):
        wait_until_listening(port)
        pids = wait_for(root, 4)
        assert {order(port) for _ in range(10)} == {"balance"}
        assert order(port, **{"x-tenant": "acme"}) == "invoices"
        assert ask(port, "POST", "/orders", **{"x-tenant": "nobody"})[0] == 404
        assert swap(root, "invoice") == pids
        assert {order(port) for _ in range(10)} == {"invoices"}
        assert ask(port, "GET", "/readyz") == (200, {"ok": True})


def tenant_of(request: HttpRequest) -> str | None:
    return request.headers.get("x-tenant")


def remember(request: HttpRequest) -> JsonResponse:
    cache = wiring(request).adapters.cache.live
    before = call(cache.get, "word")
    call(cache.set, "word", request.GET["word"].encode())
    return JsonResponse([] if before is None else [before.decode()], safe=False)


def use(request: HttpRequest) -> JsonResponse:
    return JsonResponse([live(request.GET["key"], request).size()], safe=False)


urlpatterns = [path("remember", remember), path("use", use), *health_urls]


@pytest.fixture
def client() -> Iterator[Client]:
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["testserver"], ROOT_URLCONF=__name__)
    yield Client()
    stop()


def served(make: Any) -> Any:
    return override_settings(ONEIRIC_RUNTIME=make, ONEIRIC_TENANT=tenant_of)


@pytest.mark.usefixtures("nothing_leaks")
def test_each_request_sees_its_tenant(client: Client) -> None:
    with served(lambda: Runtime(Wiring)):
        acme = {"x-tenant": "acme"}
        assert client.get("/remember?word=base").json() == []
        assert client.get("/remember?word=own", headers=acme).json() == []
        assert client.get("/remember?word=base", headers={"x-tenant": "plain"}).json() == ["base"]
        assert client.get("/remember?word=own", headers=acme).json() == ["own"]
        assert client.get("/use?key=adapter:database", headers=acme).json() == [3]
        assert call(wiring().adapters.cache.live.get, "word") == b"base"
        with pytest.raises(UnknownTenant, match="nobody"):
            client.get("/remember?word=x", headers={"x-tenant": "nobody"})
        with pytest.raises(UnknownKey, match="did you mean adapter:database"):
            client.get("/use?key=adapter:databse")


def test_other_settings_close_the_runtime_and_make_another(client: Client) -> None:
    made: list[Part] = []

    def make() -> Runtime[Any]:
        return Runtime(wiring_of(part=key(lambda _: Part(made), eager=True)))

    with served(make):
        assert made == []
        start()
        with served(lambda: Runtime(Wiring)):
            assert [each.closes for each in made] == [1]
            assert client.get("/use?key=adapter:database").json() == [3]
        assert client.get("/readyz").status_code == 200
        assert [each.closes for each in made] == [1, 0]
    assert [each.closes for each in made] == [1, 1]


def test_a_project_without_a_runtime_says_so(client: Client) -> None:
    with pytest.raises(RuntimeNotRunning, match="ONEIRIC_RUNTIME"):
        wiring()


def test_probes_ask_for_readiness_alone_and_for_what_the_application_is_for(client: Client) -> None:
    eager = Moody()
    with served(lambda: Runtime(moods(eager, Moody(), Moody()))):
        assert (client.get("/healthz").status_code, eager.asked) == (200, 0)
        assert client.get("/readyz").json() == {"ok": True}
        eager.well = False
        assert (client.get("/readyz").status_code, client.get("/healthz").status_code) == (503, 200)
