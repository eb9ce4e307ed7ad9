"""The layer `delayed`: every call waits first, as one over a slow network does."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TypeVar

from oneiric.layers._settings import seconds
from oneiric.layers._wrapping import Wrapping

P = TypeVar("P")


def delayed(inner: P, *, by: timedelta) -> P:
    """Waits before each call that is awaited. Iterators, context managers and other methods are passed on as they are.

    `by`: how long.
    """
    return _WRAPPING.around(inner, partial(asyncio.sleep, seconds("delayed", "by", by)))


_CALL = """\
async def {name}({parameters}):
    await {self}._layer()
    return await {self}._inner.{name}({arguments})
"""
_WRAPPING = Wrapping("Delayed", call=_CALL)
