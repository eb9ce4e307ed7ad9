"""The contract of the port `storage`."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from oneiric.adapters.storage import (
    DEFAULT_CONTENT_TYPE,
    MAX_METADATA,
    MAX_NAME,
    InvalidObject,
    ObjectNotFound,
    PreconditionFailed,
    Storage,
    StorageError,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, close, health

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


async def streamed(storage: Storage, name: str, chunk_size: int = 65536) -> list[bytes]:
    return [chunk async for chunk in storage.stream(name, chunk_size=chunk_size)]


class StorageContract(Contract[Storage]):
    """Cases for an empty storage: subclass it and override `fresh`."""

    def test_a_fresh_storage_is_healthy_and_empty(self) -> None:
        async def case(storage: Storage) -> None:
            assert await health(storage)
            assert await names(storage) == []

        self.check(case)

    @pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", bytes(range(256)), bytes(range(256)) * 20 * 1024])
    def test_an_object_is_got_as_it_was_put(self, data: bytes) -> None:
        async def case(storage: Storage) -> None:
            entry = await storage.put("name", data)
            assert (entry.name, entry.size, entry.content_type) == ("name", len(data), DEFAULT_CONTENT_TYPE)
            assert entry.metadata == {}
            assert await storage.get("name") == data
            assert b"".join(await streamed(storage, "name")) == data
            assert await storage.stat("name") == entry

        self.check(case)

    def test_content_type_and_metadata_are_kept(self) -> None:
        async def case(storage: Storage) -> None:
            metadata = {"author": "Zoë \N{SNOWMAN}", "empty": "", "x_1": "a=b; c"}
            await storage.put("name", b"data", content_type="text/plain; charset=utf-8", metadata=metadata)
            entry = await storage.stat("name")
            assert entry.content_type == "text/plain; charset=utf-8"
            assert dict(entry.metadata) == metadata
            assert entry.modified.utcoffset() == timedelta(0)
            assert [entry] == [listed async for listed in storage.list()]

        self.check(case)

    def test_a_put_replaces_everything(self) -> None:
        async def case(storage: Storage) -> None:
            first = await storage.put("name", b"a long first version", content_type="a/b", metadata={"old": "yes"})
            second = await storage.put("name", b"second")
            assert await storage.get("name") == b"second"
            assert await storage.stat("name") == second
            assert second.etag != first.etag
            assert (second.content_type, dict(second.metadata)) == (DEFAULT_CONTENT_TYPE, {})

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
            assert await storage.stat("name") == before

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
            assert await storage.stat("name") == second

        self.check(case)

    def test_of_fifty_conditional_puts_one_wins(self) -> None:
        async def case(storage: Storage) -> None:
            first = await storage.put("match", b"first")
            await one_wins(storage, "absent", if_absent=True)
            await one_wins(storage, "match", if_match=first.etag)

        async def one_wins(storage: Storage, name: str, **condition: Any) -> None:
            puts = (storage.put(name, b"%d" % number, **condition) for number in range(50))
            results = await asyncio.gather(*puts, return_exceptions=True)
            won = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
            assert len(won) == 1
            assert sum(isinstance(result, PreconditionFailed) for result in results) == 49
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
            entry = await storage.put(f"n/{number}", data, metadata={"number": str(number)})
            assert await storage.get(f"n/{number}") == data
            assert await storage.stat(f"n/{number}") == entry

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
            ):
                with pytest.raises(StorageError) as caught:
                    await attempt
                assert not isinstance(caught.value, ObjectNotFound)

        self.check(case)


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
