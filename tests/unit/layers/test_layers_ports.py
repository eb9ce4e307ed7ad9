"""Every built-in layer around every method of real ports: what comes through is what came, results and errors alike.

A story makes calls of one port and lists what each came to; layers that have nothing to do change nothing of it.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest
from oneiric import PortError, Runtime
from oneiric.adapters.cache import Cache
from oneiric.adapters.cache.memory import MemoryCache
from oneiric.adapters.database import Database
from oneiric.adapters.database.sqlite import SQLiteDatabase
from oneiric.adapters.http import HttpClient
from oneiric.adapters.http.httpx import HTTPXClient
from oneiric.adapters.queue import Queue
from oneiric.adapters.queue.memory import MemoryQueue
from oneiric.adapters.storage import Storage
from oneiric.adapters.storage.local import LocalStorage
from oneiric.layers.breaker import breaker
from oneiric.layers.cached import cached
from oneiric.layers.fallback import fallback
from oneiric.layers.limit import Rate, limit
from oneiric.layers.retry import retry
from oneiric.layers.timeout import timeout
from oneiric.layers.traced import traced
from oneiric.live.handles import handle_class
from oneiric.port import methods_of
from oneiric.testing.http_server import HttpServer

from tests.unit.layers.layered import Port
from tests.unit.runtime.making import key, wiring_of

NAMED = ["tests.unit.layers.layered:Down"]
LAYERS: dict[str, Callable[[Any], Any]] = {
    "timeout": partial(timeout, timeout=timedelta(minutes=1)),
    "retry": partial(retry, errors=NAMED),
    "breaker": partial(breaker, errors=NAMED, failures=1),
    "limit": partial(limit, at_once=2, rate=Rate(1000, timedelta(seconds=1)), wait=timedelta(seconds=10)),
    "cached": lambda inner: cached(inner, methods=awaited(inner.__port__), ttl=timedelta(microseconds=1)),
    "traced": traced,
    "fallback": lambda inner: fallback(inner, to=inner, errors=NAMED),
}


def everything(inner: Any) -> Any:
    """All of them, one around the other."""
    for layer in LAYERS.values():
        inner = layer(inner)
    return inner


def awaited(port: type) -> list[str]:
    return [method.name for method in methods_of(port)[0] if method.is_async]


class Heard:
    """Makes calls, and lists what they came to; `called` are the methods."""

    def __init__(self, component: Any) -> None:
        self.component = component
        self.list: list[object] = []
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*arguments: Any, **named: Any) -> Any:
            self.called.add(name)
            result = None
            with self.error():
                result = await getattr(self.component, name)(*arguments, **named)
                self.list.append((name, type(result), told(result)))
            return result

        return call

    def error(self) -> Any:
        return _Error(self)

    async def all(self, name: str, *arguments: Any, **named: Any) -> None:
        """All items of an iterator."""
        self.called.add(name)
        with self.error():
            async for item in getattr(self.component, name)(*arguments, **named):
                self.list.append((name, type(item), told(item)))

    @asynccontextmanager
    async def entered(self, name: str, *arguments: Any, **named: Any) -> AsyncIterator[Any]:
        self.called.add(name)
        async with getattr(self.component, name)(*arguments, **named) as inside:
            self.list.append((name, type(inside)))
            yield inside


class _Error:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if isinstance(error, Exception):
            self._heard.list.append((kind, str(error)))
        return isinstance(error, Exception)


def told(result: Any) -> object:
    """What two runs have in common."""
    names = ("status", "body", "name", "size", "content_type", "metadata", "id", "attempt")
    found = {name: getattr(result, name) for name in names if hasattr(result, name)}
    return found or result


async def cache(heard: Heard) -> None:
    await heard.get("key")
    await heard.set("key", b"value", ttl=60.0)
    await heard.get(key="key")
    await heard.exists("key")
    await heard.increment("number", 5)
    await heard.increment("number", amount=-2, ttl=60.0)
    await heard.increment("key")
    await heard.set("", b"")
    await heard.set("key", "text")
    await heard.delete("key")
    await heard.delete("key")
    await heard.add("key", b"value", ttl=60.0)
    await heard.add("key", b"other")
    await heard.set_many({"one": b"1", "two": b"2"}, ttl=60.0)
    await heard.get_many(["two", "three", "one"])
    await heard.get_many("one")
    await heard.delete_prefix("t")
    await heard.delete_prefix("")
    await heard.clear()
    await heard.get("number")


async def database(heard: Heard) -> None:
    await heard.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)")
    await heard.execute("INSERT INTO t VALUES (?, ?)", [1, "one"])
    await heard.execute("INSERT INTO t VALUES (?, ?)", (1, "again"))
    await heard.fetch("SELECT * FROM t WHERE a = ?", parameters=[1])
    await heard.fetch("SELECT * FROM nothing")
    await heard.fetch("BEGIN")
    async with heard.entered("transaction") as transaction:
        await transaction.execute("INSERT INTO t VALUES (2, 'two')")
        await heard.fetch("SELECT 1")
    with heard.error():
        async with heard.entered("transaction") as transaction:
            await transaction.execute("INSERT INTO t VALUES (3, 'three')")
            raise ZeroDivisionError("of the block")
    with heard.error():
        async with heard.entered("transaction") as transaction:
            await transaction.fetch("SELECT * FROM nothing")
    await heard.fetch("SELECT * FROM t ORDER BY a")


async def queue(heard: Heard) -> None:
    await heard.publish(b"one", headers={"a": "b"})
    await heard.publish(b"two")
    await heard.publish("text")
    for wait in (1.0, 1.0, 0.0):
        async with heard.entered("consume", wait=wait) as message:
            heard.list.append(message and (message.body, message.attempt, dict(message.headers)))
    await heard.publish(b"three")
    with heard.error():
        async with heard.entered("consume") as message:
            raise ZeroDivisionError("of the block")
    async with heard.entered("consume") as message:
        heard.list.append((message.body, message.attempt))
    with heard.error():
        async with heard.entered("consume", wait=-1.0):
            pass


async def storage(heard: Heard) -> None:
    await heard.put("a/b", b"x" * 100_000, metadata={"k": "v"})
    await heard.put("a/b", b"", if_absent=True)
    await heard.get("a/b")
    await heard.get("missing")
    await heard.stat("a/b")
    await heard.all("stream", "a/b", chunk_size=30_000)
    await heard.all("stream", "a/b", start=5, stop=9)
    await heard.all("stream", "missing")
    await heard.put_stream("a/d", body())
    await heard.put_stream("a/d", body(), if_absent=True)
    await heard.link("a/b")
    await heard.put("a/c", b"", content_type="text/plain")
    await heard.all("list")
    await heard.all("list", "a/c")
    steps = heard.component.stream("a/b", chunk_size=1000)
    heard.list.append(await anext(steps))
    await steps.aclose()
    heard.list.append([item async for item in steps])
    await heard.delete("a/b")
    await heard.delete("a/b")
    await heard.put("..", b"")


async def body() -> AsyncIterator[bytes]:
    yield b"in "
    yield b"pieces"


async def http(heard: Heard) -> None:
    await heard.get("told", params={"a": [1, 2], "b": "c"}, headers={"x-own": "y"})
    await heard.get("status/404")
    await heard.post("echo", json={"a": [1]})
    await heard.post("echo", body=b"body", json={})
    await heard.request("PUT", "echo", body=body())
    await heard.get("ftp://nowhere")
    async with heard.entered("stream", "GET", "zeros/100000") as answer:
        heard.list.append((answer.status, sum([len(piece) async for piece in answer.body])))
    with heard.error():
        async with heard.entered("stream", "GET", "zeros/100000") as answer:
            raise ZeroDivisionError("of the block")
    with heard.error():
        async with heard.entered("stream", "G T", "zeros/100000") as answer:
            pass


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


STORIES: dict[str, tuple[type, Callable[[Heard], Awaitable[None]], Callable[[Path, HttpServer], Any]]] = {
    "cache": (Cache, cache, lambda folder, server: MemoryCache()),
    "database": (Database, database, lambda folder, server: SQLiteDatabase(path=str(folder / "d.db"))),
    "queue": (Queue, queue, lambda folder, server: MemoryQueue()),
    "storage": (Storage, storage, lambda folder, server: LocalStorage(base_path=folder / "objects")),
    "http": (HttpClient, http, lambda folder, server: HTTPXClient(base_url=server.url)),
}


def heard_through(name: str, layer: Callable[[Any], Any], folder: Path, server: HttpServer) -> Heard:
    port, story, make = STORIES[name]
    folder.mkdir()

    async def main() -> Heard:
        wiring = wiring_of(it=key(lambda _: make(folder, server), port=f"{port.__module__}:{port.__qualname__}"))
        async with asyncio.timeout(60), Runtime(wiring) as runtime:
            heard = Heard(layer(runtime.wiring.adapters.it.live))
            await story(heard)
            slot = runtime.wiring.adapters.it
            assert slot.held is not None and slot.held.leases == 0
            return heard

    return asyncio.run(main())


@pytest.mark.parametrize("name", STORIES)
def test_a_story_has_every_method_of_its_port_and_errors(name: str, tmp_path: Path, server: HttpServer) -> None:
    heard = heard_through(name, lambda inner: inner, tmp_path / "bare", server)
    assert heard.called == {method.name for method in methods_of(STORIES[name][0])[0]}
    errors = [each[0] for each in heard.list if isinstance(each, tuple) and isinstance(each[0], type)]
    assert len({kind for kind in errors if issubclass(kind, Exception)}) >= 2


@pytest.mark.parametrize("name", STORIES)
def test_a_layer_that_has_nothing_to_do_changes_nothing(name: str, tmp_path: Path, server: HttpServer) -> None:
    bare = heard_through(name, lambda inner: inner, tmp_path / "bare", server).list
    for layer, around in {**LAYERS, "everything": everything}.items():
        assert heard_through(name, around, tmp_path / layer, server).list == bare, layer


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("port", [port for port, _, _ in STORIES.values()] + [Port], ids=lambda port: port.__name__)
def test_signatures_are_the_ports_own(layer: str, port: Any) -> None:
    async def main() -> None:
        wiring = wiring_of(it=key(lambda _: None, port=f"{port.__module__}:{port.__qualname__}"))
        async with Runtime(wiring) as runtime:
            live = runtime.wiring.adapters.it.live
            around, second = LAYERS[layer](live), LAYERS[layer](live)
            assert type(around) is type(second), "a class is made once for each port"
            assert around.__port__ is port and around.__key__ == "adapter:it"
            assert repr(around) == f"<{layer.capitalize()}{port.__name__} of <live adapter:it>>"
            for method in methods_of(port)[0]:
                made = getattr(type(around), method.name)
                assert inspect.signature(made) == inspect.signature(getattr(type(live), method.name))
                assert inspect.iscoroutinefunction(made) == method.is_async
            names = {name for name in dir(around) if not name.startswith("_")}
            assert names == {name for name in dir(live) if not name.startswith("_")}

    asyncio.run(main())


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_not_a_live_handle_is_refused(layer: str) -> None:
    made: dict[str, Any] = {**LAYERS, "cached": partial(cached, methods=["get"], ttl=timedelta(seconds=1))}
    with pytest.raises(PortError, match="a layer wraps a live handle or another layer, not MemoryCache"):
        made[layer](MemoryCache())


def test_a_port_that_nobody_has_any_more_is_not_kept() -> None:
    class Gone(Protocol):
        async def get(self) -> int: ...

    known = weakref.ref(Gone)
    inner = handle_class(Gone)(SimpleNamespace(key="adapter:it"))
    around = [layer(inner) for layer in LAYERS.values()]
    assert {each.__port__ for each in around} == {Gone}
    del Gone, inner, around
    gc.collect()
    assert known() is None
