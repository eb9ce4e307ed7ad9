"""The contract of the port `http`: requests and their answers, streams, connections and time."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from oneiric.adapters.http import (
    MAX_BODY,
    HttpClient,
    HttpClosed,
    HttpStatus,
    HttpUnavailable,
    InvalidRequest,
    InvalidResponse,
    Response,
    StreamedResponse,
)
from oneiric.testing.contracts.http_cases import HttpCases
from oneiric.testing.contracts.running import cancelled_at_every_step, close, health

BINARY = bytes(range(256)) * 4096


class HttpRequests(HttpCases):
    """Cases of which each is about one exchange with a server."""

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

    def test_a_body_compressed_twice_stays_as_it_came(self) -> None:
        async def case(client: HttpClient) -> None:
            response = await client.get("compressed-twice")
            assert gzip.decompress(gzip.decompress(response.body)) == b"zipped " * 1000
            async with client.stream("GET", "compressed-twice") as streamed:
                assert b"".join([piece async for piece in streamed.body]) == response.body

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

    def test_a_body_that_comes_and_comes_is_given_up_in_time(self) -> None:
        async def case(client: HttpClient) -> None:
            with pytest.raises(HttpUnavailable) as caught:
                await client.post("drops", timeout=0.3)
            assert caught.value.setting == "timeout"
            assert (await client.get("told")).status == 200

        self.check(case, max_connections=1)

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

    def test_a_stream_can_be_left_while_another_task_reads_it(self) -> None:
        async def read(response: StreamedResponse) -> None:
            async for _ in response.body:
                pass

        async def case(client: HttpClient) -> None:
            for _ in range(3):
                async with client.stream("GET", "stuck") as response:
                    reading = asyncio.ensure_future(read(response))
                    await asyncio.sleep(0.05)
                with pytest.raises(HttpUnavailable):
                    await reading
            assert (await client.get("told")).status == 200

        self.check(case, max_connections=1)

    # connections and time

    def test_fifty_at_once_do_not_mix_up_their_answers(self) -> None:
        async def turn(client: HttpClient, number: int) -> None:
            body = b"%d " % number * 2000
            assert (await client.post("echo", body=body)).body == body

        async def case(client: HttpClient) -> None:
            await asyncio.gather(*(turn(client, number) for number in range(50)))

        for connections in (1, 4, 100):
            self.check(case, max_connections=connections)

    def test_those_who_give_up_waiting_take_no_connection_with_them(self) -> None:
        async def case(client: HttpClient) -> None:
            calls = [asyncio.ensure_future(client.post("echo", body=b"x" * 50_000)) for _ in range(50)]
            for call in calls[::3]:
                await asyncio.sleep(0)
                call.cancel()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert [isinstance(outcome, Response) for outcome in outcomes] == [number % 3 > 0 for number in range(50)]
            assert (await client.get("told")).status == 200

        self.check(case, max_connections=1)

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
