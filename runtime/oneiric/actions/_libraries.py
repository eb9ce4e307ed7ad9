"""Libraries of extras, imported at the first call that needs one, and calls that take long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from oneiric.actions import ActionMissingExtra

IN_THREAD_FROM = 64 * 1024
"""Bytes from which on what is done with them runs in a thread: less takes less time than handing it over."""

T = TypeVar("T")


@contextmanager
def extra_of(key: str, extra: str) -> Generator[None]:
    """Imports in its block that fail since the extra is not installed raise `ActionMissingExtra`."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = ActionMissingExtra(f"needs the module {error.name}, which the extra {extra} has", key=key)
        missing.extra = extra
        raise missing from error


async def worked(size: int, function: Callable[[], T]) -> T:
    """What the function gives, called in a thread where it works on so many bytes that others would wait for it."""
    return function() if size < IN_THREAD_FROM else await asyncio.to_thread(function)
