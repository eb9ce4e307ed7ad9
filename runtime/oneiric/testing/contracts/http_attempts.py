"""The contract of the port `http`: redirects, attempts, the breaker, health."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from oneiric.adapters.http import HttpClient, HttpError, HttpRefused, HttpUnavailable
from oneiric.testing.contracts.http_cases import HttpCases
from oneiric.testing.contracts.running import health, run, started


class HttpAttempts(HttpCases):
    """Cases about which exchanges follow from one call."""

    # redirects

    @pytest.mark.parametrize(
        ("status", "method", "then"),
        [
            *(
                (301, "POST", "GET"),
                (302, "POST", "GET"),
                (303, "POST", "GET"),
                (303, "PUT", "GET"),
                (301, "PUT", "PUT"),
            ),
            *((307, "POST", "POST"), (308, "PUT", "PUT"), (302, "GET", "GET"), (303, "HEAD", "HEAD")),
        ],
    )
    def test_redirects_are_followed_as_browsers_do(self, status: int, method: str, then: str) -> None:
        async def case(client: HttpClient) -> None:
            body = None if method in ("GET", "HEAD") else b"body"
            response = await client.request(method, f"redirect/{status}", params={"to": "../told?a"}, body=body)
            assert (response.status, response.url) == (200, f"{self.server.url}/told?a")
            if then != "HEAD":
                seen = response.json()
                assert seen["method"] == then
                assert base64.b64decode(seen["body"]) == (b"body" if then == method and body else b"")

        self.check(case)

    def test_no_header_follows_a_redirect_to_another_origin(self) -> None:
        async def case(client: HttpClient) -> None:
            for to in (f"{self.other.url}/told", f"{self.other.url}/redirect/302?to={self.server.url}/told"):
                response = await client.get("redirect/302", params={"to": to}, headers={"authorization": "secret"})
                names = {name for name, _ in response.json()["headers"]}
                assert names.isdisjoint({"authorization", "x-set"})
            names = {name for name, _ in (await client.get(f"{self.other.url}/told")).json()["headers"]}
            assert "x-set" not in names

        self.check(case, headers={"x-set": "secret"})

    def test_redirects_that_cannot_be_followed_are_the_answer(self) -> None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"once"

        async def case(client: HttpClient) -> None:
            response = await client.post("redirect/307", params={"to": "/told"}, body=pieces())
            assert response.status == 307
            for to in ("ftp://x/", "http://[::1/", "http://h:99999/"):
                assert (await client.get("redirect/302", params={"to": to})).status == 302

        self.check(case)
        self.check(case, max_redirects=0)

    def test_redirects_end(self) -> None:
        async def case(client: HttpClient) -> None:
            assert (await client.get("redirects/3")).status == 200
            with pytest.raises(HttpUnavailable) as caught:
                await client.get("redirects/4")
            assert caught.value.setting == "max_redirects"

        async def unfollowed(client: HttpClient) -> None:
            assert (await client.get("redirects/3")).status == 302

        self.check(case, max_redirects=3)
        self.check(unfollowed, max_redirects=0)

    # attempts

    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_what_may_be_repeated_is_tried_again(self, method: str, status: int) -> None:
        async def case(client: HttpClient) -> None:
            name = uuid4().hex
            response = await client.request(method, f"fails-at-first/{name}?times=2&status={status}&after=0")
            assert (response.status, self.server.counts[name]) == (200, 3)
            name = uuid4().hex
            response = await client.request(method, f"fails-at-first/{name}?times=3&status={status}&after=0")
            assert (response.status, self.server.counts[name]) == (status, 3)

        self.check(case, retries=2)

    def test_a_stream_is_tried_again_until_its_headers(self) -> None:
        async def case(client: HttpClient) -> None:
            name = uuid4().hex
            async with client.stream("GET", f"fails-at-first/{name}?times=2&status=503") as response:
                assert b"".join([piece async for piece in response.body]) == b"at last"
            name = uuid4().hex
            with pytest.raises(HttpUnavailable):
                async with client.stream("GET", f"half/{name}") as response:
                    async for _ in response.body:
                        pass
            assert self.server.counts[name] == 1

        self.check(case, retries=2, max_connections=1)

    @pytest.mark.parametrize("path", ["gone/NAME", "half/NAME", "fails-at-first/NAME?times=9&status=503&after=0"])
    def test_what_may_not_be_repeated_is_sent_once(self, path: str) -> None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"once"

        async def attempt(client: HttpClient, method: str, body: Any) -> int:
            name = uuid4().hex
            with suppress(HttpUnavailable):
                await client.request(method, path.replace("NAME", name), body=body)
            return self.server.counts[name]

        async def case(client: HttpClient) -> None:
            assert await attempt(client, "POST", b"body") == 1
            assert await attempt(client, "PATCH", b"body") == 1
            assert await attempt(client, "PUT", pieces()) == 1
            assert await attempt(client, "PUT", b"body") == 3

        self.check(case, retries=2, breaker_failures=100)

    @pytest.mark.parametrize("status", [400, 404, 500, 501])
    def test_what_another_attempt_would_not_change_is_not_tried_again(self, status: int) -> None:
        async def case(client: HttpClient) -> None:
            name = uuid4().hex
            await client.get(f"status/{status}/{name}")
            assert self.server.counts[name] == 1

        self.check(case, retries=5)

    def test_attempts_do_not_take_longer_than_the_call(self) -> None:
        async def case(client: HttpClient) -> None:
            name = uuid4().hex
            response = await client.get(f"fails-at-first/{name}?times=9&status=503&after=3600", timeout=5)
            assert (response.status, self.server.counts[name]) == (503, 1)
            name = uuid4().hex
            with pytest.raises(HttpUnavailable):
                await client.get(f"silent/{name}", timeout=0.2)
            assert self.server.counts[name] == 1

        self.check(case, retries=5)

    # the breaker

    def test_an_origin_that_fails_too_often_is_left_alone_for_a_while(self) -> None:
        async def case(client: HttpClient) -> None:
            name, good = uuid4().hex, f"{self.other.url}/told"
            for _ in range(3):
                assert (await client.get(f"status/503/{name}")).status == 503
            for path in (f"status/503/{name}", "told"):
                with pytest.raises(HttpUnavailable) as caught:
                    await client.get(path)
                assert caught.value.setting == "breaker_recovery"
            assert self.server.counts[name] == 3
            assert (await client.get(good)).status == 200
            assert await health(client)
            await asyncio.sleep(0.6)
            assert (await client.get(f"status/503/{name}")).status == 503
            with pytest.raises(HttpUnavailable):
                await client.get("told")
            await asyncio.sleep(0.6)
            for _ in range(2):
                assert (await client.get("told")).status == 200
            assert (await client.get(f"status/503/{name}")).status == 503
            assert (await client.get("told")).status == 200

        self.check(case, retries=0, breaker_failures=3, breaker_recovery=0.5)

    def test_answers_in_between_and_cancelled_calls_do_not_open_it(self) -> None:
        async def case(client: HttpClient) -> None:
            for _ in range(4):
                for path in ("status/503", "status/503", "status/500"):
                    await client.get(path)
            calls = [asyncio.ensure_future(client.get("silent")) for _ in range(6)]
            await asyncio.sleep(0.05)
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
            assert (await client.get("told")).status == 200

        self.check(case, retries=0, breaker_failures=3, breaker_recovery=60)

    def test_time_that_runs_out_and_connections_that_break_open_it(self) -> None:
        async def case(client: HttpClient) -> None:
            for path in ("silent", f"gone/{uuid4().hex}"):
                with pytest.raises(HttpUnavailable):
                    await client.post(path, timeout=0.1)
            with pytest.raises(HttpUnavailable) as caught:
                await client.get("told")
            assert caught.value.setting == "breaker_recovery"

        self.check(case, retries=0, breaker_failures=2, breaker_recovery=60)

    # health

    @pytest.mark.parametrize(
        ("status", "outcome"), [(404, None), (401, HttpRefused), (403, HttpRefused), (500, HttpUnavailable)]
    )
    def test_a_start_asks_the_health_path(self, status: int, outcome: type[HttpError] | None) -> None:
        async def main() -> None:
            client = self.client(base_url=self.server.url, healthcheck_path=f"status/{status}")
            if outcome is None:
                async with started(client):
                    assert await health(client)
            else:
                with pytest.raises(outcome):
                    async with started(client):
                        pass

        run(main())

    def test_without_a_health_path_nobody_is_asked(self) -> None:
        async def main() -> None:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                url = f"http://127.0.0.1:{taken.getsockname()[1]}"
                async with started(self.client(base_url=url, healthcheck_path=None)) as client:
                    assert await health(client)
                    with pytest.raises(HttpUnavailable):
                        await client.get("told")

        run(main())
