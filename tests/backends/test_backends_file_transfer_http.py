"""Files over HTTP: the contracts, and what is its own. The server keeps them in memory."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import unquote

import pytest
from oneiric import Secret
from oneiric.adapters.file_transfer import (
    FileMissing,
    Files,
    FileTransferRefused,
    FileTransferUnavailable,
)
from oneiric.adapters.file_transfer.http import HttpFiles
from oneiric.testing.contracts import FilesContract, NetworkedFilesContract, started
from oneiric.testing.contracts.file_transfer import paths, pieces, streamed
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import Provider, UnreachableCases
from tests.backends.harness.receivers import Answering, HTTPReceiver

TOKEN = "right"


class Handler(Answering):
    """A folder `/files`, whose faults are those of its receiver, by method."""

    server: Any

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError):  # of a client that went away in the middle
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def do_DELETE(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        receiver: FileServer = self.server.receiver
        name = unquote(self.path).removeprefix("/files/")
        if self.headers.get("Authorization") not in receiver.logins:
            self.close_connection = True
            self.say(401, b"")
        elif self.command in receiver.faults:
            receiver.faults[self.command](self)
        elif self.command == "PUT":
            receiver.files[name] = self.body()
            self.say(201, b"")
        elif name not in receiver.files:
            is_folder = any(path.startswith(f"{name}/") for path in receiver.files)
            self.say(301 if is_folder else 404, b"", {"Location": f"{self.path}/"} if is_folder else {})
        elif self.command == "DELETE":
            del receiver.files[name]
            self.say(204, b"")
        else:
            self.say(200, receiver.files[name], {"Last-Modified": self.date_time_string()})

    def say(self, status: int, said: object, headers: Any = {}) -> None:  # noqa: B006
        assert isinstance(said, bytes)
        super().say(status, b"" if self.command == "HEAD" else said, {"Content-Length": str(len(said)), **headers})

    def body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.exactly(int(self.headers["Content-Length"]))
        found: list[bytes] = []
        while size := int(self.rfile.readline(), 16):
            found.append(self.exactly(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(found)

    def exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError
        return data


class FileServer(HTTPReceiver):
    handler = Handler

    def __init__(self) -> None:
        super().__init__()
        basic = b64encode("us:é".encode()).decode()
        self.logins = {f"Bearer {TOKEN}", f"Basic {basic}"}
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, Callable[[Handler], None]] = {}


def http(server: FileServer, **settings: Any) -> HttpFiles:
    given: dict[str, Any] = {"base_url": f"{server.url}/files", "token": Secret(TOKEN)}
    return HttpFiles(**{**given, **settings})


@pytest.fixture(name="server")
def one_in_this_process() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


class TestHttpFiles(FilesContract):
    @pytest.fixture(autouse=True)
    def place(self, server: FileServer) -> None:
        self.server = server

    def fresh(self) -> AbstractAsyncContextManager[Files]:
        return started(http(self.server))

    def test_large_files_are_not_held_in_memory(self) -> None:
        """Without the server, which has them in the same memory: it takes and gives zeros, and keeps none."""

        def take(handler: Handler) -> None:
            while size := int(handler.rfile.readline(), 16):
                while size:
                    size -= len(handler.rfile.read(min(size, 65536)))
                handler.rfile.readline()
            handler.rfile.readline()
            handler.say(201, b"")

        def give(handler: Handler) -> None:
            handler.send_response(200)
            handler.send_header("Content-Length", str(self.large * 1024 * 1024))
            handler.end_headers()
            for _ in range(self.large * 16):
                handler.wfile.write(bytes(65536))

        self.server.faults = {"PUT": take, "GET": give}
        super().test_large_files_are_not_held_in_memory()


class TestHttpFilesFaults(NetworkedFilesContract):
    @pytest.fixture(autouse=True)
    def place(self, server: FileServer) -> None:
        self.server = server

    def shared(self) -> AbstractContextManager[Any]:
        return nullcontext(self.server)

    def private(self) -> AbstractContextManager[Any]:
        return nullcontext(self.server)

    def component(self, host: str, port: int) -> HttpFiles:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return http(self.server, base_url=f"http://{host}:{port}/files/", **times)

    @contextmanager
    def refused(self) -> Generator[HttpFiles, None, None]:
        yield http(self.server, token=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], HttpFiles]]]:
        def new(**settings: Any) -> Callable[[], HttpFiles]:
            return lambda: http(self.server, **settings)

        return [
            ("base_url", new(base_url="ftp://files.example")),
            ("base_url", new(base_url="https://u:p@files.example")),
            ("token", new(token=Secret("a\nb"))),
            ("token", new(user="u", password=Secret(SECRET))),
            ("user", new(token=None, password=Secret(SECRET))),
            ("user", new(token=None, user="a:b", password=Secret(SECRET))),
            ("user", new(token=None, user="", password=Secret(SECRET))),
            ("password", new(token=None, user="u")),
            ("ca_file", new(ca_file=Path("no-such-file"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestHttpFilesActivation(UnreachableCases):
    provider = Provider(
        "file_transfer",
        "http",
        "",
        "base_url",
        {"base_url": "http://127.0.0.1:PORT/files", "token": "${PROBE_SECRET}"},
        secret=SECRET,
    )


def test_a_user_logs_in_by_basic_authentication(server: FileServer) -> None:
    async def main() -> None:
        async with started(http(server, token=None, user="us", password=Secret("é"))) as files:
            await files.put("name", b"data")
        for settings in ({"user": "us", "password": Secret("e")}, {}):
            with pytest.raises(FileTransferRefused):
                async with started(http(server, token=None, **settings)):
                    pass

    run(main())


def test_a_folder_is_no_file_and_is_not_deleted(server: FileServer) -> None:
    async def main() -> None:
        async with started(http(server)) as files:
            await files.put("a b/c", b"data")
            for call in (files.get("a b"), files.stat("a b"), files.get("no")):
                with pytest.raises(FileMissing):
                    await call
            assert not await files.delete("a b")
            with pytest.raises(FileTransferRefused, match="listed"):
                await paths(files)
        assert server.files == {"a b/c": b"data"}

    run(main())


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("status", "error", "setting"),
    [
        (302, FileTransferUnavailable, "base_url"),
        (403, FileTransferRefused, "token"),
        (405, FileTransferRefused, "base_url"),
        (409, FileTransferUnavailable, "base_url"),
        (507, FileTransferUnavailable, "base_url"),
    ],
)
def test_what_a_server_answers_is_told_by_kind(
    server: FileServer, method: str, status: int, error: Any, setting: str
) -> None:
    def answer(handler: Handler) -> None:
        if method == "PUT":
            handler.body()
        handler.say(status, b"", {"Location": "/elsewhere/"})

    async def main() -> None:
        async with started(http(server)) as files:
            await files.put("name", b"data")
            server.faults[method] = answer
            calls = {"GET": files.get, "HEAD": files.stat, "DELETE": files.delete}
            call = files.put("name", pieces(b"a", b"b")) if method == "PUT" else calls[method]("name")
            with pytest.raises(error) as caught:
                await call
            assert caught.value.setting == setting
            assert server.files == {"name": b"data"}

    run(main())


def cut_off(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")


def cut_off_in_a_chunk(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


def without_an_end(handler: Handler) -> None:
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\nhalf")


@pytest.mark.parametrize("fault", [cut_off, cut_off_in_a_chunk, without_an_end])
def test_no_stream_ends_early_as_if_it_were_whole(server: FileServer, fault: Callable[[Handler], None]) -> None:
    server.faults["GET"] = fault

    async def main() -> None:
        async with started(http(server)) as files:
            with pytest.raises(FileTransferUnavailable):
                await streamed(files, "name")

    run(main())


def test_what_a_server_calls_compressed_is_given_as_it_is(server: FileServer) -> None:
    server.faults["GET"] = lambda handler: handler.say(200, b"no gzip", {"Content-Encoding": "gzip"})

    async def main() -> None:
        async with started(http(server)) as files:
            assert await files.get("name") == b"no gzip"

    run(main())


def test_an_error_of_the_data_comes_through_and_the_server_gets_no_whole_file(server: FileServer) -> None:
    async def main() -> None:
        async with started(http(server)) as files:
            await files.put("name", b"old")
            for data in (pieces(b"a", b"b", error=ZeroDivisionError()), pieces(error=ZeroDivisionError())):
                with pytest.raises(ZeroDivisionError):
                    await files.put("name", data)
            assert await files.get("name") == b"old"

    run(main())


def test_an_answer_that_comes_before_the_data_is_over_ends_a_put(server: FileServer) -> None:
    over = Event()
    ended: list[bool] = []

    def refuse(handler: Handler) -> None:
        handler.say(413, b"")
        handler.wfile.flush()
        over.wait(10)
        handler.close_connection = True

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
        finally:
            ended.append(True)

    async def main() -> None:
        async with started(http(server)) as files:
            server.faults["PUT"] = refuse
            with pytest.raises(FileTransferUnavailable, match="413"):
                await files.put("name", endless())
        over.set()

    run(main())
    assert ended == [True]


def test_time_counts_while_the_server_takes_data_and_not_while_data_is_made(server: FileServer) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0.15)
            yield b"piece"

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    async def main() -> None:
        async with started(http(server, timeout=0.1)) as files:
            await files.put("name", slow())
            assert server.files["name"] == b"piece" * 3
            over = Event()

            def hang(handler: Handler) -> None:
                over.wait(10)
                handler.close_connection = True

            server.faults["PUT"] = hang
            with pytest.raises(FileTransferUnavailable) as caught:
                await files.put("name", endless())
            assert caught.value.setting == "timeout"
            over.set()

    run(main())
