"""What the swap benchmarks swap: a cache over a real Redis on one side, one in memory on the other; big wirings."""

from __future__ import annotations

import asyncio
import json
import py_compile
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from oneiric import Domain, Wiring
from oneiric.wiring import bind

REDIS = ("127.0.0.1", 6379)
CONNECTIONS = 8
DEADLINE = 10.0  # seconds for a Redis to start, and to end


class Cache(Protocol):
    async def get(self, key: str) -> bytes | None: ...
    async def set(self, key: str, value: bytes) -> None: ...


class InMemory:
    """A dictionary that is gone once it is closed."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] | None = {}

    async def get(self, key: str) -> bytes | None:
        assert self._values is not None, "called after the close"
        await asyncio.sleep(0)
        assert self._values is not None, "closed during a call"
        return self._values.get(key)

    async def set(self, key: str, value: bytes) -> None:
        assert self._values is not None, "called after the close"
        self._values[key] = value

    async def aclose(self) -> None:
        self._values = None


class OverRedis:
    """The least of a Redis client: a few connections, one command at a time on each."""

    def __init__(self) -> None:
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._all: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        for _ in range(CONNECTIONS):
            reader, writer = await asyncio.open_connection(*REDIS)
            self._all.append(writer)
            self._free.put_nowait((reader, writer))

    async def health(self) -> bool:
        return await self._ask(b"PING") == b"PONG"

    async def get(self, key: str) -> bytes | None:
        return await self._ask(b"GET", b"oneiric-bench:" + key.encode())

    async def set(self, key: str, value: bytes) -> None:
        await self._ask(b"SET", b"oneiric-bench:" + key.encode(), value, b"EX", b"60")

    async def aclose(self) -> None:
        for writer in self._all:
            writer.close()
            await writer.wait_closed()

    async def _ask(self, *words: bytes) -> bytes | None:
        reader, writer = await self._free.get()
        try:
            lines = [b"*%d\r\n" % len(words), *(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)]
            writer.write(b"".join(lines))
            kind, rest = (line := await reader.readuntil(b"\r\n"))[:1], line[1:-2]
            if kind == b"-":
                raise ConnectionError(rest.decode())
            if kind != b"$":
                return rest
            return None if rest == b"-1" else (await reader.readexactly(int(rest) + 2))[:-2]
        finally:
            self._free.put_nowait((reader, writer))


def wiring(fingerprint: str, make: Callable[[], Any], keys: int = 1) -> type[Any]:
    """A wiring of so many keys (`cache`, `k1`, …), each made by `make`."""
    names = ["cache", *(f"k{number}" for number in range(1, keys))]
    blocks: dict[str, Any] = {
        name: bind(f"adapter:{name}", fingerprint, provider=fingerprint, port=f"{__name__}:Cache")(lambda _: make())
        for name in names
    }
    domain: Any = type("Adapters", (Domain,), blocks)

    class Benchmark(Wiring, app="benchmark"):
        pass

    Benchmark.domains(adapters=domain)
    return Benchmark


_HEAD = """\
from __future__ import annotations
from oneiric.wiring import Domain, Wiring as BaseWiring, bind
class Adapters(Domain):
"""
_BLOCK = '''\
    @bind("adapter:k{i}", "{fingerprint}", provider="memory", port="benchmarks.swapping:Cache")
    def k{i}(self) -> Cache:
        """memory: settings/adapters.yml selects it"""
        from benchmarks.swapping import InMemory
        return InMemory()

'''
_TAIL = """\
class Wiring(BaseWiring, app="benchmark"):
    adapters: Adapters
Wiring.domains(adapters=Adapters)
"""


def _own(key: str, tenant: int) -> dict[str, object]:
    return {
        "key": key,
        "provider": "memory",
        "fingerprint": f"{tenant:08x}",
        "factory": "benchmarks.swapping:InMemory",
        "port": "benchmarks.swapping:Cache",
        "arguments": {},
    }


def write_wiring(folder: Path, keys: int, tenants: int, changed: str) -> Path:
    """A wiring of so many keys and five lines for each tenant, with bytecode as the compiler leaves it; key 0 has the
    fingerprint `changed`."""
    folder.mkdir(parents=True)
    path = folder / "wiring.py"
    lines: dict[str, list[str]] = {"": [], **{f"adapter:k{i}": [] for i in range(keys)}}
    with open(folder / "tenants.jsonl", "w") as file:
        for tenant in range(tenants):
            for key in ("", *sorted(f"adapter:k{1 + (tenant + step) % (keys - 1)}" for step in range(5))):
                line = json.dumps({"tenant": f"t{tenant:06}", **(_own(key, tenant) if key else {})}) + "\n"
                lines[key].append(line)
                file.write(line)
    named = {
        key: f"{len(each)}:{sha256(''.join(each).encode()).hexdigest()[:8]}" for key, each in lines.items() if each
    }
    text = _HEAD
    for i in range(keys):
        block = _BLOCK.format(i=i, fingerprint=changed if i == 0 else f"{i:08x}")
        stated = named.get(f"adapter:k{i}")
        text += block if stated is None else block.replace(':Cache")', f':Cache", tenants="{stated}")', 1)
    listed = f'    __listed__ = "{named[""]}"\n' if tenants else ""
    path.write_text(text + _TAIL.replace("    adapters: Adapters\n", f"{listed}    adapters: Adapters\n", 1))
    mode = py_compile.PycInvalidationMode.CHECKED_HASH
    py_compile.compile(str(path), doraise=True, invalidation_mode=mode)
    return path


@contextmanager
def redis() -> Iterator[bool]:
    """Whether there is a Redis: the one that listens already, or one that is started and ended here."""
    if _listens() or (server := shutil.which("redis-server")) is None:
        yield _listens()
        return
    host, port = REDIS
    with tempfile.TemporaryDirectory() as folder:
        options = ["--bind", host, "--port", str(port), "--save", "", "--dir", folder]
        started = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + DEADLINE
            while not _listens() and started.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            yield _listens()
        finally:
            started.terminate()
            started.wait(DEADLINE)


def _listens() -> bool:
    try:
        socket.create_connection(REDIS, timeout=1).close()
    except OSError:
        return False
    return True


class Stalls:
    """The longest time the loop did not turn, in milliseconds, while this is entered."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._task: asyncio.Task[None] | None = None

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        last = clock()
        while True:
            await asyncio.sleep(0)
            now = clock()
            self.longest = max(self.longest, (now - last) * 1000)
            last = now

    async def __aenter__(self) -> Stalls:
        self._task = asyncio.ensure_future(self._look())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._task is not None
        await asyncio.sleep(0)
        self._task.cancel()


def resident() -> float:
    """This process's memory now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20
