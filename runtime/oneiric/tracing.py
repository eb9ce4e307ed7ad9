"""Spans around what takes time: activate, swap, reload, drain, recompile.

They go to OpenTelemetry where its API is installed, and to whoever in this process called `record`. With neither a
span is one shared object that does nothing. Attributes are `domain`, `key`, `provider`, `tenant`, `generation` and
the like: plain values, never a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import TypeAlias

from oneiric.errors import OneiricError

Attribute: TypeAlias = "str | bool | int | float | None"


class Traced:
    """One span. `seconds` is how long it took, once it is over; `None` attributes are left out where it is told."""

    __slots__ = ("_begin", "_ends", "attributes", "name", "seconds")

    def __init__(self, name: str, attributes: dict[str, Attribute]) -> None:
        self.name = name
        self.attributes = attributes
        self.seconds = 0.0

    def set(self, **attributes: Attribute) -> None:
        """Add what is known only now."""
        self.attributes.update(attributes)

    def __enter__(self) -> Traced:
        self._begin = perf_counter()
        self._ends = [recorder(self) for recorder in _recorders or ()]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = perf_counter() - self._begin
        for end in reversed(self._ends):
            end(error)


class _NoSpan(Traced):
    __slots__ = ()

    def set(self, **attributes: Attribute) -> None:
        pass

    def __enter__(self) -> Traced:
        return self

    def __exit__(self, *error: object) -> None:
        pass


End: TypeAlias = Callable[["BaseException | None"], None]
Recorder: TypeAlias = Callable[[Traced], End]
"""Called when a span begins; what it gives is called when the span is over, with the error it ended by."""

_recorders: list[Recorder] | None = None
_NOTHING = _NoSpan("", {})


def span(name: str, **attributes: Attribute) -> Traced:
    """`with span("activate", domain=..., key=...) as current: ...; current.set(generation=...)`."""
    recorders = _all()
    return Traced(f"oneiric.{name}", attributes) if recorders else _NOTHING


def record(recorder: Recorder) -> None:
    """Tell every span that begins from now on to `recorder` too, until `forget`."""
    _all().append(recorder)


def forget(recorder: Recorder) -> None:
    """Stop telling it."""
    _all().remove(recorder)


def words(error: BaseException) -> str:
    """An error in words that cannot hold a secret: its text where it is of this package, else its class alone."""
    return str(error) if isinstance(error, OneiricError) else type(error).__name__


def _all() -> list[Recorder]:
    global _recorders
    if _recorders is None:
        _recorders = _open_telemetry()
    return _recorders


def _open_telemetry() -> list[Recorder]:
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        return []
    tracer = trace.get_tracer("oneiric")

    def begin(span: Traced) -> End:
        entered = tracer.start_as_current_span(span.name, record_exception=False, set_status_on_exception=False)
        recorded = entered.__enter__()

        def end(error: BaseException | None) -> None:
            for name, value in span.attributes.items():
                if value is not None:
                    recorded.set_attribute(f"oneiric.{name}", value)
            if error is not None:
                recorded.set_status(trace.StatusCode.ERROR, words(error))
            entered.__exit__(None, None, None)

        return end

    return [begin]
