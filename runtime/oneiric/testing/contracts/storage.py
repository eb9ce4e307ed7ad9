"""The contract of the port `storage`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    MAX_METADATA,
    MAX_NAME,
    Entry,
    InvalidObject,
    Listed,
    ObjectNotFound,
    PreconditionFailed,
    Storage,
    StorageClosed,
    StorageError,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
    StorageUnsupported,
    Stored,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, capabilities, close, health

NO_NAMES: list[Any] = [
    *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\0b", "a\nb", "a\x7fb", "a\\..\\b"),
    *("\ud800", "n" * (MAX_NAME + 1), "é" * (MAX_NAME // 2 + 1), None, b"a"),
]
NAMES = [
    *(
        "a",
        "a/b",
        "a/b.c",
        "A",
        "a b",
        "...",
        ".hidden",
        "a/.b",
        "~",
        "a%2Fb",
        "a?b#c",
        "-",
        "é",
        "e\u0301",
        "\N{SNOWMAN}",
    ),
    *("CON", "x.tmp", "con/nul.txt", "n" * MAX_NAME, "/".join("d" * 512)),
]


async def names(storage: Storage, prefix: str = "") -> list[str]:
    return [entry.name async for entry in storage.list(prefix)]


async def streamed(
    storage: Storage, name: str, chunk_size: int = 65536, *, start: int = 0, stop: int | None = None
) -> list[bytes]:
    return [chunk async for chunk in storage.stream(name, start=start, stop=stop, chunk_size=chunk_size)]


async def pieces(*data: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    """Data that comes in pieces, each after a turn of the loop, and then perhaps an error."""
    for piece in data:
        await asyncio.sleep(0)
        yield piece
    if error is not None:
        raise error


def belongs(stored: Stored, entry: Entry) -> bool:
    """Whether a put made what `stat` tells of."""
    return stored == Stored(entry.name, entry.size, entry.etag)


class StorageContract(Contract[Storage]):
    """Cases for an empty storage: subclass it and override `fresh`.

    What the capabilities `large` and `link` stand for is tried where the component declares them.
    """

    put_headers: ClassVar[Mapping[str, str]] = {}
    """What a request to a link that puts has to say besides."""
    writers = 50
    """How many put at once, of whom one may meet a condition."""
    large_races = True
    """Whether the server looks at the condition of a large put and fulfils it in one step."""
    links_are_checked = True
    """Whether the server checks what a link is signed with."""
    expired = 403
    """What it answers to a link whose time is over."""

    def test_a_fresh_storage_is_healthy_and_empty(self) -> None:
        async def case(storage: Storage) -> None:
            assert await health(storage)
            assert await names(storage) == []

        self.check(case)

    @pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", bytes(range(256)), bytes(range(256)) * 20 * 1024])
    def test_an_object_is_got_as_it_was_put(self, data: bytes) -> None:
        async def case(storage: Storage) -> None:
            stored = await storage.put("name", data)
            assert await storage.get("name") == data
            assert b"".join(await streamed(storage, "name")) == data
            entry = await storage.stat("name")
            assert belongs(stored, entry)
            assert (entry.name, entry.size, entry.content_type) == ("name", len(data), DEFAULT_CONTENT_TYPE)
            assert entry.metadata == {}

        self.check(case)

    def test_content_type_and_metadata_are_kept(self) -> None:
        async def case(storage: Storage) -> None:
            metadata = {"author": "Zoë \N{SNOWMAN}", "empty": "", "x_1": "a=b; c"}
            await storage.put("name", b"data", content_type="text/plain; charset=utf-8", metadata=metadata)
            entry = await storage.stat("name")
            assert entry.content_type == "text/plain; charset=utf-8"
            assert dict(entry.metadata) == metadata
            assert entry.modified.utcoffset() == timedelta(0)

        self.check(case)

    def test_a_listing_tells_size_etag_and_time(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"data", metadata={"a": "b"})
            entry = await storage.stat("name")
            [listed] = [each async for each in storage.list()]
            assert listed == Listed(entry.name, entry.size, entry.etag, listed.modified)
            assert abs(listed.modified - entry.modified) < timedelta(seconds=1)  # headers have whole seconds

        self.check(case)

    def test_a_put_replaces_everything(self) -> None:
        async def case(storage: Storage) -> None:
            first = await storage.put("name", b"a long first version", content_type="a/b", metadata={"old": "yes"})
            second = await storage.put("name", b"second")
            assert await storage.get("name") == b"second"
            entry = await storage.stat("name")
            assert belongs(second, entry)
            assert second.etag != first.etag
            assert (entry.content_type, dict(entry.metadata)) == (DEFAULT_CONTENT_TYPE, {})

        self.check(case)

    @pytest.mark.parametrize("name", NAMES)
    def test_every_name_can_be_one(self, name: str) -> None:
        async def case(storage: Storage) -> None:
            await storage.put(name, b"data")
            assert await storage.get(name) == b"data"
            assert await names(storage) == [name]
            assert await storage.delete(name)
            assert await names(storage) == []

        self.check(case)

    def test_names_are_not_confused(self) -> None:
        async def case(storage: Storage) -> None:
            for name in NAMES:
                await storage.put(name, name.encode())
            assert [await storage.get(name) for name in NAMES] == [name.encode() for name in NAMES]
            assert await names(storage) == sorted(NAMES)

        self.check(case)

    @pytest.mark.parametrize("name", NO_NAMES)
    def test_what_is_no_name_is_refused(self, name: Any) -> None:
        async def case(storage: Storage) -> None:
            for attempt in (
                storage.put(name, b"data"),
                storage.get(name),
                streamed(storage, name),
                storage.stat(name),
                storage.delete(name),
            ):
                with pytest.raises(InvalidObject):
                    await attempt
            assert await names(storage) == []

        self.check(case)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"data": "text"},
            {"data": bytearray(b"x")},
            {"content_type": "plain"},
            {"content_type": "text/plain\r\nX: y"},
            {"content_type": "a/" + "b" * 300},
            {"metadata": {"Upper": "x"}},
            {"metadata": {"": "x"}},
            {"metadata": {"with-dash": "x"}},
            {"metadata": {"key": "line\nend"}},
            {"metadata": {"key": "\ud800"}},
            {"metadata": {"key": "x" * MAX_METADATA}},
            {"if_absent": True, "if_match": "etag"},
        ],
    )
    def test_what_is_no_object_is_refused_and_the_old_one_stays(self, wrong: dict[str, Any]) -> None:
        async def case(storage: Storage) -> None:
            before = await storage.put("name", b"data")
            arguments: dict[str, Any] = {"name": "name", "data": b"new", **wrong}
            with pytest.raises(InvalidObject):
                await storage.put(**arguments)
            assert belongs(before, await storage.stat("name"))

        self.check(case)

    def test_a_missing_object_is_named(self) -> None:
        async def case(storage: Storage) -> None:
            for attempt in (storage.get("no/such"), storage.stat("no/such"), streamed(storage, "no/such")):
                with pytest.raises(ObjectNotFound, match="no/such") as caught:
                    await attempt
                assert caught.value.name == "no/such"
            assert await storage.delete("no/such") is False

        self.check(case)

    def test_a_deleted_object_is_gone(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"data")
            await storage.put("name/below", b"data")
            assert await storage.delete("name") is True
            assert await storage.delete("name") is False
            with pytest.raises(ObjectNotFound):
                await storage.get("name")
            assert await names(storage) == ["name/below"]

        self.check(case)

    def test_a_stream_comes_in_pieces(self) -> None:
        async def case(storage: Storage) -> None:
            data = bytes(range(250)) * 1000
            await storage.put("name", data)
            for size in (1000, 65536, len(data), len(data) + 1):
                pieces = await streamed(storage, "name", size)
                assert b"".join(pieces) == data
                assert all(0 < len(piece) <= size for piece in pieces)
            with pytest.raises(InvalidObject):
                await streamed(storage, "name", 0)

        self.check(case)

    def test_a_range_is_what_a_slice_is(self) -> None:
        async def case(storage: Storage) -> None:
            data = bytes(range(250)) * 10
            await storage.put("name", data)
            await storage.put("empty", b"")
            for start, stop in ((0, 1), (7, 7), (7, 2000), (2499, 2500), (2400, 9999), (2500, None), (9999, None)):
                assert b"".join(await streamed(storage, "name", 100, start=start, stop=stop)) == data[start:stop]
                assert await streamed(storage, "empty", start=start, stop=stop) == []
            for start, stop in ((-1, None), (5, 4), (0, -1)):
                with pytest.raises(InvalidObject):
                    await streamed(storage, "name", start=start, stop=stop)
            for start, stop in ((0, 0), (5, 9)):
                with pytest.raises(ObjectNotFound):
                    await streamed(storage, "no/such", start=start, stop=stop)

        self.check(case)

    def test_a_stream_stays_with_its_version(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"old " * 100_000)
            pieces: list[bytes] = []
            async for piece in storage.stream("name", chunk_size=50_000):
                if not pieces:
                    await storage.put("name", b"new " * 100_000)
                pieces.append(piece)
            assert b"".join(pieces) == b"old " * 100_000

        self.check(case)

    def test_a_stream_can_be_left(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", bytes(1_000_000))
            async for piece in storage.stream("name", chunk_size=1000):
                assert len(piece) <= 1000
                break
            assert await storage.delete("name")

        self.check(case)

    def test_list_finds_by_prefix_in_order(self) -> None:
        async def case(storage: Storage) -> None:
            for name in ("b/1", "a/2", "a/10", "a/b/3", "ab", "a", "é"):
                await storage.put(name, b"")
            assert await names(storage) == ["a", "a/10", "a/2", "a/b/3", "ab", "b/1", "é"]
            assert await names(storage, "a") == ["a", "a/10", "a/2", "a/b/3", "ab"]
            assert await names(storage, "a/") == ["a/10", "a/2", "a/b/3"]
            assert await names(storage, "a/b/3") == ["a/b/3"]
            for prefix in ("../", "/", "z", "a\\", "a\0", "\x1f", "\ud800", "&<>%"):
                assert await names(storage, prefix) == [], repr(prefix)

        self.check(case)

    def test_if_absent_puts_only_once(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"first", if_absent=True)
            with pytest.raises(PreconditionFailed):
                await storage.put("name", b"second", if_absent=True)
            assert await storage.get("name") == b"first"
            await storage.delete("name")
            await storage.put("name", b"third", if_absent=True)

        self.check(case)

    def test_if_match_puts_only_over_that_version(self) -> None:
        async def case(storage: Storage) -> None:
            with pytest.raises(PreconditionFailed):
                await storage.put("name", b"data", if_match="etag")
            with pytest.raises(PreconditionFailed):
                await storage.put("name", b"data", if_match='"\r\nno etag')
            first = await storage.put("name", b"first")
            second = await storage.put("name", b"second", if_match=first.etag)
            with pytest.raises(PreconditionFailed):
                await storage.put("name", b"third", if_match=first.etag)
            assert belongs(second, await storage.stat("name"))

        self.check(case)

    def test_of_many_conditional_puts_one_wins(self) -> None:
        async def case(storage: Storage) -> None:
            first = await storage.put("match", b"first")
            await one_wins(storage, "absent", if_absent=True)
            await one_wins(storage, "match", if_match=first.etag)

        async def one_wins(storage: Storage, name: str, **condition: Any) -> None:
            puts = (storage.put(name, b"%d" % number, **condition) for number in range(self.writers))
            results = await asyncio.gather(*puts, return_exceptions=True)
            won = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
            assert len(won) == 1
            assert sum(isinstance(result, PreconditionFailed) for result in results) == self.writers - 1
            assert await storage.get(name) == b"%d" % won[0]

        self.check(case)

    def test_no_update_by_compare_and_put_is_lost(self) -> None:
        async def add(storage: Storage) -> None:
            while True:
                entry = await storage.stat("count")
                count = int(await storage.get("count"))
                try:
                    await storage.put("count", b"%d" % (count + 1), if_match=entry.etag)
                    return
                except PreconditionFailed:
                    continue

        async def case(storage: Storage) -> None:
            await storage.put("count", b"0")
            await asyncio.gather(*(add(storage) for _ in range(8)))
            assert await storage.get("count") == b"8"

        self.check(case)

    def test_readers_see_one_version_or_another_never_a_mixture(self) -> None:
        async def write(storage: Storage, letter: bytes) -> None:
            for _ in range(5):
                await storage.put("name", letter * 200_000, metadata={"letter": letter.decode()})

        async def read(storage: Storage) -> None:
            for _ in range(10):
                data = b"".join(await streamed(storage, "name"))
                assert data == data[:1] * 200_000
                data = await storage.get("name")
                assert data == data[:1] * 200_000

        async def case(storage: Storage) -> None:
            await storage.put("name", b"x" * 200_000)
            await asyncio.gather(*(write(storage, letter) for letter in (b"a", b"b", b"c")), read(storage))

        self.check(case)

    def test_fifty_at_once_do_not_mix_up_their_objects(self) -> None:
        async def turn(storage: Storage, number: int) -> None:
            data = b"%d" % number * 1000
            stored = await storage.put(f"n/{number}", data, metadata={"number": str(number)})
            assert await storage.get(f"n/{number}") == data
            assert belongs(stored, await storage.stat(f"n/{number}"))

        async def case(storage: Storage) -> None:
            await asyncio.gather(*(turn(storage, number) for number in range(50)))
            assert len(await names(storage, "n/")) == 50

        self.check(case)

    def test_listing_while_others_write_misses_nothing_that_stays(self) -> None:
        async def case(storage: Storage) -> None:
            staying = [f"s/{number:02}" for number in range(20)]
            for name in staying:
                await storage.put(name, b"staying")

            async def write() -> None:
                for number in range(15):
                    await storage.put(f"s/passing{number}", b"passing")
                    await storage.put(staying[number], b"again")
                    await storage.delete(f"s/passing{number}")

            writing = asyncio.ensure_future(write())
            while not writing.done():
                listed = await names(storage, "s/")
                assert [name for name in listed if "passing" not in name] == staying
                assert len(set(listed)) == len(listed)
            await writing

        self.check(case)

    def test_a_put_cancelled_at_any_step_happens_whole_or_not(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"old", metadata={"version": "old"})

            async def put() -> None:
                await storage.put("name", b"new" * 1000, metadata={"version": "new"})

            async for _ in cancelled_at_every_step(put):
                entry = await storage.stat("name")
                data = await storage.get("name")
                assert (data, entry.metadata["version"]) in [(b"old", "old"), (b"new" * 1000, "new")]
                assert await names(storage) == ["name"]
                await storage.put("name", b"old", metadata={"version": "old"})

        self.check(case)

    def test_a_cancelled_put_does_not_overtake_a_later_one(self) -> None:
        async def case(storage: Storage) -> None:
            async for _ in cancelled_at_every_step(lambda: storage.put("name", b"cancelled" * 10_000)):
                await storage.put("name", b"later")
                assert await storage.get("name") == b"later"

        self.check(case)

    def test_reading_cancelled_at_any_step_leaves_a_storage_that_works(self) -> None:
        async def work(storage: Storage) -> None:
            await streamed(storage, "name", 50_000)
            await names(storage)
            await storage.get("name")

        async def case(storage: Storage) -> None:
            await storage.put("name", bytes(200_000))
            async for _ in cancelled_at_every_step(lambda: work(storage)):
                assert (await storage.stat("name")).size == 200_000

        self.check(case)

    def test_what_is_not_declared_is_not_supported(self) -> None:
        async def case(storage: Storage) -> None:
            lacking: dict[str, Any] = {
                "large": lambda: storage.put_stream("name", pieces(b"data")),
                "link": lambda: storage.link("name"),
            }
            for capability in lacking.keys() - capabilities(storage):
                with pytest.raises(StorageUnsupported) as caught:
                    await lacking[capability]()
                assert caught.value.capability == capability

        self.check(case)

    @pytest.mark.parametrize("sizes", [(), (0,), (3, 0, 4), (1_000_000,) * 18, (9_000_000, 1), (8_388_608, 8_388_608)])
    def test_large_data_is_got_as_it_came(self, sizes: tuple[int, ...]) -> None:
        async def case(storage: Storage) -> None:
            data = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
            described: Any = {"content_type": "text/plain", "metadata": {"author": "Zoë"}}
            stored = await storage.put_stream("name", pieces(*data), **described)
            entry = await storage.stat("name")
            assert belongs(stored, entry)
            assert (entry.content_type, dict(entry.metadata)) == ("text/plain", {"author": "Zoë"})
            assert await storage.get("name") == b"".join(data)
            middle = sum(sizes) // 2
            got = b"".join(await streamed(storage, "name", start=middle, stop=middle + 5_000_000))
            assert got == b"".join(data)[middle : middle + 5_000_000]

        self.check_with("large", case)

    @pytest.mark.parametrize("size", [10, 9_000_000])
    def test_large_data_that_does_not_end_well_is_not_kept(self, size: int) -> None:
        async def case(storage: Storage) -> None:
            before = await storage.put("name", b"old")
            for name in ("name", "other"):
                with pytest.raises(ZeroDivisionError):
                    await storage.put_stream(name, pieces(bytes(size), error=ZeroDivisionError()))
                with pytest.raises(InvalidObject):
                    await storage.put_stream(name, pieces(bytes(size), "text"))  # type: ignore[arg-type]
            wrong: Any
            for wrong in (b"data", [b"data"], None):
                with pytest.raises(InvalidObject):
                    await storage.put_stream("name", wrong)
            for options in ({"content_type": "plain"}, {"metadata": {"A": "b"}}, {"if_absent": True, "if_match": "x"}):
                wrong = options
                with pytest.raises(InvalidObject):
                    await storage.put_stream("name", pieces(bytes(size)), **wrong)
            assert belongs(before, await storage.stat("name"))
            assert await names(storage) == ["name"]

        self.check_with("large", case)

    @pytest.mark.parametrize("size", [10, 9_000_000])
    def test_large_data_meets_conditions(self, size: int) -> None:
        async def case(storage: Storage) -> None:
            first = await storage.put_stream("name", pieces(b"1" * size), if_absent=True)
            for condition in ({"if_absent": True}, {"if_match": "etag"}):
                refused: Any = condition
                with pytest.raises(PreconditionFailed):
                    await storage.put_stream("name", pieces(b"2" * size), **refused)
            with pytest.raises(PreconditionFailed):
                await storage.put_stream("no/such", pieces(b"2" * size), if_match=first.etag)
            second = await storage.put_stream("name", pieces(b"3" * size), if_match=first.etag)
            assert belongs(second, await storage.stat("name"))
            with pytest.raises(PreconditionFailed):
                await storage.put_stream("name", pieces(b"4" * size), if_match=first.etag)
            assert (await storage.get("name"))[:1] == b"3"
            assert await names(storage) == ["name"]

        self.check_with("large", case)

    def test_of_large_puts_at_once_with_a_condition_one_wins(self) -> None:
        async def case(storage: Storage) -> None:
            puts = (storage.put_stream("name", pieces(b"%d" % n * 9_000_000), if_absent=True) for n in range(4))
            results = await asyncio.gather(*puts, return_exceptions=True)
            [won] = [number for number, result in enumerate(results) if isinstance(result, Stored)]
            assert sum(isinstance(result, PreconditionFailed) for result in results) == 3
            assert await storage.get("name") == b"%d" % won * 9_000_000

        if self.large_races:
            self.check_with("large", case)

    def test_large_puts_cancelled_at_any_step_happen_whole_or_not(self) -> None:
        async def case(storage: Storage) -> None:
            async for _ in cancelled_at_every_step(lambda: storage.put_stream("name", pieces(b"new", b"er"))):
                assert await names(storage) in ([], ["name"])
                if await storage.delete("name"):
                    await storage.put_stream("name", pieces(b"later"))
                    assert await storage.get("name") == b"later"
                    await storage.delete("name")

        self.check_with("large", case)

    def test_a_link_reads_and_another_puts(self) -> None:
        async def case(storage: Storage) -> None:
            for name in ("name", "a b/ü+%&=?#~.txt"):
                await storage.put(name, b"data", content_type="text/plain")
                reads = await storage.link(name)
                puts = await storage.link(name, method="PUT", lasts=60)
                async with aiohttp.ClientSession() as session:
                    async with session.get(_exact(reads.reveal())) as response:
                        assert (response.status, response.content_type) == (200, "text/plain")
                        assert await response.read() == b"data"
                    async with session.put(_exact(puts.reveal()), data=b"new", headers=self.put_headers) as response:
                        assert response.status in (200, 201), await response.text()
                assert await storage.get(name) == b"new"
                assert urlsplit(reads.reveal()).query not in f"{reads!r}{reads}"

        self.check_with("link", case)

    def test_a_link_is_for_one_object_one_method_and_its_time(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"data")
            await storage.put("other", b"secret")
            short = await storage.link("name", lasts=1)
            reads = (await storage.link("name")).reveal()
            puts = (await storage.link("name", method="PUT")).reveal()
            async with aiohttp.ClientSession() as session:
                for method, url in (("GET", reads.replace("/name?", "/other?")), ("PUT", reads), ("GET", puts)):
                    async with session.request(method, _exact(url), headers=self.put_headers) as response:
                        assert response.status == 403, (method, await response.text())
                while True:
                    await asyncio.sleep(0.2)
                    async with session.get(_exact(short.reveal())) as response:
                        if response.status != 200:
                            break
                assert response.status == self.expired
            assert await storage.get("name") == b"data"

        if self.links_are_checked:
            self.check_with("link", case)

    def test_a_link_that_cannot_be_is_refused(self) -> None:
        async def case(storage: Storage) -> None:
            wrong: Any
            for wrong in ({"method": "DELETE"}, {"lasts": 0}, {"lasts": 8 * 86400}, {"lasts": float("nan")}):
                with pytest.raises(InvalidObject):
                    await storage.link("name", **wrong)
            with pytest.raises(InvalidObject):
                await storage.link("../name")
            await close(storage)
            with pytest.raises(StorageClosed):
                await storage.link("name")

        self.check_with("link", case)

    def check_with(self, capability: str, case: Any) -> None:
        """Run a case where the component has the capability."""

        async def where_it_can(storage: Storage) -> None:
            if capability in capabilities(storage):
                await case(storage)

        self.check(where_it_can)

    def test_closing_twice_is_fine(self) -> None:
        async def case(storage: Storage) -> None:
            await close(storage)
            await close(storage)

        self.check(case)

    def test_a_closed_storage_refuses_every_call(self) -> None:
        async def case(storage: Storage) -> None:
            await storage.put("name", b"data")
            await close(storage)
            for attempt in (
                storage.put("name", b"data"),
                storage.get("name"),
                streamed(storage, "name"),
                storage.stat("name"),
                storage.delete("name"),
                names(storage),
                storage.put_stream("name", pieces(b"data")),
            ):
                with pytest.raises(StorageError) as caught:
                    await attempt
                assert not isinstance(caught.value, ObjectNotFound)

        self.check(case)


def _exact(url: str) -> URL:
    """The URL as it is: aiohttp would write its parts its own way, which are signed."""
    return URL(url, encoded=True)


class NetworkedStorageContract(NetworkedContract[Storage]):
    """Cases for a storage behind a network, besides those of `StorageContract`."""

    base = StorageError
    unavailable = StorageUnavailable
    refusal = StorageRefused
    misconfigured = StorageMisconfigured

    async def use(self, component: Storage, number: int = 0) -> None:
        data = b"data %d " % number * 50
        await component.put(f"name {number}", data)
        assert await component.get(f"name {number}") == data
