"""The storage in a bucket of Google Cloud: the contracts, and what is its own.

The server is fake-gcs-server. It asks nobody who they are, checks no link, and looks at conditions of multipart uploads
only: what it lacks of Google is in `tests.backends.google_storage`, in front of it.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from oneiric.adapters.storage import (
    InvalidObject,
    ObjectReplaced,
    PreconditionFailed,
    Storage,
    StorageError,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
    gcs,
)
from oneiric.adapters.storage._gcs import Place
from oneiric.adapters.storage.gcs import GCSStorage
from oneiric.testing.contracts import NetworkedStorageContract, StorageContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.storage import belongs, names, pieces, streamed
from oneiric.testing.proxy import Mood, Proxy

from tests.backends.activation import Provider, SwapCases
from tests.backends.google_storage import Fault, Google, ask, empty_bucket, make_bucket, url
from tests.backends.harness.kinds import FAKE_GCS
from tests.backends.harness.servers import Address, Server, private


@pytest.fixture(scope="module")
def google(fake_gcs: Address, tmp_path_factory: pytest.TempPathFactory) -> Generator[Google, None, None]:
    with Google(fake_gcs, tmp_path_factory.mktemp("keys")) as made:
        yield made


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest, fake_gcs: Address, google: Google) -> Generator[None, None, None]:
    """A new bucket, which is empty again afterwards."""
    bucket = f"test-{uuid4().hex}"
    make_bucket(fake_gcs, bucket)
    if request.instance is not None:
        request.instance.server, request.instance.google, request.instance.bucket = fake_gcs, google, bucket
    yield
    empty_bucket(fake_gcs, bucket)


class Gated:
    server: Address
    google: Google
    bucket: str

    def storage(self, **settings: Any) -> GCSStorage:
        given: dict[str, Any] = {"bucket": self.bucket, "endpoint_url": self.google.url}
        given["credentials_file"] = self.google.account()
        return GCSStorage(**{**given, **settings})

    def run(self, case: Callable[[GCSStorage], Any], **settings: Any) -> None:
        async def main() -> None:
            async with started(self.storage(**settings)) as storage:
                await case(storage)

        run(main())


class TestGCSStorage(Gated, StorageContract):
    expired = 400

    def fresh(self) -> AbstractAsyncContextManager[Storage]:
        return started(self.storage())


class Forgetful:
    """A server that forgets its buckets when it is killed, and has this one again when it is started."""

    def __init__(self, server: Server, bucket: str) -> None:
        self.host, self.port, self.kill = server.host, server.port, server.kill
        self._server, self._bucket = server, bucket
        make_bucket(server, bucket)

    def start(self) -> None:
        self._server.start()
        make_bucket(self._server, self._bucket)


class TestGCSStorageFaults(NetworkedStorageContract):
    server: Address
    google: Google
    bucket: str

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.server)

    @contextmanager
    def private(self) -> Generator[Forgetful, None, None]:
        with private(FAKE_GCS) as server:
            yield Forgetful(server, self.bucket)

    def component(self, host: str, port: int) -> GCSStorage:
        return GCSStorage(
            bucket=self.bucket,
            endpoint_url=f"http://{host}:{port}",
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS,
        )

    @contextmanager
    def refused(self) -> Generator[GCSStorage, None, None]:
        file = self.google.account(private_key_id=SECRET)
        yield GCSStorage(bucket=self.bucket, endpoint_url=self.google.url, credentials_file=file)

    def senseless(self) -> Sequence[tuple[str, Callable[[], GCSStorage]]]:
        def new(**settings: Any) -> Callable[[], GCSStorage]:
            given: dict[str, Any] = {"bucket": "abc", "endpoint_url": "http://localhost:1"}
            return lambda: GCSStorage(**{**given, **settings})

        return [
            ("bucket", new(bucket="")),
            ("bucket", new(bucket="Upper")),
            ("bucket", new(bucket="ab")),
            ("bucket", new(bucket="a/b")),
            ("project", new(project="")),
            ("project", new(project="a b")),
            ("endpoint_url", new(endpoint_url="localhost")),
            ("endpoint_url", new(endpoint_url="ftp://localhost")),
            ("endpoint_url", new(endpoint_url="http://[::1")),
            ("endpoint_url", new(endpoint_url="http://localhost/storage")),
            ("endpoint_url", new(endpoint_url=f"https://a:{SECRET}@b.c")),
            ("credentials_file", new(credentials_file=Path("/no/such/key.json"))),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=-1)),
            ("max_connections", new(max_connections=0)),
        ]

    def test_a_server_that_talks_badly_in_a_large_put_is_unavailable_and_nothing_is_kept(self) -> None:
        async def data(proxy: Proxy, mood: Mood) -> AsyncIterator[bytes]:
            yield bytes(9_000_000)
            yield bytes(9_000_000)
            proxy.mood = mood

        async def case(storage: Storage, proxy: Proxy) -> None:
            moods: tuple[Mood, ...] = ("hang", "drop", "half", "garbage")
            for mood in moods:
                async with started(self.patient(proxy)) as patient:
                    with pytest.raises(StorageUnavailable):
                        await patient.put_stream("large", data(proxy, mood))
                    proxy.mood = "pass"
                    assert await names(patient) == []

        self.behind(case)

    def test_a_server_that_breaks_off_in_a_large_get_is_unavailable(self) -> None:
        async def case(storage: Storage, proxy: Proxy) -> None:
            async with started(self.patient(proxy)) as patient:
                await patient.put("large", bytes(9_000_000))
                moods: tuple[Mood, ...] = ("half", "drop", "hang", "garbage")
                for mood in moods:
                    got = 0
                    with pytest.raises(StorageUnavailable):
                        async for piece in patient.stream("large"):
                            got += len(piece)
                            proxy.mood = mood
                    assert got == 4 * 1024 * 1024
                    proxy.mood = "pass"
                assert await patient.get("large") == bytes(9_000_000)

        self.behind(case)

    def patient(self, proxy: Proxy) -> GCSStorage:
        """With a timeout that a busy machine's large requests keep."""
        return GCSStorage(bucket=self.bucket, endpoint_url=f"http://{proxy.host}:{proxy.port}", timeout=1)


class TestTokens(Gated):
    def test_of_a_token_that_is_refused_or_over_another_is_fetched_once_and_no_call_fails(self) -> None:
        async def case(storage: GCSStorage) -> None:
            issued = self.google.issued
            await asyncio.gather(*(storage.put(f"n/{number}", b"data") for number in range(50)))
            assert self.google.issued == issued
            for number in range(1, 3):
                self.google.tokens.clear()
                await asyncio.gather(*(storage.get(f"n/{number}") for number in range(50)))
                assert self.google.issued == issued + number

        before = self.google.issued
        self.run(case)
        assert self.google.issued == before + 3

    def test_a_withdrawn_account_is_refused_and_works_again_when_it_is_let_in(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def case(storage: GCSStorage) -> None:
            self.google.withdrawn = True
            self.google.tokens.clear()
            for work in (storage.get("name"), storage.list().__anext__(), storage.put_stream("name", pieces(b"data"))):
                with pytest.raises(StorageRefused, match="the credentials are refused") as caught:
                    await work
                assert caught.value.setting == "credentials_file"
            assert not await storage.health()
            self.google.withdrawn = False
            assert await storage.health()

        try:
            self.run(case)
        finally:
            self.google.withdrawn = False
        assert "ya29" not in caplog.text
        assert "eyJ" not in caplog.text

    @pytest.mark.parametrize("text", [SECRET, "[]", '{"type": "external_account"}', None])
    def test_a_file_that_has_no_key_is_misconfigured(self, text: str | None, tmp_path: Path) -> None:
        async def never(storage: GCSStorage) -> None:
            raise AssertionError

        file = tmp_path / "key.json"
        if text is None:
            file = self.google.account(private_key=SECRET)
        else:
            file.write_text(text)
        with pytest.raises(StorageMisconfigured) as caught:
            self.run(never, credentials_file=file)
        assert caught.value.setting == "credentials_file"
        assert SECRET not in str(caught.value)

    def test_credentials_of_the_environment_are_for_google_alone(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        async def never(storage: GCSStorage) -> None:
            raise AssertionError

        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(self.google.account()))
        issued = self.google.issued
        with pytest.raises(StorageRefused) as caught:
            self.run(never, credentials_file=None)
        assert caught.value.setting == "credentials_file"
        assert self.google.issued == issued
        for host in ("http://storage.googleapis.com", "https://googleapis.com.example.org", "https://localhost:1"):
            assert not Place("abc", None, host).is_of_google
        for host in ("https://storage.googleapis.com", "https://storage.europe-west1.rep.googleapis.com"):
            assert Place("abc", None, host).is_of_google

    def test_without_a_key_there_are_no_links(self) -> None:
        async def case(storage: GCSStorage) -> None:
            with pytest.raises(StorageRefused, match="only the key of a service account") as caught:
                await storage.link("name")
            assert caught.value.setting == "credentials_file"

        self.run(case, credentials_file=None, endpoint_url=url(self.server))


class TestItsOwn(Gated):
    @pytest.mark.parametrize(
        ("fault", "error", "setting"),
        [
            ((403, "forbidden", "tests does not have storage.objects.get access"), StorageRefused, "credentials_file"),
            ((403, "forbidden", "needs serviceusage.services.use access to the project"), StorageRefused, "project"),
            (
                (400, "required", "Bucket is requester pays but no user project provided."),
                StorageRefused,
                "project",
            ),
            ((404, "notFound", "The specified bucket does not exist."), StorageUnavailable, "bucket"),
            ((429, "rateLimitExceeded", SECRET), StorageUnavailable, "endpoint_url"),
            (503, StorageUnavailable, "endpoint_url"),
            ("truncated", StorageUnavailable, "endpoint_url"),
        ],
    )
    def test_what_google_answers_is_told_by_kind_and_setting(
        self, fault: Fault, error: type[StorageError], setting: str
    ) -> None:
        async def case(storage: GCSStorage) -> None:
            await storage.put("name", b"data" * 1000)
            for work in (storage.get, storage.stat, storage.delete):
                self.google.faults.append(fault)
                with pytest.raises(error) as caught:
                    await work("name")
                assert caught.value.setting == setting
                assert SECRET not in str(caught.value)
            if fault != "truncated":
                assert not await storage.delete("name") or await storage.put("name", b"data")

        self.run(case)

    def test_a_name_that_google_does_not_take_is_invalid(self) -> None:
        async def case(storage: GCSStorage) -> None:
            self.google.faults.append((400, "invalid", "Disallowed object name"))
            with pytest.raises(InvalidObject, match="invalid"):
                await storage.put(".well-known/acme-challenge/x", b"data")

        self.run(case)

    def test_a_bucket_that_is_not_there_is_named(self) -> None:
        async def never(storage: GCSStorage) -> None:
            raise AssertionError

        async def gone(storage: GCSStorage) -> None:
            ask(self.server, "DELETE", f"/storage/v1/b/{self.bucket}")
            for work in (storage.put("name", b"data"), names(storage)):
                with pytest.raises(StorageUnavailable) as caught:
                    await work
                assert caught.value.setting == "bucket"
            make_bucket(self.server, self.bucket)

        with pytest.raises(StorageUnavailable) as caught:
            self.run(never, bucket="no-such-bucket")
        assert caught.value.setting == "bucket"
        self.run(gone)

    def test_the_project_pays_for_every_request(self) -> None:
        async def case(storage: GCSStorage) -> None:
            self.google.requests.clear()
            await storage.put("name", b"data")
            await storage.put_stream("name", pieces(bytes(9_000_000)))
            assert await storage.get("name") == bytes(9_000_000)
            await storage.stat("name")
            await names(storage)
            assert "userProject=my-project" in (await storage.link("name")).reveal()
            assert await storage.delete("name")
            paths = [path for _, path in self.google.requests if "upload_id=" not in path]
            assert len(paths) == 8
            assert all(path.endswith("&userProject=my-project") for path in paths)

        self.run(case, project="my-project")

    def test_what_is_kept_packed_is_given_as_it_is_kept(self) -> None:
        async def case(storage: GCSStorage) -> None:
            packed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xcbH\xcd\xc9\xc9\x07\x00\x86\xa6\x106\x05\x00\x00\x00"
            await storage.put("name", packed)
            told = {"contentEncoding": "gzip"}
            ask(self.server, "PATCH", f"/storage/v1/b/{self.bucket}/o/name", told)
            assert await storage.get("name") == packed
            assert b"".join(await streamed(storage, "name", start=2, stop=9)) == packed[2:9]

        self.run(case)

    def test_an_object_of_many_parts_is_whole_or_not_there(self) -> None:
        async def case(storage: GCSStorage) -> None:
            data = bytes(range(256)) * 80_000  # 20 MB
            stored = await storage.put("name", data, metadata={"a": "b"}, if_absent=True)
            assert belongs(stored, await storage.stat("name"))
            assert await storage.get("name") == data
            again = await storage.put_stream("name", pieces(data[::-1]), if_match=stored.etag)
            assert await storage.get("name") == data[::-1]
            with pytest.raises(PreconditionFailed):
                await storage.put("name", data, if_match=stored.etag)
            assert belongs(again, await storage.stat("name"))

        self.run(case)

    def test_of_a_part_that_is_kept_in_part_the_rest_is_sent_again(self) -> None:
        async def case(storage: GCSStorage) -> None:
            data = bytes(range(256)) * 80_000
            for part in (data[: 2 * 8 * 1024 * 1024], data):
                self.google.keeps = 1024 * 1024
                assert (await storage.put_stream("name", pieces(part))).size == len(part)
                assert await storage.get("name") == part

        self.run(case)

    def test_who_is_overtaken_in_a_large_put_does_not_meet_its_condition(self) -> None:
        async def data(storage: GCSStorage) -> AsyncIterator[bytes]:
            yield bytes(9_000_000)
            await storage.put("name", b"other")
            yield bytes(9_000_000)

        async def case(storage: GCSStorage) -> None:
            with pytest.raises(PreconditionFailed):
                await storage.put_stream("name", data(storage), if_absent=True)
            stored = await storage.put("name", b"old")
            with pytest.raises(PreconditionFailed):
                await storage.put_stream("name", data(storage), if_match=stored.etag)
            assert await storage.get("name") == b"other"

        self.run(case)

    def test_a_large_put_whose_condition_is_not_met_sends_nothing(self) -> None:
        async def case(storage: GCSStorage) -> None:
            await storage.put("name", b"old")
            self.google.requests.clear()
            with pytest.raises(PreconditionFailed):
                await storage.put_stream("name", pieces(bytes(20_000_000)), if_absent=True)
            assert [method for method, _ in self.google.requests] == ["GET"]

        self.run(case)

    def test_a_large_put_that_fails_or_is_cancelled_leaves_nothing(self) -> None:
        async def endless(begun: asyncio.Event) -> AsyncIterator[bytes]:
            for _ in range(3):
                yield bytes(9_000_000)
            begun.set()
            await asyncio.Event().wait()

        async def case(storage: GCSStorage) -> None:
            with pytest.raises(ZeroDivisionError):
                await storage.put_stream("failing", pieces(bytes(20_000_000), error=ZeroDivisionError()))
            begun = asyncio.Event()
            putting = asyncio.create_task(storage.put_stream("failing", endless(begun)))
            await begun.wait()
            assert len(self.google.uploads) == 1
            putting.cancel()
            await asyncio.wait([putting])
            assert await names(storage) == []

        self.google.uploads.clear()
        self.run(case)
        assert self.google.uploads == {}

    def test_what_replaces_a_large_object_ends_its_streams_and_not_its_reading(self) -> None:
        async def case(storage: GCSStorage) -> None:
            await storage.put("name", b"a" * 9_000_000)
            for change in (storage.put("name", b"b" * 9_000_000), storage.delete("name")):
                got = bytearray()
                with pytest.raises(ObjectReplaced) as caught:
                    async for piece in storage.stream("name"):
                        if not got:
                            await change
                        got += piece
                assert caught.value.name == "name"
                assert got == got[:1] * len(got)
            await storage.put("name", b"0" * 9_000_000)
            data, _ = await asyncio.gather(storage.get("name"), storage.put("name", b"1" * 9_000_000))
            assert data == data[:1] * 9_000_000

        self.run(case)

    def test_large_puts_and_gets_hold_a_few_parts_in_memory(self) -> None:
        async def data() -> AsyncIterator[bytes]:
            for _ in range(30):
                yield bytes(2_000_000)

        async def case(storage: GCSStorage) -> None:
            tracemalloc.start()
            await storage.put_stream("name", data())
            size = 0
            async for piece in storage.stream("name"):
                size += len(piece)
            assert size == 60_000_000
            assert tracemalloc.get_traced_memory()[1] < 40_000_000
            tracemalloc.stop()

        self.run(case, credentials_file=None, endpoint_url=url(self.server))  # the other server is in this process

    def test_long_lists_come_in_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def case(storage: GCSStorage) -> None:
            await asyncio.gather(*(storage.put(f"n/{number:02}", b"") for number in range(40)))
            self.google.requests.clear()
            assert await names(storage, "n/") == [f"n/{number:02}" for number in range(40)]
            assert len(self.google.requests) == 6

        monkeypatch.setattr(gcs, "_PAGE", 7)
        self.run(case)


class TestActivation(SwapCases):
    provider = Provider(
        "storage",
        "gcs",
        "google",
        "endpoint_url",
        {"bucket": "objects", "endpoint_url": "http://127.0.0.1:PORT"},
    )

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        """In place of the module's: these cases want no server."""
