"""The contract of the port `http`."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest

from oneiric.adapters.http import (
    MAX_BODY,
    HttpClient,
    HttpClosed,
    HttpError,
    HttpMisconfigured,
    HttpRefused,
    HttpStatus,
    HttpUnavailable,
    InvalidRequest,
    InvalidResponse,
    Response,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import cancelled_at_every_step, close, health, run, started
from oneiric.testing.http_server import HttpServer

BINARY = bytes(range(256)) * 4096


class HttpContract:
    """Cases for an HTTP client, which they give servers of their own: subclass it and override `client`."""

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

    # requests

    def test_a_get_has_status_headers_body_and_address(self) -> None:
        async def case(client: HttpClient) -> None:
            response = await client.get("fields")
            assert (response.status, response.url) == (200, f"{self.server.url}/fields")
            assert response.body == b"caf\xe9"
            assert response.text() == "café"
            assert response.headers["X-NOTE"] == response.headers["x-note"] == "seen"
            assert response.headers.all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]
            assert "x-note" in set(response.headers)
            assert response.headers.get("x-none") is None

        self.check(case)

    @pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"])
    def test_every_method_arrives(self, method: str) -> None:
        async def case(client: HttpClient) -> None:
            response = await client.request(method, "told")
            assert response.status == 200
            if method == "HEAD":
                assert response.body == b""
            else:
                assert response.json()["method"] == method

        self.check(case)

    @pytest.mark.parametrize("body", [b"", b"text", BINARY, bytes(20 * 1024 * 1024)], ids=["no", "some", "1M", "20M"])
    def test_a_body_is_sent_and_received_as_it_is(self, body: bytes) -> None:
        async def case(client: HttpClient) -> None:
            response = await client.post("echo", body=body)
            assert response.body == body

        self.check(case)

    def test_a_body_can_be_sent_piece_by_piece(self) -> None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            for number in range(100):
                await asyncio.sleep(0)
                yield b"%d," % number

        async def case(client: HttpClient) -> None:
            whole = b"".join([piece async for piece in pieces()])
            response = await client.post("echo", body=pieces())
            assert response.body == whole
            response = await client.post("told", body=pieces(), headers={"Content-Length": str(len(whole))})
            assert base64.b64decode(response.json()["body"]) == whole
            assert ["content-length", str(len(whole))] in response.json()["headers"]

        self.check(case)

    @pytest.mark.parametrize("length", [1, 4])
    def test_a_body_of_another_length_than_announced_is_the_callers_mistake(self, length: int) -> None:
        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"ab"
            yield b"c"

        async def case(client: HttpClient) -> None:
            with pytest.raises(InvalidRequest):
                await client.post("echo", body=pieces(), headers={"content-length": str(length)})
            assert (await client.get("told")).status == 200

        self.check(case)

    def test_what_the_source_of_a_body_raises_is_raised(self) -> None:
        class Mine(Exception):
            pass

        async def pieces() -> AsyncGenerator[bytes, None]:
            yield b"piece"
            raise Mine

        async def case(client: HttpClient) -> None:
            with pytest.raises(Mine):
                await client.request("PUT", "echo", body=pieces())
            assert (await client.get("told")).status == 200

        self.check(case)

    def test_json_is_sent_and_received(self) -> None:
        async def case(client: HttpClient) -> None:
            value = {"name": "Zoë \N{SNOWMAN}", "numbers": [1, 2.5, None, True], "zero": 0}
            response = await client.post("told", json=value)
            assert ["content-type", "application/json"] in response.json()["headers"]
            assert (await client.post("echo", json=value)).json() == value
            assert (await client.post("echo", json=0)).json() == 0
            with pytest.raises(InvalidResponse):
                (await client.get("")).json()

        self.check(case)

    def test_only_what_was_meant_is_sent(self) -> None:
        async def case(client: HttpClient) -> None:
            await client.get("fields")  # which sets cookies
            seen = (await client.post("told", body=b"x", headers={"X-Own": "b"})).json()["headers"]
            assert {name for name, _ in seen} - {"connection"} == {
                *("host", "accept", "accept-encoding", "user-agent", "content-length", "x-set", "x-own")
            }
            assert ["x-set", "a"] in seen
            assert ["x-own", "b"] in seen
            seen = (await client.get("told", headers={"x-SET": "other", "User-Agent": "mine"})).json()["headers"]
            assert [value for name, value in seen if name == "x-set"] == ["other"]
            assert [value for name, value in seen if name == "user-agent"] == ["mine"]

        self.check(case, headers={"X-Set": "a"})

    def test_addresses_are_below_the_base_or_whole(self) -> None:
        async def case(client: HttpClient) -> None:
            for url, target in (
                ("told", "/base/told"),
                ("/told", "/base/told"),
                ("//told", "/base/told"),
                ("told/a b/é", "/base/told/a%20b/%C3%A9"),
                ("told/%2F%7e?a=%20+&b", "/base/told/%2F%7e?a=%20+&b"),
                ("told/100%", "/base/told/100%25"),
                ("told:x/y;z=1,2@3", "/base/told:x/y;z=1,2@3"),
                (f"{self.other.url}/told", "/told"),
            ):
                assert (await client.get(url)).json()["target"] == target, url
            assert (await client.get("told?a=1", params={"b": "ä &=", "c": [1, "2"]})).json()["target"] == (
                "/base/told?a=1&b=%C3%A4+%26%3D&c=1&c=2"
            )

        self.check(case, base_url=f"{self.server.url}/base/", healthcheck_path=None)

    def test_without_a_base_addresses_are_whole(self) -> None:
        async def case(client: HttpClient) -> None:
            assert await health(client)
            assert (await client.get(f"{self.server.url}/told")).json()["target"] == "/told"
            with pytest.raises(InvalidRequest):
                await client.get("/told")

        self.check(case, base_url=None)

    @pytest.mark.parametrize(
        "wrong",
        [
            *(
                {"url": url}
                for url in ("ftp://x/", "http://", "http://[::1/", "http://h:99999/", "http://a:b@h/", "a/../b")
            ),
            *(
                {"url": url}
                for url in ("a/./b", "http://h/\n", "http://h\r\nx: y/", "\ud800", b"a", None, "http://a b/")
            ),
            *({"method": method} for method in ("", "get", "G ET", "GET\r\n", "CONNECT")),
            *({"headers": headers} for headers in ({"a b": "c"}, {"a": "b\r\nc: d"}, {"a": "é"}, {"": "a"}, {"a": 1})),
            *({"headers": headers} for headers in ({"host": "x"}, {"Transfer-Encoding": "chunked"}, {"a": " b"})),
            *({"body": body} for body in ("text", bytearray(b"x"), [b"x"])),
            *({"timeout": timeout} for timeout in (0, -1, float("nan"), float("inf"), "1", True)),
            *({"json": value} for value in (..., {"a": float("nan")}, b"x", "\ud800")),
            {"body": b"x", "json": {}},
            {"body": b"abc", "headers": {"content-length": "2"}},
        ],
        ids=repr,
    )
    def test_what_is_no_request_is_refused_and_not_sent(self, wrong: dict[str, Any]) -> None:
        async def case(client: HttpClient) -> None:
            request: dict[str, Any] = {"method": "PUT", "url": "told", **wrong}
            with pytest.raises(InvalidRequest):
                await client.request(**request)
            with pytest.raises(InvalidRequest):
                async with client.stream(**request):
                    pass

        self.check(case)

    # answers

    @pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 403, 404, 418, 500])
    def test_a_status_is_an_answer(self, status: int) -> None:
        async def case(client: HttpClient) -> None:
            response = await client.get(f"status/{status}")
            assert response.status == status
            if status < 400:
                response.raise_for_status()
            else:
                with pytest.raises(HttpStatus, match=str(status)) as caught:
                    response.raise_for_status()
                assert caught.value.response is response

        self.check(case)

    def test_compressed_bodies_are_decompressed(self) -> None:
        async def case(client: HttpClient) -> None:
            assert (await client.get("compressed")).body == b"zipped " * 1000
            async with client.stream("GET", "compressed") as response:
                assert b"".join([piece async for piece in response.body]) == b"zipped " * 1000

        self.check(case)

    @pytest.mark.parametrize("path", ["bomb", f"zeros/{MAX_BODY + 1}"])
    def test_a_body_that_is_too_large_is_given_up(self, path: str) -> None:
        async def case(client: HttpClient) -> None:
            with pytest.raises(InvalidResponse):
                await client.get(path)
            assert (await client.get("told")).status == 200

        self.check(case, timeout=60.0)

    @pytest.mark.parametrize("path", ["half", "garbage", "badly-compressed", "stuck", "silent"])
    def test_an_answer_that_is_none_is_unavailable(self, path: str) -> None:
        async def case(client: HttpClient) -> None:
            with pytest.raises(HttpUnavailable):
                await client.post(path, timeout=0.3)
            with pytest.raises(HttpUnavailable):
                async with client.stream("POST", path, timeout=0.3) as response:
                    async for _ in response.body:
                        pass
            assert (await client.get("told")).status == 200

        self.check(case)

    # streams

    def test_a_body_can_be_read_as_it_comes(self) -> None:
        async def case(client: HttpClient) -> None:
            async with client.stream("GET", "zeros/10000000") as response:
                assert response.status == 200
                size, most = 0, 0
                async for piece in response.body:
                    assert piece
                    size, most = size + len(piece), max(most, len(piece))
            assert size == 10_000_000
            assert most < 5_000_000

        self.check(case)

    def test_a_stream_can_be_left_and_what_it_left_read_no_more(self) -> None:
        async def case(client: HttpClient) -> None:
            for path in ("zeros/10000000", "stuck"):
                for _ in range(5):  # more than there are connections
                    async with client.stream("GET", path) as response:
                        async for _ in response.body:
                            break
                    assert [piece async for piece in response.body] == []
            assert (await client.get("told")).status == 200

        self.check(case, max_connections=2)

    # connections and time

    def test_fifty_at_once_do_not_mix_up_their_answers(self) -> None:
        async def turn(client: HttpClient, number: int) -> None:
            body = b"%d " % number * 2000
            assert (await client.post("echo", body=body)).body == body

        async def case(client: HttpClient) -> None:
            await asyncio.gather(*(turn(client, number) for number in range(50)))

        for connections in (4, 100):
            self.check(case, max_connections=connections)

    def test_a_call_waits_for_a_connection_until_its_time_is_over(self) -> None:
        async def case(client: HttpClient) -> None:
            async with client.stream("GET", "stuck"):
                with pytest.raises(HttpUnavailable) as caught:
                    await client.get("told", timeout=0.2)
                assert caught.value.setting == "max_connections"
            assert (await client.get("told")).status == 200

        self.check(case, max_connections=1)

    def test_cancellation_at_any_moment_leaves_a_client_that_works(self) -> None:
        async def work(client: HttpClient) -> None:
            await client.post("echo", body=b"x" * 200_000)
            await client.get("redirects/2")
            async with client.stream("GET", "zeros/300000") as response:
                async for _ in response.body:
                    pass

        async def case(client: HttpClient) -> None:
            async for _ in cancelled_at_every_step(lambda: work(client)):
                pass
            assert (await client.post("echo", body=b"whole")).body == b"whole"

        self.check(case, max_connections=1)

    def test_closing_twice_is_fine_and_a_closed_client_refuses_every_call(self) -> None:
        async def case(client: HttpClient) -> None:
            await close(client)
            await close(client)
            assert not await health(client)
            for attempt in (client.get("told"), client.post("told"), client.request("PUT", "told")):
                with pytest.raises(HttpClosed):
                    await attempt
            with pytest.raises(HttpClosed):
                async with client.stream("GET", "told"):
                    pass

        self.check(case)

    def test_closing_ends_a_stream(self) -> None:
        async def case(client: HttpClient) -> None:
            async with client.stream("GET", "stuck") as response:
                assert len(await anext(response.body)) == 500
                reading = asyncio.ensure_future(anext(response.body))
                await asyncio.sleep(0.01)
                await close(client)
                with pytest.raises(HttpClosed):
                    await reading

        self.check(case)

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
                assert caught.value.setting == "breaker_seconds"
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

        self.check(case, retries=0, breaker_failures=3, breaker_seconds=0.5)

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

        self.check(case, retries=0, breaker_failures=3, breaker_seconds=60)

    def test_time_that_runs_out_and_connections_that_break_open_it(self) -> None:
        async def case(client: HttpClient) -> None:
            for path in ("silent", f"gone/{uuid4().hex}"):
                with pytest.raises(HttpUnavailable):
                    await client.post(path, timeout=0.1)
            with pytest.raises(HttpUnavailable) as caught:
                await client.get("told")
            assert caught.value.setting == "breaker_seconds"

        self.check(case, retries=0, breaker_failures=2, breaker_seconds=60)

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


class NetworkedHttpContract(NetworkedContract[HttpClient]):
    """Cases for an HTTP client whose server is away or talks badly, besides those of `HttpContract`.

    The servers are those of `oneiric.testing.http_server`.
    """

    base = HttpError
    unavailable = HttpUnavailable
    refusal = HttpRefused
    misconfigured = HttpMisconfigured

    async def use(self, component: HttpClient, number: int = 0) -> None:
        body = b"body %d " % number * 50
        response: Response = await component.request("PUT", "echo", body=body)
        assert (response.status, response.body) == (200, body)
