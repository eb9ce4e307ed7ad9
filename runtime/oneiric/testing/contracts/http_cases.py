"""What the cases of the port `http` stand on: a client, and servers of their own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any

import pytest

from oneiric.adapters.http import HttpClient
from oneiric.testing.contracts.running import run, started
from oneiric.testing.http_server import HttpServer


class HttpCases:
    """The base of the cases: a subclass overrides `client`."""

    server: HttpServer
    other: HttpServer

    def client(self, **settings: Any) -> HttpClient:
        """A client with these settings, named as the built-in ones' are; not started."""
        raise NotImplementedError("override client()")

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def servers(cls) -> Generator[None, None, None]:
        with HttpServer() as cls.server, HttpServer() as cls.other:
            yield

    def check(self, case: Callable[[HttpClient], Coroutine[Any, Any, None]], **settings: Any) -> None:
        """Run one case against a fresh client below the server's address."""

        async def main() -> None:
            async with started(self.client(**{"base_url": self.server.url, **settings})) as client:
                await case(client)

        run(main())
