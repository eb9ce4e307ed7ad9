"""What a process tells in its log. No secret and no error text of a component gets in: of an error that is not this
package's own, the class and the place are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from traceback import extract_tb
from typing import Any, cast

from oneiric.errors import OneiricError
from oneiric.tracing import End, Recorder, Traced, words


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
