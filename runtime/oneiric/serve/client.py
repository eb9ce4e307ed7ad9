"""The other end of a control socket."""

from __future__ import annotations

import socket
from typing import Any

from oneiric.documents import Misfit, parse
from oneiric.errors import OneiricError, StateError
from oneiric.serve.folder import StateFolder
from oneiric.serve.operations import ANSWER, OPERATIONS

_AGAIN = 0.02
"""Seconds until a socket that takes no more connections is tried once more."""


class NotRunning(OneiricError):
    """No process listens at the socket."""


class Refused(OneiricError):
    """The process refused what was asked; the text is its answer."""


class NoAnswer(OneiricError):
    """A process listens, and does not answer in time: it is stopped, or busy. `pid` is None where it is not known;
    `asked` is whether a change was asked of it, which it may still do."""

    def __init__(self, name: str, pid: int | None, seconds: float, *, asked: bool) -> None:
        self.pid = pid
        self.asked = asked
        who = f"process {name}" if pid is None else f"process {name} (pid {pid})"
        super().__init__(f"{who} did not answer within {seconds:g} seconds")


def running(folder: StateFolder) -> bool:
    """Whether a process listens on the folder's socket; it may be too busy to answer. Never waits.

    Raises `PermissionError` for another user's, `StateError`.
    """
    try:
        _connected(folder).close()
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except BlockingIOError:  # as many as it may keep waiting are waiting already
        pass
    return True


def _connected(folder: StateFolder) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    try:
        end.setblocking(False)
        end.connect(folder.socket)
    except BaseException:
        end.close()
        raise
    return end


def _pid(folder: StateFolder) -> int | None:
    """That of the process that listens, where it can be told."""
    from oneiric.serve.peer import peer_of

    try:
        with _connected(folder) as end:
            return peer_of(end).pid or None
    except OSError:
        pass
    try:
        left = folder.left()  # what it wrote itself
    except StateError:
        left = None
    return None if left is None else int(left["pid"])


def ask(folder: StateFolder, operation: str, *, timeout: float | None = None, **arguments: object) -> dict[str, Any]:
    """What the process answers to an operation within `timeout` seconds, by default the operation's own.

    Raises `NotRunning`, `Refused`, `NoAnswer`.
    """
    import asyncio

    return asyncio.run(answer(folder, operation, timeout=timeout, **arguments))


async def answer(
    folder: StateFolder, operation: str, *, timeout: float | None = None, **arguments: object
) -> dict[str, Any]:
    """As `ask`, where a loop is running already."""
    import asyncio

    import aiohttp  # noqa: F401  # pyright: ignore[reportUnusedImport] - before the clock runs

    row = OPERATIONS.get(operation)
    seconds = timeout if timeout is not None else ANSWER if row is None else row.seconds
    asked = False
    try:
        async with asyncio.timeout(seconds):
            if row is not None and not row.reads:  # of a process that is stopped no change is asked at all
                async with asyncio.timeout(timeout or min(ANSWER, seconds)):
                    await _post(folder, "health", {"probe": False, "within": ANSWER})
                asked = True
            return await _post(folder, operation, arguments)
    except TimeoutError as error:
        waited = seconds if asked or timeout is not None else min(ANSWER, seconds)
        raise NoAnswer(folder.name, _pid(folder), waited, asked=asked) from error


async def _room(folder: StateFolder) -> None:
    """Wait until the process has room for one more who waits for it: asyncio takes a full socket for a connection."""
    import asyncio

    while True:
        try:
            return _connected(folder).close()
        except BlockingIOError:
            await asyncio.sleep(_AGAIN)


async def _post(folder: StateFolder, operation: str, arguments: object) -> dict[str, Any]:
    import aiohttp

    try:
        await _room(folder)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=folder.socket), timeout=aiohttp.ClientTimeout(total=None)
            ) as session,
            session.post(f"http://process/{operation}", json=arguments) as response,
        ):
            document: dict[str, Any] = parse(await response.read(), {})
    except PermissionError as error:
        raise Refused(f"the control socket of {folder.name} belongs to another user") from error
    except (FileNotFoundError, ConnectionRefusedError, aiohttp.ClientConnectorError) as error:
        raise NotRunning(f"no process {folder.name} is running") from error
    except aiohttp.ClientError as error:
        raise Refused(f"the process {folder.name} went away before it answered") from error
    except Misfit as error:
        raise Refused(f"what process {folder.name} answered cannot be read: {error}") from error
    if response.status != 200:
        raise Refused(str(document.get("error")))
    return document
