"""Transactions of the port `nosql`; a part of its contract."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from oneiric.adapters.nosql import MAX_CHANGES, MAX_COMMIT, DocumentConflict, Documents, TransactionError
from oneiric.testing.contracts.running import Contract


async def keep(documents: Documents, kept: Mapping[str, Any], collection: str = "books") -> None:
    for id, data in kept.items():
        await documents.put(collection, id, data)


async def found(documents: Documents, where: Any = None, collection: str = "books", **how: Any) -> list[str]:
    """The ids of the documents."""
    return [document.id async for document in documents.find(collection, where, **how)]


async def got(documents: Documents, collection: str, id: str) -> Any:
    document = await documents.get(collection, id)
    return None if document is None else document.data


class TransactionCases(Contract[Documents]):
    """Part of `NosqlContract`."""

    def test_a_transaction_makes_all_its_changes_at_its_end(self) -> None:
        async def case(documents: Documents) -> None:
            await keep(documents, {id: {"n": 1} for id in ("a", "b", "c")})
            async with documents.transaction() as changes:
                a = await changes.get("books", "a")
                assert a is not None
                assert await changes.get("books", "new") is None
                assert await changes.get("books", "none") is None
                await changes.put("books", "a", {"n": 2})
                await changes.put("books", "b", {"n": 2})
                await changes.put("books", "new", {"n": 2})
                await changes.put("others", "new", {"n": 3})
                await changes.put("others", "gone", {"n": 3})
                await changes.delete("others", "gone")
                await changes.delete("books", "c")
                await changes.delete("books", "never")
                assert await documents.get("books", "a") == a
                assert await found(documents) == ["a", "b", "c"]
            assert await found(documents) == ["a", "b", "new"]
            assert await found(documents, collection="others") == ["new"]
            assert await got(documents, "books", "a") == {"n": 2}
            new = await documents.get("books", "a")
            assert new is not None
            assert new.version != a.version

        self.check(case)

    def test_an_error_in_a_transaction_changes_nothing(self) -> None:
        async def case(documents: Documents) -> None:
            await keep(documents, {"a": {"n": 1}})
            with pytest.raises(ZeroDivisionError):
                async with documents.transaction() as changes:
                    await changes.get("books", "a")
                    await changes.put("books", "a", {"n": 2})
                    await changes.put("books", "b", {"n": 2})
                    raise ZeroDivisionError
            assert await found(documents, {"n": 1}) == ["a"]
            assert await documents.count("books") == 1

        self.check(case)

    @pytest.mark.parametrize("write", ["put", "delete", "nothing"])
    @pytest.mark.parametrize("before", [None, {"n": 1}], ids=["absent", "there"])
    @pytest.mark.parametrize("meanwhile", [None, {"n": 1}, {"n": 2}], ids=["deleted", "same", "other"])
    def test_what_was_read_and_changed_meanwhile_is_a_conflict(self, write: str, before: Any, meanwhile: Any) -> None:
        async def case(documents: Documents) -> None:
            if before is not None:
                await documents.put("books", "m", before)
            if before is None and meanwhile is None:
                await documents.put("books", "m", {"n": 3})
            await keep(documents, {"a": {"n": 1}, "z": {"n": 1}})
            expected = None
            with pytest.raises(DocumentConflict):
                async with documents.transaction() as changes:
                    await changes.get("books", "m")
                    await changes.put("books", "a", {"n": 9})
                    await changes.put("books", "z", {"n": 9})
                    if write == "put":
                        await changes.put("books", "m", {"n": 9})
                    elif write == "delete":
                        await changes.delete("books", "m")
                    if meanwhile is None:
                        await documents.delete("books", "m")
                    else:
                        expected = (await documents.put("books", "m", meanwhile)).data
            assert await got(documents, "books", "m") == expected
            assert await documents.count("books", {"n": 9}) == 0

        self.check(case)

    @pytest.mark.parametrize("there", [True, False])
    def test_what_was_only_read_stays_as_it_is(self, there: bool) -> None:
        async def case(documents: Documents) -> None:
            before = await documents.put("books", "a", {"n": 1}) if there else None
            async with documents.transaction() as changes:
                assert await changes.get("books", "a") == before
                assert await changes.get("books", "a") == before
            async with documents.transaction() as changes:
                await changes.get("books", "a")
                await changes.put("books", "b", {"n": 2})
            assert await documents.get("books", "a") == before
            assert await found(documents) == ["a", "b"][not there :]

        self.check(case)

    def test_a_document_read_twice_is_the_same_or_a_conflict(self) -> None:
        async def case(documents: Documents) -> None:
            with pytest.raises(DocumentConflict):
                async with documents.transaction() as changes:
                    await changes.get("books", "a")
                    await documents.put("books", "a", {})
                    await changes.get("books", "a")

        self.check(case)

    def test_two_that_read_what_the_other_writes_do_not_both_go_through(self) -> None:
        async def case(documents: Documents) -> None:
            async def leave(own: str, ready: asyncio.Barrier) -> bool:
                try:
                    async with documents.transaction() as changes:
                        on_call = [(await changes.get("doctors", id)) is not None for id in ("a", "b")]
                        await ready.wait()
                        if all(on_call):
                            await changes.delete("doctors", own)
                except DocumentConflict:
                    return False
                return True

            for _ in range(5):
                await keep(documents, {"a": {}, "b": {}}, "doctors")
                ready = asyncio.Barrier(2)
                await asyncio.gather(leave("a", ready), leave("b", ready))
                assert await documents.count("doctors") >= 1

        self.check(case)

    def test_transfers_at_once_keep_the_sum(self) -> None:
        async def case(documents: Documents) -> None:
            accounts = ["a", "b", "c"]
            await keep(documents, {id: {"n": 100} for id in accounts})

            async def transfer(number: int) -> None:
                giver, taker = accounts[number % 3], accounts[(number + 1 + number % 2) % 3]
                while True:
                    try:
                        async with documents.transaction() as changes:
                            gives: Any = await changes.get("books", giver)
                            takes: Any = await changes.get("books", taker)
                            await changes.put("books", giver, {"n": gives.data["n"] - 1})
                            await changes.put("books", taker, {"n": takes.data["n"] + 1})
                    except DocumentConflict:
                        await asyncio.sleep(0.001 * number)
                    else:
                        return

            await asyncio.gather(*(transfer(number) for number in range(12)))
            assert sum([document.data["n"] async for document in documents.find("books")]) == 300  # type: ignore[misc]

        self.check(case)

    def test_a_transaction_is_used_as_it_should_be(self) -> None:
        async def case(documents: Documents) -> None:
            with pytest.raises(TransactionError):
                async with documents.transaction() as changes:
                    await changes.put("books", "a", {})
                    await changes.get("books", "b")
            with pytest.raises(TransactionError):
                async with documents.transaction() as changes:
                    for number in range(MAX_CHANGES + 1):
                        await changes.put("books", f"{number}", {})
            with pytest.raises(TransactionError):
                async with documents.transaction() as changes:
                    for number in range(MAX_COMMIT // 200_000 + 1):
                        await changes.put("books", f"{number}", {"a": "x" * 200_000})
            async with documents.transaction() as changes:
                pass
            for attempt in (changes.get("books", "a"), changes.put("books", "a", {}), changes.delete("books", "a")):
                with pytest.raises(TransactionError):
                    await attempt
            assert await found(documents) == []

        self.check(case)

    def test_the_largest_transaction_is_made(self) -> None:
        async def case(documents: Documents) -> None:
            async with documents.transaction() as changes:
                for number in range(MAX_CHANGES):
                    await changes.put("books", f"{number}", {"a": "x" * (MAX_COMMIT // MAX_CHANGES - 8)})
            assert await documents.count("books") == MAX_CHANGES

        self.check(case)
