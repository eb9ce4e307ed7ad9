"""Reports whose workflows, topics, subscriptions, schedules or queues somebody has edited into what none is."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from oneiric.report import ReportError


@contextmanager
def as_written() -> Generator[None]:
    """Raises `ReportError` where facts in the block are not as the compiler writes them."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError):
        raise ReportError("what the report declares besides components is not as the compiler writes it") from None
