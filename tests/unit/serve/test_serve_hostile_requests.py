"""Requests that make no sense, at the control socket and the loopback port: refused with a sentence, and survived."""

from __future__ import annotations

import gzip
import json
import select
import socket
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.serve.serving import Served, copy_project, refused

MOMENT = 0.03
WHOLE = b'{"probe": false, "within": 1}'
DEEP = b'{"probe":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
DIGITS = b'{"probe": ' + b"9" * 6_000 + b"}"
BODIES = [
    b"",
    b"null",
    b"[]",
    b"{}",
    DEEP,
    DIGITS,
    b'{"probe": true, "probe": "x"}',
    b'{"probe": NaN}',
    b'{"probe": 1e999}',
    b'{"\\ud800": false}',
    b'{"key": "\\ud800", "note": "", "resume": false}',
    b'{"key": "\\u0000", "note": "", "resume": false}',
    b'{"key": "service:nobody", "note": "", "resume": true}',
    '{"probe": false}'.encode("utf-16"),
    '{"probe": false}'.encode("utf-7"),
    b"\xef\xbb\xbf{}",
    b"\xff\xfe",
    gzip.compress(b'{"probe": false}'),
    gzip.compress(b" " * 50_000_000),
    b" " * 70_000,
]
TYPES = ["application/json", "text/plain", "application/json; charset=utf-7", "application/json; charset=nothing", "",
         "application/json; charset=\"", "multipart/form-data; boundary=x",
         "application/json;charset=utf-8;charset=x"]  # fmt: skip
HEADERS = ["Content-Encoding: gzip", "Content-Encoding: deflate", "Content-Encoding: br", "Content-Encoding: x",
           "Transfer-Encoding: chunked", "Transfer-Encoding: x", "Content-Length: -1", "Content-Length: 99999999999",
           "Expect: 100-continue", "Upgrade: websocket", "Host: ", "X: \x01",
           "a" * 9_000 + ": b"]  # fmt: skip
PATHS = ["status", "health", "swap", "pause", "drain", "reload", "nothing", "", "%ff", "../status", "__class__", "a/b",
         "status?x=1", "*", "http://[", "\x7f"]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    ["key", "note", "resume", "probe", "within", "provider", "tenant", "force", "all_tenants", "plan"]
)
bodies = (
    st.sampled_from(BODIES)
    | st.binary(max_size=200)
    | (values | st.dictionaries(names, values, max_size=6)).map(lambda value: json.dumps(value).encode())
)
requests = st.builds(
    lambda method, path, kind, headers, body: _request(method, path, kind, headers, body),
    st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "HEAD", "OPTIONS", "x"]),
    st.sampled_from(PATHS),
    st.sampled_from(TYPES),
    st.lists(st.sampled_from(HEADERS), max_size=2),
    bodies,
)
raw = st.binary(max_size=300) | st.tuples(requests, st.integers(0, 400)).map(lambda cut: cut[0][: cut[1]])


def _request(method: str, path: str, kind: str, headers: list[str], body: bytes) -> bytes:
    lines = [f"{method} /{path} HTTP/1.1", "Host: localhost", *([f"Content-Type: {kind}"] if kind else []), *headers]
    if not any(each.startswith(("Content-Length", "Transfer")) for each in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def _sent(end: socket.socket, request: bytes) -> bytes:
    """All that is answered. Where that is nothing for a moment, more is expected: then the end is told."""
    answer = b""
    try:
        end.sendall(request)
        if not select.select([end], [], [], MOMENT)[0]:
            end.shutdown(socket.SHUT_WR)
        while chunk := end.recv(65536):
            answer += chunk
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before it was all read
    return answer


@pytest.fixture(scope="module")
def served(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    with Served(copy_project(made, tmp_path_factory.mktemp("hostile") / "lab"), "--port", "0") as served:
        yield served


def _control(served: Served, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(30)
        end.connect(served.folder.socket)
        return _sent(end, request)


def _loopback(served: Served, request: bytes) -> bytes:
    port = int(served.events("listening")[0]["address"].rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as end:
        return _sent(end, request)


def _judge(answer: bytes) -> None:
    """Nothing, or an answer that is not a failure of the process; a refusal of ours is JSON with a sentence."""
    if not answer:
        return
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    assert status < 500, answer[:1000]
    assert b"Traceback" not in answer
    if status >= 400 and b"application/json" in head and body:
        assert json.loads(body)["error"]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests | requests | requests | raw)
@example(request=_request("POST", "health", "application/json", ["Expect: x"], b"{}"))
@example(request=_request("POST", "health", "application/json", [], DEEP))
@example(request=_request("POST", "health", "application/json", [], DIGITS))
@example(request=_request("POST", "health", "application/json; charset=nothing", [], b"{}"))
@example(request=_request("POST", "health", "application/json", ["Content-Encoding: gzip"], b"{}"))
@example(request=_request("POST", "health", "application/json", ["Content-Encoding: gzip"], BODIES[-2]))
def test_no_request_is_a_failure_of_the_process(served: Served, request: bytes) -> None:
    _judge(_control(served, request))
    _judge(_loopback(served, request))


def test_it_is_as_well_as_before(served: Served) -> None:
    """After all of the above, in this file's order."""
    assert served.state() == "running"
    assert "Traceback" not in served.text()
    assert not served.events("operation failed")


@pytest.mark.parametrize("body", [DEEP, DIGITS, b"\xff", b"[]", b"{", b'{"probe": 1, "within": 1}'])
def test_what_an_operation_cannot_use_is_a_400_with_a_sentence(served: Served, body: bytes) -> None:
    head, _, told = _control(served, _request("POST", "health", "application/json", [], body)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(told)["error"].startswith("what health was asked with cannot be used: ")


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=utf-16", ""])
def test_arguments_are_json_in_utf_8(served: Served, kind: str) -> None:
    answer = _control(served, _request("POST", "health", kind, [], WHOLE))
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/json in UTF-8" in answer
    assert _control(served, _request("POST", "health", "application/json; charset=UTF-8", [], WHOLE)).startswith(
        b"HTTP/1.1 200"
    )


def test_an_operation_there_is_not(served: Served) -> None:
    assert "no operation" in refused(served, "exit")
