"""The contract of the port `nosql`."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from oneiric.adapters.nosql import (
    MAX_CHOICES,
    MAX_DEPTH,
    MAX_DOCUMENT,
    MAX_FIELD,
    MAX_FLOAT,
    MAX_ID,
    MAX_OPERANDS,
    DocumentConflict,
    Documents,
    InvalidDocument,
    InvalidQuery,
    NosqlClosed,
    NosqlError,
    NosqlMisconfigured,
    NosqlRefused,
    NosqlUnavailable,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.nosql_transactions import TransactionCases, found, got, keep
from oneiric.testing.contracts.running import cancelled_at_every_step, close, health

LIBRARY: dict[str, dict[str, Any]] = {
    "bare": {},
    "english": {"lang": "en", "year": 2024, "tags": ["b", "c"], "open": False, "by": {"name": "Ann", "age": 40}},
    "french": {"lang": "fr", "year": 2024.5, "tags": [], "open": None, "by": {"name": None}},
    "german": {"lang": "de", "year": 2019, "tags": ["a", "b"], "open": True, "by": {"name": "Bea"}},
    "odd": {"lang": None, "year": "2024", "tags": "a", "open": 1, "by": [{"name": "Ann"}]},
    "rest": {"lang": ["de", 7], "year": [2024], "tags": [None, 1, True], "open": "true", "by": "Ann"},
}


def _deep(levels: int) -> Any:
    return {"a": _deep(levels - 1)} if levels > 1 else {}


_LARGEST: list[Any] = [
    {},
    {"a": "x" * (MAX_DOCUMENT - 8)},
    {"a": "\u00e9" * (MAX_DOCUMENT // 2 - 4)},
    {"a": [-1] * ((MAX_DOCUMENT - 8) // 3)},
    {"a": [[]] * ((MAX_DOCUMENT - 8) // 3)},
    _deep(MAX_DEPTH),
    {"f" * MAX_FIELD: 1, "\u00e9" * (MAX_FIELD // 2): 2},
]
_NO_SCALARS: list[Any] = [math.nan, math.inf, 2**63, -(2**63) - 1, 2 * MAX_FLOAT, 0.1 / MAX_FLOAT, "\ud800", b"x", {1}]
_NO_DATA: list[Any] = [
    *(None, [], "text", 7),
    *({"a": value} for value in _NO_SCALARS),
    *({"a": [{"b": value}]} for value in _NO_SCALARS),
    *({name: 1} for name in ("", "$a", "a\0", "\ud800", "f" * (MAX_FIELD + 1), 7, None)),
    {"a": {"$set": 1}},
    {"a": "x" * (MAX_DOCUMENT - 7)},
    _deep(MAX_DEPTH + 1),
]
_NO_TEXTS: list[Any] = [None, True, [1], math.nan]
_NO_LISTS: list[Any] = ["xyz", [[1]], [math.nan], None, [1] * (MAX_CHOICES + 1)]
_NO_FILTERS: list[Any] = [
    *("lang", ["lang"], {"": 1}, {"a..b": 1}, {".a": 1}, {"$a": 1}, {"a.$b": 1}, {7: 1}, {"a\0": 1}, {"a": {}}),
    *({"a": operand} for operand in [*_NO_SCALARS, ["x"]]),
    *({"a": {name: 1}} for name in ("$gt", "like", "in", "GT")),
    *({"a": {name: operand}} for name in ("eq", "ne", "contains") for operand in _NO_SCALARS),
    *({"a": {name: operand}} for name in ("gt", "lte") for operand in _NO_TEXTS),
    *({"a": {"in": operand}} for operand in _NO_LISTS),
    {str(number): {"in": list(range(MAX_CHOICES))} for number in range(MAX_OPERANDS // MAX_CHOICES + 1)},
]
_NO_ORDERS: list[Any] = [*({"limit": limit} for limit in (0, -1, 1.0, True)), {"order": ""}, {"order": 7}]
_IDS = [
    "a",
    "A",
    " ",
    "a ",
    "a  ",
    "a b/c?d#e%.$",
    "\u043a\u043b",
    "e",
    "\u00e9",
    "e\u0301",
    "line\nend",
    "'; --",
    "i" * MAX_ID,
]
_FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "bare english french german odd rest"),
    ({"lang": "de"}, "german"),
    ({"lang": {"eq": "de"}}, "german"),
    ({"lang": {"ne": "de"}}, "english french odd rest"),
    ({"lang": None}, "odd"),
    ({"lang": {"ne": None}}, "english french german rest"),
    ({"lang": {"in": ["en", None]}}, "english odd"),
    ({"lang": {"in": []}}, ""),
    ({"lang": {"gt": "de"}}, "english french"),
    ({"lang": {"gte": "de", "lt": "f"}}, "english german"),
    ({"lang": {"contains": 7}}, "rest"),
    ({"absent": None}, ""),
    ({"absent": {"ne": "x"}}, ""),
    ({"absent": {"lt": 7}}, ""),
    ({"absent": {"in": [None, 1]}}, ""),
    ({"year": 2024}, "english"),
    ({"year": 2024.0}, "english"),
    ({"year": {"gte": 2024}}, "english french"),
    ({"year": {"gt": 2018, "lt": 2024.5}}, "english german"),
    ({"year": {"lte": 2024.5, "ne": 2024}}, "french german"),
    ({"year": {"in": [2019, 2024.5, "2024"]}}, "french german odd"),
    ({"year": {"ne": 2024}}, "french german odd rest"),
    ({"year": "2024"}, "odd"),
    ({"tags": {"contains": "b"}}, "english german"),
    ({"tags": {"contains": "a"}}, "german"),
    ({"tags": {"contains": None}}, "rest"),
    ({"tags": {"contains": 1}}, "rest"),
    ({"tags": {"contains": True}}, "rest"),
    ({"tags": {"contains": False}}, ""),
    ({"tags": "a"}, "odd"),
    ({"tags": {"ne": "a"}}, "english french german rest"),
    ({"tags": {"gt": ""}}, "odd"),
    ({"open": True}, "german"),
    ({"open": False}, "english"),
    ({"open": None}, "french"),
    ({"open": 1}, "odd"),
    ({"open": {"ne": True}}, "english french odd rest"),
    ({"open": {"gte": 0}}, "odd"),
    ({"open": {"in": [True, "true"]}}, "german rest"),
    ({"by.name": "Ann"}, "english"),
    ({"by.name": {"ne": "Ann"}}, "french german"),
    ({"by.name": None}, "french"),
    ({"by.age": {"gt": 1}}, "english"),
    ({"by.name.first": {"ne": 1}}, ""),
    ({"by.0.name": "Ann"}, ""),
    ({"by": "Ann"}, "rest"),
    ({"by": {"ne": "Ann"}}, "english french german odd"),
    ({"lang": "de", "year": {"lt": 2020}}, "german"),
    ({"lang": "de", "year": {"gt": 2020}}, ""),
    ({"lang": "de' OR '1'='1"}, ""),
    ({"lang": {"in": [*range(MAX_CHOICES - 1), "de"]}, "year": {"in": [*range(2000, 2030)]}}, "german"),
]
_ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"limit": 2}, "bare english"),
    ({"limit": 100}, "bare english french german odd rest"),
    ({"descending": True}, "rest odd german french english bare"),
    ({"descending": True, "limit": 2}, "rest odd"),
    ({"order": "year"}, "german english french odd"),
    ({"order": "year", "descending": True}, "odd french english german"),
    ({"order": "year", "limit": 2}, "german english"),
    ({"order": "year", "limit": 1, "descending": True}, "odd"),
    ({"order": "lang"}, "odd german english french"),
    ({"order": "open"}, "french odd rest english german"),
    ({"order": "open", "descending": True}, "german english rest odd french"),
    ({"order": "by.name"}, "french english german"),
    ({"order": "absent"}, ""),
    ({"order": "year", "where": {"open": {"ne": True}}}, "english french odd"),
]


class NosqlContract(TransactionCases):
    """Cases for documents: subclass it and override `fresh`."""

    def test_what_is_fresh_is_healthy_and_empty(self) -> None:
        async def case(documents: Documents) -> None:
            assert await health(documents)
            assert await documents.get("books", "a") is None
            assert await documents.delete("books", "a") is False
            assert await found(documents) == []
            assert await documents.count("books") == 0

        self.check(case)

    def test_a_document_is_got_as_it_was_put(self) -> None:
        async def case(documents: Documents) -> None:
            data: dict[str, Any] = {
                "text": "h\u00e9llo \N{SNOWMAN}\N{GRINNING FACE} \"'\\ %s ? {} \r\n\t\0",
                "yes": True,
                "no": False,
                "null": None,
                "numbers": [0, -1, 2**63 - 1, -(2**63), 0.1, -2.5, 1e100, 1e-100, MAX_FLOAT, -0.5e-20],
                "empty": ["", [], {}],
                "a.b": {"a.b": 1, "_id": "x", "id": 7, "version": "y", "a b": 2, "\N{GRINNING FACE}": 3, "a$": 4},
                "_id": "another",
                "id": 7,
                "version": None,
            }
            put = await documents.put("books", "a", data)
            assert (put.id, put.data) == ("a", data)
            document = await documents.get("books", "a")
            assert document == put
            assert document is not None
            kinds = [type(document.data[name]) for name in ("yes", "no", "null", "id")]
            assert kinds == [bool, bool, type(None), int]
            assert [each async for each in documents.find("books")] == [put]

        self.check(case)

    def test_what_is_just_within_the_limits_is_kept(self) -> None:
        async def case(documents: Documents) -> None:
            for data in _LARGEST:
                await documents.put("books", "a", data)
                assert await got(documents, "books", "a") == data

        self.check(case)

    def test_what_is_no_document_is_refused_and_nothing_is_changed(self) -> None:
        async def case(documents: Documents) -> None:
            await documents.put("books", "a", {"old": 1})
            for data in _NO_DATA:
                with pytest.raises(InvalidDocument):
                    await documents.put("books", "a", data)
                with pytest.raises(InvalidDocument):
                    async with documents.transaction() as changes:
                        await changes.put("books", "a", data)
            assert await got(documents, "books", "a") == {"old": 1}

        self.check(case)

    def test_a_put_takes_the_place_of_all_that_was_there(self) -> None:
        async def case(documents: Documents) -> None:
            await documents.put("books", "a", {"old": 1, "both": {"x": 1, "y": 1}})
            await documents.put("books", "a", {"both": {"y": 2}})
            assert await got(documents, "books", "a") == {"both": {"y": 2}}
            assert await found(documents, {"old": 1}) == []

        self.check(case)

    def test_what_a_caller_changes_afterwards_is_not_what_is_kept(self) -> None:
        async def case(documents: Documents) -> None:
            tags = ["a"]
            data: dict[str, Any] = {"tags": tags}
            put: Any = await documents.put("books", "a", data)
            tags.append("b")
            assert put.data == {"tags": ["a"]}
            read: Any = await documents.get("books", "a")
            read.data["tags"].append("c")
            assert await got(documents, "books", "a") == {"tags": ["a"]}

        self.check(case)

    def test_every_text_can_be_an_id(self) -> None:
        async def case(documents: Documents) -> None:
            for id in _IDS:
                await documents.put("books", id, {"is": id}, if_absent=True)
            assert await found(documents) == sorted(_IDS)
            for id in _IDS:
                assert await got(documents, "books", id) == {"is": id}
                assert await documents.delete("books", id)
            assert await found(documents) == []

        self.check(case)

    def test_collections_are_apart(self) -> None:
        async def case(documents: Documents) -> None:
            names = ["books", "Books", "books-2", "books_2", "c" * 64]
            for name in names:
                await documents.put(name, "a", {"in": name})
            await documents.put("books", "b", {})
            assert [await got(documents, name, "a") for name in names] == [{"in": name} for name in names]
            assert await documents.delete("books", "a")
            assert [await documents.count(name) for name in names] == [1] * 5
            assert await found(documents, collection="Books") == ["a"]

        self.check(case)

    def test_what_is_no_name_is_refused(self) -> None:
        async def refused(documents: Documents, collection: Any, id: Any) -> None:
            for attempt in (
                documents.get(collection, id),
                documents.put(collection, id, {}),
                documents.delete(collection, id),
            ):
                with pytest.raises(InvalidDocument):
                    await attempt
            with pytest.raises(InvalidDocument):
                async with documents.transaction() as changes:
                    await changes.delete(collection, id)

        async def case(documents: Documents) -> None:
            for id in ("", "\0", "i" * (MAX_ID + 1), "\ud800", 7, None):
                await refused(documents, "books", id)
            for collection in ("", "a b", "1a", "_a", "a.b", "a$", "\u00e9", "c" * 65, "a\n", None):
                await refused(documents, collection, "a")
                wrong: Any = collection
                with pytest.raises(InvalidDocument):
                    await found(documents, collection=wrong)
                with pytest.raises(InvalidDocument):
                    await documents.count(wrong)

        self.check(case)

    # finding

    def test_a_query_finds_what_meets_all_its_conditions(self) -> None:
        async def case(documents: Documents) -> None:
            await keep(documents, LIBRARY)
            for where, wanted in _FILTERS:
                assert (where, await found(documents, where)) == (where, wanted.split())
                assert await documents.count("books", where) == len(wanted.split())

        self.check(case)

    def test_what_is_found_comes_in_the_order_asked_for(self) -> None:
        async def case(documents: Documents) -> None:
            await keep(documents, LIBRARY)
            for how, wanted in _ORDERS:
                assert (how, await found(documents, **how)) == (how, wanted.split())

        self.check(case)

    def test_equals_come_by_id_and_texts_by_code_points(self) -> None:
        async def case(documents: Documents) -> None:
            words = ["a", "B", "\u00e9", "\uffff", "\N{GRINNING FACE}", "ab", "z", ""]
            await keep(documents, {word or "-": {"word": word, "same": 1} for word in words})
            ids = sorted(word or "-" for word in words)
            assert await found(documents) == ids
            assert await found(documents, order="same") == ids
            assert await found(documents, order="same", descending=True, limit=3) == ids[::-1][:3]
            assert await found(documents, order="word") == ["-", *sorted(words)[1:]]

        self.check(case)

    def test_many_pages_come_once_each_whatever_happens_to_others(self) -> None:
        async def case(documents: Documents) -> None:
            ids = [f"{number:03}" for number in range(230)]
            await asyncio.gather(*(documents.put("books", id, {"n": int(id), "even": int(id) % 2 == 0}) for id in ids))
            seen: list[str] = []
            async for document in documents.find("books"):
                if not seen:
                    await documents.delete("books", "150")
                    await documents.put("books", "0005", {})
                seen.append(document.id)
            assert [id for id in seen if id not in ("150", "0005")] == [id for id in ids if id != "150"]
            assert len(set(seen)) == len(seen)
            assert await documents.count("books") == 230
            assert await documents.count("books", {"even": True}) == 114
            assert await found(documents, {"even": False}, order="n", descending=True, limit=2) == ["229", "227"]
            assert await found(documents, limit=201) == ["000", "0005", *ids[1:150], *ids[151:201]]

        self.check(case)

    def test_a_search_that_is_left_early_leaves_what_works(self) -> None:
        async def case(documents: Documents) -> None:
            await keep(documents, LIBRARY)
            for _ in range(30):
                search: Any = documents.find("books")
                await anext(search)
                await search.aclose()
            assert len(await found(documents)) == len(LIBRARY)

        self.check(case)

    def test_what_is_no_query_is_refused(self) -> None:
        async def case(documents: Documents) -> None:
            for where in _NO_FILTERS:
                with pytest.raises(InvalidQuery):
                    await found(documents, where)
                with pytest.raises(InvalidQuery):
                    await documents.count("books", where)
            for how in _NO_ORDERS:
                with pytest.raises(InvalidQuery):
                    await found(documents, **how)

        self.check(case)

    # conditions

    def test_a_version_is_another_after_every_change(self) -> None:
        async def case(documents: Documents) -> None:
            versions = [(await documents.put("books", "a", {"n": 1})).version for _ in range(3)]
            await documents.delete("books", "a")
            versions.append((await documents.put("books", "a", {"n": 1})).version)
            assert len(set(versions)) == 4
            document = await documents.get("books", "a")
            assert document is not None
            assert document.version == versions[-1]

        self.check(case)

    def test_a_put_on_condition_happens_only_if_it_is_met(self) -> None:
        async def case(documents: Documents) -> None:
            first = await documents.put("books", "a", {"n": 1}, if_absent=True)
            with pytest.raises(DocumentConflict):
                await documents.put("books", "a", {"n": 2}, if_absent=True)
            second = await documents.put("books", "a", {"n": 3}, if_version=first.version)
            for version in (first.version, "", "x", "\u00e9" * 99):
                with pytest.raises(DocumentConflict):
                    await documents.put("books", "a", {"n": 4}, if_version=version)
                with pytest.raises(DocumentConflict):
                    await documents.put("books", "b", {"n": 4}, if_version=version)
            assert await documents.get("books", "a") == second
            assert await got(documents, "books", "b") is None

        self.check(case)

    def test_a_delete_on_condition_happens_only_if_it_is_met(self) -> None:
        async def case(documents: Documents) -> None:
            first = await documents.put("books", "a", {"n": 1})
            second = await documents.put("books", "a", {"n": 2})
            with pytest.raises(DocumentConflict):
                await documents.delete("books", "a", if_version=first.version)
            assert await documents.delete("books", "a", if_version=second.version)
            with pytest.raises(DocumentConflict):
                await documents.delete("books", "a", if_version=second.version)
            assert await documents.delete("books", "a") is False

        self.check(case)

    def test_conditions_that_make_no_sense_are_refused(self) -> None:
        async def case(documents: Documents) -> None:
            with pytest.raises(InvalidDocument):
                await documents.put("books", "a", {}, if_absent=True, if_version="x")
            wrong: Any
            for wrong in (7, "\0", "\ud800"):
                with pytest.raises(InvalidDocument):
                    await documents.put("books", "a", {}, if_version=wrong)
                with pytest.raises(InvalidDocument):
                    await documents.delete("books", "a", if_version=wrong)
            assert await found(documents) == []

        self.check(case)

    def test_of_fifty_that_create_at_once_one_wins(self) -> None:
        async def case(documents: Documents) -> None:
            async def create(number: int) -> bool:
                try:
                    await documents.put("books", "a", {"by": number}, if_absent=True)
                except DocumentConflict:
                    return False
                return True

            won = await asyncio.gather(*(create(number) for number in range(50)))
            assert sum(won) == 1
            assert await got(documents, "books", "a") == {"by": won.index(True)}

        self.check(case)

    def test_a_counter_by_conditions_misses_none(self) -> None:
        async def case(documents: Documents) -> None:
            async def count() -> None:
                while True:
                    document: Any = await documents.get("books", "a")
                    try:
                        await documents.put("books", "a", {"n": document.data["n"] + 1}, if_version=document.version)
                    except DocumentConflict:
                        continue
                    return

            await documents.put("books", "a", {"n": 0})
            await asyncio.gather(*(count() for _ in range(20)))
            assert await got(documents, "books", "a") == {"n": 20}

        self.check(case)

    def test_twenty_that_put_and_delete_at_once_all_come_to_an_end(self) -> None:
        async def case(documents: Documents) -> None:
            async def write(number: int) -> None:
                await documents.put("books", f"own {number}", {"n": number})
                await documents.put("books", "shared", {"n": number})
                if number % 4 == 0:
                    await documents.delete("books", "shared")
                assert await got(documents, "books", f"own {number}") == {"n": number}

            await asyncio.gather(*(write(number) for number in range(20)))
            assert await documents.count("books", {"n": {"gte": 0}}) in (20, 21)

        self.check(case)

    # ends

    def test_a_call_cancelled_at_any_step_happens_whole_or_not(self) -> None:
        async def work(documents: Documents) -> None:
            await documents.put("books", "a", {"n": 1})
            await documents.put("books", "a", {"n": 2})
            async with documents.transaction() as changes:
                await changes.get("books", "a")
                await changes.put("books", "a", {"n": 3})
                await changes.put("books", "b", {"n": 3})
            assert len(await found(documents)) == 2

        async def case(documents: Documents) -> None:
            async for _ in cancelled_at_every_step(lambda: work(documents)):
                kept = [document.data async for document in documents.find("books")]
                assert kept in ([], [{"n": 1}], [{"n": 2}], [{"n": 3}, {"n": 3}])
                for id in ("a", "b"):
                    await documents.delete("books", id)

        self.check(case)

    def test_what_is_closed_refuses_every_call(self) -> None:
        async def case(documents: Documents) -> None:
            async def change() -> None:
                async with documents.transaction() as changes:
                    await changes.put("books", "a", {})

            await close(documents)
            await close(documents)
            for attempt in (
                documents.get("books", "a"),
                documents.put("books", "a", {}),
                documents.delete("books", "a"),
                found(documents),
                documents.count("books"),
                change(),
            ):
                with pytest.raises(NosqlClosed):
                    await attempt
            assert not await health(documents)

        self.check(case)


class NetworkedNosqlContract(NetworkedContract[Documents]):
    """Cases for documents behind a network, besides those of `NosqlContract`."""

    base = NosqlError
    unavailable = NosqlUnavailable
    refusal = NosqlRefused
    misconfigured = NosqlMisconfigured

    async def use(self, component: Documents, number: int = 0) -> None:
        await component.put("uses", f"{number}", {"number": number})
        assert await got(component, "uses", f"{number}") == {"number": number}
