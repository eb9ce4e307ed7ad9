"""The other end of a control socket."""

from __future__ import annotations

import socket
from typing import Any

from oneiric.errors import OneiricError
from oneiric.serve.folder import StateFolder

DEADLINE = 300.0
"""Seconds an answer may take: a swap compiles, warms and drains."""


class NotRunning(OneiricError):
    """No process answers at the socket."""


class Refused(OneiricError):
    """The process refused what was asked; the text is its answer."""


def running(folder: StateFolder) -> bool:
    """Whether a process listens on the folder's socket. Raises `PermissionError` for another user's."""
    with socket.socket(socket.AF_UNIX) as end:
        end.settimeout(5.0)
        try:
            end.connect(folder.socket)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def ask(folder: StateFolder, operation: str, **arguments: object) -> dict[str, Any]:
    """What the process answers to an operation. Raises `NotRunning`, `Refused`."""
    import asyncio

    return asyncio.run(answer(folder, operation, **arguments))


async def answer(folder: StateFolder, operation: str, **arguments: object) -> dict[str, Any]:
    """As `ask`, where a loop is running already."""
    import aiohttp

    try:
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(path=folder.socket), timeout=aiohttp.ClientTimeout(total=DEADLINE)
            ) as session,
            session.post(f"http://process/{operation}", json=arguments) as response,
        ):
            document: dict[str, Any] = await response.json()
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, PermissionError):
            raise Refused(f"the control socket of {folder.name} belongs to another user") from error
        raise NotRunning(f"no process {folder.name} is running") from error
    except aiohttp.ClientError as error:
        raise Refused(f"the process {folder.name} went away before it answered") from error
    except TimeoutError as error:
        raise Refused(f"the process {folder.name} did not answer within {DEADLINE:g} seconds") from error
    if response.status != 200:
        raise Refused(str(document.get("error")))
    return document
