"""A TCP proxy between a component and its server that behaves as badly as networks do."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Literal, TypeAlias

Mood: TypeAlias = Literal["pass", "hang", "garbage", "half", "drop"]
"""What becomes of the server's replies: passed on; kept back, and passed on when the mood is better; replaced by
bytes that mean nothing; cut in their middle, then the connection closed; the connection closed at once."""

GARBAGE = bytes(range(255, -1, -1)) * 4


class Proxy:
    """Listens on a free port of 127.0.0.1 and passes on to `host:port`, in a thread and loop of its own.

    `mood` says how, and may be changed at any time; `delay` is in seconds for each piece of a reply. Refuses new
    connections while `mood` is "drop". `connections` is how many are open now.
    """

    def __init__(self, host: str, port: int, *, mood: Mood = "pass", delay: float = 0.0) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.mood: Mood = mood
        self.delay = delay
        self._target = host, port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._pairs: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Reset every connection there is now."""
        self._call(self._cut())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for listening in self._server.sockets:
            self._loop.remove_reader(listening.fileno())
        await _turns()  # what was accepted last begins: a closed server would forget it, and never close it
        self._server.close()
        await self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await _turns()  # what was closed ends

    async def _cut(self) -> None:
        for pair in self._pairs:
            for writer in pair:
                _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.mood == "drop":
                return
            there, back = await asyncio.open_connection(*self._target)
            pair = (writer, back)
            self._pairs.add(pair)
            pipes = [
                asyncio.ensure_future(_pipe(reader, back, self._as_it_is)),
                asyncio.ensure_future(_pipe(there, writer, self._as_the_mood_is)),
            ]
            try:
                await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._pairs.discard(pair)
                back.close()
                for pipe in pipes:
                    pipe.cancel()
                await asyncio.gather(*pipes, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # either side is gone, or the proxy closes
        finally:
            writer.close()

    async def _as_it_is(self, piece: bytes) -> tuple[bytes, bool]:
        return piece, True

    async def _as_the_mood_is(self, piece: bytes) -> tuple[bytes, bool]:
        """What to send in place of a piece, and whether to go on."""
        if self.delay:
            await asyncio.sleep(self.delay)
        while self.mood == "hang":
            await asyncio.sleep(0.005)
        match self.mood:
            case "garbage":
                return GARBAGE, True
            case "half":
                return piece[: len(piece) // 2], False
            case "drop":
                return b"", False
            case _:
                return piece, True


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def _pipe(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    change: Callable[[bytes], Coroutine[Any, Any, tuple[bytes, bool]]],
) -> None:
    try:
        while piece := await reader.read(65536):
            changed, goes_on = await change(piece)
            writer.write(changed)
            await writer.drain()
            if not goes_on:
                break
    finally:
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    if not writer.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
