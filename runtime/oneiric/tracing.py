"""Spans around what takes time: activate, swap, reload, drain, recompile, emit, deliver, tick, step, invoke.

They go to OpenTelemetry once its API is imported here, or `OTEL_PYTHON_TRACER_PROVIDER` or
`OTEL_PYTHON_METER_PROVIDER` names a provider, and to whoever in this process called `record`. With neither a span is
one shared object that does nothing. Attributes are `domain`, `key`, `provider`, `tenant`, `generation` and the like:
plain values, never a secret; what OpenTelemetry has a name for goes by that, which has a dot. How long each took also
goes into OpenTelemetry's histogram `oneiric.NAME.duration`, in seconds, by those of its attributes that have few
values.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Any, TypeAlias

from oneiric.errors import OneiricError

Attribute: TypeAlias = "str | bool | int | float | None"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Where the buckets of the histograms end, unless a view of the application says otherwise."""
_MEASURED = ("method", "accepted", "queue", "topic", "subscription", "schedule")
"""Attributes that measurements have as well, besides the key: neither tenants nor generations, which are many."""


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

_recorders: list[Recorder] = []
_asked_for = not {"OTEL_PYTHON_TRACER_PROVIDER", "OTEL_PYTHON_METER_PROVIDER"}.isdisjoint(os.environ)
_begun = False  # OpenTelemetry has been looked for, and is among the recorders where it is there
_NOTHING = _NoSpan("", {})


def span(name: str, **attributes: Attribute) -> Traced:
    """`with span("activate", domain=..., key=...) as current: ...; current.set(generation=...)`."""
    recorders = _all()
    return Traced(f"oneiric.{name}", attributes) if recorders else _NOTHING


def record(recorder: Recorder) -> None:
    """Tell every span that begins from now on to `recorder` too, until `forget`."""
    _recorders.append(recorder)


def forget(recorder: Recorder) -> None:
    """Stop telling it."""
    _recorders.remove(recorder)


def words(error: BaseException) -> str:
    """An error in words that cannot hold a secret: its text where it is of this package, else its class alone."""
    return str(error) if isinstance(error, OneiricError) else type(error).__name__


def _all() -> list[Recorder]:
    global _begun
    if not _begun and (_asked_for or "opentelemetry" in sys.modules):  # its import takes longer than most starts
        _begun = True
        _recorders.extend(_open_telemetry())
    return _recorders


def _open_telemetry() -> list[Recorder]:
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        return []
    tracer = trace.get_tracer("oneiric")
    histograms: dict[str, Any] = {}

    def begin(span: Traced) -> End:
        entered = tracer.start_as_current_span(span.name, record_exception=False, set_status_on_exception=False)
        recorded = entered.__enter__()

        def end(error: BaseException | None) -> None:
            for name, value in span.attributes.items():
                if value is not None:
                    recorded.set_attribute(name if "." in name else f"oneiric.{name}", value)
            if error is not None:
                recorded.set_status(trace.StatusCode.ERROR, words(error))
            if span.name not in histograms:
                histograms[span.name] = _histogram(span.name)
            histograms[span.name].record(span.seconds, _measured(span.attributes, error))
            entered.__exit__(None, None, None)

        return end

    return [begin]


def _measured(attributes: dict[str, Attribute], error: BaseException | None) -> dict[str, str | bool | int | float]:
    found = {f"oneiric.{name}": value for name in _MEASURED if (value := attributes.get(name)) is not None}
    if key := attributes.get("key"):
        domain = attributes.get("domain")
        found["oneiric.key"] = f"{domain}:{key}" if domain else key
    if error is not None:
        found["error.type"] = f"{type(error).__module__}.{type(error).__qualname__}"
    return found


def _histogram(name: str) -> Any:
    """OpenTelemetry's, which goes to the provider of the application, be it set later."""
    from opentelemetry import metrics

    name, text = f"{name}.duration", f"How long each {name} took"
    meter = metrics.get_meter("oneiric")
    try:
        return meter.create_histogram(name, "s", text, explicit_bucket_boundaries_advisory=SECONDS)
    except TypeError:  # before 1.30 only views had a say in the buckets
        return meter.create_histogram(name, "s", text)
