"""Structured logs on stderr, as `oneiric serve` writes them: JSON where it is piped, readable lines on a terminal.

`oneiric serve` sets them up by itself; a program of your own calls `configure_logging` once, where it begins.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

_DIGEST = re.compile(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])")
_NAME = "logger_name"
"""What structlog, where `logger` is a parameter, is told for it."""
_QUIET = ("aiohttp.access", "asyncio", "watchfiles")


def configure_logging(level: str = "INFO") -> None:
    """Set structlog and the standard logging up for this process. What is below `level` is not written.

    Raises ValueError for a level that is not DEBUG, INFO, WARNING, ERROR or CRITICAL.
    """
    least = logging.getLevelNamesMapping().get(level.upper())
    if least is None:
        raise ValueError(f"`{level}` is not a level: DEBUG, INFO, WARNING, ERROR or CRITICAL")
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, stamp]
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    stream: Any = _Kept(sys.stderr)
    console = structlog.dev.ConsoleRenderer(colors=not plain, exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = _Short(console) if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[_named, *shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    handler = logging.StreamHandler(stream)
    formatter = structlog.stdlib.ProcessorFormatter
    tail: list[Any] = [formatter.remove_processors_meta, structlog.processors.format_exc_info, renderer]
    handler.setFormatter(formatter(foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=tail))
    logging.basicConfig(handlers=[handler], level=least, force=True)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(least, logging.WARNING))


def get_logger(name: str | None = None, **facts: object) -> FilteringBoundLogger:
    """A logger whose entries have these facts, and its name as `logger`: `get_logger(__name__).info("sold", cents=5)`.

    Entries before `configure_logging` are written as structlog does where nobody set it up: to stdout.
    """
    named = {} if name is None else {_NAME: name}
    logger: FilteringBoundLogger = structlog.get_logger(**named, **facts)
    return logger


def _named(logger: object, method: str, event: EventDict) -> EventDict:
    if _NAME in event:
        event["logger"] = event.pop(_NAME)
    return event


class _Kept:
    """A stream whose writer goes on where it cannot be written to: a full disk, or a reader that is gone, would
    otherwise end whatever only tells what it does."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Short:
    """Lines for people: of a SHA-256 the first 12 digits, as commands show and take them."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer

    def __call__(self, logger: Any, name: str, event: Any) -> str:
        return _DIGEST.sub(r"\1", str(self._renderer(logger, name, event)))
