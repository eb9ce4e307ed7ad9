"""Structured logs on stderr: JSON where it is piped, readable lines on a terminal. No secret and no error text
of a component gets in: of an error that is not this package's own, the class and the place are told."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from collections.abc import Callable
from traceback import extract_tb
from typing import Any, cast

import structlog

from oneiric.errors import OneiricError
from oneiric.tracing import End, Recorder, Traced, words

_DIGEST = re.compile(r"(?<![0-9a-f])([0-9a-f]{12})[0-9a-f]{52}(?![0-9a-f])")
_QUIET = ("aiohttp.access", "asyncio", "watchfiles")


def configure() -> Any:
    """Set structlog and the standard logging up for this process; the logger."""
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    shared: list[Any] = [structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, stamp]
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    terminal = _Short(structlog.dev.ConsoleRenderer(colors=not plain))
    renderer: Any = terminal if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(processors=[*shared, renderer], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    handler = logging.StreamHandler(sys.stderr)
    formatter = structlog.stdlib.ProcessorFormatter
    tail: list[Any] = [formatter.remove_processors_meta, structlog.processors.format_exc_info, renderer]
    handler.setFormatter(formatter(foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=tail))
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return structlog.get_logger()


class _Short:
    """Lines for people: of a SHA-256 the first 12 digits, as commands show and take them."""

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer

    def __call__(self, logger: Any, name: str, event: Any) -> str:
        return _DIGEST.sub(r"\1", str(self._renderer(logger, name, event)))


def spans(log: Any, generation: Callable[[], str | None], changed: Callable[[], object]) -> Recorder:
    """What makes an event of each span that ends, and says that something changed."""

    def begin(span: Traced) -> End:
        event = span.name.removeprefix("oneiric.")

        def end(error: BaseException | None) -> None:
            told: dict[str, Any] = {name: each for name, each in span.attributes.items() if each is not None}
            told = {"generation": generation(), **told, "seconds": round(span.seconds, 6)}
            if error is None:
                log.info(event, **told)
            elif isinstance(error, asyncio.CancelledError):
                log.info(f"{event} cancelled", **told)
            else:
                log.warning(f"{event} failed", reason=words(error), **told)
            changed()

        return end

    return begin


def log_error(log: Any, event: str, error: BaseException) -> None:
    """An error's own words and those of what caused it, whose it is, and where it was raised."""
    if isinstance(error, BaseExceptionGroup):
        for each in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            log_error(log, event, each)
        return
    facts = {name: getattr(error, name, None) for name in ("domain", "key", "provider", "tenant")}
    whose = isinstance(error, OneiricError) and facts["domain"] is not None
    about = {name: value for name, value in facts.items() if whose and value is not None}
    if error.__cause__ is not None:
        about["cause"] = words(error.__cause__)
    frames = extract_tb((error.__cause__ or error).__traceback__)[-3:]
    at = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    log.error(event, reason=words(error), at=at, **about)
