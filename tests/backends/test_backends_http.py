"""The HTTP clients: the contracts, and certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import oneiric
import pytest
from oneiric import Runtime, Secret
from oneiric.adapters.http import HttpClient, HttpMisconfigured, HttpRefused
from oneiric.adapters.http._calls import HttpCalls
from oneiric.adapters.http.aiohttp import AioHTTPClient
from oneiric.adapters.http.httpx import HTTPXClient
from oneiric.testing.contracts import HttpContract, NetworkedHttpContract, started
from oneiric.testing.contracts.http_requests import BINARY
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.http_server import HttpServer

from tests.backends.activation import Provider, SwapCases
from tests.backends.application import compiled
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import HTTP
from tests.backends.harness.servers import Address, Server, private


class TestAioHTTPClient(HttpContract):
    client = AioHTTPClient

    def test_a_conversation_goes_both_ways_at_once(self) -> None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            while len(received) < 20 * len(BINARY):
                yield BINARY

        async def case(client: HttpClient) -> None:
            async with client.stream("POST", "echo-as-it-comes", body=pieces()) as response:
                async for piece in response.body:
                    received.extend(piece)

        received = bytearray()
        self.check(case)
        assert received[: len(BINARY)] == BINARY


class TestHTTPXClient(HttpContract):
    client = HTTPXClient


class Faults(NetworkedHttpContract):
    kind: type[HttpCalls]
    http: Address

    @pytest.fixture(autouse=True)
    def server(self, http: Address) -> None:
        self.http = http

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.http)

    def private(self) -> AbstractContextManager[Server]:
        return private(HTTP)

    def component(self, host: str, port: int, **secrets: Any) -> HttpCalls:
        return self.kind(
            base_url=f"http://{host}:{port}",
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS,
            retries=1,
            breaker_failures=3,
            breaker_recovery=0.05,
            **secrets,
        )

    @contextmanager
    def refused(self) -> Generator[HttpCalls, None, None]:
        def program(python: str, folder: Path, port: int) -> Sequence[str]:
            return [*HTTP.program(python, folder, port), "Bearer another"]

        with private(replace(HTTP, program=program)) as server:
            headers = {"Authorization": Secret(f"Bearer {SECRET}")}
            yield self.component(server.host, server.port, secret_headers=headers)

    def senseless(self) -> Sequence[tuple[str, Callable[[], HttpCalls]]]:
        new, secret = self.kind, {"a": Secret(f"{SECRET}\r\n")}
        return [
            ("base_url", lambda: new(base_url="localhost:80")),
            ("base_url", lambda: new(base_url="ftp://localhost")),
            ("base_url", lambda: new(base_url="http://localhost:99999")),
            ("base_url", lambda: new(base_url="http://localhost/?a=b")),
            ("base_url", lambda: new(base_url=f"http://a:{SECRET}@localhost")),
            ("healthcheck_path", lambda: new(base_url="http://localhost", healthcheck_path="../a")),
            ("timeout", lambda: new(timeout=0)),
            ("timeout", lambda: new(timeout=float("nan"))),
            ("healthcheck_timeout", lambda: new(healthcheck_timeout=-1)),
            ("ca_file", lambda: new(ca_file=Path("/no/such/ca.pem"))),
            ("ca_file", lambda: new(ca_file=Path(__file__), verify=False)),
            ("headers", lambda: new(headers={"a b": "c"})),
            ("headers", lambda: new(headers={"a": "b\r\n"})),
            ("secret_headers", lambda: new(secret_headers=secret)),
            ("max_connections", lambda: new(max_connections=0)),
            ("max_redirects", lambda: new(max_redirects=-1)),
            ("retries", lambda: new(retries=-1)),
            ("breaker_failures", lambda: new(breaker_failures=0)),
            ("breaker_recovery", lambda: new(breaker_recovery=0)),
        ]


class TestAioHTTPClientFaults(Faults):
    kind = AioHTTPClient


class TestHTTPXClientFaults(Faults):
    kind = HTTPXClient


del Faults

CLIENTS = pytest.mark.parametrize("client", [AioHTTPClient, HTTPXClient])


@contextmanager
def with_certificate(authority: Authority, host: str, days: int = 1) -> Generator[HttpServer, None, None]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with TemporaryDirectory() as folder:
        files = Path(folder, "cert.pem"), Path(folder, "key.pem")
        authority.write_for(host, *files, days=days)
        context.load_cert_chain(*files)
    with HttpServer(context=context) as server:
        yield server


@CLIENTS
def test_a_certificate_of_ones_own_authority_is_trusted(client: type[HttpCalls], tmp_path: Path) -> None:
    async def main(server: HttpServer) -> None:
        async with started(client(base_url=server.url, ca_file=trusted_file)) as http:
            assert (await http.post("echo", body=bytes(500_000))).body == bytes(500_000)
        async with started(client(base_url=server.url, verify=False)) as http:
            assert (await http.get("told")).status == 200

    authority = Authority()
    trusted_file = authority.write(tmp_path / "ca.pem")
    with with_certificate(authority, "127.0.0.1") as server:
        asyncio.run(main(server))


@CLIENTS
@pytest.mark.parametrize(
    ("host", "days", "trusted"), [("127.0.0.1", 1, False), ("other.test", 1, True), ("127.0.0.1", -1, True)]
)
def test_a_certificate_that_does_not_fit_is_refused(
    client: type[HttpCalls], host: str, days: int, trusted: bool, tmp_path: Path
) -> None:
    async def main(server: HttpServer) -> None:
        settings: dict[str, Any] = {"ca_file": trusted_file} if trusted else {}
        with pytest.raises(HttpRefused) as caught:
            async with started(client(base_url=server.url, **settings)):
                pass
        assert caught.value.setting == "ca_file"
        async with started(client(**settings)) as http:
            with pytest.raises(HttpRefused):
                await http.get(f"{server.url}/told")

    authority = Authority()
    trusted_file = authority.write(tmp_path / "ca.pem")
    with with_certificate(authority, host, days) as server:
        asyncio.run(main(server))


@CLIENTS
def test_a_file_without_certificates_is_refused(client: type[HttpCalls], tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(HttpMisconfigured) as caught:
            async with started(client(ca_file=file)):
                pass
        assert caught.value.setting == "ca_file"

    file = tmp_path / "ca.pem"
    file.write_text("no certificate\n")
    asyncio.run(main())


@CLIENTS
def test_a_redirect_away_from_tls_is_not_followed(client: type[HttpCalls], tmp_path: Path) -> None:
    async def main(server: HttpServer, plain: HttpServer) -> None:
        async with started(client(base_url=server.url, ca_file=trusted_file)) as http:
            response = await http.get("redirect/302", params={"to": f"{plain.url}/told"})
            assert response.status == 302

    authority = Authority()
    trusted_file = authority.write(tmp_path / "ca.pem")
    with with_certificate(authority, "127.0.0.1") as server, HttpServer() as plain:
        asyncio.run(main(server, plain))


@CLIENTS
def test_secret_headers_are_sent_and_never_shown(client: type[HttpCalls], caplog: pytest.LogCaptureFixture) -> None:
    async def main(server: HttpServer) -> None:
        http = client(base_url=server.url, secret_headers={"Authorization": Secret(f"Bearer {SECRET}")})
        async with started(http):
            assert (await http.get("told")).status == 200
            assert SECRET not in f"{http!r}{vars(http)}"
        assert SECRET not in caplog.text

    caplog.set_level("DEBUG")
    with HttpServer(authorization=f"Bearer {SECRET}") as server:
        asyncio.run(main(server))


@pytest.mark.parametrize("provider", ["aiohttp", "httpx"])
def test_an_application_is_given_the_client_and_its_secrets(
    provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(server: HttpServer) -> None:
        async with Runtime(oneiric.load(compiled(tmp_path, "http", provider, settings(server)))) as runtime:
            http: HttpClient = await runtime.use("adapter", "http")
            assert (await http.get("told")).status == 200
            async with http.stream("POST", "echo", json=[1]) as response:
                assert [piece async for piece in response.body] == [b"[1]"]

    def settings(server: HttpServer) -> dict[str, object]:
        return {"base_url": server.url, "secret_headers": {"Authorization": "Bearer ${ONEIRIC_SECRET_API_TOKEN}"}}

    monkeypatch.setenv("ONEIRIC_SECRET_API_TOKEN", SECRET)
    with HttpServer(authorization=f"Bearer {SECRET}") as server:
        asyncio.run(main(server))


class TestActivation(SwapCases):
    provider = Provider("http", "httpx", "httpx", "base_url", {"base_url": "http://127.0.0.1:PORT"})
