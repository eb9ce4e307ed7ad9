"""What is fetched is small, whole, in time and from where it may come; a mirror that is down breaks no trust."""

from __future__ import annotations

import asyncio
import gzip
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oneiric_compiler.remote import fetch
from oneiric_compiler.remote.fetch import (
    Ask,
    Auth,
    Fetched,
    Fetcher,
    FetchError,
    MissingSecret,
    Refused,
    Unreachable,
    auth_for,
    origin,
    read_file,
)

from tests.remote.mirror import Answer, Authority, Mirror, endless, hanging, raw, redirect, serving, status

OK = b"HTTP/1.1 200 OK\r\n"
SECRET = "hunter2-hunter2"
ENVIRON = {"ONEIRIC_SECRET_TOKEN": SECRET}


def ask(address: str, **changes: Any) -> Ask:
    return Ask(
        **{"name": "acme", "address": address, "max_bytes": 100_000, "connect": 5, "total": 20, **LIMITS, **changes}
    )


LIMITS = {"minimum_rate": 100}


def fetched(asked: Ask) -> Fetched:
    async def run() -> Fetched:
        async with Fetcher() as fetcher:
            return await fetcher.fetch(asked)

    return asyncio.run(run())


def failed(asked: Ask) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetched(asked)
    error = caught.value
    assert error.message and error.help
    assert SECRET not in repr(error) + error.message + error.help + str(error.__cause__)
    return error


def token(address: str) -> Auth:
    return auth_for(address, "Authorization", "Bearer ${ONEIRIC_SECRET_TOKEN}", ENVIRON)


# What is right


def test_the_body_comes_byte_for_byte(mirror: Mirror) -> None:
    mirror.put("/m", bytes(range(256)))
    assert fetched(ask(mirror.url("/m"))).data == bytes(range(256))


def test_nothing_is_sent_that_was_not_asked_for_twice(mirror: Mirror) -> None:
    mirror.put("/m", b"one")
    first = fetched(ask(mirror.url("/m")))
    again = ask(mirror.url("/m"), etag=first.etag, last_modified=first.last_modified)
    assert fetched(again) == Fetched(None, first.etag, None)
    mirror.put("/m", b"two")
    assert fetched(again).data == b"two"


@pytest.mark.parametrize("tag", [b'"\xf0"', b'"\x01"', b"\xff" * 100, b""])
def test_a_tag_that_cannot_be_sent_back_is_none(mirror: Mirror, tag: bytes) -> None:
    mirror.behave("/m", raw(OK + b"Content-Length: 2\r\nETag: " + tag + b"\r\nConnection: close\r\n\r\nhi"))
    try:
        assert fetched(ask(mirror.url("/m"))) == Fetched(b"hi")
    except Unreachable as error:
        assert error.rule == "protocol"


def test_progress_is_told(mirror: Mirror) -> None:
    mirror.put("/m", b"x" * 90_000)
    told: list[tuple[str, int, int | None]] = []

    async def run() -> None:
        async with Fetcher(lambda *each: told.append(each)) as fetcher:
            await fetcher.fetch(ask(mirror.url("/m")))

    asyncio.run(run())
    assert told[-1] == ("acme", 90_000, 90_000)


def failing(times: int, answer: Answer) -> Answer:
    """So many answers of that kind, then a good one."""
    left = [times]

    async def choose(request: web.Request) -> web.StreamResponse:
        left[0] -= 1
        return await answer(request) if left[0] >= 0 else web.Response(body=b"good")

    return choose


@pytest.mark.parametrize(
    "answer",
    [
        status(503),
        status(500),
        status(429),
        raw(b""),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
        raw(b"?"),
    ],
    ids=["503", "500", "429", "hung up", "half", "garbage"],
)
def test_what_may_go_better_is_tried_three_times(mirror: Mirror, answer: Answer) -> None:
    mirror.behave("/m", failing(2, answer))
    assert fetched(ask(mirror.url("/m"))).data == b"good"
    mirror.behave("/m", failing(3, answer))
    assert isinstance(failed(ask(mirror.url("/m"))), Unreachable)
    assert len(mirror.asked("/m")) == 6


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 204, 206, 300, 304])
def test_what_stays_as_it_is_is_tried_once(mirror: Mirror, code: int) -> None:
    mirror.behave("/m", status(code))
    error = failed(ask(mirror.url("/m")))
    assert isinstance(error, Unreachable)
    assert (error.rule, str(code) in error.message, len(mirror.asked("/m"))) == ("status", True, 1)


# Too large, too slow, not as asked


def test_a_body_announced_as_too_large_is_not_read(mirror: Mirror) -> None:
    mirror.behave("/m", raw(OK + b"Content-Length: 100001\r\n\r\n"))
    assert (type(error := failed(ask(mirror.url("/m")))), error.rule) == (Refused, "size")


def test_a_body_of_the_largest_size_is_read(mirror: Mirror) -> None:
    mirror.put("/m", b"x" * 100_000)
    assert len(fetched(ask(mirror.url("/m"))).data or b"") == 100_000


def test_an_endless_body_is_cut_at_the_cap(mirror: Mirror) -> None:
    mirror.behave("/m", endless())
    assert (type(error := failed(ask(mirror.url("/m")))), error.rule) == (Refused, "size")
    assert len(mirror.asked("/m")) == 1


def test_a_body_longer_than_announced_is_no_answer(mirror: Mirror) -> None:
    mirror.behave("/m", raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + b"x" * 50))
    assert fetched(ask(mirror.url("/m"))).data == b"xx"


def test_a_slow_body_is_given_up(mirror: Mirror) -> None:
    mirror.behave("/m", endless(b"x", pause=0.02))
    error = failed(ask(mirror.url("/m"), minimum_rate=1000))
    assert (type(error), error.rule) == (Unreachable, "rate")


def test_a_body_that_is_fast_enough_may_take_its_time(mirror: Mirror) -> None:
    parts = [b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n", *[b"x" * 100] * 4]
    mirror.behave("/m", raw(*parts, pause=0.25))
    assert len(fetched(ask(mirror.url("/m"), minimum_rate=100)).data or b"") == 400


@pytest.mark.parametrize(
    "answer", [hanging(), endless(b"x", pause=0.1), raw(b"HTTP/1.1 200 OK\r\n", *[b"a: b\r\n"] * 99, pause=0.1)]
)
def test_the_whole_has_a_deadline(mirror: Mirror, answer: Answer) -> None:
    mirror.behave("/m", answer)
    error = failed(ask(mirror.url("/m"), total=0.8, minimum_rate=1))
    assert (type(error), error.rule) == (Unreachable, "deadline")


def test_a_gzip_bomb_stays_shut(mirror: Mirror) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    mirror.behave("/m", answer)
    error = failed(ask(mirror.url("/m")))
    assert (type(error), error.rule) == (Refused, "encoding")
    assert mirror.asked("/m")[0]["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "garbage",
    [b"\0" * 500, b"HTTP/9.9 what\r\n\r\n", OK + b"Content-Length: -4\r\n\r\n", b"SSH-2.0-OpenSSH\r\n",
     OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello", OK + b"a: b\r\n" * 50_000],
)  # fmt: skip
def test_garbage_is_a_broken_mirror(mirror: Mirror, garbage: bytes) -> None:
    mirror.behave("/m", raw(garbage))
    error = failed(ask(mirror.url("/m")))
    assert (type(error), error.rule) == (Unreachable, "protocol")


HEADS = [
    OK,
    b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.0 200\r\n",
    b"HTTP/1.1 302 Found\r\n",
    b"HTTP/1.1 100 C\r\n\r\n",
]
HEADERS = [
    b"\r\n", b"Content-Length: 5\r\n", b"Content-Length: 1e9\r\n", b"Transfer-Encoding: chunked\r\n", b"ETag: \xf0\r\n",
    b"Content-Encoding: gzip\r\n", b"Location: \xff://[\r\n", b"Location: /n\r\n", b"Set-Cookie: a=b\r\n",
]  # fmt: skip
PARTS = st.sampled_from([*HEADS, *HEADERS, b"5\r\nhello\r\n", b"0\r\n\r\n", b"hello"])


@given(st.lists(PARTS | st.binary(max_size=40), max_size=8))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_server_sends_is_a_body_or_told(mirror: Mirror, parts: list[bytes]) -> None:
    mirror.behave("/m", raw(b"".join(parts)))
    try:
        data = fetched(ask(mirror.url("/m"), etag='"x"', total=2)).data
    except FetchError as error:
        assert error.message and error.help
    else:
        assert data is None or data in b"".join(parts).replace(b"\r\n5\r\n", b"")


# Where it comes from


def test_a_certificate_for_another_name_is_refused_at_once(authority: Authority) -> None:
    with serving(authority.context("elsewhere.example")) as mirror:
        mirror.put("/m", b"x")
        error = failed(ask(mirror.url("/m")))
        assert (type(error), error.rule, mirror.requests) == (Refused, "certificate", [])


def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    with serving(Authority(tmp_path).context("localhost")) as mirror:
        error = failed(ask(mirror.url("/m")))
        assert (type(error), error.rule) == (Refused, "certificate")


def test_a_server_without_tls_gets_no_request() -> None:
    with serving(None) as mirror:
        error = failed(ask(mirror.url("/m"), auth=token(mirror.url("/m"))))
        assert (type(error), mirror.requests) == (Unreachable, [])


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = failed(ask(f"https://localhost:{free.getsockname()[1]}/m"))
    assert (type(error), error.rule) == (Unreachable, "connect")


def test_a_name_that_is_not_known() -> None:
    assert failed(ask("https://nowhere.invalid/m", total=5)).rule in ("connect", "deadline")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed_with_its_header(mirror: Mirror, code: int) -> None:
    mirror.behave("/m", redirect("/n", code))
    mirror.put("/n", b"here")
    url = mirror.url("/m")
    assert fetched(ask(url, auth=token(url))).data == b"here"
    assert mirror.asked("/n")[0]["authorization"] == f"Bearer {SECRET}"


def test_a_redirect_to_another_host_is_refused(mirror: Mirror, other: Mirror) -> None:
    mirror.behave("/m", redirect(other.url("/m")))
    url = mirror.url("/m")
    error = failed(ask(url, auth=token(url)))
    assert (type(error), error.rule, other.requests) == (Refused, "redirect", [])
    assert str(other.port) in error.message


def test_another_name_of_the_same_machine_is_another_host(mirror: Mirror) -> None:
    mirror.behave("/m", redirect(mirror.url("/n", "127.0.0.1")))
    assert failed(ask(mirror.url("/m"))).rule == "redirect"
    assert mirror.asked("/n") == []


def test_an_allowed_redirect_to_another_host_goes_without_the_header(mirror: Mirror, other: Mirror) -> None:
    mirror.behave("/m", redirect(other.url("/m")))
    other.put("/m", b"there")
    url = mirror.url("/m")
    assert fetched(ask(url, auth=token(url), redirects=(f"localhost:{other.port}",))).data == b"there"
    assert "authorization" in mirror.asked("/m")[0]
    assert not [headers for _, headers in other.requests if "authorization" in headers or SECRET in str(headers)]


def test_each_hop_of_a_redirect_is_looked_at(mirror: Mirror, other: Mirror) -> None:
    """The second host may be redirected to, the third may not."""
    mirror.behave("/m", redirect(other.url("/m")))
    other.behave("/m", redirect(mirror.url("/n", "127.0.0.1")))
    assert failed(ask(mirror.url("/m"), redirects=(f"localhost:{other.port}",))).rule == "redirect"
    assert mirror.asked("/n") == []


@pytest.mark.parametrize(
    "location",
    ["http://localhost/m", "http://localhost:{port}/m", "ftp://localhost/m", "file:/secret", "//localhost:1/m",
     "https://user:word@localhost:{port}/m"],
)  # fmt: skip
def test_a_redirect_away_is_refused(mirror: Mirror, location: str) -> None:
    mirror.behave("/m", redirect(location.format(port=mirror.port)))
    assert isinstance(failed(ask(mirror.url("/m"))), Refused)
    assert len(mirror.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["https://", "https://[::1", "data:,x", "https://a b/", "\xff", "https://xn--/", "http://xn--a/", "https://@//a]",
     "https://localhost:0/", "https://localhost:99999/", "https://localhost:-1/", f"https://{'a.' * 200}b/"],
)  # fmt: skip
def test_a_redirect_to_no_address_leads_nowhere(mirror: Mirror, location: str) -> None:
    mirror.behave("/m", raw(b"HTTP/1.1 302 Found\r\nLocation: " + location.encode("latin-1") + b"\r\n\r\n"))
    failed(ask(mirror.url("/m")))


def test_a_redirect_may_lead_there_and_back(mirror: Mirror, other: Mirror) -> None:
    mirror.behave("/m", redirect(other.url("/m")))
    other.behave("/m", redirect(mirror.url("/n")))
    mirror.put("/n", b"back")
    url = mirror.url("/m")
    assert fetched(ask(url, auth=token(url), redirects=(f"localhost:{other.port}",))).data == b"back"
    assert mirror.asked("/n")[0]["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in other.asked("/m")[0]


def test_redirects_in_a_circle_end(mirror: Mirror) -> None:
    mirror.behave("/m", redirect("/m"))
    assert failed(ask(mirror.url("/m"))).rule == "redirect"
    assert len(mirror.requests) == fetch.MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "address",
    ["http://localhost/m", "ftp://h/m", "https://", "https://u:p@h/m", "/etc/passwd", "https://[::1", "https://xn--/m",
     "https://h:0/m", "https://h:65536/m", "https://h:-1/m", f"https://{'a.' * 200}b/m"],
)  # fmt: skip
def test_only_plain_https_addresses_are_fetched(address: str) -> None:
    with pytest.raises(Refused):
        origin(address)
    assert isinstance(failed(ask(address)), Refused)


def test_the_port_belongs_to_the_origin() -> None:
    assert origin("https://A.example/x") == origin("https://a.example:443/y") == "https://a.example:443"
    assert origin("https://[::1]:8443/") == "https://[::1]:8443"


# Secrets


def test_an_auth_header_is_for_its_own_address_alone(mirror: Mirror, other: Mirror) -> None:
    other.put("/m", b"x")
    fetched(ask(other.url("/m"), auth=token(mirror.url("/m"))))
    assert "authorization" not in other.asked("/m")[0]


@pytest.mark.parametrize("environ", [{}, {"ONEIRIC_SECRET_TOKEN": ""}, {"ONEIRIC_SECRET_TOKEN": f"{SECRET}\r\nX: y"}])
def test_a_secret_that_is_missing_or_no_header_is_named_not_shown(environ: dict[str, str]) -> None:
    with pytest.raises(MissingSecret, match="ONEIRIC_SECRET_TOKEN") as caught:
        auth_for("https://h/", "Authorization", "Bearer ${ONEIRIC_SECRET_TOKEN}", environ)
    assert SECRET not in str(caught.value)


def test_a_secret_shows_in_no_repr() -> None:
    assert SECRET not in repr(token("https://h/")) + repr(ask("https://h/", auth=token("https://h/")))


ECHOES: list[Callable[[str], Answer]] = [
    lambda secret: raw(f"Authorization: {secret}\r\n\r\n".encode()),
    lambda secret: raw(f"HTTP/1.1 200 OK\r\n{secret}\r\n\r\n".encode()),
    lambda secret: raw(f"HTTP/1.1 999 {secret}\r\n\r\n".encode()),
    lambda secret: redirect(f"https://{secret}.example/{secret}"),
    lambda secret: redirect(f"http://{secret.upper()}.example/?{secret}"),
    lambda secret: raw(f"HTTP/1.1 200 OK\r\nContent-Length: {secret}\r\n\r\n".encode()),
]


@pytest.mark.parametrize("echo", ECHOES)
def test_a_secret_that_a_server_repeats_is_in_no_message(mirror: Mirror, echo: Callable[[str], Answer]) -> None:
    mirror.behave("/m", echo(SECRET))
    url = mirror.url("/m")
    failed(ask(url, auth=token(url)))
    assert mirror.asked("/m")[0]["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
def test_a_tag_with_a_secret_is_none(mirror: Mirror, name: str) -> None:
    """What the next request would send back is stored until then."""
    tag = f'{name}: "v1-{SECRET}"\r\n'.encode()
    mirror.behave("/m", raw(OK + b"Content-Length: 2\r\nConnection: close\r\n" + tag + b"\r\nhi"))
    url = mirror.url("/m")
    assert fetched(ask(url, auth=token(url))) == Fetched(b"hi")
    assert SECRET in str(fetched(ask(url)))


def test_a_body_with_the_secret_is_refused(mirror: Mirror) -> None:
    mirror.put("/m", f"debug: {SECRET}".encode())
    url = mirror.url("/m")
    assert (type(error := failed(ask(url, auth=token(url)))), error.rule) == (Refused, "echo")


def test_a_short_secret_is_in_a_body_by_chance(mirror: Mirror) -> None:
    mirror.put("/m", b"debug: hunter2")
    url = mirror.url("/m")
    auth = auth_for(url, "Authorization", "Bearer ${ONEIRIC_SECRET_TOKEN}", {"ONEIRIC_SECRET_TOKEN": "debug"})
    assert fetched(ask(url, auth=auth)).data == b"debug: hunter2"


# The breaker


def test_a_host_that_is_down_is_left_alone_for_a_while(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BREAKER_SECONDS", 0.5)
    mirror.behave("/m", status(503))
    mirror.put("/n", b"good")

    async def run() -> None:
        async with Fetcher() as fetcher:
            for rule in ("status", "breaker", "breaker"):
                with pytest.raises(Unreachable) as caught:
                    await fetcher.fetch(ask(mirror.url("/m")))
                assert caught.value.rule == rule
            assert len(mirror.asked("/m")) == fetch.BREAKER_FAILURES
            assert fetcher.breaker(mirror.url("/n")) == "open"
            with pytest.raises(Unreachable):
                await fetcher.fetch(ask(mirror.url("/n")))
            assert mirror.asked("/n") == []
            await asyncio.sleep(0.6)
            assert fetcher.breaker(mirror.url("/n")) == "half_open"
            assert (await fetcher.fetch(ask(mirror.url("/n")))).data == b"good"
            assert fetcher.breaker(mirror.url("/n")) == "closed"

    asyncio.run(run())


def test_a_host_that_hangs_is_left_alone_as_well(mirror: Mirror) -> None:
    mirror.behave("/m", hanging())

    async def run() -> None:
        async with Fetcher() as fetcher:
            for number in range(fetch.BREAKER_FAILURES + 1):
                with pytest.raises(Unreachable) as caught:
                    await fetcher.fetch(ask(mirror.url("/m"), total=0.2))
                assert caught.value.rule == ("deadline" if number < fetch.BREAKER_FAILURES else "breaker")
            assert fetcher.breaker("https://localhost:1/") == fetcher.breaker("no address") == "closed"

    asyncio.run(run())


def test_a_host_that_answers_is_not_down_whatever_it_answers(mirror: Mirror) -> None:
    mirror.put("/n", b"good")

    async def run() -> None:
        async with Fetcher() as fetcher:
            for _ in range(fetch.BREAKER_FAILURES + 1):
                with pytest.raises(Unreachable):
                    await fetcher.fetch(ask(mirror.url("/missing")))
            assert (await fetcher.fetch(ask(mirror.url("/n")))).data == b"good"

    asyncio.run(run())


# Files


def test_a_file_inside_a_root(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/m.json").write_bytes(b"{}")
    assert read_file(tmp_path, ["vendor"], "vendor/m.json", 2) == b"{}"
    (tmp_path / "vendor/link.json").symlink_to("m.json")
    assert read_file(tmp_path, ["vendor"], "vendor/link.json", 2) == b"{}"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(b"{}")
    with pytest.raises(Refused) as caught:
        read_file(tmp_path, ["."], "m.json", 1)
    assert caught.value.rule == "size"


@pytest.mark.parametrize(
    "address", ["secret", "vendor/../secret", "/etc/passwd", "vendor/link", "vendor/folder/secret", "out"]
)
def test_a_file_outside_every_root(tmp_path: Path, address: str) -> None:
    root = tmp_path / "project"
    (root / "vendor").mkdir(parents=True)
    for folder in (root, tmp_path):
        (folder / "secret").write_text("mine")
    (root / "vendor/link").symlink_to("../secret")
    (root / "vendor/folder").symlink_to(tmp_path)
    (root / "out").symlink_to(tmp_path)
    with pytest.raises(Refused) as caught:
        read_file(root, ["vendor", "out", "..", str(tmp_path)], address, 100)
    assert caught.value.rule == "roots"


@pytest.mark.parametrize("name", ["missing", "folder", "pipe", "circle", "bad\0name"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(FetchError):
        read_file(tmp_path, ["."], name, 100)
